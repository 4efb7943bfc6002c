//! What the live rule set promises newcomers and inviters.

use crate::{
    kernel::Result,
    platform::Ctx,
    referral,
    rule::{Benefit, NamedBenefit},
};
use sea_orm::ConnectionTrait;

/// The newcomer's benefit of a generation, as published now.
pub(super) async fn welcome(
    ctx: &Ctx,
    db: &(impl ConnectionTrait + Sync),
    generation: i32,
) -> Result<Option<NamedBenefit>> {
    let live = referral::live(ctx, db).await?;
    Ok(u8::try_from(generation)
        .ok()
        .and_then(|generation| live.rules.welcome(generation).cloned()))
}

/// A benefit in a few words.
pub(super) fn describe(benefit: &Benefit) -> String {
    let yuan = |fen: i64| entity::values::Fen(fen).yuan();
    match benefit {
        Benefit::PriceOff { fen, .. } => format!("首单立减 {}", yuan(*fen)),
        Benefit::Coupon { fen, .. } => format!("{} 自用券", yuan(*fen)),
        Benefit::Goods { sku, .. } if sku == "cleaning-kit" => "清洁用品礼包".into(),
        Benefit::Goods { sku, .. } => format!("礼品 {sku}"),
        Benefit::Privilege { privilege, .. } => match privilege.as_str() {
            "butler" => "专属管家服务".into(),
            "priority_scheduling" => "优先排程".into(),
            other => format!("服务权益 {other}"),
        },
    }
}
