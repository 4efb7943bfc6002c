//! One hand-made case through a set, seen from both sides: what the inviter is asked and given, what his friend is.

use super::{
    live::{aside, compile},
    ruleset::by_id,
};
use crate::{
    kernel::{AppError, FieldError, Result},
    platform::Ctx,
    rule::{
        self, Action, Beneficiary, CompiledRuleSet, ConsentNeed, Event, EventKind, Facts,
        NamedBenefit, Outcome, Whose, Why, read_facts,
    },
};
use chrono::{DateTime, Utc};
use entity::ids::RulesetId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// One of the two people of a case.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SideIn {
    /// What is known of him, in the scale people write: `{"rating.score": 4.9, "booking.prepaid_ratio": 0.5}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
    /// Whether he agreed: the inviter to being asked, the friend to the link.
    consents: bool,
}

/// A hand-made case.
#[derive(Deserialize, validator::Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseIn {
    /// What happens, in order; each is judged with the same facts.
    #[validate(length(min = 1, max = 20))]
    events: Vec<String>,
    /// When; now if unsaid.
    at: Option<DateTime<Utc>>,
    inviter: SideIn,
    invitee: SideIn,
    /// The friend's generation, 1 to 3: it chooses his welcome.
    #[validate(range(min = 1, max = 3))]
    generation: u8,
}

/// What both sides see.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CaseOut {
    /// Per event, in order.
    steps: Vec<StepOut>,
    inviter: SideOut,
    invitee: SideOut,
}

/// What one side comes away with.
#[derive(Default, Serialize, utoipa::ToSchema)]
struct SideOut {
    /// How often he is asked to recommend, before caps.
    invitations: u32,
    /// What he receives, before caps.
    benefits: Vec<NamedBenefit>,
    /// What that costs at most, fen.
    cost_fen: i64,
    /// What happens to him in plain words, zh-CN.
    sentences: Vec<String>,
}

/// One event of the case.
#[derive(Serialize, utoipa::ToSchema)]
struct StepOut {
    event: String,
    /// Whom the rules decide about: `inviter`, or for the friend's own visit `invitee`.
    about: &'static str,
    /// Every rule that listens, with what is missing and the smallest change.
    rules: Vec<RuleStep>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct RuleStep {
    #[serde(flatten)]
    why: Why,
    /// Whether it is held for want of a consent.
    lacks_consent: bool,
    /// What it would do.
    #[schema(value_type = Vec<Object>)]
    effects: Vec<Action>,
}

/// Runs the case.
///
/// # Errors
/// `not_found`; `validation` with pointers into the facts; a draft that does not compile is `invalid_state`.
pub(super) async fn run(ctx: &Ctx, id: RulesetId, case: CaseIn) -> Result<CaseOut> {
    let draft = by_id(ctx.db.read(), id).await?;
    let now = ctx.env.now();
    aside(move || told(&draft.document, &case, now)).await?
}

fn told(document: &Value, case: &CaseIn, now: DateTime<Utc>) -> Result<CaseOut> {
    let set =
        compile(document).map_err(|_| AppError::invalid_state("草稿还不能运行,请先看检查结果"))?;
    let mut facts = known("/inviter/facts", &case.inviter.facts)?;
    let friend = known("/invitee/facts", &case.invitee.facts)?;
    facts.set("referral.generation", i64::from(case.generation));
    let at = case.at.unwrap_or(now);
    let mut out = CaseOut {
        steps: Vec::with_capacity(case.events.len()),
        inviter: SideOut::default(),
        invitee: SideOut::default(),
    };
    for (place, name) in case.events.iter().enumerate() {
        let kind = EventKind::parse(name).ok_or_else(|| {
            AppError::field(format!("/events/{place}"), "unknown", "没有这种事件")
        })?;
        let seen = Seen {
            set: &set,
            kind,
            at,
            case,
        };
        out.step(&seen, &facts, &friend);
    }
    Ok(out)
}

fn known(pointer: &str, written: &Map<String, Value>) -> Result<Facts> {
    read_facts(written).map_err(|faults| {
        let field = |(name, reason): (String, String)| FieldError {
            pointer: format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")),
            code: "fact".into(),
            detail: reason,
        };
        AppError::fields(faults.into_iter().map(field).collect())
    })
}

struct Seen<'a> {
    set: &'a CompiledRuleSet,
    kind: EventKind,
    at: DateTime<Utc>,
    case: &'a CaseIn,
}

