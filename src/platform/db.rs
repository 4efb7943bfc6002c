//! The database: one writer on SQLite, a pool on PostgreSQL, and one way to begin a write.

use crate::kernel::{AppError, Code, Result};
use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    EntityTrait, FromQueryResult, QueryResult, Select, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
    sea_query::{Expr, UpdateStatement},
};
use std::{path::Path, time::Duration};

/// Two handles: writes queue on one SQLite connection (fair, no lock errors, ADR 0007), reads have a pool of their own.
/// On PostgreSQL both are the same pool.
#[derive(Clone)]
pub struct Db {
    writer: DatabaseConnection,
    reader: DatabaseConnection,
    url: String,
}

impl Db {
    /// Opens `url`; empty means SQLite in `data_dir`.
    ///
    /// # Errors
    /// `unavailable` when the database cannot be reached.
    pub async fn open(url: &str, data_dir: &Path, max_connections: u32) -> Result<Self> {
        let url = if url.is_empty() {
            std::fs::create_dir_all(data_dir).map_err(AppError::internal)?;
            format!(
                "sqlite://{}?mode=rwc",
                data_dir.join("linjian.sqlite").display()
            )
        } else {
            url.to_owned()
        };
        if url.starts_with("sqlite") {
            let writer = connect(sqlite(&url, 1)).await?;
            let reader = connect(sqlite(&url, max_connections.clamp(2, 16))).await?;
            Ok(Self {
                writer,
                reader,
                url,
            })
        } else {
            let pool = connect(options(&url, max_connections)).await?;
            Ok(Self {
                writer: pool.clone(),
                reader: pool,
                url,
            })
        }
    }

    /// Brings the schema up to date, on one connection and under an advisory lock on PostgreSQL.
    ///
    /// # Errors
    /// `internal` with the migration's fault.
    pub async fn migrate(&self) -> Result<()> {
        let single = self.single().await?;
        if self.backend() == DbBackend::Postgres {
            // Several nodes may start at once; the number is ours alone.
            single
                .execute_unprepared("SELECT pg_advisory_lock(7248118840)")
                .await?;
        }
        let done = Migrator::up(&single, None).await;
        if self.backend() == DbBackend::Postgres {
            // Ends the session and with it the lock. On SQLite the handle is the writer itself.
            single.close().await?;
        }
        Ok(done?)
    }

    /// A handle with a single connection, for migrations and schema checks.
    ///
    /// # Errors
    /// `unavailable` when the database cannot be reached.
    pub async fn single(&self) -> Result<DatabaseConnection> {
        if self.url.starts_with("sqlite") {
            Ok(self.writer.clone())
        } else {
            connect(options(&self.url, 1)).await
        }
    }

    /// Begins a write: IMMEDIATE on SQLite, so that it never fails half-way for want of the lock.
    ///
    /// # Errors
    /// `unavailable` when no connection is free in time.
    pub async fn begin_write(&self) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.writer.begin_with_options(options).await?)
    }

    /// One `UPDATE` by itself whose loss in a crash only makes work be done again: PostgreSQL need not wait for its disk. Says what
    /// it returned.
    ///
    /// # Errors
    /// A database fault.
    pub async fn mark(&self, mut update: UpdateStatement) -> Result<Vec<QueryResult>> {
        if self.backend() == DbBackend::Postgres {
            // Within the statement, because a transaction around it would be three round trips more.
            update.and_where(Expr::cust(
                "set_config('synchronous_commit', 'off', true) = 'off'",
            ));
        }
        Ok(self.writer.query_all(&update).await?)
    }

    /// The handle for reads outside a transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// SQLite or PostgreSQL.
    pub fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// `unavailable` when it does not answer.
    pub async fn ping(&self) -> Result<()> {
        let one = Statement::from_string(self.backend(), "SELECT 1");
        let alive =
            tokio::time::timeout(Duration::from_secs(2), self.reader.query_one_raw(one)).await;
        match alive {
            Ok(Ok(_)) => Ok(()),
            _ => Err(AppError::new(Code::Unavailable, "数据库没有应答")),
        }
    }
}

fn options(url: &str, max: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(max)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    options
}

fn sqlite(url: &str, max: u32) -> ConnectOptions {
    let mut options = options(url, max);
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "NORMAL")
            .pragma("foreign_keys", "ON")
            .busy_timeout(Duration::from_secs(10))
    });
    options
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection> {
    Database::connect(options)
        .await
        .map_err(|error| AppError::new(Code::Unavailable, "数据库连接失败").because(error))
}

/// A raw statement with its values; `?` stands for a parameter on both databases. The text is ours, never a caller's.
pub fn statement(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    if backend != DbBackend::Postgres {
        return Statement::from_sql_and_values(backend, sql, values);
    }
    let mut text = String::with_capacity(sql.len() + 32);
    let mut number = 0;
    for part in sql.split_inclusive('?') {
        match part.strip_suffix('?') {
            Some(before) => {
                number += 1;
                text.push_str(before);
                text.push('$');
                text.push_str(&number.to_string());
            }
            None => text.push_str(part),
        }
    }
    Statement::from_sql_and_values(backend, text, values)
}

/// `.one()` for look-ups by a unique key. SQLite re-prepares a statement with a bound LIMIT at every call, which costs
/// more than the look-up itself; without LIMIT the key already promises at most one row.
#[async_trait::async_trait]
pub trait OneByKey<M> {
    /// The row, if there is one.
    async fn one_by_key<C: ConnectionTrait>(self, db: &C) -> Result<Option<M>, sea_orm::DbErr>;
}

#[async_trait::async_trait]
impl<E> OneByKey<E::Model> for Select<E>
where
    E: EntityTrait + 'static,
    E::Model: FromQueryResult + Send + Sync,
{
    async fn one_by_key<C: ConnectionTrait>(
        self,
        db: &C,
    ) -> Result<Option<E::Model>, sea_orm::DbErr> {
        Ok(self.all(db).await?.into_iter().next())
    }
}

/// The values of an `IN` list, as many as the next power of two: the last one stands again, which changes nothing about a set. A
/// list of every length would be a statement of its own, to be prepared and planned anew.
pub fn filled<T: Clone>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    if let Some(last) = values.last().cloned() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}
