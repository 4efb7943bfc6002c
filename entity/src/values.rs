//! Stored values: money, scores, sealed columns and the status words of the glossary.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Money in fen (1/100 yuan), never a float.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    DeriveValueType,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl Fen {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, saturating at the type's bounds (no real amount comes near).
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, saturating.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `¥12.30` as people write it.
    pub fn yuan(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs();
        if whole.is_multiple_of(100) {
            format!("{sign}¥{}", whole / 100)
        } else {
            format!("{sign}¥{}.{:02}", whole / 100, whole % 100)
        }
    }
}

/// A rating's score in hundredths: 480 is 4.80.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    DeriveValueType,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct Score(pub i32);

/// An AES-256-GCM envelope. There is no way to make one from plain text here: only the vault seals.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(column_type = "Blob")]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes an envelope the vault has made; `None` when the bytes are not one.
    pub fn from_envelope(bytes: Vec<u8>) -> Option<Self> {
        // Version byte 1, key id length, key id, 12-byte nonce, 16-byte tag: nothing shorter can be an envelope.
        let sealed = bytes.first() == Some(&1) && bytes.len() >= 2 + 12 + 16;
        sealed.then_some(Self(bytes))
    }

    /// The envelope's bytes.
    pub fn envelope(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// A keyed hash of a normalised value, for equality look-up (SEC-25).
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
#[sea_orm(column_type = "Blob")]
pub struct BlindIndex(pub Vec<u8>);

impl std::fmt::Debug for BlindIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlindIndex(…)")
    }
}

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
            utoipa::ToSchema,
        )]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(24))")]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$vmeta])* #[sea_orm(string_value = $word)] $variant),+
        }

        impl $name {
            /// The word as stored and answered.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    )+};
}

