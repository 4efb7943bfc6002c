//! What a document declares beside its rules: words, prompts, checks, its page. Part of it is lint-only: it is read so that the
//! lint can name the fault, and never compiles into something that runs.

use super::document::RuleSet;
use super::finding::{Finding, at, short};
use super::lint::PolicyPack;
use super::words::{self, placeholders};
use crate::kernel::Span;
use std::collections::BTreeMap;

/// The optional parts of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Words of invitations by key; a key that is not here gets the shipped words (ADR 0020).
    pub templates: BTreeMap<String, Template>,
    /// Lint-only: how consent is asked for (REF-L23). The consent room asks, never a rule set.
    pub prompts: BTreeMap<String, Prompt>,
    /// Which watch it says is kept over invitations (REF-L14, REF-L42).
    pub checks: Checks,
    /// Whether the public page is wanted; unsaid is yes, and no is refused (REF-L34).
    pub page: Option<bool>,
    /// What an order of this shop usually costs, fen: the measure of REF-L16.
    pub typical_order_fen: Option<i64>,
}

/// Words a customer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Where it stands in the document.
    pub pointer: String,
    /// The words, with `{placeholders}`.
    pub text: String,
    /// How they reach him.
    pub channel: Channel,
}

/// How words reach a customer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// A card in the mini-program, which is what the engine sends.
    #[default]
    InApp,
    /// A one-time subscription message: service notices only (REF-L37).
    Subscribe,
    /// A text message: not something the engine sends.
    Sms,
}

/// How a consent is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Where it stands in the document.
    pub pointer: String,
    /// Whether booking waits for the answer.
    pub blocking: bool,
    /// Whether "yes" is ticked beforehand.
    pub preticked: bool,
    /// After which time somebody who said no is asked again.
    pub again_after: Option<Span>,
}

/// The watch over invitations, as far as the document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Whether self-invites are looked for.
    pub self_invite: Option<bool>,
    /// The subtree alarm.
    pub subtree: Option<SubtreeLine>,
}

/// A subtree alarm as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubtreeLine {
    /// Switched off.
    Off,
    /// At so many people and levels.
    At {
        /// People.
        people: i64,
        /// Levels.
        levels: i64,
    },
}

/// What a rule says about consent; the compiler collects the purposes whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentClaim {
    /// Where it stands in the document.
    pub pointer: String,
    /// The purposes it lists; `None` when it names a way round consent instead.
    pub purposes: Option<Vec<String>>,
}

impl Declared {
    /// The set's own words for a template key.
    pub(crate) fn words(&self, template: &str) -> Option<&str> {
        self.templates
            .get(template)
            .map(|found| found.text.as_str())
    }
}

/// What never compiles: forms that exist for the lint alone, and words that could not be filled in.
pub(crate) fn refuse(set: &RuleSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    for prompt in set.declared.prompts.values() {
        findings.push(Finding::block(
            "RULE-FORM",
            &prompt.pointer,
            "单独同意由系统自己的页面征求,规则集不能弹同意框",
            "删掉“prompts”里的这一项",
        ));
    }
    if set.declared.page == Some(false) {
        findings.push(Finding::block(
            "RULE-FORM",
            "/publish/page",
            "活动规则页总是公开的,不能关闭",
            "删掉“publish”",
        ));
    }
    for template in set.declared.templates.values() {
        if template.channel != Channel::InApp {
            findings.push(Finding::block(
                "RULE-FORM",
                &at(&template.pointer, "channel"),
                "邀约文案只作为小程序内的卡片送出",
                "把“channel”改成“in_app”,或删掉它",
            ));
        }
        for name in placeholders(&template.text) {
            if !words::PLACEHOLDERS.contains(&name) {
                findings.push(Finding::block(
                    "RULE-TEMPLATE",
                    &at(&template.pointer, "text"),
                    format!("填不出占位符“{}”", short(name)),
                    format!("可用的占位符:“{}”", words::PLACEHOLDERS.join("”“")),
                ));
            }
        }
    }
    findings
}

/// What has no effect here and may be meant otherwise.
pub(crate) fn doubts(set: &RuleSet, pack: &PolicyPack) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(SubtreeLine::At { people, levels }) = set.declared.checks.subtree
        && pack
            .subtree_alarm
            .is_none_or(|line| (i64::from(line.people), i64::from(line.levels)) != (people, levels))
    {
        findings.push(Finding::warn(
            "RULE-FORM",
            "/checks/subtree",
            "邀请树的警戒线由政策包决定,写在规则集里的不生效;系统还不会自动报警",
            "删掉“checks”里的“subtree”",
        ));
    }
    let used = set.rules.iter().flat_map(|rule| &rule.then);
    let used: Vec<(&str, &str)> = used
        .filter_map(|effect| match &effect.kind {
            super::document::EffectKind::Invite { template, .. } => {
                Some((effect.pointer.as_str(), template.as_str()))
            }
            _ => None,
        })
        .collect();
    for (name, template) in &set.declared.templates {
        if used.iter().all(|(_, key)| key != name) && !words::SHIPPED.contains(&name.as_str()) {
            findings.push(Finding::warn(
                "RULE-UNUSED",
                &template.pointer,
                format!("文案“{name}”没有被用到"),
                "用上它,或删掉",
            ));
        }
    }
    if set.declared.templates.is_empty() {
        return findings;
    }
    for (pointer, key) in used {
        if !set.declared.templates.contains_key(key) && !words::SHIPPED.contains(&key) {
            findings.push(Finding::warn(
                "RULE-TEMPLATE",
                &at(pointer, "template"),
                format!("“templates”里没有“{}”,会用系统自带的文案", short(key)),
                "在“templates”里写上这份文案",
            ));
        }
    }
    findings
}