impl CaseOut {
    fn step(&mut self, seen: &Seen<'_>, facts: &Facts, friend: &Facts) {
        let of_link = matches!(
            seen.kind,
            EventKind::ReferralRedeemed
                | EventKind::ReferralQualified
                | EventKind::ReferralReversed
        );
        // A visit of this story is the inviter's own unless only the friend's facts are known.
        let about_friend = !of_link && seen.case.inviter.facts.is_empty();
        let (facts, consents) = if about_friend {
            (friend, seen.case.invitee.consents)
        } else {
            (facts, seen.case.inviter.consents)
        };
        let granted = |need: ConsentNeed| match need.of {
            Whose::Customer => consents,
            Whose::Invitee => of_link && seen.case.invitee.consents,
        };
        let event = Event {
            id: Uuid::nil(),
            kind: seen.kind,
            customer_id: Uuid::nil(),
        };
        let decisions = rule::evaluate_with(seen.set, &event, facts, seen.at, &granted);
        let rules = decisions.into_iter().map(|one| {
            if one.outcome == Outcome::Fired {
                for effect in &one.effects {
                    self.count(about_friend, &one.title, &effect.action);
                }
            }
            RuleStep {
                why: rule::why(&one, facts),
                lacks_consent: one.blocked_by == Some(rule::BlockedBy::Consent),
                effects: one
                    .effects
                    .into_iter()
                    .map(|effect| effect.action)
                    .collect(),
            }
        });
        let rules = rules.collect();
        self.programme(seen);
        self.steps.push(StepOut {
            event: seen.kind.name().to_owned(),
            about: if about_friend { "invitee" } else { "inviter" },
            rules,
        });
    }

    fn count(&mut self, about_friend: bool, title: &str, action: &Action) {
        let person = if about_friend {
            &mut self.invitee
        } else {
            &mut self.inviter
        };
        match action {
            Action::Invite { .. } => {
                person.invitations = person.invitations.saturating_add(1);
                person
                    .sentences
                    .push(format!("规则“{title}”邀请他推荐朋友"));
            }
            Action::Grant { to, benefit, .. } => {
                let receiver = match to {
                    Beneficiary::Inviter => &mut self.inviter,
                    Beneficiary::Invitee => &mut self.invitee,
                };
                receiver.receive(benefit, &format!("规则“{title}”给他"));
            }
            Action::SuppressInvitations { .. } => person
                .sentences
                .push(format!("规则“{title}”暂停对他的邀约,已得的权益不变")),
            Action::Tag { .. } | Action::NotifyStaff { .. } | Action::Unlock { .. } => person
                .sentences
                .push(format!("规则“{title}”给他加标签、开放功能或通知员工")),
        }
    }

    /// The welcome when a code is used, the thanks when the order qualifies: they rest on the friend's own consent.
    fn programme(&mut self, seen: &Seen<'_>) {
        if !seen.case.invitee.consents || !seen.set.in_period(crate::kernel::business_date(seen.at))
        {
            return;
        }
        match seen.kind {
            EventKind::ReferralRedeemed => {
                if let Some(gift) = seen.set.welcome(seen.case.generation) {
                    self.invitee.receive(gift, "首单礼");
                }
            }
            EventKind::ReferralQualified => {
                if let Some(thanks) = &seen.set.inviter_thanks {
                    self.inviter.receive(thanks, "好友订单达标后的感谢");
                }
            }
            _ => {}
        }
    }
}

impl SideOut {
    fn receive(&mut self, benefit: &NamedBenefit, why: &str) {
        let cost = benefit.benefit.cost_fen().unwrap_or_default();
        self.cost_fen = self.cost_fen.saturating_add(cost);
        self.sentences.push(format!("{why}:{}", benefit.name));
        self.benefits.push(benefit.clone());
    }
}
