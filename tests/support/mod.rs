//! What tests stand on: a running node per test, people who speak HTTP, a clock that is advanced.

mod answer;
mod app;
mod backend;
mod person;
mod standin;
mod story;

pub use answer::Answer;
pub use app::TestApp;
pub use backend::Backend;
pub use person::Person;
pub use standin::Standin;
pub use story::{AREA, Crew, answers};

/// Writes each test once and runs it on SQLite with the in-process queue and on PostgreSQL with Redis.
///
/// The body gets a `&TestApp`. Afterwards the node is stopped and no event may be buried.
macro_rules! on_both {
    ($($(#[doc = $doc:literal])* async fn $name:ident($app:ident) $body:block)+) => {$(
        mod $name {
            #[expect(clippy::allow_attributes, reason = "short tests need little of it")]
            #[allow(unused_imports, reason = "short tests need little of it")]
            use super::*;

            $(#[doc = $doc])*
            async fn story($app: &$crate::support::TestApp) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite_and_memory() {
                let app = $crate::support::TestApp::start($crate::support::Backend::Embedded).await;
                story(&app).await;
                app.finish().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres_and_redis() {
                let app = $crate::support::TestApp::start($crate::support::Backend::Production).await;
                story(&app).await;
                app.finish().await;
            }
        }
    )+};
}
