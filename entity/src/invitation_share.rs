//! That a customer shared; counted, never rewarded (REF-06).

use crate::ids::{InvitationId, InvitationShareId};
use sea_orm::entity::prelude::*;

/// That a customer shared; counted, never rewarded (REF-06).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invitation_share")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvitationShareId,
    /// Invitation id.
    pub invitation_id: InvitationId,
    /// Channel.
    pub channel: String,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
