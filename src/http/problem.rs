//! Errors on the wire: RFC 9457 `application/problem+json`.

use super::shield::current_request_id;
use crate::kernel::{AppError, Code, FieldError};
use actix_web::{HttpResponse, ResponseError, http::StatusCode, http::header};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The problem document every error answer carries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// `/errors/<slug>`; docs/errors.md explains each.
    pub r#type: String,
    /// What happened, zh-CN.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// What to do, zh-CN.
    pub detail: String,
    /// The stable slug to switch on.
    pub code: String,
    /// Quote this to support.
    pub request_id: String,
    /// Faults of single fields (422).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub errors: Vec<FieldError>,
    /// `purpose`, `findings` and other members of single codes.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub extra: BTreeMap<String, Value>,
}

/// Renders an error; the cause is logged here, once, and goes no further.
pub fn problem_response(error: &AppError) -> HttpResponse {
    let request_id = current_request_id();
    if let Some(source) = &error.source {
        let chain = chain(source.as_ref());
        if error.code.status() >= 500 {
            tracing::error!(error.code = error.code.slug(), error.cause = %chain, request.id = %request_id, "request failed");
        } else {
            tracing::debug!(error.code = error.code.slug(), error.cause = %chain, request.id = %request_id, "request refused");
        }
    }
    let status =
        StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    answer.content_type("application/problem+json");
    if let Some(seconds) = error
        .retry_after
        .or((error.code == Code::Unavailable).then_some(1))
    {
        answer.insert_header((header::RETRY_AFTER, seconds));
    }
    answer.json(Problem {
        r#type: format!("/errors/{}", error.code.slug()),
        title: error.code.title().into(),
        status: error.code.status(),
        detail: error.detail.to_string(),
        code: error.code.slug().into(),
        request_id,
        errors: error.fields.clone(),
        extra: error
            .extra
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    })
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        problem_response(self)
    }
}
