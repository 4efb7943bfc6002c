//! Soundness: on rule sets and facts made at random, what the analysis calls dead or contradictory never acts, what it calls
//! shadowed never gets its turn, and what it says cannot overlap never does.

use super::*;
use crate::rule::tests::{event, noon};
use crate::rule::{
    BlockedBy, ConsentNeed, Decision, Facts, Outcome, PolicyPack, RuleSet, check, compile,
    evaluate_with,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

/// Facts of every kind, few values each, so that edges are hit and conditions meet.
const NUMBERS: [(&str, i64, i64); 4] = [
    ("rating.score", 100, 500),
    ("booking.prepaid_ratio", 0, 10_000),
    ("customer.open_complaints", 0, 3),
    ("customer.generation", 0, 3),
];
const CITIES: [&str; 3] = ["上海", "北京", "杭州"];
const TAGS: [&str; 2] = ["有宠物", "常客"];

fn written(fact: &str, value: i64) -> Json {
    match fact {
        "rating.score" => json!(crate::rule::decimal_text(value, 2)),
        "booking.prepaid_ratio" => json!(crate::rule::decimal_text(value, 4)),
        _ => json!(value),
    }
}

fn numbers() -> impl Strategy<Value = Json> {
    let fact = select(NUMBERS.to_vec());
    let ops = select(vec![
        "eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in",
    ]);
    (fact, ops, 0_i64..=8, 0_i64..=8).prop_map(|((fact, least, most), op, low, high)| {
        let point = |step: i64| written(fact, least + (most - least) * step.min(8) / 8);
        let (low, high) = (low.min(high), low.max(high));
        let value = match op {
            "between" => json!([point(low), point(high)]),
            "in" | "not_in" if low != high => json!([point(low), point(high)]),
            "in" | "not_in" => json!([point(low)]),
            _ => point(low),
        };
        json!({"fact": fact, "op": op, "value": value})
    })
    // A comparison no value can satisfy is refused by the compiler, upright and negated.
    .prop_filter("possible", |leaf| {
        let runs = |when: Json| {
            let document = json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "试",
                "on": ["rating.submitted"], "when": when, "then": [{"effect": "tag", "tag": "x"}]}]});
            compile(&RuleSet::from_json(&document).unwrap()).is_ok()
        };
        runs(leaf.clone()) && runs(json!({ "not": leaf }))
    })
}

fn words() -> impl Strategy<Value = Json> {
    let city = (select(vec!["eq", "ne"]), select(CITIES.to_vec()))
        .prop_map(|(op, word)| json!({"fact": "customer.city", "op": op, "value": word}));
    let cities = select(vec!["in", "not_in"])
        .prop_map(|op| json!({"fact": "customer.city", "op": op, "value": [CITIES[0], CITIES[1]]}));
    let tag = select(TAGS.to_vec())
        .prop_map(|word| json!({"fact": "customer.tags", "op": "contains", "value": word}));
    let flag = any::<bool>()
        .prop_map(|flag| json!({"fact": "booking.is_rework", "op": "eq", "value": flag}));
    let known = (
        select(vec!["is_known", "is_unknown"]),
        select(vec!["rating.score", "customer.city", "booking.is_rework"]),
    )
        .prop_map(|(op, fact)| json!({"fact": fact, "op": op}));
    let pair = select(vec!["gte", "lt", "eq"])
        .prop_map(|op| json!({"fact": "booking.prepaid_fen", "op": op, "value": {"fact": "booking.total_fen"}}));
    prop_oneof![city, cities, tag, flag, known, pair]
}

fn condition() -> impl Strategy<Value = Json> {
    prop_oneof![3 => numbers(), 2 => words()].prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({ "all": all })),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|any| json!({ "any": any })),
            inner.prop_map(|not| json!({ "not": not })),
        ]
    })
}

fn rule(index: usize) -> impl Strategy<Value = Json> {
    let effect = select(vec![
        json!({"effect": "invite", "template": "baseline"}),
        json!({"effect": "tag", "tag": "常客"}),
        json!({"effect": "suppress_invitations", "for": "P1D", "appeal": true}),
        json!({"effect": "grant", "to": "inviter", "benefit": "b"}),
    ]);
    let effects = proptest::collection::vec(effect, 1..3);
    let on = select(vec![
        json!(["rating.submitted"]),
        json!(["booking.completed"]),
        json!(["rating.submitted", "booking.completed"]),
    ]);
    let group = select(vec![None, Some("g"), Some("g"), Some("h")]);
    let budget = select(vec![None, None, Some(0), Some(500), Some(1_000)]);
    (proptest::option::of(condition()), effects, on, group, -1_i64..2, budget).prop_map(
        move |(when, then, on, group, priority, budget)| {
            let mut rule = json!({"id": format!("r{index}"), "title": format!("r{index}"), "on": on, "then": then, "priority": priority});
            if let Some(when) = when {
                rule["when"] = when;
            }
            if let Some(group) = group {
                rule["exclusive_group"] = json!(group);
            }
            if let Some(budget) = budget {
                rule["caps"] = json!({ "budget_fen": budget });
            }
            rule
        },
    )
}

