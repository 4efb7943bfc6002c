//! The plain tree walk over 10, 100 and 1,000 campaign rules that all listen to one event.

use chrono::{DateTime, Utc};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use linjian::rule::{CompiledRuleSet, Event, EventKind, Facts, RuleSet, compile, evaluate};
use serde_json::json;
use std::hint::black_box;
use uuid::Uuid;

/// Rules with four conditions each; one in fifty fires for the customer of [`customer`].
fn campaign(count: u32) -> CompiledRuleSet {
    let rules: Vec<_> = (0..count)
        .map(|index| {
            let score = if index % 50 == 0 { "4.50" } else { "4.90" };
            json!({"id": format!("r{index}"), "title": "规则", "on": ["rating.submitted"],
                "when": {"all": [
                    {"fact": "booking.prepaid_ratio", "op": "gte", "value": "0.5"},
                    {"fact": "rating.score", "op": "gte", "value": score},
                    {"fact": "customer.open_complaints", "op": "eq", "value": 0},
                    {"not": {"fact": "booking.sla_breached", "op": "eq", "value": true}}]},
                "then": [{"effect": "invite", "template": "baseline"}]})
        })
        .collect();
    let document = json!({"schema": 1, "name": "压测", "rules": rules});
    match RuleSet::from_json(&document).and_then(|set| compile(&set)) {
        Ok(set) => set,
        Err(findings) => panic!("the bench's own rules must compile: {findings:?}"),
    }
}

fn customer() -> Facts {
    let mut facts = Facts::new();
    facts
        .set("booking.prepaid_ratio", 5_000)
        .set("rating.score", 480)
        .set("customer.open_complaints", 0);
    facts.set("booking.sla_breached", false);
    facts
}

fn tree_walk(criterion: &mut Criterion) {
    let event = Event {
        id: Uuid::nil(),
        kind: EventKind::RatingSubmitted,
        customer_id: Uuid::nil(),
    };
    let (facts, now) = (customer(), DateTime::<Utc>::UNIX_EPOCH);
    let mut group = criterion.benchmark_group("rule_evaluation");
    for count in [10, 100, 1_000] {
        let set = campaign(count);
        group.bench_with_input(
            BenchmarkId::new("tree_walk", count),
            &set,
            |bencher, set| {
                bencher.iter(|| evaluate(black_box(set), &event, black_box(&facts), now));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, tree_walk);
criterion_main!(benches);
