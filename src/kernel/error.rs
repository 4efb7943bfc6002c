//! The one error type of the house.

use super::Code;
use std::borrow::Cow;

/// What every fallible function of the house returns.
pub type Result<T, E = AppError> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// One fault of one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    /// JSON pointer into the body, or `/query/<name>`.
    pub pointer: String,
    /// Stable name of the fault.
    pub code: String,
    /// What to do about it, for people.
    pub detail: String,
}

/// An error with a stable code. The source is logged once at the edge and never sent.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", code.slug())]
pub struct AppError {
    /// What a client switches on.
    pub code: Code,
    /// What a person reads; never contains personal data.
    pub detail: Cow<'static, str>,
    /// Faults of single fields (422).
    pub fields: Vec<FieldError>,
    /// Further members of the problem document (`purpose`, `findings` …).
    pub extra: Vec<(&'static str, serde_json::Value)>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u64>,
    /// The cause, for the log alone.
    #[source]
    pub source: Option<Source>,
}

impl AppError {
    /// An error of `code` with a sentence for people.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            extra: Vec::new(),
            retry_after: None,
            source: None,
        }
    }

    /// 404, for what does not exist or is not the caller's.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "没有这个对象,或它不属于您")
    }

    /// 409, a step the object's state does not allow.
    pub fn invalid_state(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidState, detail)
    }

    /// 422 about one field; `pointer` is a JSON pointer.
    pub fn field(
        pointer: impl Into<String>,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::fields(vec![FieldError {
            pointer: pointer.into(),
            code: code.into(),
            detail: detail.into(),
        }])
    }

    /// 422 about several fields at once.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let mut error = Self::new(Code::Validation, "请检查标出的字段");
        error.fields = fields;
        error
    }

    /// 403, a recorded consent for `purpose` is missing (PIPL-13, PIPL-29).
    pub fn consent_required(purpose: &'static str) -> Self {
        Self::new(Code::ConsentRequired, "这一步需要您对该用途的单独同意")
            .with("purpose", purpose.into())
    }

    /// 500 with its cause, which only the log will see.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::new(Code::Internal, "服务器出错了,请稍后再试").because(source)
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: serde_json::Value) -> Self {
        self.extra.push((key, value));
        self
    }

    /// Attaches the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says after how many seconds to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<sea_orm::DbErr> for AppError {
    fn from(error: sea_orm::DbErr) -> Self {
        use sea_orm::SqlErr;
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                Self::new(Code::Conflict, "已经存在相同的记录").because(error)
            }
            _ if unstorable(&error) => {
                Self::new(Code::Validation, "内容里有不能保存的字符").because(error)
            }
            _ if passing(&error) => Self::new(Code::Unavailable, "数据库暂时不可用")
                .retry_after(1)
                .because(error),
            _ => Self::internal(error),
        }
    }
}

/// The SQLSTATE of a fault, where the database gave one.
fn sql_state(error: &sea_orm::DbErr) -> Option<String> {
    let (sea_orm::DbErr::Exec(fault) | sea_orm::DbErr::Query(fault)) = error else {
        return None;
    };
    let sea_orm::RuntimeErr::SqlxError(fault) = fault else {
        return None;
    };
    fault
        .as_database_error()?
        .code()
        .map(std::borrow::Cow::into_owned)
}

/// A NUL, or a `\u0000` in JSON: PostgreSQL keeps neither. The edge refuses them; this is the second line.
fn unstorable(error: &sea_orm::DbErr) -> bool {
    matches!(sql_state(error).as_deref(), Some("22021" | "22P05"))
}

/// A fault that is gone at the next try: a lost connection, a shutdown, a deadlock or a serialisation conflict.
fn passing(error: &sea_orm::DbErr) -> bool {
    use sea_orm::{DbErr, RuntimeErr, SqlxError};
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(fault)) | DbErr::Query(RuntimeErr::SqlxError(fault)) => {
            let gone = matches!(
                fault.as_ref(),
                SqlxError::Io(_) | SqlxError::PoolClosed | SqlxError::PoolTimedOut
            );
            let state = sql_state(error);
            let asked_again = ["57P01", "57P02", "57P03", "40001", "40P01"];
            gone || state.is_some_and(|state| asked_again.contains(&state.as_str()))
        }
        _ => false,
    }
}

impl From<serde_json::Error> for AppError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

/// A named way to let an error go: it is logged with what was lost.
pub trait OrLog<T> {
    /// `Some` on success; otherwise a warning that names `what` was lost.
    fn or_log(self, what: &'static str) -> Option<T>;
}

impl<T, E: std::fmt::Display> OrLog<T> for std::result::Result<T, E> {
    fn or_log(self, what: &'static str) -> Option<T> {
        self.map_err(|error| tracing::warn!(error = %error, "lost: {what}"))
            .ok()
    }
}
