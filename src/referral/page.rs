//! The public rule page of a set (REF-12): what is promised to whom, under which conditions, and since when. Nobody's data.

use crate::{
    config::Referral,
    kernel::{AppError, Result, Span},
    platform::{Ctx, vault::sha256_hex},
    rule::{
        Cap, CompiledRuleSet, NamedBenefit, PlainRule, PolicyPack, RuleSet, cap_words, compile,
        favours, plain_rules, whole_benefit,
    },
};
use chrono::{DateTime, NaiveDate, Utc};
use entity::{
    ids::RulesetId,
    ruleset,
    values::{Fen, RulesetStatus},
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::Serialize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Versions told in the history; older ones are still found by their number.
const TOLD: u64 = 10;
/// Pages kept ready.
const KEPT: usize = 16;
/// Goes up whenever the page says something else about the same set.
const EDITION: u8 = 2;

/// A rule page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct PageOut {
    pub(super) version: i32,
    pub(super) name: String,
    /// Whether it is in force.
    pub(super) live: bool,
    pub(super) organiser: String,
    pub(super) from: Option<NaiveDate>,
    pub(super) to: Option<NaiveDate>,
    pub(super) published_at: Option<DateTime<Utc>>,
    pub(super) retired_at: Option<DateTime<Utc>>,
    /// How one takes part, step by step.
    pub(super) steps: Vec<String>,
    /// What newcomers and inviters receive.
    pub(super) benefits: Vec<String>,
    /// The rules that do something for or about a customer.
    pub(super) rules: Vec<PlainRule>,
    /// Quantities, caps, budget.
    pub(super) limits: Vec<String>,
    /// How benefits are given and taken back.
    pub(super) giving: Vec<String>,
    /// How one says no, and where one complains.
    pub(super) rights: Vec<String>,
    /// Versions, newest first, with what each made better.
    pub(super) history: Vec<VersionOut>,
}

/// One version in the history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct VersionOut {
    pub(super) version: i32,
    pub(super) name: String,
    pub(super) published_at: Option<DateTime<Utc>>,
    pub(super) retired_at: Option<DateTime<Utc>>,
    /// What it made better than the version before it.
    pub(super) favours: Vec<String>,
}

/// A page and the tag it is known by.
pub(super) struct Told {
    pub(super) tag: String,
    pub(super) page: PageOut,
}

/// A published version without its document.
#[derive(Debug, FromQueryResult, Serialize)]
struct Known {
    id: RulesetId,
    version: i32,
    name: String,
    status: RulesetStatus,
    previous_id: Option<RulesetId>,
    published_at: Option<DateTime<Utc>>,
    retired_at: Option<DateTime<Utc>>,
}

/// The live set's page, or that of a version that is or was in force. A draft is nobody's business: it is not found.
///
/// # Errors
/// `not_found`.
pub(super) async fn of(ctx: &Ctx, version: Option<i32>) -> Result<Arc<Told>> {
    let db = ctx.db.read();
    let newest = known(db, None).await?;
    let wanted = match version {
        None => newest.iter().find(|one| one.status == RulesetStatus::Live),
        Some(version) => newest.iter().find(|one| one.version == version),
    };
    let older;
    let wanted = match (wanted, version) {
        (Some(found), _) => found,
        (None, Some(version)) => {
            older = known(db, Some(version)).await?.pop();
            older.as_ref().ok_or_else(AppError::not_found)?
        }
        // The live one may be an old version put back in force.
        (None, None) => {
            older = live(db).await?;
            older.as_ref().ok_or_else(AppError::not_found)?
        }
    };
    let tag = tag(ctx, &newest, wanted)?;
    if let Some(ready) = lookup(&tag) {
        return Ok(ready);
    }
    let page = Box::pin(written(ctx, db, &newest, wanted)).await?;
    let told = Arc::new(Told { tag, page });
    let mut kept = pages().lock().unwrap_or_else(PoisonError::into_inner);
    kept.insert(0, Arc::clone(&told));
    kept.truncate(KEPT);
    Ok(told)
}

fn pages() -> &'static Mutex<Vec<Arc<Told>>> {
    static PAGES: OnceLock<Mutex<Vec<Arc<Told>>>> = OnceLock::new();
    PAGES.get_or_init(Mutex::default)
}

fn lookup(tag: &str) -> Option<Arc<Told>> {
    let kept = pages().lock().unwrap_or_else(PoisonError::into_inner);
    kept.iter().find(|one| one.tag == tag).map(Arc::clone)
}

