//! zen-engine: one decision table that collects every row that holds, compiled and with its table index.

use crate::workload::{FACTS, Rule, Test};
use crate::{Engine, json, literal, name};
use serde_json::{Map, Value as Json, json};
use std::{collections::BTreeMap, sync::Arc};
use tokio::runtime::{Builder, Runtime};
use zen_engine::{Decision, DecisionEngine, Variable, model::DecisionContent};

pub(crate) struct Zen {
    runtime: Runtime,
    decision: Decision,
}

/// A test as a cell of its fact's column.
fn cell((fact, test): &(usize, Test)) -> String {
    let fact = &FACTS[*fact];
    match test {
        Test::AtLeast(least) => format!(">= {}", literal(fact, *least)),
        Test::AtMost(most) => format!("<= {}", literal(fact, *most)),
        Test::Is(value) => literal(fact, *value),
        Test::Between(low, high) => format!("[{}..{}]", literal(fact, *low), literal(fact, *high)),
        Test::OneOf(values) => {
            let values = values.iter().map(|value| literal(fact, *value));
            values.collect::<Vec<_>>().join(", ")
        }
    }
}

/// Both of two tests on one fact as one: a table has one cell for it.
fn both(first: Test, second: &Test) -> Test {
    match (first, second) {
        (Test::AtLeast(first), Test::AtLeast(second)) => Test::AtLeast(first.max(*second)),
        (Test::OneOf(mut values), Test::OneOf(second)) => {
            values.retain(|value| second.contains(value));
            // No value is below nought.
            if values.is_empty() {
                Test::Is(-1)
            } else {
                Test::OneOf(values)
            }
        }
        (first, second) => panic!("no one cell for {first:?} and {second:?}"),
    }
}

fn row((number, rule): (usize, &Rule)) -> Json {
    let mut row: Map<String, Json> = Map::new();
    row.insert("_id".into(), json!(format!("r{number}")));
    row.insert("rule".into(), json!(number.to_string()));
    let mut cells: BTreeMap<usize, Test> = BTreeMap::new();
    for (fact, test) in &rule.all {
        let before = cells.remove(fact);
        let test = before.map_or_else(|| test.clone(), |before| both(before, test));
        cells.insert(*fact, test);
    }
    row.extend(
        cells
            .into_iter()
            .map(|test| (name(test.0), json!(cell(&test)))),
    );
    row.into()
}

/// A column for every fact a rule reads, in the order in which the rules name them: a row ends at its first cell that fails.
fn columns(rules: &[Rule]) -> Vec<Json> {
    let mut read: Vec<usize> = Vec::new();
    for (fact, _) in rules.iter().flat_map(|rule| &rule.all) {
        if !read.contains(fact) {
            read.push(*fact);
        }
    }
    let column = |fact| json!({"id": name(fact), "name": FACTS[fact].name, "field": name(fact)});
    read.into_iter().map(column).collect()
}

fn graph(rules: &[Rule]) -> Json {
    let rows: Vec<Json> = rules.iter().enumerate().map(row).collect();
    json!({
        "nodes": [
            {"id": "in", "name": "in", "type": "inputNode", "content": {}},
            {"id": "table", "name": "rules", "type": "decisionTableNode", "content": {
                "hitPolicy": "collect", "inputs": columns(rules),
                "outputs": [{"id": "rule", "name": "rule", "field": "rule"}], "rules": rows}},
            {"id": "out", "name": "out", "type": "outputNode", "content": {}},
        ],
        "edges": [
            {"id": "a", "sourceId": "in", "targetId": "table"},
            {"id": "b", "sourceId": "table", "targetId": "out"},
        ],
    })
}

impl Zen {
    fn result(&self, case: &Variable) -> Variable {
        let evaluated = self.runtime.block_on(self.decision.evaluate(case.clone()));
        evaluated.expect("the table evaluates").result
    }
}

impl Engine for Zen {
    type Case = Variable;

    fn compile(rules: &[Rule]) -> Self {
        let content: DecisionContent =
            serde_json::from_value(graph(rules)).expect("the graph reads");
        let decision = DecisionEngine::default().create_decision(Arc::new(content));
        let mut decision = decision.expect("a decision");
        // Expressions become byte code, and the table gets its index.
        decision.compile();
        let runtime = Builder::new_current_thread().build();
        Self {
            runtime: runtime.expect("a runtime"),
            decision,
        }
    }

    fn case(&self, values: &[i64; 26]) -> Variable {
        json(values).into()
    }

    fn matches(&mut self, case: &Variable) -> Vec<usize> {
        let rows = self.result(case).to_value();
        let rows = rows.as_array().cloned().unwrap_or_default();
        let number = |row: &Json| row["rule"].as_u64().expect("a number") as usize;
        rows.iter().map(number).collect()
    }

    fn count(&mut self, case: &Variable) -> usize {
        let rows = self.result(case);
        rows.as_array().map_or(0, |rows| rows.borrow().len())
    }
}
