//! The referral funnel: asked → sent → opened → redeemed → first paid → rewarded. Counts only, nobody is named.

use super::window::window;
use crate::{
    http::{Problem, ValidQuery},
    identity::{Actor, Marketing},
    kernel::{AppError, Result},
    platform::{Ctx, statement},
};
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, FromQueryResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa_actix_web::service_config::ServiceConfig;

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(funnel);
}

/// What a row of the funnel stands for.
#[derive(Clone, Copy, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    /// The rule that asked; `own` for codes people took themselves.
    #[default]
    Rule,
    /// The generation a friend becomes.
    Generation,
    /// The service that was rated; `none` without a visit.
    Service,
}

impl By {
    /// The key of an invitation `i`: a fixed text, nothing typed in.
    const fn key(self) -> &'static str {
        match self {
            Self::Rule => "COALESCE(i.rule_id, 'own')",
            Self::Generation => {
                "CASE COALESCE(g.generation, 0) WHEN 0 THEN '1' WHEN 1 THEN '2' ELSE '3' END"
            }
            Self::Service => "COALESCE(s.slug, 'none')",
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct FunnelQuery {
    /// RFC 3339 or a business date; invitations made from then on.
    from: Option<String>,
    /// RFC 3339 (excluded) or a business date (included).
    to: Option<String>,
    /// `rule` when unsaid.
    #[param(inline)]
    by: Option<By>,
}

/// One row of the funnel.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
struct FunnelRow {
    /// Rule, generation or service; `all` for the sum.
    key: String,
    /// Invitations made.
    asked: i64,
    /// Invitations shown to their inviter.
    sent: i64,
    /// Invitations a friend has looked at.
    opened: i64,
    /// Invitations at least one friend has used.
    redeemed: i64,
    /// Friends who came.
    friends: i64,
    /// Friends whose first order is paid.
    first_paid: i64,
    /// Thank-yous granted for them.
    rewarded: i64,
    /// People who were asked.
    inviters: i64,
    /// Friends per person asked, two decimals (K-factor).
    #[schema(value_type = f64)]
    k_factor: serde_json::Number,
    /// From sending to redeeming, seconds, the median; null when nobody came.
    median_seconds_to_convert: Option<i64>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct FunnelOut {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    items: Vec<FunnelRow>,
    total: FunnelRow,
}

#[derive(FromQueryResult)]
struct Counted {
    key: String,
    asked: i64,
    sent: i64,
    opened: i64,
    redeemed: i64,
    friends: i64,
    first_paid: i64,
    rewarded: i64,
    inviters: i64,
}

const FROM: &str = "FROM invitation i \
    LEFT JOIN referral g ON g.invitee_id = i.customer_id \
    LEFT JOIN booking k ON k.id = i.booking_id \
    LEFT JOIN service s ON s.id = k.service_id \
    WHERE i.created_at >= ? AND i.created_at < ?";

fn counts(by: By) -> String {
    let key = by.key();
    format!(
        "SELECT key, COUNT(*) AS asked, CAST(SUM(sent) AS BIGINT) AS sent, CAST(SUM(opened) AS BIGINT) AS opened, \
           CAST(SUM(redeemed) AS BIGINT) AS redeemed, CAST(SUM(friends) AS BIGINT) AS friends, \
           CAST(SUM(first_paid) AS BIGINT) AS first_paid, CAST(SUM(rewarded) AS BIGINT) AS rewarded, \
           COUNT(DISTINCT customer_id) AS inviters \
         FROM (SELECT {key} AS key, i.customer_id, \
           CASE WHEN i.sent_at IS NULL THEN 0 ELSE 1 END AS sent, \
           CASE WHEN i.opened_at IS NULL THEN 0 ELSE 1 END AS opened, \
           CASE WHEN i.redeemed_at IS NULL THEN 0 ELSE 1 END AS redeemed, \
           (SELECT COUNT(*) FROM referral r WHERE r.invitation_id = i.id) AS friends, \
           (SELECT COUNT(*) FROM referral r WHERE r.invitation_id = i.id AND EXISTS (SELECT 1 FROM booking b \
             WHERE b.customer_id = r.invitee_id AND b.confirmed_at IS NOT NULL AND b.rework_of IS NULL)) AS first_paid, \
           (SELECT COUNT(*) FROM referral r JOIN reward w ON w.referral_id = r.id WHERE r.invitation_id = i.id \
             AND w.cause = 'thanks' AND w.status IN ('granted', 'used')) AS rewarded \
         {FROM}) counted GROUP BY key ORDER BY key"
    )
}

/// The referral funnel of a span, by rule, generation or service.
#[utoipa::path(tag = "staff", params(FunnelQuery), security(("bearer" = [])),
    responses((status = 200, body = FunnelOut), (status = 422, body = Problem)))]
#[get("/reports/referral-funnel")]
async fn funnel(
    ctx: web::Data<Ctx>,
    _: Actor<Marketing>,
    query: ValidQuery<FunnelQuery>,
) -> Result<HttpResponse> {
    let (from, to) = window(query.0.from.as_deref(), query.0.to.as_deref())?;
    let by = query.0.by.unwrap_or_default();
    let db = ctx.db.read();
    let backend = db.get_database_backend();
    let span = || vec![from.into(), to.into()];
    let rows = Counted::find_by_statement(statement(backend, &counts(by), span()))
        .all(db)
        .await?;
    let mut waits = waits(&ctx, by, span()).await?;
    let items: Vec<FunnelRow> = rows.into_iter().map(|row| stage(row, &mut waits)).collect();
    let total = total(&ctx, &items, waits.remove("").unwrap_or_default(), span()).await?;
    Ok(HttpResponse::Ok().json(FunnelOut {
        from,
        to,
        items,
        total,
    }))
}

/// How long each friend took, by key; all of them under the empty key.
async fn waits(ctx: &Ctx, by: By, span: Vec<sea_orm::Value>) -> Result<BTreeMap<String, Vec<i64>>> {
    #[derive(FromQueryResult)]
    struct Arrival {
        key: String,
        sent_at: DateTime<Utc>,
        came_at: DateTime<Utc>,
    }
    let key = by.key();
    let sql = format!(
        "SELECT {key} AS key, i.sent_at, r.created_at AS came_at {} AND i.sent_at IS NOT NULL",
        FROM.replace(
            "FROM invitation i",
            "FROM invitation i JOIN referral r ON r.invitation_id = i.id"
        )
    );
    let db = ctx.db.read();
    let came = Arrival::find_by_statement(statement(db.get_database_backend(), &sql, span))
        .all(db)
        .await?;
    let mut waits: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for one in came {
        let seconds = (one.came_at - one.sent_at).num_seconds().max(0);
        waits.entry(String::new()).or_default().push(seconds);
        waits.entry(one.key).or_default().push(seconds);
    }
    Ok(waits)
}

fn stage(row: Counted, waits: &mut BTreeMap<String, Vec<i64>>) -> FunnelRow {
    FunnelRow {
        median_seconds_to_convert: median(waits.remove(&row.key).unwrap_or_default()),
        k_factor: hundredths(row.friends, row.inviters),
        key: row.key,
        asked: row.asked,
        sent: row.sent,
        opened: row.opened,
        redeemed: row.redeemed,
        friends: row.friends,
        first_paid: row.first_paid,
        rewarded: row.rewarded,
        inviters: row.inviters,
    }
}

/// The sum of all rows. A person asked by two rules is one inviter, so inviters are counted anew.
async fn total(
    ctx: &Ctx,
    items: &[FunnelRow],
    waits: Vec<i64>,
    span: Vec<sea_orm::Value>,
) -> Result<FunnelRow> {
    let db = ctx.db.read();
    let sql = "SELECT COUNT(DISTINCT customer_id) AS inviters FROM invitation WHERE created_at >= ? AND created_at < ?";
    let row = db
        .query_one_raw(statement(db.get_database_backend(), sql, span))
        .await?;
    let inviters: i64 = row
        .ok_or_else(|| AppError::internal("a count without a row"))?
        .try_get("", "inviters")?;
    let sum = |of: fn(&FunnelRow) -> i64| items.iter().map(of).sum::<i64>();
    let friends = sum(|one| one.friends);
    Ok(FunnelRow {
        key: "all".into(),
        asked: sum(|one| one.asked),
        sent: sum(|one| one.sent),
        opened: sum(|one| one.opened),
        redeemed: sum(|one| one.redeemed),
        friends,
        first_paid: sum(|one| one.first_paid),
        rewarded: sum(|one| one.rewarded),
        inviters,
        k_factor: hundredths(friends, inviters),
        median_seconds_to_convert: median(waits),
    })
}

/// `a / b` with two exact decimals; nothing out of nothing is 0.
fn hundredths(a: i64, b: i64) -> serde_json::Number {
    let value = if b <= 0 {
        0
    } else {
        i128::from(a) * 100 / i128::from(b)
    };
    let text = format!("{}.{:02}", value / 100, value % 100);
    serde_json::from_str(&text).unwrap_or_else(|_| 0.into())
}

/// The middle value; the lower of the two middle ones of an even number.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_k_factor_is_exact_and_nobody_asked_is_zero() {
        assert_eq!(hundredths(3, 8).to_string(), "0.37");
        assert_eq!(hundredths(9, 4).to_string(), "2.25");
        assert_eq!(hundredths(0, 0).to_string(), "0.0");
    }

    #[test]
    fn the_median_of_nothing_is_unknown() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9, 1, 5]), Some(5));
        assert_eq!(median(vec![4, 1, 2, 3]), Some(2));
    }
}
