//! Migrations and entities describe the same tables, on SQLite column by column and on PostgreSQL by name and type.

#![expect(
    clippy::unwrap_used,
    reason = "a test that finds something missing has failed, and says where"
)]

use entity::{
    account, audit_entry, booking, booking_event, cap_lock, chain_head, checklist_item, complaint,
    consent_record, consent_state, content_check, customer_tag, decision, deployment, idempotency,
    inbox, invitation, invitation_share, ledger_entry, legal_opinion, message, notice, outbox,
    payment, payment_incident, photo, push_message, rating, reconciliation,
    reconciliation_difference, referral, refresh_token, refund, reservation, reward, reward_event,
    ruleset, ruleset_approval, service, session, shipping_report, staff, staff_task,
    subscribe_answer, subscribe_grant, suppression, timer, trade_management, transfer, voucher,
    wechat_identity, work_order, worker,
};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement,
};

async fn memory() -> DatabaseConnection {
    let mut options = ConnectOptions::new("sqlite::memory:");
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn declared() -> DatabaseConnection {
    let db = memory().await;
    db.get_schema_builder()
        .register(account::Entity)
        .register(audit_entry::Entity)
        .register(booking::Entity)
        .register(booking_event::Entity)
        .register(cap_lock::Entity)
        .register(chain_head::Entity)
        .register(checklist_item::Entity)
        .register(complaint::Entity)
        .register(consent_record::Entity)
        .register(consent_state::Entity)
        .register(content_check::Entity)
        .register(customer_tag::Entity)
        .register(decision::Entity)
        .register(deployment::Entity)
        .register(idempotency::Entity)
        .register(inbox::Entity)
        .register(invitation::Entity)
        .register(invitation_share::Entity)
        .register(ledger_entry::Entity)
        .register(legal_opinion::Entity)
        .register(message::Entity)
        .register(notice::Entity)
        .register(outbox::Entity)
        .register(payment::Entity)
        .register(payment_incident::Entity)
        .register(photo::Entity)
        .register(push_message::Entity)
        .register(rating::Entity)
        .register(reconciliation::Entity)
        .register(reconciliation_difference::Entity)
        .register(referral::Entity)
        .register(refresh_token::Entity)
        .register(refund::Entity)
        .register(reservation::Entity)
        .register(reward::Entity)
        .register(reward_event::Entity)
        .register(ruleset::Entity)
        .register(ruleset_approval::Entity)
        .register(service::Entity)
        .register(session::Entity)
        .register(shipping_report::Entity)
        .register(staff::Entity)
        .register(staff_task::Entity)
        .register(subscribe_answer::Entity)
        .register(subscribe_grant::Entity)
        .register(suppression::Entity)
        .register(timer::Entity)
        .register(trade_management::Entity)
        .register(transfer::Entity)
        .register(voucher::Entity)
        .register(wechat_identity::Entity)
        .register(work_order::Entity)
        .register(worker::Entity)
        .apply(&db)
        .await
        .unwrap();
    db
}

async fn tables(db: &DatabaseConnection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations' ORDER BY name";
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::Sqlite, sql))
        .await
        .unwrap();
    rows.iter()
        .map(|row| row.try_get("", "name").unwrap())
        .collect()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Column {
    name: String,
    kind: String,
    not_null: i32,
    key: bool,
}

async fn columns(db: &DatabaseConnection, table: &str) -> Vec<Column> {
    let pragma = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA table_info({table})"));
    let rows = db.query_all_raw(pragma).await.unwrap();
    let mut columns: Vec<Column> = rows
        .iter()
        .map(|row| Column {
            name: row.try_get("", "name").unwrap(),
            kind: row.try_get::<String>("", "type").unwrap().to_lowercase(),
            not_null: row.try_get("", "notnull").unwrap(),
            key: row.try_get::<i32>("", "pk").unwrap() > 0,
        })
        .collect();
    columns.sort();
    columns
}

#[tokio::test]
async fn entities_and_migrations_describe_the_same_tables() {
    let migrated = memory().await;
    Migrator::up(&migrated, None).await.unwrap();
    let declared = declared().await;
    let names = tables(&migrated).await;
    assert_eq!(names, tables(&declared).await);
    assert!(names.len() > 40, "{names:?}");
    for table in names {
        assert_eq!(
            columns(&migrated, &table).await,
            columns(&declared, &table).await,
            "{table}"
        );
    }
}

#[tokio::test]
async fn every_migration_runs_up_down_and_up_again_on_sqlite() {
    let db = memory().await;
    there_and_back(&db).await;
    assert!(tables(&db).await.contains(&"booking".to_owned()));
}

#[tokio::test]
async fn every_migration_runs_up_down_and_up_again_on_postgres() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told their services by the test script"
    )]
    let server = std::env::var("LINJIAN_TEST_POSTGRES_URL")
        .expect("LINJIAN_TEST_POSTGRES_URL is not set: run the tests with ./scripts/test");
    let name = format!("drift_{}", std::process::id());
    let admin = single(&server).await;
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let db = single(&format!("{base}/{name}")).await;
    there_and_back(&db).await;
    db.close().await.unwrap();
    admin
        .execute_unprepared(&format!("DROP DATABASE {name}"))
        .await
        .unwrap();
}

async fn single(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.unwrap()
}

async fn there_and_back(db: &DatabaseConnection) {
    Migrator::up(db, None).await.unwrap();
    Migrator::down(db, None).await.unwrap();
    Migrator::up(db, None).await.unwrap();
}
