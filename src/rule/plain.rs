//! A rule set in plain Chinese for its public page (REF-12): the same words as "why not yet".

use super::compile::CompiledRuleSet;
use super::decision::Action;
use super::document::{Beneficiary, Benefit, Cap, Caps};
use super::explain::wish;
use super::tree::{Node, Rhs, Test};
use super::value::{self, Value, yuan};
use crate::kernel::Span;
use serde::Serialize;
use serde_json::{Value as Json, json};

/// One rule, told to anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PlainRule {
    /// What it is called.
    pub title: String,
    /// When it is looked at.
    pub on: Vec<String>,
    /// What must all hold; empty when nothing does.
    pub conditions: Vec<String>,
    /// What follows.
    pub effects: Vec<String>,
    /// How often and how much at most.
    pub limits: Vec<String>,
}

/// Every rule of the set that does something to or for a customer. What only tells staff or sorts customers is left out: it
/// promises nobody anything.
pub fn plain_rules(set: &CompiledRuleSet) -> Vec<PlainRule> {
    let public =
        |effect: &&Action| !matches!(effect, Action::Tag { .. } | Action::NotifyStaff { .. });
    set.rules
        .iter()
        .filter(|rule| rule.effects.iter().any(|effect| public(&effect)))
        .map(|rule| PlainRule {
            title: rule.title.clone(),
            on: rule.on.iter().map(|kind| kind.label().to_owned()).collect(),
            conditions: conjuncts(&rule.when),
            effects: rule.effects.iter().filter(public).map(effect).collect(),
            limits: limits(&rule.caps),
        })
        .collect()
}

/// The members of the outermost `all`, each in words.
fn conjuncts(node: &Node) -> Vec<String> {
    match node {
        Node::All(inner) => inner.iter().flat_map(conjuncts).collect(),
        Node::Any(_) | Node::Test(_) => vec![condition(node)],
    }
}

fn condition(node: &Node) -> String {
    match node {
        Node::Test(test) => comparison(test),
        Node::All(inner) => joined(inner, ",并且"),
        Node::Any(inner) => joined(inner, ",或者"),
    }
}

fn joined(inner: &[Node], word: &str) -> String {
    let parts: Vec<String> = inner
        .iter()
        .map(|one| match one {
            Node::Test(test) => comparison(test),
            Node::All(_) | Node::Any(_) => format!("({})", condition(one)),
        })
        .collect();
    parts.join(word)
}

fn comparison(test: &Test) -> String {
    let Ok(meaning) = test.fact.meaning() else {
        return test.key.to_string();
    };
    let write = |value: &Value| value::write(test.kind, value);
    let want = match &test.rhs {
        Rhs::Nothing => Json::Null,
        Rhs::One(value) => write(value),
        Rhs::Many(values) => Json::Array(values.iter().map(write).collect()),
        Rhs::Fact(name) => json!({ "fact": name }),
    };
    wish(&meaning, test.op, &want)
}

fn effect(action: &Action) -> String {
    match action {
        Action::Invite { .. } => "可能会收到一次推荐邀请,是否推荐由您自己决定".to_owned(),
        Action::Grant {
            to,
            benefit,
            once,
            expires_after,
        } => {
            let who = match to {
                Beneficiary::Invitee => "好友得到",
                Beneficiary::Inviter => "邀请人得到",
            };
            let once = if *once { ",每人一次" } else { "" };
            format!(
                "{who}{}{}{once}",
                benefit_words(&benefit.benefit),
                lasts(*expires_after)
            )
        }
        Action::SuppressInvitations { lasts, appeal } => {
            let appeal = if *appeal { ",可以申诉" } else { "" };
            format!("{}内不发推荐邀请,已得的权益不受影响{appeal}", span(*lasts))
        }
        Action::Tag { .. } | Action::NotifyStaff { .. } => String::new(),
        Action::Unlock { feature } => format!("开放功能“{feature}”"),
    }
}

/// What a benefit is, what goods are worth and how long it lasts.
pub fn whole_benefit(benefit: &Benefit) -> String {
    benefit_lasting(benefit, benefit.expires_after())
}

/// As [`whole_benefit`], of one that lasts so long; without end when `None`.
pub fn benefit_lasting(benefit: &Benefit, expires_after: Option<Span>) -> String {
    let worth = match benefit {
        Benefit::Goods {
            value_fen: Some(fen),
            ..
        } => format!("(价值 {})", yuan(*fen)),
        _ => String::new(),
    };
    format!("{}{worth}{}", benefit_words(benefit), lasts(expires_after))
}

/// A benefit in a few words, without how long it lasts.
pub fn benefit_words(benefit: &Benefit) -> String {
    match benefit {
        Benefit::PriceOff { fen, .. } => format!("首单立减 {}", yuan(*fen)),
        Benefit::Coupon { fen, .. } => format!("{} 自用券", yuan(*fen)),
        Benefit::Goods { sku, .. } if sku == "cleaning-kit" => "清洁用品礼包".to_owned(),
        Benefit::Goods { sku, .. } => format!("礼品 {sku}"),
        Benefit::Privilege { privilege, .. } => match privilege.as_str() {
            "butler" => "专属管家服务".to_owned(),
            "priority_scheduling" => "优先排程".to_owned(),
            other => format!("服务权益 {other}"),
        },
    }
}

fn lasts(expires_after: Option<Span>) -> String {
    expires_after.map_or_else(String::new, |lasts| format!(",{}内有效", span(lasts)))
}

fn span(span: Span) -> String {
    let seconds = span.get().num_seconds();
    if seconds % 86_400 == 0 {
        format!("{} 天", seconds / 86_400)
    } else if seconds % 3_600 == 0 {
        format!("{} 小时", seconds / 3_600)
    } else {
        format!("{} 分钟", seconds.div_euclid(60).max(1))
    }
}

/// A cap in words.
pub fn cap_words(who: &str, cap: &Cap) -> String {
    format!("{who}每 {}最多 {} 次", span(cap.per), cap.times)
}

fn limits(caps: &Caps) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    found.extend(caps.per_customer.iter().map(|one| cap_words("每人", one)));
    found.extend(caps.per_rule.iter().map(|one| cap_words("全部", one)));
    found.extend(
        caps.budget_fen
            .map(|fen| format!("预算 {},用完即止", yuan(fen))),
    );
    found
}
