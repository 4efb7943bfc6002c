//! Links under which WeChat fetches a picture: short-lived, signed, for this one photo while its check is on.

use crate::{kernel::Result, platform::Ctx};
use aws_lc_rs::hmac;
use chrono::Duration;
use entity::ids::PhotoId;

/// How long a link is good. SEC-21 gives people's downloads five minutes; WeChat fetches within its half hour and asks
/// for an hour at least (spec 1.7), so this one lives longer, but opens nothing once the photo is judged.
const GOOD_FOR: Duration = Duration::minutes(90);

fn key(ctx: &Ctx) -> Result<hmac::Key> {
    let secret = ctx.vault.derive("content check links")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret))
}

fn message(photo: PhotoId, expires: i64) -> String {
    format!("{photo}\n{expires}")
}

/// A fresh link to a photo.
///
/// # Errors
/// `internal` when the key cannot be derived.
pub(super) fn to(ctx: &Ctx, photo: PhotoId) -> Result<String> {
    let expires = (ctx.env.now() + GOOD_FOR).timestamp();
    let signature = hmac::sign(&key(ctx)?, message(photo, expires).as_bytes());
    let signature = hex::encode(signature);
    let base = ctx.wechat.public_base();
    Ok(format!(
        "{base}/api/v1/photos/{photo}/check?expires={expires}&signature={signature}"
    ))
}

/// Whether a link is ours and still good. The comparison takes the same time for every wrong signature.
///
/// # Errors
/// `internal` when the key cannot be derived.
pub(super) fn is_good(ctx: &Ctx, photo: PhotoId, expires: i64, signature: &str) -> Result<bool> {
    let Ok(signature) = hex::decode(signature) else {
        return Ok(false);
    };
    let ours = hmac::verify(&key(ctx)?, message(photo, expires).as_bytes(), &signature).is_ok();
    let now = ctx.env.now();
    let in_time = now.timestamp() <= expires && expires <= (now + GOOD_FOR).timestamp();
    Ok(ours && in_time)
}
