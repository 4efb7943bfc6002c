//! Every staff call is audited (SEC-35): who called what about whom, and how it ended.
//!
//! The caller is resolved and the entry written before the handler runs, so nothing staff do is unrecorded (SEC-42: fail
//! closed); the outcome follows as an entry of its own, on a task that a caller who goes away does not stop. A call
//! without an outcome is one that was cut off.

use super::{
    actor::{Known, bearer, know},
    token::TokenKey,
};
use crate::{
    audit::{self, Entry},
    http::current_request_id,
    kernel::{AppError, Code, OrLog, Result},
    platform::Ctx,
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};
use entity::ids::{AccountId, AuditEntryId};
use serde_json::{Map, Value, json};
use std::{
    cell::Cell,
    future::{Ready, ready},
    rc::Rc,
};
use uuid::Uuid;

/// Longest path that is kept, characters.
const PATH: usize = 200;
/// Query parameters that are kept, at most.
const PARAMETERS: usize = 8;

/// Whose data a staff call is about: a handler that knows it only after reading names it here, so that the officer's
/// `?subject_id=` finds the call.
#[derive(Clone, Debug, Default)]
pub struct AuditSubject(Rc<Cell<Option<AccountId>>>);

impl AuditSubject {
    /// This call was about `id`'s data.
    pub fn is(&self, id: AccountId) {
        self.0.set(Some(id));
    }
}

impl FromRequest for AuditSubject {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Outside the audited scope there is nobody to tell, and telling does no harm.
        ready(Ok(req
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_default()))
    }
}

/// Middleware of the `/admin` scope. A call that cannot be recorded is not run.
///
/// # Errors
/// `unavailable` when the caller or the entry cannot be looked up or written, or the inner service's error.
pub async fn audit_staff<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let ctx = req.app_data::<web::Data<Ctx>>().cloned();
    let key = req.app_data::<web::Data<TokenKey>>().cloned();
    let (Some(ctx), Some(key)) = (ctx, key) else {
        return Err(AppError::internal("the app was built without its context").into());
    };
    let known = match know(&ctx, &key, bearer(req.request())).await {
        Ok(known) => known,
        // Nobody in particular: the handler has its own words for that, and no data of anyone.
        Err(refused) if refused.code == Code::Unauthenticated => return next.call(req).await,
        Err(fault) => return Err(closed(fault).into()),
    };
    let mut entry = entry(&req, &known);
    let call = begin(&ctx, entry.clone()).await.map_err(closed)?;
    let named = AuditSubject::default();
    req.extensions_mut().insert(named.clone());
    let answer = next.call(req).await;
    let status = match &answer {
        Ok(answer) => answer.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    entry.subject = entry.subject.or(named.0.get());
    let ended = actix_web::rt::spawn(async move { end(&ctx, call, status, entry).await });
    // The entry before the call is proof enough; a lost outcome does not undo what was done.
    if let Some(ended) = ended.await.or_log("how a staff call ended") {
        ended.or_log("how a staff call ended");
    }
    answer
}

fn closed(fault: AppError) -> AppError {
    AppError::new(Code::Unavailable, "暂时无法记录这次操作,请稍后再试")
        .retry_after(1)
        .because(fault)
}

async fn begin(ctx: &Ctx, entry: Entry) -> Result<AuditEntryId> {
    let tx = ctx.db.begin_write().await?;
    let call = audit::begin_call(ctx, &tx, entry).await?;
    ctx.commit(tx).await?;
    Ok(call)
}

async fn end(ctx: &Ctx, call: AuditEntryId, status: u16, began: Entry) -> Result<()> {
    let tx = ctx.db.begin_write().await?;
    audit::end_call(ctx, &tx, call, status, began).await?;
    ctx.commit(tx).await
}

fn entry(req: &ServiceRequest, known: &Known) -> Entry {
    let path: String = req.path().chars().take(PATH).collect();
    let object = path.split_once("/admin/").map_or("", |(_, rest)| rest);
    let ids = ids(req.query_string());
    Entry {
        actor: Some(known.id),
        actor_kind: known.kind.word(),
        object: object.to_owned(),
        subject: subject(object, &ids),
        detail: if ids.is_empty() {
            json!({})
        } else {
            json!({ "query": ids })
        },
        action: format!("{} {path}", req.method()),
        request_id: current_request_id(),
    }
}

/// The ids of a query string, and nothing else of it: what is typed into a search may be personal.
fn ids(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let plain =
        |name: &str| name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let ids = pairs.filter_map(|(name, value)| {
        let id = Uuid::try_parse(value).ok().filter(|_| plain(name))?;
        Some((name.to_owned(), json!(id)))
    });
    ids.take(PARAMETERS).collect()
}

/// Whose data the address names: `/customers/{id}…`, `?customer_id=`, `?subject_id=`.
fn subject(object: &str, ids: &Map<String, Value>) -> Option<AccountId> {
    let of_path = object
        .strip_prefix("customers/")
        .and_then(|rest| rest.split('/').next());
    let named = ["subject_id", "customer_id"].into_iter();
    let of_query = named.filter_map(|name| ids.get(name)?.as_str());
    let id = of_path.into_iter().chain(of_query).next()?;
    Uuid::try_parse(id).ok().map(AccountId)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01930000-0000-7000-8000-000000000000";

    #[test]
    fn of_a_query_only_ids_are_kept() {
        let kept = ids(&format!(
            "phone=13912345678&customer_id={ID}&q=%E6%A2%85&13912345678={ID}&x"
        ));
        assert_eq!(Value::Object(kept), json!({ "customer_id": ID }));
    }

    #[test]
    fn the_address_names_the_person_whose_data_it_is() {
        let who =
            |object: &str, query: &str| subject(object, &ids(query)).map(|id| id.0.to_string());
        assert_eq!(
            who(&format!("customers/{ID}/consents"), "").as_deref(),
            Some(ID)
        );
        assert_eq!(
            who("decisions", &format!("customer_id={ID}")).as_deref(),
            Some(ID)
        );
        assert_eq!(
            who("audit", &format!("subject_id={ID}&limit=5")).as_deref(),
            Some(ID)
        );
        assert_eq!(who("customers/x/consents", ""), None);
        assert_eq!(who("decisions", &format!("booking_id={ID}")), None);
    }
}
