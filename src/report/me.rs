//! `GET /me`: who I am here.

use crate::{
    benefit,
    identity::{self, Actor, Anyone},
    kernel::Result,
    platform::Ctx,
};
use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Duration, Utc};
use entity::{
    booking,
    ids::AccountId,
    values::{AccountKind, BookingStatus, StaffRole},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde::Serialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// Visits that count towards a tier.
const TIER_SPAN: Duration = Duration::days(365);

pub(super) fn routes(cfg: &mut ServiceConfig) {
    cfg.service(me);
}

/// A customer's tier, by completed visits of the last year: the same published steps for everybody (PIPL 24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Tier {
    Basic,
    Silver,
    Gold,
}

impl Tier {
    fn of(visits: u64, settings: &crate::config::Customer) -> Self {
        if visits >= settings.gold_visits {
            Self::Gold
        } else if visits >= settings.silver_visits {
            Self::Silver
        } else {
            Self::Basic
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct MeOut {
    id: AccountId,
    kind: AccountKind,
    name: String,
    phone_masked: Option<String>,
    /// 0 for who came alone; null for workers and staff.
    generation: Option<i32>,
    /// null for workers and staff.
    tier: Option<Tier>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<StaffRole>,
    created_at: DateTime<Utc>,
}

/// My account.
#[utoipa::path(tag = "identity", security(("bearer" = [])), responses((status = 200, body = MeOut)))]
#[get("/me")]
async fn me(ctx: web::Data<Ctx>, actor: Actor<Anyone>) -> Result<HttpResponse> {
    let db = ctx.db.read();
    let person = identity::person(&ctx, db, actor.id).await?;
    let (mut generation, mut tier) = (None, None);
    if person.kind == AccountKind::Customer {
        generation = Some(benefit::generation_of(db, actor.id).await?);
        let since = ctx.env.now() - TIER_SPAN;
        let visits = booking::Entity::find()
            .filter(booking::Column::CustomerId.eq(actor.id))
            .filter(booking::Column::Status.eq(BookingStatus::Completed))
            .filter(booking::Column::ReworkOf.is_null())
            .filter(booking::Column::CompletedAt.gt(since))
            .count(db)
            .await?;
        tier = Some(Tier::of(visits, &ctx.config.customer));
    }
    Ok(HttpResponse::Ok().json(MeOut {
        id: person.id,
        kind: person.kind,
        name: person.name,
        phone_masked: person.phone_masked,
        generation,
        tier,
        roles: actor.roles,
        created_at: person.created_at,
    }))
}

#[cfg(test)]
mod tests {
    use super::Tier;

    #[test]
    fn tiers_are_steps_and_more_visits_never_lower_them() {
        let settings = crate::config::with_overrides(&[]).unwrap().customer;
        let tiers: Vec<Tier> = (0..20).map(|visits| Tier::of(visits, &settings)).collect();
        assert_eq!(
            (tiers[0], tiers[3], tiers[10]),
            (Tier::Basic, Tier::Silver, Tier::Gold)
        );
        let rank = |tier: &Tier| {
            [Tier::Basic, Tier::Silver, Tier::Gold]
                .iter()
                .position(|one| one == tier)
        };
        assert!(tiers.is_sorted_by_key(rank));
    }
}
