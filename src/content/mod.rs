//! Content safety: what others will see is checked by WeChat first, and by a person where WeChat cannot (WX-12 to WX-15).
//!
//! Owns `content_check`. Promises: nothing passes because a check did not happen (SEC-42): an outage, a silence, an author
//! who was not active or a picture nobody could fetch end in the staff queue; each verdict has one effect, however often
//! it is pushed; what staff decided, a late push does not change. Emits `content.wanted.v1`; listens to
//! `rating.comment_written`, `photo.stored`, `photo.withdrawn`, `wechat.pushed` and its own timer. Consents: a photo is sent
//! out under its `photo_capture` grant, whose notice names Tencent; once that is withdrawn it is sent no more.

mod admin;
mod ask;
mod events;
mod http;
mod intake;
mod judge;
mod link;
mod pushed;
mod store;

use crate::outbox::Registry;

pub use admin::routes as admin_routes;
pub use http::routes;

/// Registers the content room's consumers.
pub fn consumers(registry: Registry) -> Registry {
    registry
        .with(intake::Intake)
        .with(intake::Withdrawn)
        .with(ask::Asking)
        .with(pushed::Pushes)
        .with(pushed::Silence)
}
