//! `linjian demo`: a small company, and the main job played over HTTP against the node's own address.
//!
//! Owns nothing: it speaks the public API as the mini-program, the workers' app and the console would, so a step that
//! holds here holds for them. Runs on the embedded backend in `data/demo`, with the WeChat sandbox. It may run twice:
//! the company is kept, the people of the story are new each time.

#![expect(
    clippy::indexing_slicing,
    reason = "indexing a JSON value answers null where there is nothing; it does not panic"
)]

mod act;
mod client;
mod company;
mod friends;
mod marketing;
mod narrator;
mod story;
mod visit;

use crate::{
    app::{self, Half},
    cli::{Lang, stop_signal},
    config::Settings,
    identity::{NewStaff, add_staff},
    kernel::Result,
    platform::vault,
};
pub(crate) use client::Client;
use entity::values::StaffRole;
use narrator::Narrator;

/// The settings of a demo: embedded, in a folder of its own, on a free port when the usual one is taken.
pub fn settings(mut settings: Settings) -> Settings {
    settings.data_dir = settings.data_dir.join("demo");
    settings.database.url.clear();
    settings.queue.redis_url.clear();
    settings.blob.kind = "local".into();
    settings.wechat.mode = crate::config::WechatMode::Sandbox;
    if std::net::TcpListener::bind(&settings.http.listen).is_err() {
        settings.http.listen = "127.0.0.1:0".into();
    }
    settings
}

/// Plays the story. Answers whether every step held.
///
/// # Errors
/// When the node cannot start; steps that fail are told, not returned.
pub async fn run(settings: Settings, exit: bool, lang: Lang) -> Result<bool> {
    let narrator = Narrator::new(lang);
    narrator.title(
        "邻荐演示:从一次上门保洁到下一位客户",
        "Linjian demo: from one good visit to the next customer",
    );
    let node = app::start(settings, Half::Both).await?;
    let staff = staff(&node.ctx).await?;
    let anyone = Client::new(node.url())?;
    let held = Box::pin(story::play(&anyone, &staff, &narrator)).await;
    narrator.result(held);
    if !exit {
        narrator.urls(&node.url(), &staff);
        stop_signal().await;
    }
    node.stop().await;
    Ok(held)
}

/// Who runs the demo's company: one login with every role, made anew, its password shown once (SEC-05).
pub(crate) struct StaffLogin {
    username: String,
    password: String,
}

async fn staff(ctx: &crate::platform::Ctx) -> Result<StaffLogin> {
    let username = format!("demo-{}", vault::random_code(6).to_lowercase());
    let roles = vec![
        StaffRole::Marketing,
        StaffRole::Service,
        StaffRole::Manager,
        StaffRole::Pipo,
    ];
    let (_, password) = add_staff(
        ctx,
        NewStaff {
            username: username.clone(),
            roles,
            password: None,
        },
    )
    .await?;
    Ok(StaffLogin {
        username,
        password: password.unwrap_or_default(),
    })
}
