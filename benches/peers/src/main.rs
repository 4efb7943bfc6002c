//! The same rules and customers through zen-engine, cel, datalogic-rs and ours, matching only, one core, one run.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml`. Every engine gets its rules compiled and its facts bound
//! beforehand, in the form it likes best, and must find the same rules for every customer before it is measured.

#[path = "../../workload/mod.rs"]
mod workload;

use linjian::rule::{Case, EventKind, Facts, Matcher, Method, RuleSet, compile};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use workload::{FACTS, Fact, Rule, Test};

const KIND: EventKind = EventKind::RatingSubmitted;
const CUSTOMERS: u32 = 200;
const RULES: u32 = 1_000;
/// How long each engine is measured at least.
const LONG: Duration = Duration::from_secs(3);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let rules = workload::campaign(RULES);
    let people = workload::customers(CUSTOMERS);
    println!("{RULES} campaign rules, {CUSTOMERS} customers with {} facts, one core", FACTS.len());
    let ours = ours(&rules, &people)?;
    let wanted: usize = ours.hits.iter().sum();
    let share = wanted * 10_000 / (rules.len() * people.len());
    println!("{}.{:02} % of the rules hold", share / 100, share % 100);
    let base = ours.each;
    ours.print(base);
    for peer in [zen(&rules, &people)?, cel(&rules, &people)?, datalogic(&rules, &people)?] {
        assert_eq!(peer.hits, ours.hits, "{} finds other rules", peer.name);
        peer.print(base);
    }
    Ok(())
}

/// One engine's figures: rules that hold by customer, and time per customer.
struct Measured {
    name: &'static str,
    hits: Vec<usize>,
    each: Duration,
}

impl Measured {
    fn print(&self, base: Duration) {
        let ratio = self.each.as_secs_f64() / base.as_secs_f64();
        println!("{:<28} {:>12.3} µs  {ratio:>10.1} ×", self.name, self.each.as_secs_f64() * 1e6);
    }
}

/// Runs all customers again and again.
fn measured(name: &'static str, people: usize, mut one: impl FnMut(usize) -> usize) -> Measured {
    let hits = (0..people).map(&mut one).collect();
    let (began, mut rounds) = (Instant::now(), 0_u32);
    while began.elapsed() < LONG {
        for person in 0..people {
            black_box(one(black_box(person)));
        }
        rounds += 1;
    }
    let runs = rounds.saturating_mul(u32::try_from(people).unwrap_or(1)).max(1);
    Measured {
        name,
        hits,
        each: began.elapsed() / runs,
    }
}

fn ours(rules: &[Rule], people: &[[i64; 26]]) -> Outcome<Measured> {
    let set = RuleSet::from_json(&workload::document(rules)).map_err(|faults| format!("{faults:?}"))?;
    let set = compile(&set).map_err(|faults| format!("{faults:?}"))?;
    let matcher: Matcher = set.matcher_by(KIND, Method::Index).ok_or("no rules")?;
    let case = |values: &[i64; 26]| -> Case {
        let mut facts = Facts::new();
        for (value, fact) in values.iter().zip(&FACTS) {
            match fact.word {
                Some(prefix) => facts.set(fact.name, format!("{prefix}{value}")),
                None if fact.flag => facts.set(fact.name, *value == 1),
                None => facts.set(fact.name, *value),
            };
        }
        let mut case = matcher.case();
        matcher.bind(&mut case, &facts);
        case
    };
    let cases: Vec<Case> = people.iter().map(case).collect();
    let mut scratch = matcher.scratch();
    Ok(measured("linjian, compiled", people.len(), |person| {
        matcher.matches(&cases[person], &mut scratch).len()
    }))
}

/// A fact's name in the other engines: a plain identifier.
fn name(place: usize) -> String {
    format!("f{place}")
}

fn value(fact: &Fact, value: i64) -> Value {
    match fact.word {
        Some(prefix) => json!(format!("{prefix}{value}")),
        None if fact.flag => json!(value == 1),
        None => json!(value),
    }
}

