//! The senders' one call.

use super::{
    caller::Sender,
    receive::{self, Told, Whom},
    source,
};
use crate::{
    http::{Problem, Valid},
    kernel::{AppError, Code, FieldError, Result, normalise_phone},
    platform::Ctx,
    rule::PartnerKind,
};
use actix_web::{HttpResponse, post, web};
use chrono::{DateTime, Utc};
use entity::ids::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa_actix_web::service_config::ServiceConfig;
use validator::Validate;

/// Largest event, bytes.
const EVENT_LIMIT: usize = 8 * 1024;

/// Registers the call.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(events);
}

#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct EventIn {
    /// The sender's own number of this event, new for each: 1 to 64 of A–Z a–z 0–9 . _ : - and nothing about a person.
    #[validate(length(min = 1, max = 64))]
    key: String,
    /// A registered kind, e.g. `partner.filter_due`.
    #[validate(length(min = 1, max = 64))]
    kind: String,
    /// When it happened: not in the future, not more than 30 days ago.
    occurred_at: DateTime<Utc>,
    #[validate(nested)]
    customer: CustomerIn,
    /// The sender's number of the customer's permission to tell us (PIPL 23).
    #[validate(length(min = 1, max = 100))]
    authorisation: String,
    /// The kind's own fields, and no others.
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

/// One of the two.
#[derive(Deserialize, Validate, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct CustomerIn {
    #[validate(length(min = 11, max = 20))]
    phone: Option<String>,
    customer_id: Option<AccountId>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedOut {
    /// Always true: what becomes of it is between the customer and us.
    accepted: bool,
}

impl EventIn {
    fn told(self) -> Result<Told> {
        let fault =
            |pointer: &str, code: &str, detail: &str| AppError::field(pointer, code, detail);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if !self.key.bytes().all(plain) {
            return Err(fault("/key", "format", "只能用字母、数字和 . _ : -"));
        }
        let kind = PartnerKind::parse(&self.kind)
            .ok_or_else(|| fault("/kind", "unknown", "没有登记这种事件"))?;
        let whom = match (self.customer.phone, self.customer.customer_id) {
            (Some(phone), None) => Whom::Phone(
                normalise_phone(&phone)
                    .ok_or_else(|| fault("/customer/phone", "format", "不是大陆手机号"))?,
            ),
            (None, Some(id)) => Whom::Customer(id),
            _ => {
                let detail = "phone 和 customer_id 恰好填一个";
                return Err(fault("/customer", "one_of", detail));
            }
        };
        kind.check(&self.data).map_err(|faults| {
            let faults = faults.into_iter().map(|one| FieldError {
                pointer: format!("/data/{}", one.field.replace('~', "~0").replace('/', "~1")),
                code: one.code.into(),
                detail: one.detail,
            });
            AppError::fields(faults.collect())
        })?;
        Ok(Told {
            key: self.key,
            kind,
            occurred_at: self.occurred_at,
            whom,
            authorisation: self.authorisation,
            data: self.data,
        })
    }
}

/// Tell that something happened to a customer, under a kind the officer has registered you for. The same key with the
/// same event is taken once, however often it comes. The answer is the same for everybody: it does not say whether he is a
/// customer, nor whether he has agreed.
#[utoipa::path(tag = "partner", params(("X-Api-Key" = String, Header, description = "The key shown when the sender was registered.")),
    responses((status = 202, body = AcceptedOut), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
#[post("/events")]
async fn events(
    ctx: web::Data<Ctx>,
    sender: Sender,
    body: Valid<EventIn, EVENT_LIMIT>,
) -> Result<HttpResponse> {
    if PartnerKind::parse(&body.value.kind).is_some()
        && !source::may_send(&sender.0, &body.value.kind)
    {
        return Err(AppError::new(Code::Forbidden, "这个来源没有登记这种事件"));
    }
    let told = body.value.told()?;
    receive::take(&ctx, &sender.0, &told).await?;
    Ok(HttpResponse::Accepted().json(AcceptedOut { accepted: true }))
}