fn set() -> impl Strategy<Value = Json> {
    (rule(0), rule(1), rule(2), rule(3), any::<bool>()).prop_map(|(a, b, c, d, welcomes)| {
        let mut set = json!({"schema": 1, "name": "试", "rules": [a, b, c, d], "benefits": {"b": {"kind": "coupon", "fen": 1000}}});
        if welcomes {
            set["generations"] = json!({"1": "b"});
        }
        set
    })
}

/// Facts at the edges the conditions use, any of them missing.
fn known() -> impl Strategy<Value = Facts> {
    let number = |index: usize| {
        let (_, least, most) = NUMBERS[index];
        proptest::option::weighted(
            0.85,
            (0_i64..=8, -1_i64..=1).prop_map(move |(step, off)| {
                (least + (most - least) * step / 8 + off).clamp(least, most)
            }),
        )
    };
    let numbers = (number(0), number(1), number(2), number(3));
    let fen = || proptest::option::weighted(0.85, 0_i64..3);
    (
        numbers,
        proptest::option::weighted(0.85, select(CITIES.to_vec())),
        proptest::option::weighted(0.85, proptest::collection::vec(select(TAGS.to_vec()), 0..3)),
        proptest::option::weighted(0.85, any::<bool>()),
        (fen(), fen()),
    )
        .prop_map(|((a, b, c, d), city, tags, rework, (paid, total))| {
            let mut facts = Facts::new();
            for ((name, ..), value) in NUMBERS.iter().zip([a, b, c, d]) {
                if let Some(value) = value {
                    facts.set(*name, value);
                }
            }
            if let Some(city) = city {
                facts.set("customer.city", city);
            }
            if let Some(tags) = tags {
                let tags: Vec<String> = tags.into_iter().map(str::to_owned).collect();
                facts.set("customer.tags", tags);
            }
            if let Some(rework) = rework {
                facts.set("booking.is_rework", rework);
            }
            for (name, value) in [("booking.prepaid_fen", paid), ("booking.total_fen", total)] {
                if let Some(value) = value {
                    facts.set(name, value);
                }
            }
            facts
        })
}

const EVENTS: [&str; 2] = ["rating.submitted", "booking.completed"];

/// Consents a person may have given.
const CONSENTS: [&[&str]; 3] = [
    &["referral_profiling", "referral_link"],
    &["referral_link"],
    &[],
];

/// The decisions of every state of the facts for every event, with and without consents.
fn decided(document: &Json, states: &[Facts]) -> Vec<Vec<Decision>> {
    let compiled = compile(&RuleSet::from_json(document).unwrap()).unwrap();
    let mut found = Vec::new();
    for (kind, facts) in EVENTS
        .into_iter()
        .flat_map(|kind| states.iter().map(move |facts| (kind, facts)))
    {
        for given in CONSENTS {
            let granted = |need: ConsentNeed| given.contains(&need.purpose);
            found.push(evaluate_with(
                &compiled,
                &event(kind),
                facts,
                noon(),
                &granted,
            ));
        }
    }
    found
}

/// The rules a finding is about, by the place of their `/rules/<n>`.
fn named(findings: &[Finding], id: &str) -> Vec<String> {
    let hits = findings.iter().filter(|one| one.id == id);
    hits.filter_map(|one| {
        Some(format!(
            "r{}",
            one.pointer.strip_prefix("/rules/")?.split('/').next()?
        ))
    })
    .collect()
}

fn acts(decision: &Decision) -> bool {
    decision.outcome == Outcome::Fired && !decision.effects.is_empty()
}

