//! One workload for every engine measured: rules over 26 facts and customers who have them, from fixed seeds.

use serde_json::{Value as Json, json};

/// How a fact is compared; numbers in its smallest unit, words by their number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    AtLeast(i64),
    AtMost(i64),
    Is(i64),
    Between(i64, i64),
    OneOf(Vec<i64>),
}

/// A fact of the catalogue: its name, decimal places as people write it, greatest value, and the prefix of its words.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) places: u32,
    pub(crate) most: i64,
    pub(crate) word: Option<&'static str>,
    pub(crate) flag: bool,
}

const fn number(name: &'static str, most: i64) -> Fact {
    Fact {
        name,
        places: 0,
        most,
        word: None,
        flag: false,
    }
}

const fn scaled(name: &'static str, places: u32, most: i64) -> Fact {
    Fact {
        places,
        ..number(name, most)
    }
}

const fn word(name: &'static str, prefix: &'static str, most: i64) -> Fact {
    Fact {
        word: Some(prefix),
        ..number(name, most)
    }
}

const fn flag(name: &'static str) -> Fact {
    Fact {
        flag: true,
        ..number(name, 1)
    }
}

pub(crate) const PREPAID: usize = 0;
pub(crate) const SCORE: usize = 1;
pub(crate) const COMPLAINTS: usize = 2;
pub(crate) const BREACHED: usize = 3;
pub(crate) const CITY: usize = 4;
pub(crate) const SERVICE: usize = 5;
pub(crate) const TOTAL: usize = 6;
pub(crate) const VISITS: usize = 7;

/// The 26 facts.
pub(crate) const FACTS: [Fact; 26] = [
    scaled("booking.prepaid_ratio", 4, 10_000),
    scaled("rating.score", 2, 500),
    number("customer.open_complaints", 9),
    flag("booking.sla_breached"),
    word("customer.city", "city-", 49),
    word("booking.service", "service-", 19),
    number("booking.total_fen", 99_999),
    number("customer.completed_bookings", 99),
    scaled("rating.quality", 2, 500),
    scaled("rating.punctuality", 2, 500),
    scaled("rating.attitude", 2, 500),
    scaled("rating.communication", 2, 500),
    scaled("rating.value", 2, 500),
    number("booking.prepaid_fen", 99_999),
    number("booking.late_minutes", 120),
    flag("booking.is_rework"),
    number("customer.generation", 3),
    word("customer.area", "area-", 199),
    number("customer.days_since_last_invite", 365),
    number("inviter.qualified_count", 20),
    number("inviter.consecutive_qualified", 10),
    scaled("rating.score@last(3).min", 2, 500),
    scaled("rating.score@last(5).mean", 2, 500),
    number("booking.completed@within(P90D).count", 30),
    number("booking.prepaid_fen@within(P365D).sum", 999_999),
    number("referral.qualified@within(P90D).count", 10),
];

/// A rule: all of its tests, or any of its groups of tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rule {
    pub(crate) all: Vec<(usize, Test)>,
    pub(crate) any: Vec<Vec<(usize, Test)>>,
}

/// SplitMix64: small, fixed, good enough to draw workloads.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        i64::try_from(mixed % end.unsigned_abs().max(1)).unwrap_or(0)
    }

    fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[usize::try_from(self.below(i64::try_from(N).unwrap_or(1))).unwrap_or(0)]
    }

    fn some_of(&mut self, fact: usize, count: i64) -> Test {
        Test::OneOf(
            (0..count)
                .map(|_| self.below(FACTS[fact].most + 1))
                .collect(),
        )
    }
}

/// Rules as marketing writes them: quality and payment first, then where, what and to whom.
pub(crate) fn campaign(count: u32) -> Vec<Rule> {
    let mut draw = Draw(7);
    (0..count)
        .map(|_| {
            let mut all = vec![
                (PREPAID, Test::AtLeast(draw.pick([3_000, 5_000, 8_000]))),
                (SCORE, Test::AtLeast(440 + 10 * draw.below(6))),
                (COMPLAINTS, Test::Is(0)),
                (BREACHED, Test::Is(0)),
                (CITY, draw.some_of(CITY, 12)),
            ];
            for _ in 0..draw.below(3) {
                all.push(match draw.below(5) {
                    0 => (VISITS, Test::AtLeast(draw.below(60))),
                    1 => (SERVICE, draw.some_of(SERVICE, 12)),
                    2 => (TOTAL, Test::AtLeast(draw.below(60_000))),
                    3 => (21, Test::AtLeast(200 + draw.below(250))),
                    _ => (18, Test::AtLeast(draw.below(180))),
                });
            }
            Rule {
                all,
                any: Vec::new(),
            }
        })
        .collect()
}

