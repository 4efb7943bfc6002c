//! What the mini-program tells about a subscription pop-up.

use super::{
    answer::{Answer, Source},
    store,
};
use crate::{
    http::{Idem, Problem, Valid},
    identity::{Actor, Customer},
    kernel::{AppError, Result},
    platform::Ctx,
};
use actix_web::{HttpResponse, http::StatusCode, post, web};
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Most templates in one pop-up (WX-10).
const MOST: usize = 3;
/// Longest template id.
const LONGEST: usize = 128;

/// Registers the calls.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(subscriptions);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct SubscriptionsIn {
    /// What `wx.requestSubscribeMessage` answered, by template id; 1 to 3 of them.
    results: BTreeMap<String, Answer>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SubscriptionOut {
    template: String,
    result: Answer,
}

#[derive(Serialize, utoipa::ToSchema)]
struct SubscriptionsOut {
    items: Vec<SubscriptionOut>,
}

/// Tell what the subscription pop-up answered. Recorded as a hint: only WeChat's own event is a tick (WX-10).
#[utoipa::path(tag = "customer", request_body = SubscriptionsIn, security(("bearer" = [])),
    responses((status = 200, body = SubscriptionsOut), (status = 422, body = Problem)))]
#[post("/me/subscriptions")]
async fn subscriptions(
    ctx: web::Data<Ctx>,
    actor: Actor<Customer>,
    idem: Idem,
    body: Valid<SubscriptionsIn>,
) -> Result<HttpResponse> {
    let results = &body.value.results;
    if !(1..=MOST).contains(&results.len()) {
        return Err(AppError::field(
            "/results",
            "length",
            "一次弹窗有 1 到 3 个模板",
        ));
    }
    let is_id = |id: &String| {
        (1..=LONGEST).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    if !results.keys().all(is_id) {
        return Err(AppError::field("/results", "format", "不是模板编号"));
    }
    let record = async |tx: &DatabaseTransaction| {
        let mut items = Vec::new();
        for (template, result) in results {
            let told = (template.as_str(), *result, Source::Client);
            store::answered(&ctx, tx, actor.id, told).await?;
            items.push(SubscriptionOut {
                template: template.clone(),
                result: *result,
            });
        }
        Ok(SubscriptionsOut { items })
    };
    idem.of(actor.id, &body.hash)
        .run(&ctx, StatusCode::OK, record)
        .await
}
