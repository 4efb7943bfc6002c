//! datalogic-rs: a compiled JSONLogic rule each, over the customer parsed once, in a session whose memory is used again.

use crate::workload::{FACTS, Rule, Test};
use crate::{Engine, json, name};
use datalogic_rs::{Engine as JsonLogic, Logic, ParsedData, Session};
use serde_json::{Value as Json, json};

pub(crate) struct DataLogic {
    rules: Vec<Logic>,
    session: Session<'static>,
}

fn value(fact: usize, value: i64) -> Json {
    match FACTS[fact].word {
        Some(prefix) => json!(format!("{prefix}{value}")),
        None if FACTS[fact].flag => json!(value == 1),
        None => json!(value),
    }
}

fn test((fact, test): &(usize, Test)) -> Json {
    let (fact, var) = (*fact, json!({"var": name(*fact)}));
    match test {
        Test::AtLeast(least) => json!({">=": [var, value(fact, *least)]}),
        Test::AtMost(most) => json!({"<=": [var, value(fact, *most)]}),
        Test::Is(is) => json!({"===": [var, value(fact, *is)]}),
        Test::Between(low, high) => json!({"<=": [value(fact, *low), var, value(fact, *high)]}),
        Test::OneOf(values) => {
            let values: Vec<Json> = values.iter().map(|one| value(fact, *one)).collect();
            json!({"in": [var, values]})
        }
    }
}

fn holds(session: &mut Session<'static>, rule: &Logic, case: &ParsedData) -> bool {
    let result = session.eval_borrowed(rule, case);
    result.expect("a rule evaluates").as_bool() == Some(true)
}

impl Engine for DataLogic {
    type Case = ParsedData;

    fn compile(rules: &[Rule]) -> Self {
        // A session borrows its engine, and this one lives as long as the run.
        let engine: &'static JsonLogic = Box::leak(Box::new(JsonLogic::new()));
        let logic = |rule: &Rule| {
            let all: Vec<Json> = rule.all.iter().map(test).collect();
            engine
                .compile(&json!({"and": all}))
                .expect("a rule compiles")
        };
        Self {
            rules: rules.iter().map(logic).collect(),
            session: engine.session(),
        }
    }

    fn case(&self, values: &[i64; 26]) -> ParsedData {
        ParsedData::from_json(&json(values).to_string()).expect("a customer reads")
    }

    fn matches(&mut self, case: &ParsedData) -> Vec<usize> {
        let Self { rules, session } = self;
        let rules = rules.iter().enumerate();
        let held = rules.filter(|(_, rule)| holds(session, rule, case));
        let held = held.map(|(number, _)| number).collect();
        self.session.reset();
        held
    }

    fn count(&mut self, case: &ParsedData) -> usize {
        let Self { rules, session } = self;
        let rules = rules.iter();
        let held = rules.filter(|rule| holds(session, rule, case)).count();
        session.reset();
        held
    }
}
