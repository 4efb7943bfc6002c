//! Typed ids: UUIDv7 newtypes, so that a booking id cannot stand where a worker id belongs.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

macro_rules! typed_id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveValueType, Serialize, Deserialize,
            utoipa::ToSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )+};
}

typed_id! {
    /// An account: customer, worker or staff.
    AccountId,
    /// An audit entry.
    AuditEntryId,
    /// A booking event.
    BookingEventId,
    /// A booking.
    BookingId,
    /// A back-test.
    BacktestId,
    /// A complaint.
    ComplaintId,
    /// A consent record.
    ConsentRecordId,
    /// A content check.
    ContentCheckId,
    /// A decision.
    DecisionId,
    /// An event judged for a person.
    EvaluationId,
    /// An outbox event.
    EventId,
    /// A third party that sends events.
    EventSourceId,
    /// An invitation.
    InvitationId,
    /// An invitation share.
    InvitationShareId,
    /// A ledger entry.
    LedgerEntryId,
    /// A legal opinion.
    LegalOpinionId,
    /// A message.
    MessageId,
    /// A payment.
    PaymentId,
    /// A payment incident.
    PaymentIncidentId,
    /// A message of WeChat's push.
    PushMessageId,
    /// A photo.
    PhotoId,
    /// A rating.
    RatingId,
    /// Something a third party sent.
    ReceivedEventId,
    /// A day's bill, compared.
    ReconciliationId,
    /// A difference of a day's bill.
    ReconciliationDifferenceId,
    /// A referral.
    ReferralId,
    /// A refresh token.
    RefreshTokenId,
    /// A refund.
    RefundId,
    /// A reward event.
    RewardEventId,
    /// A reward.
    RewardId,
    /// A ruleset.
    RulesetId,
    /// An approval of a ruleset.
    RulesetApprovalId,
    /// A span of time in which one rule set was live.
    RulesetTenureId,
    /// A service.
    ServiceId,
    /// A session.
    SessionId,
    /// A report of fulfilment.
    ShippingReportId,
    /// A staff task.
    StaffTaskId,
    /// A suppression.
    SuppressionId,
    /// A timer.
    TimerId,
    /// A merchant transfer.
    TransferId,
    /// A voucher.
    VoucherId,
    /// A wechat identity.
    WechatIdentityId,
    /// A worker.
    WorkerId,
}
