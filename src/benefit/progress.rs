//! Why a friend's order does not count (yet), for the friend himself: his own orders and nobody else's.

use super::redeem::of_invitee;
use crate::{
    consent::{self, Purpose as _, ReferralLink},
    kernel::{Result, business_date},
    platform::Ctx,
};
use entity::{
    booking,
    ids::AccountId,
    values::{BookingStatus, ReferralStatus},
};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Serialize;

/// Where the link that brought a friend stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct FriendWhy {
    /// `registered`, `qualified` or `reversed`.
    status: ReferralStatus,
    /// In plain words, zh-CN.
    sentences: Vec<String>,
    /// The least that has to happen before his order counts; null when nothing has to.
    smallest_change: Option<String>,
}

/// Where the link of this friend stands; `None` for who came by himself.
///
/// # Errors
/// A database fault.
pub async fn friend_why(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    friend: AccountId,
) -> Result<Option<FriendWhy>> {
    let Some(link) = of_invitee(db, friend).await? else {
        return Ok(None);
    };
    if link.status == ReferralStatus::Registered
        && consent::taken_back(db, friend, ReferralLink::KEY, None).await?
    {
        return Ok(Some(FriendWhy {
            status: link.status,
            sentences: vec![
                "您已撤回“转介绍关系”的同意,这次转介绍不再使用,也不会计入。".to_owned(),
            ],
            smallest_change: None,
        }));
    }
    let (sentence, change) = match link.status {
        ReferralStatus::Qualified => ("您的首单已完成并过了退款期,已计入转介绍。".to_owned(), None),
        ReferralStatus::Reversed => ("首单已退款,这次转介绍已撤回。".to_owned(), None),
        ReferralStatus::Registered => {
            let (sentence, change) = awaited(ctx, db, friend).await?;
            (sentence, Some(change))
        }
    };
    Ok(Some(FriendWhy {
        status: link.status,
        sentences: vec![sentence],
        smallest_change: change,
    }))
}

/// What an order still lacks, told of the one that is farthest.
async fn awaited(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    friend: AccountId,
) -> Result<(String, String)> {
    let orders = booking::Entity::find()
        .filter(booking::Column::CustomerId.eq(friend))
        .order_by_asc(booking::Column::CreatedAt)
        .all(db)
        .await?;
    let paid = |order: &&booking::Model| order.prepaid_fen.0 > 0 && order.refunded_fen.0 == 0;
    let done = orders
        .iter()
        .filter(paid)
        .filter_map(|order| order.completed_at)
        .min();
    if let Some(at) = done {
        let end = at + ctx.config.referral.refund_window.get();
        if end <= ctx.env.now() {
            return Ok((
                "首单已完成,退款期已过,正在计入转介绍。".to_owned(),
                "稍候,无需再做什么".to_owned(),
            ));
        }
        let day = business_date(end);
        return Ok((
            format!("首单已完成,{day} 退款期结束后计入转介绍。"),
            format!("等到 {day},其间没有退款"),
        ));
    }
    let begun = orders.iter().filter(paid).any(|order| {
        !matches!(
            order.status,
            BookingStatus::Cancelled | BookingStatus::Expired | BookingStatus::Completed
        )
    });
    Ok(if begun {
        (
            "首单已付款,还没有完成服务。".to_owned(),
            "完成已预约的服务".to_owned(),
        )
    } else {
        (
            "还没有付款并完成的首单。".to_owned(),
            "预约、付款并完成一次服务".to_owned(),
        )
    })
}
