//! Facts that are never known when a rule looks: named before publishing instead of being a rule that silently never fires.

use super::document::{Rule, RuleSet, Trigger};
use super::event::EventKind as E;
use super::fact;
use super::finding::{Finding, at};

/// Every plain fact a rule reads that none of its events brings.
pub(crate) fn check(set: &RuleSet) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &set.rules {
        let read = rule
            .facts()
            .into_iter()
            .filter(|(_, reference)| reference.history.is_none())
            .map(|(pointer, reference)| (at(pointer, "fact"), &*reference.name));
        let audience = rule
            .audience
            .iter()
            .filter(|segment| segment.key == "service")
            .map(|segment| (segment.pointer.clone(), "booking.service"));
        for (pointer, name) in read.chain(audience) {
            findings.extend(fault(rule, &pointer, name));
        }
    }
    findings
}

fn fault(rule: &Rule, pointer: &str, name: &str) -> Option<Finding> {
    let row = fact::find(name)?;
    if row.lint_only {
        return Some(Finding::block(
            "RULE-FACT",
            pointer,
            format!("系统里没有“{}”的数据,这个条件永远不会满足", row.label),
            "从事实目录里选一个",
        ));
    }
    let missing = rule.on.iter().find_map(|trigger| match trigger {
        Trigger::Known(kind) if !brings(*kind, name) => Some(*kind),
        Trigger::Known(_) | Trigger::Other(_) => None,
    })?;
    Some(Finding::block(
        "RULE-FACT",
        pointer,
        format!(
            "“{}”发生时不知道“{}”:{}",
            missing.label(),
            row.label,
            reason(missing)
        ),
        "换一个触发事件,或改用“@last”“@within”这样的历史事实",
    ))
}

fn reason(kind: E) -> &'static str {
    match kind {
        E::ReferralRedeemed | E::ReferralQualified | E::ReferralReversed => {
            "判断的是邀请人,而订单和评分是好友的,不能读"
        }
        E::Partner(_) => "合作方的事件只带自己的字段",
        E::ConsentGranted
        | E::RatingSubmitted
        | E::PaymentSucceeded
        | E::BookingCompleted
        | E::ComplaintOpened
        | E::ComplaintSlaBreached
        | E::ComplaintResolved => "这个事件不带它",
    }
}

/// Whether an event of this kind can bring a plain fact. On `referral.*` the decision is about the inviter, and the visit
/// is his friend's: another person's order and rating are not read (PIPL-13).
fn brings(kind: E, name: &str) -> bool {
    let of_friend = matches!(
        kind,
        E::ReferralRedeemed | E::ReferralQualified | E::ReferralReversed
    );
    let of_complaint = matches!(
        kind,
        E::ComplaintOpened | E::ComplaintSlaBreached | E::ComplaintResolved
    );
    let of_partner = matches!(kind, E::Partner(_));
    match name.split('.').next().unwrap_or(name) {
        "booking" | "rating" => !of_friend && !of_partner && kind != E::ConsentGranted,
        "partner" => fact::find(name).is_some_and(|row| row.events.contains(&kind)),
        "complaint" => of_complaint,
        "referral" => of_friend,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn found(on: &str, fact: &str, op: &str, value: &Json) -> Vec<String> {
        let document = json!({"schema": 1, "name": "试", "rules": [{"id": "r", "title": "试", "on": [on],
            "when": {"fact": fact, "op": op, "value": value}, "then": [{"effect": "tag", "tag": "x"}]}]});
        let set = RuleSet::from_json(&document).unwrap();
        check(&set).into_iter().map(|one| one.pointer).collect()
    }

    #[test]
    fn the_friends_visit_is_no_fact_of_his_inviter() {
        for on in [
            "referral.redeemed",
            "referral.qualified",
            "referral.reversed",
        ] {
            assert_eq!(
                found(on, "booking.total_fen", "gte", &json!(1)),
                ["/rules/0/when/fact"]
            );
            assert_eq!(found(on, "rating.score", "gte", &json!(4)).len(), 1);
            assert_eq!(
                found(on, "rating.score@last(3).min", "gte", &json!(4)),
                [""; 0]
            );
            assert_eq!(
                found(on, "inviter.qualified_count", "gte", &json!(4)),
                [""; 0]
            );
        }
        assert_eq!(
            found("rating.submitted", "rating.score", "gte", &json!(4)),
            [""; 0]
        );
    }

    #[test]
    fn what_nobody_supplies_is_refused() {
        assert_eq!(
            found("rating.submitted", "customer.is_minor", "eq", &json!(false)).len(),
            1
        );
        assert_eq!(
            found("rating.submitted", "complaint.kind", "eq", &json!("other")).len(),
            1
        );
        assert_eq!(
            found("complaint.opened", "complaint.kind", "eq", &json!("other")),
            [""; 0]
        );
        assert_eq!(
            found("consent.granted", "booking.is_rework", "eq", &json!(true)).len(),
            1
        );
    }
}
