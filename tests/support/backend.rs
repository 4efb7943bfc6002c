//! The two backends, a fresh database per test.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::sync::OnceCell;

/// Which backend a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// SQLite and the in-process queue.
    Embedded,
    /// PostgreSQL and Redis.
    Production,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);
static SQLITE: OnceCell<Vec<u8>> = OnceCell::const_new();
static POSTGRES: OnceCell<String> = OnceCell::const_new();

fn variable(name: &str) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told their services by the test script"
    )]
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with ./scripts/test"))
}

fn unique() -> String {
    format!(
        "t{}_{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )
}

impl Backend {
    /// Settings of a fresh deployment in `folder`, with a migrated, empty database.
    pub async fn prepare(self, folder: &Path) -> Vec<(&'static str, String)> {
        match self {
            Self::Embedded => {
                let template = SQLITE.get_or_init(sqlite_template).await;
                std::fs::write(folder.join("linjian.sqlite"), template).unwrap();
                Vec::new()
            }
            Self::Production => {
                let server = variable("LINJIAN_TEST_POSTGRES_URL");
                let template = POSTGRES
                    .get_or_init(|| postgres_template(server.clone()))
                    .await;
                let name = unique();
                let admin = single(&server).await;
                admin
                    .execute_unprepared(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
                    .await
                    .unwrap();
                admin.close().await.unwrap();
                vec![
                    ("database.url", at(&server, &name)),
                    ("queue.redis_url", variable("LINJIAN_TEST_REDIS_URL")),
                    ("queue.prefix", name),
                ]
            }
        }
    }
}

async fn sqlite_template() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("template.sqlite");
    let db = single(&format!("sqlite://{}?mode=rwc", file.display())).await;
    Migrator::up(&db, None).await.unwrap();
    db.close().await.unwrap();
    std::fs::read(file).unwrap()
}

async fn postgres_template(server: String) -> String {
    let name = format!("template_{}", unique());
    let admin = single(&server).await;
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    admin.close().await.unwrap();
    let db = single(&at(&server, &name)).await;
    Migrator::up(&db, None).await.unwrap();
    db.close().await.unwrap();
    name
}

async fn single(url: &str) -> sea_orm::DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

/// The same server, another database.
fn at(server: &str, database: &str) -> String {
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{database}")
}
