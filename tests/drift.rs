//! Migrations and entities describe the same tables, on SQLite column by column and on PostgreSQL by name and type.

#![expect(
    clippy::unwrap_used,
    reason = "a test that finds something missing has failed, and says where"
)]

use entity::{
    account, audit_entry, backtest, booking, booking_event, cap_lock, chain_head, checklist_item,
    complaint, consent_record, consent_state, content_check, customer_tag, decision, deployment,
    evaluation, event_source, fact_shape, idempotency, inbox, invitation, invitation_share,
    ledger_entry, legal_opinion, message, notice, outbox, payment, payment_incident, photo,
    push_message, rating, received_event, reconciliation, reconciliation_difference, referral,
    refresh_token, refund, reservation, reward, reward_event, ruleset, ruleset_approval,
    ruleset_tenure, service, session, shipping_report, staff, staff_task, subscribe_answer,
    subscribe_grant, suppression, timer, trade_management, transfer, voucher, wechat_identity,
    work_order, worker,
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
        .register(backtest::Entity)
        .register(decision::Entity)
        .register(evaluation::Entity)
        .register(fact_shape::Entity)
        .register(deployment::Entity)
        .register(event_source::Entity)
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
        .register(received_event::Entity)
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
        .register(ruleset_tenure::Entity)
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

/// Rule sets as they were kept before their times were written down: version, status, since when.
const BEFORE: [(i32, &str, Option<i64>); 6] = [
    (1, "retired", Some(100)),
    (2, "retired", Some(500)),
    (3, "live", Some(900)),
    (4, "draft", None),
    (5, "retired", Some(500)),
    (6, "retired", Some(2_000)),
];

/// What was live when is filled in from what the sets remember: without gap or overlap, the live one last.
async fn past_tenures(db: &DatabaseConnection) -> Vec<(i32, bool, bool)> {
    let before = Migrator::migrations()
        .iter()
        .position(|one| one.name() == "m20261127_000022_tenure")
        .unwrap();
    Migrator::up(db, Some(u32::try_from(before).unwrap()))
        .await
        .unwrap();
    for (version, status, since) in BEFORE {
        let at = |seconds: i64| {
            let moment = chrono::DateTime::from_timestamp(1_760_000_000 + seconds, 0).unwrap();
            moment.to_rfc3339()
        };
        let id = format!("0000000000000000000000000000000{version}");
        let id = if db.get_database_backend() == DbBackend::Sqlite {
            format!("x'{id}'")
        } else {
            format!("'{id}'")
        };
        let since = since.map_or("NULL".to_owned(), |since| format!("'{}'", at(since)));
        db.execute_unprepared(&format!(
            "INSERT INTO ruleset (id, version, name, document, status, published_at, created_at, updated_at) \
             VALUES ({id}, {version}, 'a', '{{}}', '{status}', {since}, '{0}', '{0}')",
            at(0)
        ))
        .await
        .unwrap();
    }
    Migrator::up(db, None).await.unwrap();
    let rows = db
        .query_all_raw(Statement::from_string(
            db.get_database_backend(),
            "SELECT t.version, t.until_at IS NULL AS going_on, CASE WHEN t.previous_id IS NULL THEN t.from_at = \
             (SELECT MIN(from_at) FROM ruleset_tenure) ELSE EXISTS (SELECT 1 FROM ruleset_tenure p \
             WHERE p.id = t.previous_id AND p.until_at = t.from_at) END AS joined FROM ruleset_tenure t ORDER BY t.from_at",
        ))
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get("", "version").unwrap(),
                row.try_get("", "going_on").unwrap(),
                row.try_get("", "joined").unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn the_times_of_versions_before_are_filled_in_on_sqlite() {
    let told = past_tenures(&memory().await).await;
    assert_eq!(told, [(1, false, true), (5, false, true), (3, true, true)]);
}

#[tokio::test]
async fn the_times_of_versions_before_are_filled_in_on_postgres() {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told their services by the test script"
    )]
    let server = std::env::var("LINJIAN_TEST_POSTGRES_URL").unwrap();
    let name = format!("tenures_{}", std::process::id());
    let admin = single(&server).await;
    admin
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await
        .unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    let db = single(&format!("{base}/{name}")).await;
    let told = past_tenures(&db).await;
    db.close().await.unwrap();
    admin
        .execute_unprepared(&format!("DROP DATABASE {name}"))
        .await
        .unwrap();
    assert_eq!(told, [(1, false, true), (5, false, true), (3, true, true)]);
}
