//! Query strings, with faults under `/query/<name>`.

use super::order::recognised;
use crate::kernel::{AppError, Cursor, Result};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::DeserializeOwned;
use std::{future::Future, pin::Pin};

/// A query string that parsed; unknown names are the type's business (`deny_unknown_fields`).
pub struct ValidQuery<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for ValidQuery<T> {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = parse::<T>(req.query_string());
        let recognised = recognised(req);
        Box::pin(async move {
            recognised.await;
            parsed.map(Self)
        })
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    if pairs
        .clone()
        .any(|(name, value)| name.contains('\0') || value.contains('\0'))
    {
        return Err(AppError::field("/query", "nul", "文字里不能有 NUL 字符"));
    }
    let fields = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let name = error.path().to_string();
        // The whole query has the path `.`: an unknown or repeated name is nobody's field.
        let pointer = if name == "." {
            "/query".to_owned()
        } else {
            format!("/query/{name}")
        };
        AppError::field(pointer, "query", error.inner().to_string())
    })
}

/// `?limit=&cursor=` of every list.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(query: &str) -> String {
        parse::<Paging>(query).unwrap_err().fields[0]
            .pointer
            .clone()
    }

    #[test]
    fn a_fault_names_its_parameter() {
        assert_eq!(parse::<Paging>("limit=7").unwrap().limit, Some(7));
        assert_eq!(pointer("limit=x"), "/query/limit");
        assert_eq!(pointer("cursor=%00"), "/query");
        assert!(pointer("colour=red").starts_with("/query"));
    }
}