words! {
    /// Three kinds of account.
    AccountKind {
        /// 客户
        Customer = "customer",
        /// 家政员
        Worker = "worker",
        /// 员工
        Staff = "staff",
    }
    /// What a member of staff may do.
    StaffRole {
        /// Writes rules and reads growth reports.
        Marketing = "marketing",
        /// Customer service.
        Service = "service",
        /// Runs operations and money.
        Manager = "manager",
        /// 个人信息保护负责人, the personal-information officer.
        Pipo = "pipo",
    }
    /// Where a visit stands.
    BookingStatus {
        /// The slot is held until half is prepaid.
        PendingPayment = "pending_payment",
        /// Half or more is prepaid.
        Confirmed = "confirmed",
        /// The worker has checked in.
        InService = "in_service",
        /// The worker says it is done.
        AwaitingAcceptance = "awaiting_acceptance",
        /// The customer accepted.
        Completed = "completed",
        /// Called off.
        Cancelled = "cancelled",
        /// Not paid in time.
        Expired = "expired",
    }
    /// Where a prepayment stands.
    PaymentStatus {
        /// Ordered at WeChat Pay.
        Pending = "pending",
        /// Money received.
        Paid = "paid",
        /// Closed unpaid.
        Closed = "closed",
    }
    /// Where a refund stands.
    RefundStatus {
        /// Recorded, not yet at WeChat Pay.
        Requested = "requested",
        /// Accepted by WeChat Pay.
        Processing = "processing",
        /// The money is back.
        Succeeded = "succeeded",
        /// WeChat Pay closed it or it needs a person.
        Failed = "failed",
    }
    /// Where the comparison with a day's bill stands.
    ReconciliationStatus {
        /// To be done.
        Pending = "pending",
        /// Compared.
        Done = "done",
        /// The bill could not be read; it is tried again.
        Failed = "failed",
    }
    /// How a day's bill and our rows differ.
    DifferenceKind {
        /// WeChat has it, we have not.
        MissingHere = "missing_here",
        /// We have it, WeChat has not.
        MissingThere = "missing_there",
        /// Other amounts.
        Amount = "amount",
        /// Other states.
        State = "state",
    }
    /// What became of a difference.
    DifferenceStatus {
        /// Somebody must look.
        Open = "open",
        /// It was ours and was made good at once.
        Healed = "healed",
        /// A later comparison did not find it any more.
        Resolved = "resolved",
    }
    /// What kind of trade a difference is about.
    TradeKind {
        /// Money that came.
        Payment = "payment",
        /// Money that went back.
        Refund = "refund",
    }
    /// Where a merchant transfer stands.
    TransferStatus {
        /// Waits for a second person.
        Requested = "requested",
        /// A second person said yes; not yet at WeChat Pay, or nobody knows.
        Approved = "approved",
        /// WeChat Pay works on it.
        Processing = "processing",
        /// The customer must confirm it within 24 hours.
        AwaitingConfirm = "awaiting_confirm",
        /// The customer has the money.
        Succeeded = "succeeded",
        /// Failed, or not confirmed in time.
        Failed = "failed",
        /// Called off.
        Cancelled = "cancelled",
    }
    /// What a merchant transfer is for. There is one kind, and no rule can cause it (REF-02).
    TransferKind {
        /// 企业赔付.
        Compensation = "compensation",
    }
    /// Where a report of fulfilment stands.
    ShippingStatus {
        /// To be told.
        Pending = "pending",
        /// WeChat has it.
        Reported = "reported",
        /// WeChat says the order cannot be shipped; a person looks.
        NotShippable = "not_shippable",
        /// WeChat does not manage our trades, or nothing of the payment is left.
        NotNeeded = "not_needed",
    }
    /// When a photo was taken.
    PhotoKind {
        /// Before the work.
        Before = "before",
        /// After the work.
        After = "after",
    }
    /// Who may see a photo.
    PhotoStatus {
        /// The content check has not answered; the worker of the job and operations may see it (WX-13).
        Pending = "pending",
        /// Passed; worker, customer of the job and service staff may see it.
        Stored = "stored",
        /// A member of staff has to look; seen by the same as a pending one.
        Review = "review",
        /// Hidden by a content check, by staff or by a withdrawn consent; kept, shown to nobody.
        Hidden = "hidden",
    }
    /// Whether a rating's comment may be shown to others.
    CommentStatus {
        /// There is no comment.
        None = "none",
        /// The content check has not answered.
        Pending = "pending",
        /// It may be shown, as far as its content goes.
        Pass = "pass",
        /// A member of staff has to read it.
        Review = "review",
        /// It is shown to nobody.
        Hidden = "hidden",
    }
    /// What is checked.
    ContentKind {
        /// A rating's comment.
        Comment = "comment",
        /// A photo of a visit.
        Photo = "photo",
    }
    /// Where a content check stands.
    ContentState {
        /// WeChat is asked, or about to be.
        Waiting = "waiting",
        /// A member of staff has to decide.
        Open = "open",
        /// Decided.
        Settled = "settled",
    }
    /// What WeChat suggests.
    ContentSuggest {
        /// Harmless.
        Pass = "pass",
        /// A person should look.
        Review = "review",
        /// Against the rules.
        Risky = "risky",
    }
    /// Why a check is with staff, or ended without a word about the content.
    ContentCause {
        /// WeChat suggests that a person looks.
        Review = "review",
        /// WeChat did not answer, twice.
        Silent = "silent",
        /// WeChat could not fetch the picture, twice.
        Unreachable = "unreachable",
        /// The author was not active in the mini-program of late, so WeChat does not judge (61010).
        Inactive = "inactive",
        /// WeChat could not be asked in time.
        Away = "away",
        /// The consent for the photo was withdrawn; nobody decides any more.
        Withdrawn = "withdrawn",
    }
    /// What staff decide.
    ContentRuling {
        /// It may be shown.
        Pass = "pass",
        /// It is shown to nobody.
        Hidden = "hidden",
    }
    /// What a complaint is about.
    ComplaintKind {
        /// Quality of the work.
        Quality = "quality",
        /// Late.
        Lateness = "lateness",
        /// Something broke.
        Damage = "damage",
        /// Manners.
        Attitude = "attitude",
        /// Price.
        Price = "price",
        /// Anything else.
        Other = "other",
    }
    /// Where a complaint stands.
    ComplaintStatus {
        /// Nobody has answered.
        Open = "open",
        /// Answered, not settled.
        Responded = "responded",
        /// Settled.
        Resolved = "resolved",
    }
    /// Where a consent stands (CR-18).
    ConsentState {
        /// Shown, first of two acts done.
        Requested = "requested",
        /// Given.
        Granted = "granted",
        /// Said no.
        Refused = "refused",
        /// Taken back.
        Withdrawn = "withdrawn",
        /// Ran out.
        Expired = "expired",
        /// Void, e.g. after a material change of the notice.
        Invalidated = "invalidated",
    }
    /// Where a rule set stands.
    RulesetStatus {
        /// Being written.
        Draft = "draft",
        /// Approved by a second person.
        Approved = "approved",
        /// Waits for its moment.
        Scheduled = "scheduled",
        /// In force.
        Live = "live",
        /// Was in force.
        Retired = "retired",
    }
    /// How far a back-test is.
    BacktestState {
        /// Under way.
        Running = "running",
        /// Through.
        Done = "done",
        /// Stopped by somebody.
        Cancelled = "cancelled",
        /// Ended by a fault, or its node went away.
        Failed = "failed",
    }
    /// How a rule set came to be live.
    TenureHow {
        /// It came with the first start.
        Installed = "installed",
        /// Somebody published it at once.
        Published = "published",
        /// It was published ahead of time and its moment came.
        Scheduled = "scheduled",
        /// Somebody went back to it.
        RolledBack = "rolled_back",
    }
    /// What an evaluation came to.
    DecisionOutcome {
        /// The rule fired.
        Fired = "fired",
        /// A condition was false.
        Not = "not",
        /// A condition could not be decided.
        Unknown = "unknown",
        /// It would have fired but something stood in the way.
        Held = "held",
    }
    /// Why an invitation exists.
    InvitationSource {
        /// A rule fired.
        Rule = "rule",
        /// The customer asked for a code himself (REF-04).
        Own = "own",
    }
    /// Where an invitation stands.
    InvitationStatus {
        /// Waits for its hour; can be recalled.
        Scheduled = "scheduled",
        /// Shown to the inviter.
        Sent = "sent",
        /// A friend has looked at it.
        Opened = "opened",
        /// A friend has used it.
        Redeemed = "redeemed",
        /// Taken back before it was sent.
        Recalled = "recalled",
        /// Ran out.
        Expired = "expired",
        /// Stopped by withdrawal or a rule.
        Suppressed = "suppressed",
    }
    /// Where a referral stands.
    ReferralStatus {
        /// The friend has registered.
        Registered = "registered",
        /// The friend's first order is paid, completed and past its refund window.
        Qualified = "qualified",
        /// The order was refunded afterwards.
        Reversed = "reversed",
    }
    /// Where a voucher stands.
    VoucherStatus {
        /// Can be taken for a booking.
        Open = "open",
        /// A booking holds it.
        Reserved = "reserved",
        /// The booking it was for is completed.
        Used = "used",
        /// Taken back or run out.
        Void = "void",
    }
    /// What a reward was given for.
    RewardCause {
        /// The newcomer's benefit, by generation.
        Welcome = "welcome",
        /// The direct inviter's fixed thank-you.
        Thanks = "thanks",
        /// A rule's grant.
        Rule = "rule",
    }
    /// Where a reward stands.
    RewardStatus {
        /// Promised.
        Pending = "pending",
        /// Its cause has come true.
        Qualified = "qualified",
        /// Can be used.
        Granted = "granted",
        /// Used.
        Used = "used",
        /// Ran out.
        Expired = "expired",
        /// Taken back with its cause.
        Revoked = "revoked",
        /// Waits for a fraud review.
        Held = "held",
    }
}
