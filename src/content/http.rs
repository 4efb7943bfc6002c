//! The call of WeChat that fetches a picture.

use super::{link, store};
use crate::{
    http::Problem,
    kernel::{AppError, Result},
    photo,
    platform::Ctx,
};
use actix_web::{HttpRequest, HttpResponse, get, http::header, web};
use entity::{ids::PhotoId, values::ContentState};
use serde::Deserialize;
use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the call.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(picture);
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// Until when the link is good, seconds since 1970.
    expires: i64,
    /// HMAC-SHA-256 of photo and end, hex.
    signature: String,
}

/// The picture for WeChat's content check, under the link it was given; anything else is 404.
#[utoipa::path(tag = "webhook", params(Signed),
    responses((status = 200, content_type = "image/jpeg"), (status = 404, body = Problem)))]
#[get("/photos/{id}/check")]
async fn picture(
    ctx: web::Data<Ctx>,
    id: web::Path<PhotoId>,
    req: HttpRequest,
) -> Result<HttpResponse> {
    // Read here and not by an extractor: whoever guesses learns nothing from the kind of refusal.
    let signed = web::Query::<Signed>::from_query(req.query_string())
        .map_err(|_| AppError::not_found())?
        .into_inner();
    if !link::is_good(&ctx, *id, signed.expires, &signed.signature)? {
        return Err(AppError::not_found());
    }
    let db = ctx.db.read();
    let check = store::of_photo(db, *id).await?;
    let check = check
        .filter(|check| check.state != ContentState::Settled)
        .ok_or_else(AppError::not_found)?;
    let row = photo::by_id(db, *id).await?;
    let row = row
        .filter(photo::is_undecided)
        .ok_or_else(AppError::not_found)?;
    if !photo::may_be_checked(&ctx, db, &row).await? {
        return Err(AppError::not_found());
    }
    let bytes = photo::picture_to_check(&ctx, &row).await?;
    if check.fetched_at.is_none() {
        store::fetched(&ctx, check.id).await?;
    }
    Ok(HttpResponse::Ok()
        .content_type("image/jpeg")
        .insert_header((
            header::CONTENT_DISPOSITION,
            "inline; filename=\"photo.jpg\"",
        ))
        .body(bytes))
}
