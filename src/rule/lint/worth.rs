//! REF-L16: whoever comes gets at least as much as whoever brought him, and neither much of an order (REF-11).

use super::PolicyPack;
use crate::rule::document::{Beneficiary, Benefit, BenefitSpec, EffectKind, Recipient, RuleSet};
use crate::rule::finding::{Finding, at};
use crate::rule::value::yuan;

/// What one benefit costs, the measure of an order, and every benefit of the inviter beside the least welcome.
pub(super) fn check(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    of_an_order(findings, set, pack);
    let welcome = least_welcome(set);
    if worth(set, set.inviter_thanks.as_deref()) > welcome {
        findings.push(more("/inviter_thanks", welcome, pack));
    }
    for rule in &set.rules {
        let granted = |wanted: Beneficiary| {
            rule.then.iter().filter_map(move |spec| match &spec.kind {
                EffectKind::Grant { to, benefit, .. } if *to == Recipient::Known(wanted) => {
                    Some((spec, worth(set, Some(benefit))))
                }
                _ => None,
            })
        };
        let sum = |to: Beneficiary| {
            let costs = granted(to).map(|(_, cost)| cost);
            costs.fold(0, i64::saturating_add)
        };
        // What the same firing gives the friend, he has beside his welcome.
        let friend = welcome.saturating_add(sum(Beneficiary::Invitee));
        let dearest = granted(Beneficiary::Inviter).max_by_key(|(_, cost)| *cost);
        if let Some((spec, _)) = dearest
            && sum(Beneficiary::Inviter) > friend
        {
            findings.push(more(&at(&spec.pointer, "benefit"), friend, pack));
        }
    }
}

/// No benefit is worth more than a fifth of an order, and an order that a document makes dearer than the pack's raises every
/// one of these limits, so a second person looks at it.
fn of_an_order(findings: &mut Vec<Finding>, set: &RuleSet, pack: &PolicyPack) {
    let written = set.declared.typical_order_fen;
    if let Some(fen) = written.filter(|fen| *fen > pack.typical_order.fen) {
        findings.push(pack.finding(
            "REF-L16",
            "/typical_order_fen",
            format!(
                "一般订单写成了 {},高于通常的 {}:每份权益的上限都随它抬高",
                yuan(fen),
                yuan(pack.typical_order.fen)
            ),
            "删掉“typical_order_fen”;确实高的,请另一个人核对订单后批准",
        ));
    }
    let most = pack.most_of(written);
    for (name, spec) in &set.benefits {
        let cost = worth(set, Some(name));
        if cost > most {
            findings.push(pack.finding(
                "REF-L16",
                spec.pointer(),
                format!("权益“{name}”值 {},超过一般订单的两成", yuan(cost)),
                &format!("降到 {} 以内", yuan(most)),
            ));
        }
    }
}

fn more(place: &str, friend: i64, pack: &PolicyPack) -> Finding {
    pack.finding(
        "REF-L16",
        place,
        format!(
            "给邀请人的比给好友的还多:得的最少的好友只有 {}",
            yuan(friend)
        ),
        "把给邀请人的降到不高于好友的优惠,或给每一代好友都写上优惠",
    )
}

/// What a benefit costs, fen: nothing when it is a privilege or has no price.
fn worth(set: &RuleSet, name: Option<&str>) -> i64 {
    let spec = name.and_then(|name| set.benefits.get(name));
    let lawful = spec.and_then(BenefitSpec::lawful);
    lawful.and_then(Benefit::cost_fen).unwrap_or(0)
}

/// The least any newcomer is welcomed with, fen, up to the last generation the set names. No welcome is nothing, and so is a
/// privilege, which has no price; but where the first welcome has a price, a later generation may get a privilege in its
/// place, which is a different thing and not less of the same.
fn least_welcome(set: &RuleSet) -> i64 {
    let named = ["1", "2", "3"].map(|key| set.generations.get(key));
    let last = named.iter().rposition(Option::is_some).unwrap_or(0);
    let privilege = |name: &str| {
        let spec = set.benefits.get(name).and_then(BenefitSpec::lawful);
        matches!(spec, Some(Benefit::Privilege { .. }))
    };
    (0..)
        .zip(named)
        .take(last.saturating_add(1))
        .filter(|(place, name)| *place == 0 || !name.is_some_and(|name| privilege(name)))
        .map(|(_, name): (i32, _)| worth(set, name.map(String::as_str)))
        .min()
        .unwrap_or(0)
}
