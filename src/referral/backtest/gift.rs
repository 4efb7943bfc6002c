//! What people come away with from one event, and how two sets differ in it. Rules are only the way there: one that gives the
//! same under another name changes nothing for anybody, and one that keeps its name and gives less does.

use crate::{
    kernel::Span,
    rule::{Action, Beneficiary, Benefit, NamedBenefit, benefit_lasting},
};
use serde::Serialize;
use std::cmp::{Ordering, Reverse};

/// Who receives something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Receiver {
    /// The customer the event is about; of `referral.*` events the inviter.
    Customer,
    /// The friend of a `referral.*` event.
    Friend,
}

impl From<Beneficiary> for Receiver {
    fn from(to: Beneficiary) -> Self {
        match to {
            Beneficiary::Inviter => Self::Customer,
            Beneficiary::Invitee => Self::Friend,
        }
    }
}

/// What it is. Things of one sort differ only in how much they are worth and how long they last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort<'a> {
    Asked,
    PriceOff,
    Coupon,
    Goods(&'a str),
    Privilege(&'a str),
    Feature(&'a str),
    /// Not being asked for a while: less for him, not more.
    Pause,
    /// Of no use to whom it is about.
    Tag(&'a str),
    Notice(&'a str),
}

/// Something a set gives for one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gift<'a> {
    pub(super) to: Receiver,
    /// The rule it comes from; empty for the programme's own.
    pub(super) rule: &'a str,
    sort: Sort<'a>,
    /// Its worth, fen; `None` where it has none or nobody wrote it down.
    fen: Option<i64>,
    /// How long it lasts; `None` is without end.
    lasts: Option<Span>,
    benefit: Option<&'a Benefit>,
}

/// Who is better off by a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Gained,
    Lost,
    /// A tag or a notice to the staff: nobody.
    Neither,
}

/// One difference between what two sets give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) turn: Turn,
    /// What the draft gives; what the other set gives where the draft has nothing like it.
    pub(super) gift: Gift<'a>,
    /// What the other set gives, where the draft gives another amount of it.
    pub(super) instead_of: Option<Gift<'a>>,
    /// Whether `gift` is the draft's.
    pub(super) by_draft: bool,
}

impl<'a> Gift<'a> {
    /// What an effect of a rule gives.
    pub(super) fn of(rule: &'a str, action: &'a Action) -> Self {
        let plain = |sort| Self {
            to: Receiver::Customer,
            rule,
            sort,
            fen: None,
            lasts: None,
            benefit: None,
        };
        match action {
            Action::Invite { .. } => plain(Sort::Asked),
            Action::Grant {
                to,
                benefit,
                expires_after,
                ..
            } => {
                let gift = Self::benefit(Receiver::from(*to), benefit);
                let lasts = expires_after.or(gift.lasts);
                Self {
                    rule,
                    lasts,
                    ..gift
                }
            }
            Action::SuppressInvitations { lasts, .. } => Self {
                lasts: Some(*lasts),
                ..plain(Sort::Pause)
            },
            Action::Tag { tag } => plain(Sort::Tag(tag)),
            Action::NotifyStaff { text, .. } => plain(Sort::Notice(text)),
            Action::Unlock { feature } => plain(Sort::Feature(feature)),
        }
    }

    /// A benefit of the programme: a welcome or a thanks.
    pub(super) fn benefit(to: Receiver, named: &'a NamedBenefit) -> Self {
        let benefit = &named.benefit;
        let (sort, fen) = match benefit {
            Benefit::PriceOff { fen, .. } => (Sort::PriceOff, Some(*fen)),
            Benefit::Coupon { fen, .. } => (Sort::Coupon, Some(*fen)),
            Benefit::Goods { sku, value_fen, .. } => (Sort::Goods(sku), *value_fen),
            Benefit::Privilege { privilege, .. } => (Sort::Privilege(privilege), None),
        };
        Self {
            to,
            rule: "",
            sort,
            fen,
            lasts: benefit.expires_after(),
            benefit: Some(benefit),
        }
    }

    /// What it is in a few words, zh-CN.
    pub(super) fn words(&self) -> String {
        match (self.sort, self.benefit, self.lasts) {
            (_, Some(benefit), _) => benefit_lasting(benefit, self.lasts),
            (Sort::Asked, ..) => "一次转介绍邀约".to_owned(),
            (Sort::Pause, _, Some(lasts)) => {
                format!("暂停邀约 {} 天", lasts.get().num_days().max(1))
            }
            (Sort::Feature(feature), ..) => format!("开放功能 {feature}"),
            (Sort::Tag(tag), ..) => format!("标签 {tag}"),
            (Sort::Notice(text), ..) => format!("通知员工:{text}"),
            (_, None, _) => String::new(),
        }
    }

    /// What of two sets is compared with each other.
    fn alike(&self) -> (Receiver, Sort<'a>) {
        (self.to, self.sort)
    }

    /// The order things are compared in: the most of each sort first.
    fn place(&self, other: &Self) -> Ordering {
        let lasts = |one: &Self| Reverse((one.lasts.is_none(), one.lasts));
        let alike = self.alike().cmp(&other.alike());
        let money = || Reverse(self.fen).cmp(&Reverse(other.fen));
        alike
            .then_with(money)
            .then_with(|| lasts(self).cmp(&lasts(other)))
    }

    /// Whether having this is more than having that of the same sort, in the eyes of whom it is for: less money is less, and for
    /// no less money a shorter time is.
    fn against(&self, other: &Self) -> Ordering {
        let money = match (self.fen, other.fen) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            // What nobody wrote down is not compared.
            _ => Ordering::Equal,
        };
        let time = match (self.lasts, other.lasts) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, None) => Ordering::Equal,
        };
        match (money, time) {
            (Ordering::Less, _) | (_, Ordering::Less) => Ordering::Less,
            (Ordering::Equal, time) => time,
            (money, _) => money,
        }
    }

    /// Who is better off when there is this much more, or less, of it.
    fn turn(&self, more: Ordering) -> Option<Turn> {
        let turn = match (self.sort, more) {
            (_, Ordering::Equal) => return None,
            (Sort::Tag(_) | Sort::Notice(_), _) => Turn::Neither,
            (Sort::Pause, Ordering::Less) => Turn::Gained,
            (Sort::Pause, Ordering::Greater) | (_, Ordering::Less) => Turn::Lost,
            (_, Ordering::Greater) => Turn::Gained,
        };
        Some(turn)
    }
}

/// How what a draft gives for an event differs from what another set gives for it.
pub(super) fn changes<'a>(draft: &mut [Gift<'a>], other: &mut [Gift<'a>]) -> Vec<Change<'a>> {
    draft.sort_by(Gift::place);
    other.sort_by(Gift::place);
    let (mut new, mut old) = (draft.iter().peekable(), other.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (new.peek(), old.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(new), Some(old)) => new.alike().cmp(&old.alike()),
        };
        let new = new.next_if(|_| order.is_le()).copied();
        let old = old.next_if(|_| order.is_ge()).copied();
        let by_draft = new.is_some();
        let (more, gift, instead_of) = match (new, old) {
            (Some(new), Some(old)) => (new.against(&old), new, Some(old)),
            (Some(new), None) => (Ordering::Greater, new, None),
            (None, Some(old)) => (Ordering::Less, old, None),
            (None, None) => continue,
        };
        found.extend(gift.turn(more).map(|turn| Change {
            turn,
            gift,
            instead_of,
            by_draft,
        }));
    }
}
