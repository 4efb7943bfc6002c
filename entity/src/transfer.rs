//! Money staff send to a customer through 商家转账; never an effect of a rule (REF-02).

use crate::ids::{AccountId, BookingId, TransferId};
use crate::values::{Fen, TransferKind, TransferStatus};
use sea_orm::entity::prelude::*;

/// Money staff send to a customer through 商家转账; never an effect of a rule (REF-02).
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transfer")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TransferId,
    /// Which booking it makes good.
    pub booking_id: BookingId,
    /// To whom.
    pub customer_id: AccountId,
    /// Kind.
    pub kind: TransferKind,
    /// Amount fen.
    pub amount_fen: Fen,
    /// What the customer reads.
    pub remark: String,
    /// Status.
    pub status: TransferStatus,
    /// Our number at WeChat Pay; it never changes.
    #[sea_orm(unique)]
    pub out_bill_no: String,
    /// WeChat's number.
    pub transfer_bill_no: Option<String>,
    /// What the customer confirms with, while he can.
    pub package_info: Option<String>,
    /// Why it failed, in WeChat's word.
    pub fail_reason: Option<String>,
    /// Whether staff want it called off.
    pub cancel_requested: bool,
    /// Who asked for it.
    pub requested_by: AccountId,
    /// The second person.
    pub approved_by: Option<AccountId>,
    /// When the second person said yes.
    pub approved_at: Option<DateTimeUtc>,
    /// When it ended.
    pub settled_at: Option<DateTimeUtc>,
    /// When the row was written.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
