//! Cursor paging: newest first, the cursor is the last id seen.

use super::{AppError, Result};
use uuid::Uuid;

/// One page of a list.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Send as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// Where a page starts and how long it is.
#[derive(Debug, Clone, Copy)]
pub struct Cursor {
    /// Rows with ids below this one come next.
    pub before: Option<Uuid>,
    /// How many rows, 1 to 100.
    pub limit: u64,
}

impl Cursor {
    /// Reads `?limit=&cursor=`; 20 rows when unsaid, at most 100.
    pub fn parse(limit: Option<u64>, cursor: Option<&str>) -> Result<Self> {
        let limit = limit.unwrap_or(20);
        if !(1..=100).contains(&limit) {
            return Err(AppError::field(
                "/query/limit",
                "range",
                "limit 须在 1 到 100 之间",
            ));
        }
        let before = cursor
            .map(|text| {
                Uuid::try_parse(text).map_err(|_| {
                    AppError::field("/query/cursor", "cursor", "cursor 不是上一页给出的值")
                })
            })
            .transpose()?;
        Ok(Self { before, limit })
    }

    /// Rows to ask the database for: one more than shown, to know whether there is a next page.
    pub fn fetch(self) -> u64 {
        self.limit.saturating_add(1)
    }

    /// Cuts fetched rows (at most [`Cursor::fetch`]) into a page.
    pub fn page<T, O>(
        self,
        rows: Vec<T>,
        id: impl Fn(&T) -> Uuid,
        out: impl FnMut(T) -> O,
    ) -> Page<O> {
        let limit = usize::try_from(self.limit).unwrap_or(100);
        let more = rows.len() > limit;
        let next_cursor = if more {
            rows.get(limit.saturating_sub(1))
                .map(|row| id(row).to_string())
        } else {
            None
        };
        Page {
            items: rows.into_iter().take(limit).map(out).collect(),
            next_cursor,
        }
    }
}
