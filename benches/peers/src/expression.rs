//! cel: a program a rule, over a context that holds the customer.

use crate::workload::{FACTS, Rule, Test};
use crate::{Engine, literal, name};
use cel::{Context, Env, Program, Value};
use std::sync::Arc;

pub(crate) struct Cel {
    env: Arc<Env>,
    programs: Vec<Program>,
}

fn test((number, test): &(usize, Test)) -> String {
    let (fact, name) = (&FACTS[*number], name(*number));
    let literal = |value: &i64| literal(fact, *value);
    match test {
        Test::AtLeast(least) => format!("{name} >= {}", literal(least)),
        Test::AtMost(most) => format!("{name} <= {}", literal(most)),
        Test::Is(value) => format!("{name} == {}", literal(value)),
        Test::Between(low, high) => {
            format!("{name} >= {} && {name} <= {}", literal(low), literal(high))
        }
        Test::OneOf(values) => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("{name} in [{}]", values.join(", "))
        }
    }
}

fn holds(program: &Program, case: &Context<'static, 'static>) -> bool {
    matches!(program.execute(case), Ok(Value::Bool(true)))
}

impl Engine for Cel {
    type Case = Context<'static, 'static>;

    fn compile(rules: &[Rule]) -> Self {
        let env = Arc::new(Env::stdlib());
        let program = |rule: &Rule| {
            let tests: Vec<String> = rule.all.iter().map(test).collect();
            env.compile(&tests.join(" && ")).expect("a rule compiles")
        };
        let programs = rules.iter().map(program).collect();
        Self { env, programs }
    }

    fn case(&self, values: &[i64; 26]) -> Self::Case {
        let mut context = Context::with_env(Arc::clone(&self.env));
        for (number, (fact, value)) in FACTS.iter().zip(values).enumerate() {
            let value = match fact.word {
                Some(prefix) => Value::from(format!("{prefix}{value}")),
                None if fact.flag => Value::Bool(*value == 1),
                None => Value::Int(*value),
            };
            context.add_variable_from_value(name(number), value);
        }
        context
    }

    fn matches(&mut self, case: &Self::Case) -> Vec<usize> {
        let programs = self.programs.iter().enumerate();
        let held = programs.filter(|(_, program)| holds(program, case));
        held.map(|(number, _)| number).collect()
    }

    fn count(&mut self, case: &Self::Case) -> usize {
        let programs = self.programs.iter();
        programs.filter(|program| holds(program, case)).count()
    }
}