fn object(values: &[i64; 26]) -> Value {
    let fields = values.iter().zip(&FACTS).enumerate();
    let fields = fields.map(|(place, (number, fact))| (name(place), value(fact, *number)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// One decision table that collects every row that holds, its graph compiled first.
fn zen(rules: &[Rule], people: &[[i64; 26]]) -> Outcome<Measured> {
    let inputs: Vec<Value> = (0..FACTS.len())
        .map(|place| json!({"id": name(place), "name": name(place), "field": name(place)}))
        .collect();
    let rows: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(number, rule)| {
            let mut row = Map::new();
            row.insert("_id".into(), json!(format!("r{number}")));
            row.insert("out".into(), json!(number.to_string()));
            for (place, test) in merged(rule) {
                row.insert(name(place), json!(cell(&FACTS[place], &test)));
            }
            Value::Object(row)
        })
        .collect();
    let graph = json!({
        "nodes": [
            {"id": "in", "name": "in", "type": "inputNode", "content": {}},
            {"id": "table", "name": "table", "type": "decisionTableNode", "content": {
                "hitPolicy": "collect", "inputs": inputs,
                "outputs": [{"id": "out", "name": "out", "field": "rule"}], "rules": rows}},
            {"id": "out", "name": "out", "type": "outputNode", "content": {}}],
        "edges": [{"id": "a", "sourceId": "in", "targetId": "table"}, {"id": "b", "sourceId": "table", "targetId": "out"}]});
    let content: zen_engine::model::DecisionContent = serde_json::from_value(graph)?;
    let mut decision = zen_engine::DecisionEngine::default().create_decision(Arc::new(content));
    decision.compile();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let facts: Vec<Value> = people.iter().map(object).collect();
    let facts: Vec<zen_engine::Variable> = facts.into_iter().map(Into::into).collect();
    Ok(measured("zen-engine, compiled table", people.len(), |person| {
        let answer = runtime.block_on(decision.evaluate(facts[person].clone()));
        let answer: Value = answer.unwrap().result.to_value();
        answer.as_array().map_or(0, Vec::len)
    }))
}

/// A table has one cell a column: two tests of one fact become one.
fn merged(rule: &Rule) -> Vec<(usize, Test)> {
    let mut found: Vec<(usize, Test)> = Vec::new();
    for (place, test) in &rule.all {
        match found.iter_mut().find(|(known, _)| known == place) {
            None => found.push((*place, test.clone())),
            Some((_, known)) => match (&known, test) {
                (Test::AtLeast(one), Test::AtLeast(other)) => *known = Test::AtLeast(*one.max(other)),
                (Test::OneOf(one), Test::OneOf(other)) => {
                    *known = Test::OneOf(one.iter().filter(|word| other.contains(word)).copied().collect());
                }
                _ => panic!("the workload has two unlike tests of one fact"),
            },
        }
    }
    found
}

fn cell(fact: &Fact, test: &Test) -> String {
    match test {
        Test::AtLeast(least) => format!(">= {least}"),
        Test::AtMost(most) => format!("<= {most}"),
        Test::Is(number) => value(fact, *number).to_string(),
        Test::Between(low, high) => format!("[{low}..{high}]"),
        // A fact that can be none of no words holds for nobody.
        Test::OneOf(words) if words.is_empty() => "\"-\"".into(),
        Test::OneOf(words) => {
            let words: Vec<String> = words.iter().map(|word| value(fact, *word).to_string()).collect();
            words.join(", ")
        }
    }
}

/// One program a rule over one context a customer.
fn cel(rules: &[Rule], people: &[[i64; 26]]) -> Outcome<Measured> {
    let text = |(place, test): &(usize, Test)| {
        let (fact, name) = (&FACTS[*place], name(*place));
        match test {
            Test::AtLeast(least) => format!("{name} >= {least}"),
            Test::AtMost(most) => format!("{name} <= {most}"),
            Test::Is(number) => format!("{name} == {}", value(fact, *number)),
            Test::Between(low, high) => format!("{name} >= {low} && {name} <= {high}"),
            Test::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| value(fact, *word).to_string()).collect();
                format!("{name} in [{}]", words.join(", "))
            }
        }
    };
    let compile = |rule: &Rule| {
        let tests: Vec<String> = rule.all.iter().map(text).collect();
        cel::Program::compile(&tests.join(" && "))
    };
    let programs = rules.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let context = |values: &[i64; 26]| {
        let mut context = cel::Context::default();
        for (place, (number, fact)) in values.iter().zip(&FACTS).enumerate() {
            match fact.word {
                Some(prefix) => context.add_variable_from_value(name(place), format!("{prefix}{number}")),
                None if fact.flag => context.add_variable_from_value(name(place), *number == 1),
                None => context.add_variable_from_value(name(place), *number),
            }
        }
        context
    };
    let contexts: Vec<cel::Context<'_, '_>> = people.iter().map(context).collect();
    Ok(measured("cel, a program a rule", people.len(), |person| {
        let holds = |program: &&cel::Program| matches!(program.execute(&contexts[person]), Ok(cel::Value::Bool(true)));
        programs.iter().filter(holds).count()
    }))
}

/// One compiled logic a rule, facts parsed once, an arena reset between customers.
fn datalogic(rules: &[Rule], people: &[[i64; 26]]) -> Outcome<Measured> {
    let logic = |(place, test): &(usize, Test)| {
        let (fact, var) = (&FACTS[*place], json!({"var": name(*place)}));
        match test {
            Test::AtLeast(least) => json!({">=": [var, least]}),
            Test::AtMost(most) => json!({"<=": [var, most]}),
            Test::Is(number) => json!({"===": [var, value(fact, *number)]}),
            Test::Between(low, high) => json!({"<=": [low, var, high]}),
            Test::OneOf(words) => {
                let words: Vec<Value> = words.iter().map(|word| value(fact, *word)).collect();
                json!({"in": [var, words]})
            }
        }
    };
    let engine = datalogic_rs::Engine::new();
    let compile = |rule: &Rule| {
        let tests: Vec<Value> = rule.all.iter().map(logic).collect();
        engine.compile(json!({"and": tests}).to_string().as_str())
    };
    let compiled = rules.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let facts = people.iter().map(|one| datalogic_rs::datavalue::OwnedDataValue::from_json(&object(one).to_string()));
    let facts: Vec<_> = facts.collect::<Result<_, _>>()?;
    let mut arena = bumpalo::Bump::new();
    Ok(measured("datalogic-rs, a logic a rule", people.len(), |person| {
        arena.reset();
        let holds = |logic: &&datalogic_rs::Logic| {
            let answer = engine.evaluate(logic, &facts[person], &arena);
            answer.is_ok_and(|value| value.as_bool() == Some(true))
        };
        compiled.iter().filter(holds).count()
    }))
}
