//! The sender as an extractor: known by its key before anything is said about its JSON.

use super::source;
use crate::{
    http::Recognising,
    kernel::{AppError, Code, Result},
    platform::{Ctx, limiter::Limit},
};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use entity::event_source;
use std::{future::Future, pin::Pin};

/// Where a sender shows its key.
pub(super) const HEADER: &str = "x-api-key";

/// A third party that has shown a live key.
pub(super) struct Sender(pub(super) event_source::Model);

impl FromRequest for Sender {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let ctx = req.app_data::<web::Data<Ctx>>().cloned();
        let key = req
            .headers()
            .get(HEADER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let recognising = Recognising::begin(req);
        Box::pin(async move {
            // Until this is dropped the body waits: 401 and 429 come before 422.
            let _recognising = recognising;
            let ctx =
                ctx.ok_or_else(|| AppError::internal("the app was built without its context"))?;
            let refused = || AppError::new(Code::Unauthenticated, "没有有效的 X-Api-Key");
            let key = key.ok_or_else(refused)?;
            let known = source::by_key(ctx.db.read(), &key).await?;
            let known = known.ok_or_else(refused)?;
            ctx.limits.check(Limit::Event, &known.id.to_string())?;
            Ok(Self(known))
        })
    }
}
