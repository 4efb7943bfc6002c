//! The events a rule may listen to.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happened; the only things a rule may be `on`. A click, a visit or a share is not among them (REF-06).
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
pub enum EventKind {
    /// A customer rated a visit.
    #[serde(rename = "rating.submitted")]
    RatingSubmitted,
    /// A prepayment arrived.
    #[serde(rename = "payment.succeeded")]
    PaymentSucceeded,
    /// A visit was accepted and closed.
    #[serde(rename = "booking.completed")]
    BookingCompleted,
    /// A complaint was opened.
    #[serde(rename = "complaint.opened")]
    ComplaintOpened,
    /// A complaint missed one of its SLA clocks.
    #[serde(rename = "complaint.sla_breached")]
    ComplaintSlaBreached,
    /// A complaint was resolved.
    #[serde(rename = "complaint.resolved")]
    ComplaintResolved,
    /// A friend redeemed a code.
    #[serde(rename = "referral.redeemed")]
    ReferralRedeemed,
    /// A friend's order was paid, completed and past its refund window (REF-05).
    #[serde(rename = "referral.qualified")]
    ReferralQualified,
    /// A qualified referral was undone by a refund or by fraud review.
    #[serde(rename = "referral.reversed")]
    ReferralReversed,
    /// A separate consent was given.
    #[serde(rename = "consent.granted")]
    ConsentGranted,
}

impl EventKind {
    /// Every kind, in the order of the catalogue.
    pub const ALL: [Self; 10] = [
        Self::RatingSubmitted,
        Self::PaymentSucceeded,
        Self::BookingCompleted,
        Self::ComplaintOpened,
        Self::ComplaintSlaBreached,
        Self::ComplaintResolved,
        Self::ReferralRedeemed,
        Self::ReferralQualified,
        Self::ReferralReversed,
        Self::ConsentGranted,
    ];

    /// The dotted name used in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RatingSubmitted => "rating.submitted",
            Self::PaymentSucceeded => "payment.succeeded",
            Self::BookingCompleted => "booking.completed",
            Self::ComplaintOpened => "complaint.opened",
            Self::ComplaintSlaBreached => "complaint.sla_breached",
            Self::ComplaintResolved => "complaint.resolved",
            Self::ReferralRedeemed => "referral.redeemed",
            Self::ReferralQualified => "referral.qualified",
            Self::ReferralReversed => "referral.reversed",
            Self::ConsentGranted => "consent.granted",
        }
    }

    /// What the event is called in the console, zh-CN.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RatingSubmitted => "提交评分",
            Self::PaymentSucceeded => "预存到账",
            Self::BookingCompleted => "服务完成",
            Self::ComplaintOpened => "发起投诉",
            Self::ComplaintSlaBreached => "投诉处理超时",
            Self::ComplaintResolved => "投诉办结",
            Self::ReferralRedeemed => "好友使用邀请码",
            Self::ReferralQualified => "好友订单达标",
            Self::ReferralReversed => "达标被撤回",
            Self::ConsentGranted => "给出单独同意",
        }
    }

    /// Reads the dotted name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One thing that happened to one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The id of the event in the outbox.
    pub id: Uuid,
    /// What happened.
    pub kind: EventKind,
    /// Whom the decision is about: for `referral.*` events the inviter.
    pub customer_id: Uuid,
}
