//! Ten thousand documents made at random: nothing panics, answers stay bounded and plain, and what may be published runs.

use crate::examples::{examples, is_plain};
use linjian::rule::{
    DEFAULT_RULESET, Event, EventKind, Facts, Finding, PolicyPack, RuleSet, catalogue, check,
    check_text, evaluate, lint_edit, plain_rules,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

const DOCUMENTS: u64 = 10_000;

/// `SplitMix64`: small, and the same on every machine, so that a seed names a document for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(most.max(1)).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

const KEYS: [&str; 34] = [
    "schema",
    "name",
    "organiser",
    "period",
    "from",
    "to",
    "rules",
    "id",
    "title",
    "on",
    "when",
    "then",
    "caps",
    "all",
    "any",
    "not",
    "fact",
    "op",
    "value",
    "effect",
    "benefits",
    "kind",
    "fen",
    "generations",
    "templates",
    "text",
    "channel",
    "prompts",
    "checks",
    "subtree",
    "consent",
    "publish",
    "audience",
    "~/",
];

const WORDS: [&str; 26] = [
    "rating.score",
    "booking.prepaid_ratio",
    "inviter.team_fen",
    "customer.tags",
    "customer.home_photos",
    "gte",
    "between",
    "is_unknown",
    "invite",
    "grant",
    "share_to_partner",
    "inviter",
    "rating.submitted",
    "referral.qualified",
    "P7D",
    "P99999D",
    "cash",
    "prepaid_card",
    "legitimate_interest",
    "sms",
    "{friend_phone}{",
    "rating.score@last(3).min",
    "2026-02-30",
    "全城第一",
    "baseline",
    "r1",
];

fn junk(dice: &mut Dice, depth: usize) -> Json {
    match dice.below(if depth == 0 { 6 } else { 9 }) {
        0 => Json::Null,
        1 => json!(dice.roll().is_multiple_of(2)),
        2 => json!(*dice.of(&[i64::MIN, -1, 0, 1, 3, 500, 3_000, i64::MAX])),
        3 => json!(*dice.of(&[4.8, 0.5, -0.0, 1e300, 0.1])),
        4 | 5 => json!(*dice.of(&WORDS)),
        6 | 7 => {
            let mut map = serde_json::Map::new();
            for _ in 0..dice.below(5) {
                map.insert((*dice.of(&KEYS)).to_owned(), junk(dice, depth - 1));
            }
            Json::Object(map)
        }
        _ => (0..dice.below(4)).map(|_| junk(dice, depth - 1)).collect(),
    }
}

/// Every pointer of a document.
fn places(json: &Json, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match json {
        Json::Object(map) => {
            for (key, inner) in map {
                let token = key.replace('~', "~0").replace('/', "~1");
                places(inner, &format!("{here}/{token}"), found);
            }
        }
        Json::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{here}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The document with one place changed: another value of the document, junk, one key more or less.
fn mutate(dice: &mut Dice, document: &mut Json) {
    let mut known = Vec::new();
    places(document, "", &mut known);
    let (source, place) = (dice.of(&known).clone(), dice.of(&known).clone());
    let donor = document.pointer(&source).unwrap().clone();
    let (kind, fresh) = (dice.below(5), junk(dice, 2));
    let key = (*dice.of(&KEYS)).to_owned();
    let target = document.pointer_mut(&place).unwrap();
    match (kind, target) {
        (0, target) => *target = donor,
        (1, target) => *target = fresh,
        (2, Json::Object(map)) => drop(map.insert(key, fresh)),
        (3, Json::Object(map)) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            if !keys.is_empty() {
                map.remove(dice.of(&keys));
            }
        }
        (_, Json::Array(items)) => items.push(donor),
        (_, Json::Number(number)) => {
            let near = number.as_i64().unwrap_or(0).saturating_add(1);
            *number = near.into();
        }
        (_, Json::String(text)) => (*dice.of(&WORDS)).clone_into(text),
        (_, target) => *target = donor,
    }
}

fn facts(dice: &mut Dice) -> Facts {
    let mut facts = Facts::new();
    for row in catalogue() {
        match dice.below(4) {
            0 => {}
            1 => drop(facts.set(row.name, *dice.of(&[i64::MIN, 0, 480, i64::MAX]))),
            2 => drop(facts.set(row.name, dice.roll().is_multiple_of(2))),
            _ => drop(facts.set(row.name, *dice.of(&WORDS))),
        }
    }
    facts
}

fn survives(seed: u64, pool: &[Json]) -> bool {
    let mut dice = Dice(seed);
    let pack = PolicyPack::shipped();
    let checked = match seed % 4 {
        0 => {
            let mut bytes = DEFAULT_RULESET.as_bytes().to_vec();
            for _ in 0..=dice.below(4) {
                let place = dice.below(bytes.len());
                bytes[place] = *dice.of(b"{}[]\",:0e-\\x");
            }
            check_text(&String::from_utf8_lossy(&bytes), pack)
        }
        1 => check(&junk(&mut dice, 5), pack),
        _ => {
            let mut document = dice.of(pool).clone();
            for _ in 0..dice.below(4) {
                mutate(&mut dice, &mut document);
            }
            if let (Ok(old), Ok(new)) = (
                RuleSet::from_json(dice.of(pool)),
                RuleSet::from_json(&document),
            ) {
                lint_edit(&old, &new, pack, "2026-04-01".parse().unwrap());
            }
            check(&document, pack)
        }
    };
    assert!(checked.findings.len() <= 500, "seed {seed}");
    for finding in checked
        .findings
        .iter()
        .filter(|one| one.id.starts_with("REF-"))
    {
        is_plain(finding).unwrap_or_else(|text| panic!("seed {seed}: {text}"));
    }
    let Some(compiled) = &checked.compiled else {
        assert!(
            checked.findings.iter().any(Finding::blocks),
            "seed {seed}: refused without a word"
        );
        return false;
    };
    for kind in EventKind::ALL {
        let event = Event {
            id: Uuid::nil(),
            kind,
            customer_id: Uuid::nil(),
        };
        let noon = "2026-06-01T04:00:00Z".parse().unwrap();
        evaluate(compiled, &event, &facts(&mut dice), noon);
    }
    plain_rules(compiled);
    checked.publishable()
}

#[test]
fn ten_thousand_documents_made_at_random_are_survived() {
    let mut pool: Vec<Json> = vec![serde_json::from_str(DEFAULT_RULESET).unwrap()];
    pool.extend(
        examples()
            .into_iter()
            .flat_map(|example| [example.bad, example.good]),
    );
    let lawful = (0..DOCUMENTS).filter(|seed| survives(*seed, &pool)).count();
    assert!(
        (500..5_000).contains(&lawful),
        "{lawful} may be published: the storm is too weak or too strong"
    );
}
