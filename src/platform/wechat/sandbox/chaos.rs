//! What can go wrong on the way, switched on by hand: so that every unlucky order of things can be played.

use super::Sandbox;
use crate::kernel::{AppError, Result};
use actix_web::{
    Error, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web,
};
use bytes::Bytes;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use std::{io, sync::PoisonError};

/// Most copies of one notification.
const MOST_COPIES: u32 = 20;

/// The switches; all off at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a panel of switches, each independent of the others"
)]
pub struct Chaos {
    /// The next so many calls of either API take effect, and their answers are lost.
    pub drop_answers: u32,
    /// The next so many calls of either API are answered "busy" (mini-program) or 500 `SYSTEM_ERROR` (pay), without effect.
    pub busy: u32,
    /// Every notification and push is delivered this many times more, at once.
    pub duplicate: u32,
    /// They start this many seconds late, by the clock.
    pub delay_seconds: u32,
    /// What is due together arrives newest first.
    pub reorder: bool,
    /// A probe with a wrong signature goes before each notification, as WeChat sends them on purpose (spec 2.2).
    pub probe: bool,
    /// A copy signed ten minutes ago goes before each notification.
    pub stale: bool,
    /// Notifications are signed as in certificate mode, as during WeChat's change-over.
    pub certificate: bool,
    /// The access token ends now; switches itself off.
    pub expire_token: bool,
}

impl Sandbox {
    /// The switches as they stand.
    pub fn chaos(&self) -> Chaos {
        self.inner
            .chaos
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sets all switches.
    ///
    /// # Errors
    /// `validation` on more copies than 20.
    pub fn set_chaos(&self, mut chaos: Chaos) -> Result<()> {
        if chaos.duplicate > MOST_COPIES {
            let detail = format!("duplicate 至多 {MOST_COPIES}");
            return Err(AppError::field("/duplicate", "range", detail));
        }
        if std::mem::take(&mut chaos.expire_token) {
            self.inner
                .token
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
        *self
            .inner
            .chaos
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = chaos;
        Ok(())
    }

    /// Takes one off a counter; whether there was one.
    fn count_down(&self, counter: impl Fn(&mut Chaos) -> &mut u32) -> bool {
        let mut chaos = self
            .inner
            .chaos
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = counter(&mut chaos);
        let any = *left > 0;
        *left = left.saturating_sub(1);
        any
    }
}

/// Plays the switches that concern answers. Fetching the token is spared: a lost token is no trouble of its own.
pub(super) async fn answers<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let sandbox = req.app_data::<web::Data<Sandbox>>().cloned();
    let Some(sandbox) = sandbox.filter(|_| !req.path().starts_with("/cgi-bin/stable_token")) else {
        return Ok(next.call(req).await?.map_into_left_body());
    };
    if sandbox.count_down(|chaos| &mut chaos.busy) {
        let answer = if req.path().starts_with("/v3/") {
            sandbox.signed(Err(super::seal::Refusal::new(
                500,
                "SYSTEM_ERROR",
                "系统异常,请稍后重试",
            )))
        } else {
            super::mini::answered(Err((-1, "system error")))
        };
        return Ok(req.into_response(answer).map_into_right_body());
    }
    let answer = next.call(req).await?;
    if !sandbox.count_down(|chaos| &mut chaos.drop_answers) {
        return Ok(answer.map_into_left_body());
    }
    let cut = stream::once(async { Err::<Bytes, _>(io::Error::other("the line is cut")) });
    let lost = HttpResponse::Ok().streaming(cut);
    Ok(answer.into_response(lost).map_into_right_body())
}

/// `GET /sandbox/chaos`.
pub(super) async fn show(sandbox: web::Data<Sandbox>) -> web::Json<Chaos> {
    std::future::ready(web::Json(sandbox.chaos())).await
}

/// `POST /sandbox/chaos`: all switches at once; those unsaid are off.
pub(super) async fn switch(
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> Result<web::Json<Chaos>> {
    let chaos = serde_json::from_slice(&body)
        .map_err(|error| AppError::field("", "json", error.to_string()))?;
    sandbox.set_chaos(chaos)?;
    std::future::ready(Ok(web::Json(sandbox.chaos()))).await
}
