//! Bookings as operations see them.

use super::{
    store,
    view::{self, BookingOut},
};
use crate::{
    http::ValidQuery,
    identity::{Actor, Operations},
    kernel::{Cursor, Page, Result, day_bounds},
    photo::Eyes,
    platform::Ctx,
};
use actix_web::{HttpResponse, get, web};
use chrono::NaiveDate;
use entity::{booking, values::BookingStatus};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the calls under `/admin`.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(list);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// Only this state.
    status: Option<BookingStatus>,
    /// Only visits of this business date.
    date: Option<NaiveDate>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// All bookings, newest first.
#[utoipa::path(tag = "staff", params(ListQuery), security(("bearer" = [])),
    responses((status = 200, body = Page<BookingOut>)))]
#[get("/bookings")]
async fn list(
    ctx: web::Data<Ctx>,
    _: Actor<Operations>,
    query: ValidQuery<ListQuery>,
) -> Result<HttpResponse> {
    let ListQuery {
        status,
        date,
        limit,
        cursor,
    } = query.0;
    let cursor = Cursor::parse(limit, cursor.as_deref())?;
    let db = ctx.db.read();
    let narrow = |mut all: sea_orm::Select<booking::Entity>| {
        if let Some(status) = status {
            all = all.filter(booking::Column::Status.eq(status));
        }
        if let Some(date) = date {
            let (from, to) = day_bounds(date);
            all = all
                .filter(booking::Column::StartAt.gte(from))
                .filter(booking::Column::StartAt.lt(to));
        }
        all
    };
    let page = cursor.page(
        store::page(db, cursor, narrow).await?,
        |row| row.id.0,
        |row| row,
    );
    let items = view::many(&ctx, db, page.items, Eyes::House).await?;
    Ok(HttpResponse::Ok().json(Page {
        items,
        next_cursor: page.next_cursor,
    }))
}
