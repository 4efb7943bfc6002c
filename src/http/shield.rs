//! What surrounds every request: an id, a time limit, a rate limit by address, safe headers.

use super::{limit_key, problem_response};
use crate::{
    kernel::{AppError, Code},
    platform::{
        Ctx,
        limiter::Limit,
        wechat::{NOTIFY_PATH, PUSH_PATH},
    },
};
use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        StatusCode,
        header::{self, HeaderMap},
    },
    middleware::Next,
    web,
};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request this task serves, or `-` outside one.
pub fn current_request_id() -> String {
    REQUEST_ID
        .try_with(Clone::clone)
        .unwrap_or_else(|_| "-".into())
}

/// Middleware around the whole app.
///
/// # Errors
/// None of its own: refusals are answers.
pub async fn shield<B: MessageBody + 'static>(
    ctx: web::Data<Ctx>,
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = incoming_id(&req).unwrap_or_else(|| ctx.env.ids.next().to_string());
    let answer = REQUEST_ID
        .scope(id.clone(), Box::pin(guarded(ctx, req, next)))
        .await;
    answer.map(|mut answer| {
        harden(answer.headers_mut(), &id);
        answer
    })
}

/// A caller's own id is kept when it is short and plain, so that traces join up.
fn incoming_id(req: &ServiceRequest) -> Option<String> {
    let id = req.headers().get("x-request-id")?.to_str().ok()?;
    let plain =
        (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| id.to_owned())
}

async fn guarded<B: MessageBody + 'static>(
    ctx: web::Data<Ctx>,
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    // WeChat calls from few addresses, and what it is refused it gives up in the end. Both paths read 64 KB at most and
    // do nothing before a signature holds.
    let of_wechat = [NOTIFY_PATH, PUSH_PATH].contains(&req.path());
    if !of_wechat && let Err(refusal) = ctx.limits.check(Limit::Address, &limit_key(req.request()))
    {
        return Ok(req.into_response(problem_response(&refusal)));
    }
    // No name, code or id of ours has one, and PostgreSQL cannot even look for it.
    if req.path().contains("%00") || req.path().contains('\0') {
        return Ok(req.into_response(problem_response(&AppError::not_found())));
    }
    let limit = ctx
        .config
        .http
        .request_timeout
        .get()
        .to_std()
        .unwrap_or(std::time::Duration::from_secs(30));
    match tokio::time::timeout(limit, next.call(req)).await {
        Ok(Ok(answer)) => Ok(settle(answer)),
        // The request is gone with the call, so these two are rendered here, while its id is known.
        Ok(Err(error)) => Err(rendered(render(&error))),
        Err(_) => Err(rendered(problem_response(&AppError::new(
            Code::Timeout,
            "处理超时,请稍后再试",
        )))),
    }
}

fn rendered(mut answer: HttpResponse) -> Error {
    harden(answer.headers_mut(), &current_request_id());
    InternalError::from_response("refused before a handler", answer).into()
}

fn render(error: &Error) -> HttpResponse {
    match error.as_error::<AppError>() {
        Some(known) => problem_response(known),
        None => problem_response(&from_status(error.as_response_error().status_code())),
    }
}

/// Answers the framework makes itself (unknown path, wrong method) become problem documents too.
fn settle<B: MessageBody + 'static>(answer: ServiceResponse<B>) -> ServiceResponse<BoxBody> {
    let status = answer.status();
    let kind = answer.headers().get(header::CONTENT_TYPE);
    // The framework's own refusals come bare or as plain text; ours, WeChat's and the sandbox's are JSON.
    let ours = kind.is_some_and(|kind| !kind.as_bytes().starts_with(b"text/plain"));
    if status.as_u16() >= 400 && !ours {
        let (request, _) = answer.into_parts();
        return ServiceResponse::new(request, problem_response(&from_status(status)));
    }
    answer.map_into_boxed_body()
}

fn from_status(status: StatusCode) -> AppError {
    match status {
        StatusCode::NOT_FOUND => AppError::not_found(),
        StatusCode::METHOD_NOT_ALLOWED => {
            AppError::new(Code::MethodNotAllowed, "这个地址不支持这种请求方法")
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            AppError::new(Code::PayloadTooLarge, "内容超过了允许的大小")
        }
        StatusCode::REQUEST_TIMEOUT => AppError::new(Code::Timeout, "请求没有在时限内到达"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            AppError::new(Code::UnsupportedMedia, "不支持这种内容类型")
        }
        status if status.is_client_error() => AppError::new(Code::Validation, "请求的格式有误"),
        _ => AppError::internal("the framework answered an error of its own"),
    }
}

fn harden(headers: &mut HeaderMap, id: &str) {
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = header::HeaderValue::from_str(value)
            && !headers.contains_key(&name)
        {
            headers.insert(name, value);
        }
    };
    set(header::HeaderName::from_static("x-request-id"), id);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    // SEC-40: answers may hold personal data, so no cache keeps them.
    set(header::CACHE_CONTROL, "no-store");
}
