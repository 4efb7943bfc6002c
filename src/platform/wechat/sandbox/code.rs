//! Mini-program codes and links of the sandbox (spec 1.5, 1.6).

use super::{
    Sandbox,
    mini::{Refusal, TokenQuery, answered, read, system},
};
use crate::kernel::{AppError, Result};
use crate::platform::wechat::limit;
use actix_web::{HttpResponse, web};
use image::{GrayImage, ImageFormat, Luma};
use qrcode::{Color, QrCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::Cursor;

#[derive(Deserialize)]
struct CodeIn {
    scene: String,
    page: Option<String>,
    width: Option<u32>,
}

pub(super) async fn image(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    let drawn = async {
        query.check(&sandbox)?;
        let input: CodeIn = read(&body)?;
        if !limit::is_scene(&input.scene) {
            return Err((
                40_169,
                "invalid length for scene, or the data is not json string",
            ));
        }
        if input
            .page
            .as_deref()
            .is_some_and(|page| !limit::is_page(page))
        {
            return Err((41_030, "invalid page"));
        }
        let link = format!("http://localhost/demo?scene={}", input.scene);
        let width = input.width.unwrap_or(430).clamp(280, 1280);
        let drawn = web::block(move || draw(&link, width))
            .await
            .map_err(AppError::internal)
            .flatten();
        drawn.map_err(|error| system(&error))
    };
    match drawn.await {
        Ok(png) => HttpResponse::Ok().content_type("image/png").body(png),
        Err(refusal) => answered(Err(refusal)),
    }
}

/// A QR code of `width` pixels; what is left after whole pixels per module is margin, at least four modules wide.
fn draw(text: &str, width: u32) -> Result<Vec<u8>> {
    let code = QrCode::new(text).map_err(AppError::internal)?;
    let modules = u32::try_from(code.width()).map_err(AppError::internal)?;
    let scale = (width / modules.saturating_add(8)).max(1);
    let margin = width.saturating_sub(modules.saturating_mul(scale)) / 2;
    let colors = code.to_colors();
    let color = |x: u32, y: u32| {
        let (column, row) = (
            x.checked_sub(margin)? / scale,
            y.checked_sub(margin)? / scale,
        );
        let inside = column < modules && row < modules;
        colors.get(
            usize::try_from(row * modules + column)
                .ok()
                .filter(|_| inside)?,
        )
    };
    let pixel = |x, y| {
        Luma([if color(x, y) == Some(&Color::Dark) {
            0
        } else {
            u8::MAX
        }])
    };
    let mut png = Cursor::new(Vec::new());
    GrayImage::from_fn(width, width, pixel)
        .write_to(&mut png, ImageFormat::Png)
        .map_err(AppError::internal)?;
    Ok(png.into_inner())
}

#[derive(Deserialize)]
struct LinkIn {
    path: Option<String>,
    query: Option<String>,
    expire_type: Option<u8>,
    expire_interval: Option<u32>,
}

pub(super) async fn url_link(
    query: web::Query<TokenQuery>,
    body: web::Bytes,
    sandbox: web::Data<Sandbox>,
) -> HttpResponse {
    std::future::ready(answered(link_to(&query, &body, &sandbox))).await
}

fn link_to(query: &TokenQuery, body: &[u8], sandbox: &Sandbox) -> Result<Value, Refusal> {
    query.check(sandbox)?;
    let input: LinkIn = read(body)?;
    let (path, rest) = (
        input.path.unwrap_or_default(),
        input.query.unwrap_or_default(),
    );
    if path.starts_with('/') || path.contains('?') {
        return Err((40_165, "invalid weapp pagepath"));
    }
    if rest.len() > 1_024 {
        return Err((40_212, "invalid query"));
    }
    if input.expire_type == Some(1)
        && !(1..=30).contains(&input.expire_interval.unwrap_or_default())
    {
        return Err((85_401, "time limit between 1min and 1year"));
    }
    let join = if rest.is_empty() { "" } else { "&" };
    Ok(
        json!({ "errcode": 0, "errmsg": "ok", "url_link": format!("http://localhost/demo?path={path}{join}{rest}") }),
    )
}