/// Changes exactly when the page does: the sets it tells of never change once published.
fn tag(ctx: &Ctx, newest: &[Known], wanted: &Known) -> Result<String> {
    let controller = &ctx.config.controller;
    let about = serde_json::to_vec(&(
        EDITION,
        env!("CARGO_PKG_VERSION"),
        &PolicyPack::shipped().version,
        newest,
        wanted,
        (&controller.name, &controller.phone, &controller.email),
        ctx.config.referral.refund_window,
    ))?;
    Ok(sha256_hex(&about))
}

fn published() -> sea_orm::Select<ruleset::Entity> {
    use ruleset::Column as C;
    ruleset::Entity::find()
        .select_only()
        .columns([
            C::Id,
            C::Version,
            C::Name,
            C::Status,
            C::PreviousId,
            C::PublishedAt,
            C::RetiredAt,
        ])
        .filter(C::Status.is_in([RulesetStatus::Live, RulesetStatus::Retired]))
        .filter(C::PublishedAt.is_not_null())
}

async fn known(db: &impl ConnectionTrait, version: Option<i32>) -> Result<Vec<Known>> {
    let mut query = published()
        .order_by_desc(ruleset::Column::Version)
        .limit(TOLD);
    if let Some(version) = version {
        query = query.filter(ruleset::Column::Version.eq(version));
    }
    Ok(query.into_model::<Known>().all(db).await?)
}

async fn live(db: &impl ConnectionTrait) -> Result<Option<Known>> {
    let query = published().filter(ruleset::Column::Status.eq(RulesetStatus::Live));
    Ok(query.into_model::<Known>().all(db).await?.pop())
}

async fn document(db: &impl ConnectionTrait, id: RulesetId) -> Result<Option<RuleSet>> {
    let row = ruleset::Entity::find_by_id(id).all(db).await?.pop();
    Ok(row.and_then(|row| RuleSet::from_json(&row.document).ok()))
}

async fn written(
    ctx: &Ctx,
    db: &impl ConnectionTrait,
    newest: &[Known],
    wanted: &Known,
) -> Result<PageOut> {
    let stored = || AppError::internal("a stored rule set does not compile");
    let set = document(db, wanted.id).await?.ok_or_else(stored)?;
    let compiled = compile(&set).map_err(|_| stored())?;
    let controller = &ctx.config.controller;
    Ok(PageOut {
        version: wanted.version,
        name: set.name.clone(),
        live: wanted.status == RulesetStatus::Live,
        organiser: set
            .organiser
            .clone()
            .unwrap_or_else(|| controller.name.clone()),
        from: set.from,
        to: set.to,
        published_at: wanted.published_at,
        retired_at: wanted.retired_at,
        steps: steps(),
        benefits: benefits(&compiled),
        rules: plain_rules(&compiled),
        limits: limits(ctx, &set, &compiled),
        giving: giving(ctx),
        rights: rights(ctx),
        history: history(db, newest).await?,
    })
}

