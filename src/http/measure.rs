//! Prometheus metrics of requests: count and time by route pattern, never by path or person.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
};
use std::time::Instant;

/// Middleware that counts and times each request.
///
/// # Errors
/// Passes on the inner service's.
pub async fn measure<B: MessageBody>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let method = known(req.method()).to_owned();
    let route = req.match_pattern().unwrap_or_else(|| "unmatched".into());
    let start = Instant::now();
    let answer = next.call(req).await;
    let status = match &answer {
        Ok(answer) => answer.status().as_u16(),
        Err(error) => error.as_response_error().status_code().as_u16(),
    };
    let labels = [
        ("method", method),
        ("route", route),
        ("status", status.to_string()),
    ];
    metrics::counter!("linjian_http_requests_total", &labels).increment(1);
    metrics::histogram!("linjian_http_request_seconds", &labels)
        .record(start.elapsed().as_secs_f64());
    answer
}

/// The method, if it is one: a caller may invent any word, and each would be a series of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Adds one to a named counter of the business (`linjian_<what>_total`).
pub fn count(name: &'static str) {
    metrics::counter!(name).increment(1);
}