/// Whether an effect is left that the rule's budget can pay for, as the budget keeper counts: an invitation reserves what a
/// friend may cost.
fn pays(document: &Json, decision: &Decision) -> bool {
    let set = compile(&RuleSet::from_json(document).unwrap()).unwrap();
    let budget = decision.caps.budget_fen.unwrap_or(i64::MAX);
    decision.effects.iter().any(|effect| match &effect.action {
        Action::Invite { .. } => set.one_friend() <= budget,
        Action::Grant { benefit, .. } => benefit.benefit.cost_fen().unwrap_or(0) <= budget,
        _ => true,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    #[test]
    fn what_is_called_contradictory_never_fires(document in set(), states in proptest::collection::vec(known(), 8)) {
        let found = check(&document, PolicyPack::shipped()).findings;
        let impossible = named(&found, "RULE-CONTRADICTION");
        for decision in decided(&document, &states).into_iter().flatten() {
            // Without its consent a rule is held before it is looked at.
            let held = decision.outcome == Outcome::Held && decision.blocked_by != Some(BlockedBy::Consent);
            let holds = held || decision.outcome == Outcome::Fired;
            prop_assert!(!(impossible.contains(&decision.rule_id) && holds), "{document}");
        }
    }

    #[test]
    fn what_is_called_shadowed_or_dead_never_acts(document in set(), states in proptest::collection::vec(known(), 8)) {
        let found = check(&document, PolicyPack::shipped()).findings;
        let (shadowed, dead) = (named(&found, "RULE-SHADOW"), named(&found, "RULE-DEAD"));
        for decision in decided(&document, &states).into_iter().flatten() {
            let id = &decision.rule_id;
            prop_assert!(!(shadowed.contains(id) && acts(&decision)), "{id} {document}");
            prop_assert!(!(dead.contains(id) && acts(&decision) && pays(&document, &decision)), "{id} {document}");
        }
    }

    #[test]
    fn two_invitations_for_one_event_were_foretold(document in set(), states in proptest::collection::vec(known(), 8)) {
        let found = check(&document, PolicyPack::shipped()).findings;
        let foretold = found.iter().any(|one| one.id == "RULE-OVERLAP");
        for decisions in decided(&document, &states) {
            let invites = |decision: &&Decision| decision.effects.iter().any(|effect| matches!(effect.action, Action::Invite { .. }));
            let both = decisions.iter().filter(invites).filter(|one| acts(one)).count() > 1;
            prop_assert!(!both || foretold, "{document}");
        }
    }

    #[test]
    fn what_an_edit_may_not_take_away_is_not_taken_away(
        was in campaign(), will in campaign(), same in any::<bool>(), states in proptest::collection::vec(known(), 24),
    ) {
        let (old, mut new) = (giving(&was), giving(&will));
        if same {
            // Only what stands ahead is changed.
            new["rules"][0] = old["rules"][0].clone();
        }
        let day = "2026-06-01".parse().unwrap();
        let parsed = |json: &Json| RuleSet::from_json(json).unwrap();
        let lowered = crate::rule::lint_edit(&parsed(&old), &parsed(&new), PolicyPack::shipped(), day);
        if lowered.is_empty() {
            let gives = |decisions: &[Decision]| {
                decisions.iter().any(|one| one.rule_id == "r" && one.outcome == Outcome::Fired)
            };
            for (before, after) in decided(&old, &states).iter().zip(decided(&new, &states)) {
                prop_assert!(!gives(before) || gives(&after), "{old}\n{new}");
            }
        }
    }
}

/// Conditions of the rule that gives, of one ahead in its group with what it does, and of a suppression.
type Campaign = (
    Option<Json>,
    Option<(Option<Json>, Vec<Json>)>,
    Option<Option<Json>>,
);

fn campaign() -> impl Strategy<Value = Campaign> {
    let effect = select(vec![
        json!({"effect": "invite", "template": "baseline"}),
        json!({"effect": "invite", "template": "baseline"}),
        json!({"effect": "notify_staff", "text": "看一下"}),
        json!({"effect": "tag", "tag": "常客"}),
    ]);
    let ahead = (
        proptest::option::of(condition()),
        proptest::collection::vec(effect, 1..3),
    );
    let when = || proptest::option::of(condition());
    (
        when(),
        proptest::option::of(ahead),
        proptest::option::of(when()),
    )
}

fn giving((when, ahead, suppression): &Campaign) -> Json {
    let rule = |id: &str, when: &Option<Json>, then: Json| {
        let mut rule = json!({"id": id, "title": id, "on": ["rating.submitted"], "then": then});
        if let Some(when) = when {
            rule["when"] = when.clone();
        }
        rule
    };
    let gift = json!([{"effect": "grant", "to": "inviter", "benefit": "b"}]);
    let mut rules = vec![rule("r", when, gift)];
    if let Some((when, then)) = ahead {
        let mut first = rule("a", when, json!(then));
        first["priority"] = json!(9);
        rules.push(first);
    }
    for rule in &mut rules {
        rule["exclusive_group"] = json!("g");
    }
    if let Some(when) = suppression {
        let stop = json!([{"effect": "suppress_invitations", "for": "P1D", "appeal": true}]);
        rules.push(rule("s", when, stop));
    }
    json!({"schema": 1, "name": "试", "rules": rules, "benefits": {"b": {"kind": "coupon", "fen": 1000}}})
}

/// The properties above say nothing if nothing is ever found: among the same sets, each finding occurs.
#[test]
fn the_sets_made_at_random_have_every_fault() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..600 {
        let document = set().new_tree(&mut runner).unwrap().current();
        for finding in check(&document, PolicyPack::shipped()).findings {
            *seen.entry(finding.id).or_default() += 1;
        }
    }
    for id in [
        "RULE-CONTRADICTION",
        "RULE-SHADOW",
        "RULE-DEAD",
        "RULE-OVERLAP",
        "RULE-BUDGET",
    ] {
        assert!(
            seen.get(id).is_some_and(|count| *count >= 20),
            "{id}: {seen:?}"
        );
    }
}
