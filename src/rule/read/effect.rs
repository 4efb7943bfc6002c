//! Reading effects and benefits.

use super::fields::{Faults, Fields};
use crate::rule::document::{
    Beneficiary, Benefit, BenefitSpec, EffectKind, EffectSpec, Recipient, SendAt,
};
use serde_json::Value as Json;

/// The most a single benefit may be worth, fen: one million yuan is a typing mistake.
const MAX_FEN: i64 = 100_000_000;
/// Read so that the lint can name the fault; the compiler refuses each of them.
const NEVER: [&str; 5] = [
    "share_to_partner",
    "revoke_benefits",
    "clear_benefits",
    "disqualify",
    "penalise_worker",
];
const ROLES: [&str; 4] = ["marketing", "service", "manager", "pipo"];

/// Reads one entry of `then`.
pub(super) fn read(faults: &mut Faults, pointer: &str, json: &Json) -> Option<EffectSpec> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let word = fields.need_text(faults, "effect", 40)?;
    let kind = match word.as_str() {
        "invite" => invite(faults, &mut fields),
        "grant" => grant(faults, &mut fields),
        "suppress_invitations" => {
            let appeal = fields.flag(faults, "appeal");
            fields.need(faults, "for");
            fields
                .span(faults, "for")
                .map(|lasts| EffectKind::SuppressInvitations { lasts, appeal })
        }
        "tag" => fields
            .need_text(faults, "tag", 40)
            .map(|tag| EffectKind::Tag { tag }),
        "notify_staff" => notify(faults, &mut fields),
        "unlock" => fields
            .need_slug(faults, "feature")
            .map(|feature| EffectKind::Unlock { feature }),
        _ if NEVER.contains(&word.as_str()) => {
            return Some(EffectSpec {
                pointer: pointer.to_owned(),
                kind: EffectKind::Never {
                    name: word,
                    json: json.clone(),
                },
            });
        }
        _ => {
            faults.add(
                &fields.at("effect"),
                format!("不认识的效果“{word}”"),
                "可用:“invite”“grant”“suppress_invitations”“tag”“notify_staff”“unlock”",
            );
            return None;
        }
    };
    fields.finish(faults);
    Some(EffectSpec {
        pointer: pointer.to_owned(),
        kind: kind?,
    })
}

fn invite(faults: &mut Faults, fields: &mut Fields<'_>) -> Option<EffectKind> {
    let template = fields.need_slug(faults, "template");
    let expires_after = fields.span(faults, "expires_after");
    let send = match fields.text(faults, "send", 20).as_deref() {
        None | Some("best_hour") => SendAt::BestHour,
        Some("now") => SendAt::Now,
        Some(other) => {
            faults.add(
                &fields.at("send"),
                format!("不认识的发送时机“{other}”"),
                "写“best_hour”或“now”",
            );
            return None;
        }
    };
    Some(EffectKind::Invite {
        template: template?,
        send,
        expires_after,
    })
}

fn grant(faults: &mut Faults, fields: &mut Fields<'_>) -> Option<EffectKind> {
    let to = fields
        .need_text(faults, "to", 40)
        .map(|word| match word.as_str() {
            "invitee" => Recipient::Known(Beneficiary::Invitee),
            "inviter" => Recipient::Known(Beneficiary::Inviter),
            _ => Recipient::Other(word),
        });
    let benefit = fields.need_text(faults, "benefit", 64);
    let once = fields.flag(faults, "once");
    let expires_after = fields.span(faults, "expires_after");
    let hop = fields.int(faults, "hop", 0, 1_000);
    let basis = fields.text(faults, "basis", 40);
    Some(EffectKind::Grant {
        to: to?,
        benefit: benefit?,
        once,
        expires_after,
        hop,
        basis,
    })
}

fn notify(faults: &mut Faults, fields: &mut Fields<'_>) -> Option<EffectKind> {
    let text = fields.need_text(faults, "text", 200);
    let role = fields.text(faults, "role", 20);
    if let Some(role) = &role
        && !ROLES.contains(&role.as_str())
    {
        faults.add(
            &fields.at("role"),
            format!("没有“{role}”这个角色"),
            format!("可用:“{}”", ROLES.join("”“")),
        );
    }
    Some(EffectKind::NotifyStaff { text: text?, role })
}

/// Reads one entry of `benefits`. An unlawful kind is kept by name with whatever fields it has.
pub(super) fn benefit(faults: &mut Faults, pointer: &str, json: &Json) -> Option<BenefitSpec> {
    let mut fields = Fields::open(faults, pointer, json)?;
    let kind = fields.need_text(faults, "kind", 40)?;
    if !["price_off", "coupon", "goods", "privilege"].contains(&kind.as_str()) {
        return Some(BenefitSpec::Unlawful {
            pointer: pointer.to_owned(),
            kind,
            json: json.clone(),
        });
    }
    let expires_after = fields.span(faults, "expires_after");
    let transferable = fields.flag(faults, "transferable") | fields.flag(faults, "withdrawable");
    let benefit = match kind.as_str() {
        "price_off" => {
            worth(faults, &mut fields).map(|fen| Benefit::PriceOff { fen, expires_after })
        }
        "coupon" => worth(faults, &mut fields).map(|fen| Benefit::Coupon { fen, expires_after }),
        "goods" => {
            let value_fen = fields.int(faults, "value_fen", 0, MAX_FEN);
            fields.need_slug(faults, "sku").map(|sku| Benefit::Goods {
                sku,
                value_fen,
                expires_after,
            })
        }
        _ => fields
            .need_slug(faults, "privilege")
            .map(|privilege| Benefit::Privilege {
                privilege,
                expires_after,
            }),
    };
    fields.finish(faults);
    Some(BenefitSpec::Lawful {
        pointer: pointer.to_owned(),
        benefit: benefit?,
        transferable,
    })
}

fn worth(faults: &mut Faults, fields: &mut Fields<'_>) -> Option<i64> {
    fields.need(faults, "fen")?;
    fields.int(faults, "fen", 1, MAX_FEN)
}
