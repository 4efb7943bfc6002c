//! `received_event`: what third parties sent, once per source and key.

use crate::ids::{AccountId, ConsentRecordId, EventSourceId, ReceivedEventId};
use sea_orm::entity::prelude::*;

/// One delivery. Of somebody unknown, or without his consent, nothing but key and hash is here (PIPL 13).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "received_event")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReceivedEventId,
    /// Who sent it.
    pub source_id: EventSourceId,
    /// The sender's own number of it.
    pub key: String,
    /// Keyed hash of what was sent: proves a repetition, cannot be tried against phone numbers.
    pub payload_hash: String,
    /// What happened; null unless it was taken in.
    pub kind: Option<String>,
    /// Whom it is about; null unless it was taken in.
    pub customer_id: Option<AccountId>,
    /// The `partner_events` grant it rests on.
    pub consent_record_id: Option<ConsentRecordId>,
    /// The sender's number of the customer's authorisation.
    pub authorisation: Option<String>,
    /// When it happened.
    pub occurred_at: Option<DateTimeUtc>,
    /// When it came.
    pub received_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
