//! Reading the optional parts: words, prompts, checks, the page, and what a rule says about consent.

use super::fields::{Faults, Fields};
use super::map_of;
use crate::rule::declared::{
    Channel, Checks, ConsentClaim, Declared, Prompt, SubtreeLine, Template,
};
use serde_json::Value as Json;

/// Longest words of one template, characters.
const MAX_TEXT: usize = 500;
/// Ways round consent that are read so that the lint can name them.
const WAYS_ROUND: [&str; 4] = ["none", "skip", "implied", "legitimate_interest"];

/// Reads the optional parts of the document.
pub(super) fn read(faults: &mut Faults, fields: &mut Fields<'_>) -> Declared {
    let templates = map_of(faults, fields, "templates", template);
    let prompts = map_of(faults, fields, "prompts", prompt);
    let checks = fields
        .get("checks")
        .and_then(|json| checks(faults, json))
        .unwrap_or_default();
    let page = fields.get("publish").and_then(|json| {
        let mut inner = Fields::open(faults, "/publish", json)?;
        let page = optional_flag(faults, &mut inner, "page");
        inner.finish(faults);
        page
    });
    let typical_order_fen = fields.int(faults, "typical_order_fen", 1, 100_000_000);
    Declared {
        templates,
        prompts,
        checks,
        page,
        typical_order_fen,
    }
}

fn optional_flag(faults: &mut Faults, fields: &mut Fields<'_>, key: &'static str) -> Option<bool> {
    fields.get(key)?;
    Some(fields.flag(faults, key))
}

fn template(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Template> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let text = fields.need_text(faults, "text", MAX_TEXT);
    let channel = match fields.text(faults, "channel", 20).as_deref() {
        None | Some("in_app") => Channel::InApp,
        Some("subscribe") => Channel::Subscribe,
        Some("sms") => Channel::Sms,
        Some(other) => {
            faults.add(
                &fields.at("channel"),
                format!("不认识的渠道“{other}”"),
                "写“in_app”",
            );
            return None;
        }
    };
    fields.finish(faults);
    Some(Template {
        pointer: pointer.to_owned(),
        text: text?,
        channel,
    })
}

fn prompt(faults: &mut Faults, pointer: &str, json: &Json) -> Option<Prompt> {
    let mut fields = Fields::open(faults, pointer, json)?;
    fields.text(faults, "purpose", 40);
    let found = Prompt {
        pointer: pointer.to_owned(),
        blocking: fields.flag(faults, "blocking"),
        preticked: fields.flag(faults, "preticked"),
        again_after: fields.span(faults, "again_after"),
    };
    fields.finish(faults);
    Some(found)
}

fn checks(faults: &mut Faults, json: &Json) -> Option<Checks> {
    let mut fields = Fields::open(faults, "/checks", json)?;
    let self_invite = optional_flag(faults, &mut fields, "self_invite");
    let subtree = match fields.get("subtree") {
        None => None,
        Some(Json::Bool(false)) => Some(SubtreeLine::Off),
        Some(json) => {
            let mut inner = Fields::open(faults, "/checks/subtree", json)?;
            inner.need(faults, "people");
            inner.need(faults, "levels");
            let people = inner.int(faults, "people", 1, 1_000_000_000);
            let levels = inner.int(faults, "levels", 1, 1_000_000_000);
            inner.finish(faults);
            Some(SubtreeLine::At {
                people: people?,
                levels: levels?,
            })
        }
    };
    fields.finish(faults);
    Some(Checks {
        self_invite,
        subtree,
    })
}

/// Reads what a rule says about consent: a list of purposes, or a word for having none.
pub(super) fn consent(faults: &mut Faults, fields: &mut Fields<'_>) -> Option<ConsentClaim> {
    let json = fields.get("consent")?;
    let pointer = fields.at("consent");
    let purposes = match json {
        Json::String(word) if WAYS_ROUND.contains(&word.as_str()) => None,
        Json::Array(items) if items.len() <= 20 => {
            let words: Option<Vec<String>> = items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect();
            if words.is_none() {
                faults.add(
                    &pointer,
                    "“consent”里须是同意用途的名字",
                    "整个删掉即可,系统自己会查",
                );
            }
            Some(words?)
        }
        _ => {
            faults.add(
                &pointer,
                "“consent”须是同意用途的列表",
                "整个删掉即可,系统自己会查",
            );
            return None;
        }
    };
    Some(ConsentClaim { pointer, purposes })
}
