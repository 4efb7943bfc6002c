//! Asking several people at once: limits read, counted and kept for a whole batch in a fixed number of statements.

use super::{
    apply::{Applied, Cause},
    bounds::AllBounds,
    caps::{FATIGUE, QUARTER, UNUSED_AFTER, asked, since},
    invite::{self, EXPIRY_DUE, New, SEND_DUE},
    schedule, words,
};
use crate::{
    identity,
    kernel::{Result, Span},
    outbox::timer,
    platform::{Ctx, Rows, filled},
    rule::{Action, BlockedBy, Cap, CompiledRuleSet, ResolvedEffect},
};
use chrono::{DateTime, Duration, Utc};
use entity::{
    ids::{AccountId, ConsentRecordId, InvitationId},
    invitation, suppression,
    values::InvitationSource,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect,
    QueryTrait,
    sea_query::{Expr, UnionType},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One invitation a rule wants.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) cause: &'a Cause,
    pub(super) effect: &'a ResolvedEffect,
    /// The consent it rests on; none is "no".
    pub(super) record: Option<ConsentRecordId>,
}

/// Consent first, then suppression, then limits, then the row, in the order wanted: nothing is counted or looked up about
/// a person who said no. Consents and counters are locked by the caller, and he writes what comes to `to`. An invitation of
/// the batch counts for the next.
pub(super) async fn invite_all(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    (set, wanted): (&CompiledRuleSet, &[Wanted<'_>]),
    to: &mut Rows,
) -> Result<Vec<Applied>> {
    let willing: Vec<&Wanted<'_>> = wanted.iter().filter(|one| one.record.is_some()).collect();
    let mut limits = Limits::read(ctx, tx, set, &willing).await?;
    let names = names(ctx, tx, &willing).await?;
    let (mut rows, mut timers) = (Vec::new(), Vec::new());
    let mut answers = Vec::with_capacity(wanted.len());
    for one in wanted {
        let effect_id = one.cause.effect_id(one.cause.customer_id, one.effect.slot);
        let answer = match limits.admit(ctx, one, &effect_id) {
            Some(answer) => answer,
            None => match new(ctx, one, effect_id, &names) {
                Some(row) => {
                    let id: InvitationId = ctx.env.id();
                    timers.push((SEND_DUE, id.0, row.scheduled_at));
                    timers.extend(row.expires_at.map(|end| (EXPIRY_DUE, id.0, end)));
                    rows.push(invite::row(ctx, id, row));
                    Applied::Done(id.to_string())
                }
                None => Applied::Already,
            },
        };
        answers.push(answer);
    }
    // A twin of one of the events may have got ahead although its inbox row was free: then nothing of this batch may hold.
    to.add_new(rows, &[invitation::Column::EffectId])?;
    timer::add(to, &ctx.env, timers)?;
    limits.rules.keep(ctx, to)?;
    Ok(answers)
}

/// Names of the people whose template addresses them by name; nobody else's is read.
async fn names(
    ctx: &Ctx,
    tx: &DatabaseTransaction,
    wanted: &[&Wanted<'_>],
) -> Result<HashMap<AccountId, String>> {
    let mut names = HashMap::new();
    for one in wanted {
        let customer = one.cause.customer_id;
        let addressed = matches!(&one.effect.action, Action::Invite { words, .. } if words::names_customer(words.as_deref()));
        if addressed && !names.contains_key(&customer) {
            names.insert(customer, identity::person(ctx, tx, customer).await?.name);
        }
    }
    Ok(names)
}

fn new(
    ctx: &Ctx,
    one: &Wanted<'_>,
    effect_id: String,
    names: &HashMap<AccountId, String>,
) -> Option<New> {
    let Action::Invite {
        template,
        send,
        expires_after,
        words,
    } = &one.effect.action
    else {
        return None;
    };
    let hours = one.effect.hours;
    let earliest = one.effect.not_before.max(ctx.env.now());
    let scheduled_at = schedule::send_at(earliest, *send, hours, &ctx.config.referral);
    let lasts = expires_after.map_or(UNUSED_AFTER, Span::get);
    Some(New {
        customer_id: one.cause.customer_id,
        source: InvitationSource::Rule,
        rule: Some((one.cause.rule_id.clone(), one.cause.ruleset_version)),
        booking_id: one.cause.booking_id,
        effect_id,
        message: words::invitation(
            &ctx.config.controller,
            template,
            words.as_deref(),
            names.get(&one.cause.customer_id).map(String::as_str),
        ),
        consent_record_id: one.record,
        hours,
        scheduled_at,
        expires_at: Some(scheduled_at + lasts),
    })
}

/// When a person was asked, and by which rule.
type Asked = (DateTime<Utc>, String);

/// What limits the invitations of a batch: read once, counted on in memory.
struct Limits {
    now: DateTime<Utc>,
    known: HashSet<String>,
    suppressed: HashSet<AccountId>,
    /// When and by which rule each person was asked.
    asked: HashMap<AccountId, Vec<Asked>>,
    /// What each rule did so far, at most.
    rules: AllBounds,
}

impl Limits {
    async fn read(
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        set: &CompiledRuleSet,
        wanted: &[&Wanted<'_>],
    ) -> Result<Self> {
        let now = ctx.env.now();
        let mut limits = Self {
            now,
            known: HashSet::new(),
            suppressed: HashSet::new(),
            asked: HashMap::new(),
            rules: AllBounds::default(),
        };
        if wanted.is_empty() {
            return Ok(limits);
        }
        let people: HashSet<AccountId> = wanted.iter().map(|one| one.cause.customer_id).collect();
        let mut events = wanted.iter().map(|one| one.cause.event_id);
        let first = events.next();
        if events.all(|one| Some(one) == first) {
            // An event by itself may come again, and then nothing follows; among others nothing of the batch would hold.
            let effect =
                |one: &&Wanted<'_>| one.cause.effect_id(one.cause.customer_id, one.effect.slot);
            let known = invitation::Entity::find()
                .select_only()
                .column(invitation::Column::EffectId)
                .filter(invitation::Column::EffectId.is_in(filled(wanted.iter().map(effect))));
            limits.known = known.into_tuple().all(tx).await?.into_iter().collect();
        }
        limits.people(tx, &people, longest(wanted)).await?;
        limits.of_rules(ctx, tx, set, wanted).await?;
        Ok(limits)
    }

    /// What the rules did so far: it costs most to know, and matters only where a person may be asked.
    async fn of_rules(
        &mut self,
        ctx: &Ctx,
        tx: &DatabaseTransaction,
        set: &CompiledRuleSet,
        wanted: &[&Wanted<'_>],
    ) -> Result<()> {
        let mut open: BTreeMap<&str, (&Cause, u64)> = BTreeMap::new();
        for one in wanted {
            let effect_id = one.cause.effect_id(one.cause.customer_id, one.effect.slot);
            if self.personal(ctx, one, &effect_id).is_none() {
                let (_, many) = open.entry(&one.cause.rule_id).or_insert((one.cause, 0));
                *many += 1;
            }
        }
        self.rules = AllBounds::read(ctx, tx, set, &open).await?;
        Ok(())
    }

    /// Who is not to be asked, and who was asked when: in one statement.
    async fn people(
        &mut self,
        tx: &DatabaseTransaction,
        people: &HashSet<AccountId>,
        back: Duration,
    ) -> Result<()> {
        use invitation::Column as I;
        let people = filled(people.iter().copied());
        let mut query = asked()
            .select_only()
            .columns([I::CustomerId, I::CreatedAt, I::RuleId])
            .filter(I::CustomerId.is_in(people.iter().copied()))
            .filter(I::CreatedAt.gt(since(self.now, back)))
            .into_query();
        // A suppression is a row without a rule.
        let suppressed = suppression::Entity::find()
            .select_only()
            .column(suppression::Column::CustomerId)
            .column(suppression::Column::CreatedAt)
            .expr_as(Expr::value(Option::<String>::None), "rule_id")
            .filter(suppression::Column::CustomerId.is_in(people))
            .filter(suppression::Column::Until.gt(self.now))
            .filter(suppression::Column::LiftedAt.is_null())
            .into_query();
        query.union(UnionType::All, suppressed);
        for row in tx.query_all(&query).await? {
            let customer: AccountId = row.try_get("", "customer_id")?;
            match row.try_get("", "rule_id")? {
                None => {
                    self.suppressed.insert(customer);
                }
                Some(rule) => {
                    let asked = (row.try_get("", "created_at")?, rule);
                    self.asked.entry(customer).or_default().push(asked);
                }
            }
        }
        Ok(())
    }

    /// What in the person stands in the way of one more invitation.
    fn personal(&self, ctx: &Ctx, one: &Wanted<'_>, effect_id: &str) -> Option<Applied> {
        let cause = one.cause;
        if one.record.is_none() {
            return Some(Applied::Blocked(BlockedBy::Consent));
        }
        if self.known.contains(effect_id) {
            return Some(Applied::Already);
        }
        if self.suppressed.contains(&cause.customer_id) {
            return Some(Applied::Blocked(BlockedBy::Suppression));
        }
        let now = self.now;
        let past = self.asked.get(&cause.customer_id);
        let past = past.map_or(&[][..], Vec::as_slice);
        let newer = |span: Duration| past.iter().filter(move |(at, _)| *at > since(now, span));
        if newer(FATIGUE).next().is_some() {
            return Some(Applied::Blocked(BlockedBy::Fatigue));
        }
        let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        if many(newer(QUARTER).count()) >= ctx.config.referral.per_quarter {
            return Some(Applied::Blocked(BlockedBy::Cap));
        }
        let by_rule = |cap: &Cap| {
            let mine = newer(cap.per.get());
            many(mine.filter(|(_, rule)| *rule == cause.rule_id).count())
        };
        let own = &cause.caps.per_customer;
        if own.iter().any(|cap| by_rule(cap) >= u64::from(cap.times)) {
            return Some(Applied::Blocked(BlockedBy::Cap));
        }
        None
    }

    /// What stands in the way of one more invitation; `None` counts it and lets it pass.
    fn admit(&mut self, ctx: &Ctx, one: &Wanted<'_>, effect_id: &str) -> Option<Applied> {
        if let Some(answer) = self.personal(ctx, one, effect_id) {
            return Some(answer);
        }
        let cause = one.cause;
        if !self.rules.admit(cause) {
            return Some(Applied::Blocked(BlockedBy::Cap));
        }
        let asked = (self.now, cause.rule_id.clone());
        self.asked.entry(cause.customer_id).or_default().push(asked);
        None
    }
}

/// The longest look back any limit of the batch needs.
fn longest(wanted: &[&Wanted<'_>]) -> Duration {
    let caps = wanted.iter().flat_map(|one| &one.cause.caps.per_customer);
    let spans = caps.map(|cap| cap.per.get());
    spans.fold(QUARTER, Duration::max)
}
