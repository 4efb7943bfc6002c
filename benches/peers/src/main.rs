//! The rule index beside zen-engine, cel and datalogic-rs: the same campaign rules, the same customers, one core, one run.
//!
//! Every engine is given its best case: rules compiled and customers turned into its own form before anything is measured, facts
//! under short flat names, and numbers as integers in their smallest unit. All must find the same rules for every customer, or
//! the run ends before a figure is printed.

#[expect(dead_code, reason = "one workload for several benches")]
#[path = "../../workload/mod.rs"]
mod workload;

#[expect(dead_code, reason = "taken in whole")]
#[path = "../../../src/kernel/window.rs"]
mod window;

mod kernel {
    pub use crate::window::{Span, business_date, business_minute, day_bounds};
}

#[expect(
    dead_code,
    unused_imports,
    reason = "the engine is taken in whole, and most of it is for others"
)]
#[path = "../../../src/rule/mod.rs"]
mod rule;

mod expression;
mod json_logic;
mod ours;
mod table;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use workload::{FACTS, Fact, Rule};

/// Customers each measurement goes through in turn.
const CUSTOMERS: u32 = 1_000;

/// What every engine does here.
trait Engine: Sized {
    /// A customer in the engine's own form.
    type Case;

    fn compile(rules: &[Rule]) -> Self;
    fn case(&self, values: &[i64; 26]) -> Self::Case;
    /// The numbers of the rules that hold, in their order.
    fn matches(&mut self, case: &Self::Case) -> Vec<usize>;
    /// How many hold: what is measured.
    fn count(&mut self, case: &Self::Case) -> usize;
}

/// The short name of a fact for the peers.
fn name(fact: usize) -> String {
    format!("f{fact}")
}

/// A value in a peer's expression: a number in its smallest unit, a word in quotes, a flag.
fn literal(fact: &Fact, value: i64) -> String {
    match fact.word {
        Some(prefix) => format!("\"{prefix}{value}\""),
        None if fact.flag => (value == 1).to_string(),
        None => value.to_string(),
    }
}

/// A customer as JSON under short names.
fn json(values: &[i64; 26]) -> serde_json::Value {
    let value = |(fact, value): (&Fact, &i64)| match fact.word {
        Some(prefix) => serde_json::json!(format!("{prefix}{value}")),
        None if fact.flag => serde_json::json!(*value == 1),
        None => serde_json::json!(value),
    };
    let pairs = FACTS.iter().zip(values).map(value).enumerate();
    pairs.map(|(fact, value)| (name(fact), value)).collect()
}

fn measure<E: Engine>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    (name, rules): (&str, &[Rule]),
    expected: Option<&[Vec<usize>]>,
) -> Vec<Vec<usize>> {
    let mut engine = E::compile(rules);
    let cases: Vec<E::Case> = workload::customers(CUSTOMERS)
        .iter()
        .map(|values| engine.case(values))
        .collect();
    let found: Vec<Vec<usize>> = cases.iter().map(|case| engine.matches(case)).collect();
    if let Some(expected) = expected {
        assert!(found == expected, "{name} finds other rules than the index");
    }
    for (case, found) in cases.iter().zip(&found) {
        assert_eq!(engine.count(case), found.len(), "{name} miscounts");
    }
    let mut turn = cases.iter().cycle();
    group.bench_function(BenchmarkId::new(name, rules.len()), |bencher| {
        bencher.iter(|| turn.next().map(|case| engine.count(black_box(case))));
    });
    found
}

fn peers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("campaign");
    for count in [10, 100, 1_000] {
        let rules = workload::campaign(count);
        let found = measure::<ours::Index>(&mut group, ("index", &rules), None);
        let hits: usize = found.iter().map(Vec::len).sum();
        println!("{count} rules: {hits} hits among {CUSTOMERS} customers");
        let expected = Some(found.as_slice());
        measure::<table::Zen>(&mut group, ("zen-engine", &rules), expected);
        measure::<json_logic::DataLogic>(&mut group, ("datalogic-rs", &rules), expected);
        measure::<expression::Cel>(&mut group, ("cel", &rules), expected);
    }
    group.finish();
}

criterion_group!(benches, peers);
criterion_main!(benches);
