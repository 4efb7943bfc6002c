//! The events a rule may listen to.

use super::partner::PartnerKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happened; the only things a rule may be `on`. A click, a visit or a share is not among them (REF-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A customer rated a visit.
    RatingSubmitted,
    /// A prepayment arrived.
    PaymentSucceeded,
    /// A visit was accepted and closed.
    BookingCompleted,
    /// A complaint was opened.
    ComplaintOpened,
    /// A complaint missed one of its SLA clocks.
    ComplaintSlaBreached,
    /// A complaint was resolved.
    ComplaintResolved,
    /// A friend redeemed a code.
    ReferralRedeemed,
    /// A friend's order was paid, completed and past its refund window (REF-05).
    ReferralQualified,
    /// A qualified referral was undone by a refund or by fraud review.
    ReferralReversed,
    /// A separate consent was given.
    ConsentGranted,
    /// A third party told something, under a kind that is registered.
    Partner(PartnerKind),
}

impl EventKind {
    /// The house's own kinds, in the order of the catalogue.
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

    /// Every kind: the house's own, then the registered ones of third parties.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .chain(PartnerKind::all().map(Self::Partner))
    }

    /// The dotted name used in documents.
    pub fn name(self) -> &'static str {
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
            Self::Partner(kind) => kind.name(),
        }
    }

    /// What the event is called in the console, zh-CN.
    pub fn label(self) -> &'static str {
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
            Self::Partner(kind) => kind.label(),
        }
    }

    /// Reads the dotted name.
    pub fn parse(name: &str) -> Option<Self> {
        let own = Self::ALL.into_iter().find(|kind| kind.name() == name);
        own.or_else(|| PartnerKind::parse(name).map(Self::Partner))
    }
}

impl Serialize for EventKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom("no such kind of event"))
    }
}

impl utoipa::PartialSchema for EventKind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        <String as utoipa::PartialSchema>::schema()
    }
}

impl utoipa::ToSchema for EventKind {}

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