fn steps() -> Vec<String> {
    [
        "任何有账号的客户都可以免费领取邀请码,不需要充值、消费或缴费。",
        "把邀请码或小程序码给需要家政服务的朋友;是否推荐由您自己决定,转发本身没有奖励。",
        "朋友自己登录并填写邀请码,同意建立邀请关系,就得到好友的权益。",
        "朋友的订单付款、完成并过了退款期,直接邀请他的人得到答谢。",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Who gets what. By his generation a newcomer may get another welcome; nobody further up gets anything (REF-01).
fn benefits(set: &CompiledRuleSet) -> Vec<String> {
    let words = |gift: &NamedBenefit| whole_benefit(&gift.benefit);
    let mut found: Vec<String> = Vec::new();
    for generation in 1..=3_u8 {
        if let Some(gift) = set.welcome(generation) {
            found.push(format!("好友(第 {generation} 代):{}", words(gift)));
        }
    }
    if let Some(thanks) = &set.inviter_thanks {
        found.push(format!("直接邀请人:{}", words(thanks)));
    }
    found.push("权益只给好友本人和直接邀请他的人,仅限本人使用,不能转让、不能提现。".to_owned());
    found
}

fn limits(ctx: &Ctx, set: &RuleSet, compiled: &CompiledRuleSet) -> Vec<String> {
    let caps = PolicyPack::shipped().programme_caps(&set.caps);
    let mut found = Vec::new();
    if (1..=3).any(|generation| compiled.welcome(generation).is_some()) {
        found.push("好友的权益每人一次".to_owned());
    }
    if compiled.inviter_thanks.is_some() {
        let caps = thanks_caps(&ctx.config.referral, &caps.per_inviter);
        found.extend(caps.iter().map(|cap| cap_words("邀请人的答谢每人", cap)));
    }
    if let Some(fen) = caps.budget_fen {
        found.push(format!(
            "好友权益和答谢的总预算 {},用完即止",
            Fen(fen).yuan()
        ));
    }
    found
}

/// What limits an inviter's thanks: the document's caps and the settings', without those a stricter one implies.
fn thanks_caps(settings: &Referral, written: &[Cap]) -> Vec<Cap> {
    let set = [
        (settings.thanks_per_month, 30),
        (settings.thanks_per_year, 365),
    ];
    let set = set.map(|(times, days)| Cap {
        times: u32::try_from(times).unwrap_or(u32::MAX),
        per: Span::days(days),
    });
    let mut caps: Vec<Cap> = Vec::new();
    for cap in written.iter().chain(&set) {
        let implied = |known: &Cap| known.times <= cap.times && known.per >= cap.per;
        if !caps.iter().any(implied) {
            caps.retain(|known| known.times < cap.times || known.per > cap.per);
            caps.push(*cap);
        }
    }
    caps
}

fn giving(ctx: &Ctx) -> Vec<String> {
    let window = ctx.config.referral.refund_window.get();
    let window = if window.num_hours() % 24 == 0 {
        format!("{} 天", window.num_days())
    } else {
        format!("{} 小时", window.num_hours().max(1))
    };
    vec![
        "好友的权益在他用邀请码登记后发到“我的权益”,下单时自动抵扣或随服务带上。".to_owned(),
        format!("邀请人的答谢在好友订单付款、完成后再过 {window}退款期才发。"),
        "好友的订单全额退款的,因它而发、还没有用掉的权益收回;用掉的不追讨。".to_owned(),
        "自己不能邀请自己,一个人只登记一位邀请人;对结果有异议可以联系我们申诉。".to_owned(),
        "活动开始后只作对用户更有利的修改;每次修改都列在本页的版本记录里。".to_owned(),
    ]
}

fn rights(ctx: &Ctx) -> Vec<String> {
    let controller = &ctx.config.controller;
    vec![
        "不想收到推荐邀请:小程序“我的—隐私设置”一键关闭,立即生效,不影响服务和价格。".to_owned(),
        "不同意或撤回单独同意,不影响您下单;已得的权益不受影响。".to_owned(),
        "投诉:在小程序的订单里提交,或联系下面的电话和邮箱;也可以拨打 12315。".to_owned(),
        format!(
            "联系:{} 电话 {} 邮箱 {}",
            controller.name, controller.phone, controller.email
        ),
    ]
}

/// The newest versions with what each made better than the one it replaced.
async fn history(db: &impl ConnectionTrait, newest: &[Known]) -> Result<Vec<VersionOut>> {
    let mut found = Vec::new();
    for one in newest {
        let better = match one.previous_id {
            Some(before) => {
                let sets = (document(db, before).await?, document(db, one.id).await?);
                match sets {
                    (Some(before), Some(after)) => favours(&before, &after),
                    _ => Vec::new(),
                }
            }
            None => Vec::new(),
        };
        found.push(VersionOut {
            version: one.version,
            name: one.name.clone(),
            published_at: one.published_at,
            retired_at: one.retired_at,
            favours: better,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_the_stricter_of_what_is_written_and_what_is_set() {
        let cap = |times, days| Cap {
            times,
            per: Span::days(days),
        };
        let mut settings = crate::config::with_overrides(&[]).unwrap().referral;
        (settings.thanks_per_month, settings.thanks_per_year) = (3, 12);
        let told = |written: &[Cap]| thanks_caps(&settings, written);
        assert_eq!(told(&[]), [cap(3, 30), cap(12, 365)]);
        assert_eq!(told(&[cap(10, 30)]), [cap(3, 30), cap(12, 365)]);
        assert_eq!(told(&[cap(2, 30)]), [cap(2, 30), cap(12, 365)]);
        assert_eq!(told(&[cap(3, 365)]), [cap(3, 365)]);
    }
}
