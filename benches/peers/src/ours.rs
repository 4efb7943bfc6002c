//! The index, as it runs behind `rule::decide`.

use crate::Engine;
use crate::rule::{Case, EventKind, Facts, Matcher, Method, RuleSet, Scratch, compile};
use crate::workload::{self, FACTS, Rule};

pub(crate) struct Index {
    matcher: Matcher,
    scratch: Scratch,
}

impl Engine for Index {
    type Case = Case;

    fn compile(rules: &[Rule]) -> Self {
        let set = RuleSet::from_json(&workload::document(rules)).expect("the workload reads");
        let set = compile(&set).expect("the workload compiles");
        let matcher = set.matcher_by(EventKind::RatingSubmitted, Method::Index);
        let matcher = matcher.expect("the workload has rules");
        let scratch = matcher.scratch();
        Self { matcher, scratch }
    }

    fn case(&self, values: &[i64; 26]) -> Case {
        let mut facts = Facts::new();
        for (value, fact) in values.iter().zip(&FACTS) {
            match fact.word {
                Some(prefix) => facts.set(fact.name, format!("{prefix}{value}")),
                None if fact.flag => facts.set(fact.name, *value == 1),
                None => facts.set(fact.name, *value),
            };
        }
        let mut case = self.matcher.case();
        self.matcher.bind(&mut case, &facts);
        case
    }

    fn matches(&mut self, case: &Case) -> Vec<usize> {
        let hits = self.matcher.matches(case, &mut self.scratch);
        hits.iter().map(|rule| *rule as usize).collect()
    }

    fn count(&mut self, case: &Case) -> usize {
        self.matcher.matches(case, &mut self.scratch).len()
    }
}