/// Rules for one service in one place and a narrow range of customers.
pub(crate) fn narrow(count: u32) -> Vec<Rule> {
    let mut draw = Draw(11);
    (0..count)
        .map(|_| {
            let (fen, visits) = (draw.below(95_000), draw.below(90));
            Rule {
                all: vec![
                    (CITY, Test::Is(draw.below(50))),
                    (SERVICE, Test::Is(draw.below(20))),
                    (TOTAL, Test::Between(fen, fen + 5_000)),
                    (VISITS, Test::Between(visits, visits + 10)),
                    (SCORE, Test::AtLeast(400 + draw.below(100))),
                ],
                any: Vec::new(),
            }
        })
        .collect()
}

/// Every rule has a threshold of its own.
pub(crate) fn thresholds(count: u32) -> Vec<Rule> {
    (0..i64::from(count))
        .map(|place| Rule {
            all: vec![
                (
                    TOTAL,
                    Test::AtLeast(place * 99_000 / i64::from(count).max(1)),
                ),
                (24, Test::AtMost(place * 990_000 / i64::from(count).max(1))),
                (COMPLAINTS, Test::Is(0)),
            ],
            any: Vec::new(),
        })
        .collect()
}

/// Every rule is one wide `any` over a dozen facts: nothing a bitmap could exclude.
pub(crate) fn wide(count: u32) -> Vec<Rule> {
    let mut draw = Draw(13);
    (0..count)
        .map(|_| Rule {
            all: vec![(COMPLAINTS, Test::Is(0))],
            any: (0..12)
                .map(|_| {
                    let fact =
                        draw.pick([8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 21, 22, 23, 24, 25]);
                    let least = FACTS[fact].most - draw.below(FACTS[fact].most / 20 + 1);
                    vec![(fact, Test::AtLeast(least))]
                })
                .collect(),
        })
        .collect()
}

/// Values of the 26 facts, in their order.
pub(crate) fn customers(count: u32) -> Vec<[i64; 26]> {
    let mut draw = Draw(5);
    (0..count)
        .map(|_| {
            let mut values = [0; 26];
            for (value, fact) in values.iter_mut().zip(&FACTS) {
                *value = match (fact.places, fact.most) {
                    (2, most) => most - draw.below(120),
                    (_, 1) => i64::from(draw.below(10) == 0),
                    (_, most) => draw.below(most + 1),
                };
            }
            values[COMPLAINTS] = i64::from(draw.below(6) == 0);
            values
        })
        .collect()
}

/// A value as people write it in a document.
pub(crate) fn written(fact: &Fact, value: i64) -> Json {
    match (fact.word, fact.places) {
        (Some(prefix), _) => json!(format!("{prefix}{value}")),
        (None, _) if fact.flag => json!(value == 1),
        (None, 0) => json!(value),
        (None, places) => {
            let scale = 10_i64.pow(places);
            let width = usize::try_from(places).unwrap_or(0);
            json!(format!("{}.{:0width$}", value / scale, value % scale))
        }
    }
}

/// One test as a condition of a document.
pub(crate) fn condition((fact, test): &(usize, Test)) -> Json {
    let fact = &FACTS[*fact];
    let (op, value) = match test {
        Test::AtLeast(least) => ("gte", written(fact, *least)),
        Test::AtMost(most) => ("lte", written(fact, *most)),
        Test::Is(value) => ("eq", written(fact, *value)),
        Test::Between(low, high) => (
            "between",
            json!([written(fact, *low), written(fact, *high)]),
        ),
        Test::OneOf(values) => (
            "in",
            values.iter().map(|value| written(fact, *value)).collect(),
        ),
    };
    json!({"fact": fact.name, "op": op, "value": value})
}

/// A document with these rules; at most 10,000 fit into one.
pub(crate) fn document(rules: &[Rule]) -> Json {
    let rules: Vec<Json> = rules
        .iter()
        .enumerate()
        .map(|(place, rule)| {
            let mut all: Vec<Json> = rule.all.iter().map(condition).collect();
            if !rule.any.is_empty() {
                let branches = rule.any.iter();
                let branches = branches.map(|all| json!({"all": all.iter().map(condition).collect::<Vec<_>>()}));
                all.push(json!({"any": branches.collect::<Vec<_>>()}));
            }
            json!({"id": format!("r{place}"), "title": "规则", "on": ["rating.submitted"], "when": {"all": all},
                "then": [{"effect": "tag", "tag": "hit"}]})
        })
        .collect();
    json!({"schema": 1, "name": "压测", "rules": rules})
}
