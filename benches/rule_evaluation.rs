//! Matching, building, binding and explaining, over campaign-like, narrow and worst-case rule sets.
//!
//! `index` is what runs, `walk` the same normalised conditions one after the other over the same bound values, `tree` the
//! three-valued oracle over the facts by name. One iteration is one customer; ratios are taken within one run.

#![expect(
    clippy::indexing_slicing,
    reason = "the workload's facts are a table of 26, looked up by its own numbers"
)]

mod workload;

use chrono::{DateTime, Utc};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use linjian::rule::{
    Case, CompiledRuleSet, Event, EventKind, Facts, Matcher, Method, RuleSet, compile, evaluate,
};
use std::hint::black_box;
use std::time::Instant;
use uuid::Uuid;
use workload::{FACTS, Rule};

const KIND: EventKind = EventKind::RatingSubmitted;
/// Customers each measurement goes through in turn.
const CUSTOMERS: u32 = 1_000;
/// A set; a document holds no more, so larger ones are put together from several.
const DOCUMENT: usize = 4_000;

fn read(rules: &[Rule]) -> RuleSet {
    let mut whole: Option<RuleSet> = None;
    for part in rules.chunks(DOCUMENT) {
        let set = RuleSet::from_json(&workload::document(part));
        let set =
            set.unwrap_or_else(|findings| panic!("the bench's own rules must read: {findings:?}"));
        match &mut whole {
            None => whole = Some(set),
            Some(whole) => whole.rules.extend(set.rules),
        }
    }
    whole.unwrap_or_else(|| panic!("no rules"))
}

fn compiled(set: &RuleSet) -> CompiledRuleSet {
    compile(set)
        .unwrap_or_else(|findings| panic!("the bench's own rules must compile: {findings:?}"))
}

fn known(values: &[i64; 26]) -> Facts {
    let mut facts = Facts::new();
    for (value, fact) in values.iter().zip(&FACTS) {
        match fact.word {
            Some(prefix) => facts.set(fact.name, format!("{prefix}{value}")),
            None if fact.flag => facts.set(fact.name, *value == 1),
            None => facts.set(fact.name, *value),
        };
    }
    facts
}

fn everybody() -> Vec<Facts> {
    workload::customers(CUSTOMERS).iter().map(known).collect()
}

fn bound(matcher: &Matcher, everybody: &[Facts]) -> Vec<Case> {
    let case = |facts: &Facts| {
        let mut case = matcher.case();
        matcher.bind(&mut case, facts);
        case
    };
    everybody.iter().map(case).collect()
}

/// One matcher over all customers in turn.
fn matching(bencher: &mut criterion::Bencher<'_>, matcher: &Matcher, everybody: &[Facts]) {
    let cases = bound(matcher, everybody);
    let mut scratch = matcher.scratch();
    let mut turn = cases.iter().cycle();
    bencher.iter(|| {
        let case = turn.next().map_or(0, |case| {
            matcher.matches(black_box(case), &mut scratch).len()
        });
        black_box(case)
    });
}

fn tree(bencher: &mut criterion::Bencher<'_>, set: &CompiledRuleSet, everybody: &[Facts]) {
    let mut turn = everybody.iter().cycle();
    bencher.iter(|| {
        black_box(
            turn.next()
                .map_or(0, |facts| set.walk(KIND, black_box(facts))),
        )
    });
}

/// Prints what a set is like beside its figures: share of hits, time to build, memory.
fn describe(name: &str, set: &RuleSet, everybody: &[Facts]) -> (CompiledRuleSet, Matcher) {
    let began = Instant::now();
    let ready = compiled(set);
    let took = began.elapsed();
    let matcher = ready
        .matcher_by(KIND, Method::Index)
        .unwrap_or_else(|| panic!("no rules"));
    let mut binding = matcher.binding();
    let hits: usize = everybody
        .iter()
        .map(|facts| matcher.find(facts, &mut binding).len())
        .sum();
    let pairs = set.rules.len() * everybody.len();
    let share = hits * 100_000 / pairs.max(1);
    println!(
        "{name}: {} rules, {}.{:03} % hits, compile {took:?}, index {} KiB",
        set.rules.len(),
        share / 1_000,
        share % 1_000,
        matcher.bytes() / 1024
    );
    (ready, matcher)
}

/// A kind of rule set and what makes it.
type Made = (&'static str, fn(u32) -> Vec<Rule>);

fn matching_by_size(criterion: &mut Criterion) {
    let everybody = everybody();
    let kinds: [Made; 2] = [
        ("campaign", workload::campaign),
        ("narrow", workload::narrow),
    ];
    for (name, make) in kinds {
        let mut group = criterion.benchmark_group(name);
        for count in [10, 100, 1_000, 10_000, 100_000] {
            let set = read(&make(count));
            let (ready, index) = describe(name, &set, &everybody);
            group.bench_function(BenchmarkId::new("index", count), |bencher| {
                matching(bencher, &index, &everybody);
            });
            if count <= 1_000 {
                let walk = ready.matcher_by(KIND, Method::Walk);
                let walk = walk.unwrap_or_else(|| panic!("no rules"));
                group.bench_function(BenchmarkId::new("walk", count), |bencher| {
                    matching(bencher, &walk, &everybody);
                });
                group.bench_function(BenchmarkId::new("tree", count), |bencher| {
                    tree(bencher, &ready, &everybody);
                });
            }
        }
        group.finish();
    }
}

fn worst_cases(criterion: &mut Criterion) {
    let everybody = everybody();
    let kinds: [Made; 2] = [
        ("unique_thresholds", workload::thresholds),
        ("wide_any", workload::wide),
    ];
    for (name, make) in kinds {
        let mut group = criterion.benchmark_group(name);
        for count in [1_000, 10_000] {
            let (ready, index) = describe(name, &read(&make(count)), &everybody);
            group.bench_function(BenchmarkId::new("index", count), |bencher| {
                matching(bencher, &index, &everybody);
            });
            let walk = ready.matcher_by(KIND, Method::Walk);
            let walk = walk.unwrap_or_else(|| panic!("no rules"));
            group.bench_function(BenchmarkId::new("walk", count), |bencher| {
                matching(bencher, &walk, &everybody);
            });
        }
        group.finish();
    }
}

/// What publishing compiles, what a case costs before it is matched, and what an explanation costs.
fn around(criterion: &mut Criterion) {
    let everybody = everybody();
    let set = read(&workload::campaign(1_000));
    let ready = compiled(&set);
    let mut group = criterion.benchmark_group("campaign_1000");
    group.bench_function("compile", |bencher| {
        bencher.iter(|| compiled(black_box(&set)));
    });
    let matcher = ready.matcher(KIND).unwrap_or_else(|| panic!("no rules"));
    let (mut case, mut turn) = (matcher.case(), everybody.iter().cycle());
    group.bench_function("bind", |bencher| {
        bencher.iter(|| {
            turn.next()
                .map(|facts| matcher.bind(&mut case, black_box(facts)))
        });
    });
    let event = Event {
        id: Uuid::nil(),
        kind: KIND,
        customer_id: Uuid::nil(),
    };
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let mut turn = everybody.iter().cycle();
    group.bench_function("explain_all", |bencher| {
        bencher.iter(|| {
            turn.next()
                .map(|facts| evaluate(&ready, &event, black_box(facts), now))
        });
    });
    group.finish();
}

criterion_group!(benches, matching_by_size, worst_cases, around);
criterion_main!(benches);
