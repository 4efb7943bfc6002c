//! Query strings, with faults under `/query/<name>`.

use crate::kernel::{AppError, Cursor, Result};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use std::future::{Ready, ready};

/// A query string that parsed; unknown names are the type's business (`deny_unknown_fields`).
pub struct ValidQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequest for ValidQuery<T> {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = web::Query::<T>::from_query(req.query_string());
        ready(
            parsed
                .map(|query| Self(query.into_inner()))
                .map_err(|error| AppError::field("/query", "query", error.to_string())),
        )
    }
}

/// `?limit=&cursor=` of every list.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// Rows, 1 to 100; 20 when unsaid.
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The cursor a [`Paging`] stands for.
///
/// # Errors
/// `validation` for a limit or cursor out of form.
pub fn paging(paging: &Paging) -> Result<Cursor> {
    Cursor::parse(paging.limit, paging.cursor.as_deref())
}
