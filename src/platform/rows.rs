//! Many rows in few round trips.
//!
//! An `INSERT` with a place for every value is another statement for every number of rows, which PostgreSQL parses and plans
//! anew and which costs a round trip of its own. Here the rows of a table go as one JSON value, so that the text depends on the
//! tables alone, and all tables share a statement. SQLite has no wire; it takes them table by table.

use crate::kernel::{AppError, Result};
use chrono::SecondsFormat;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ConnectionTrait, DatabaseTransaction, DbBackend, EntityName,
    EntityTrait, IdenStatic, Iterable, Statement, Value,
    sea_query::{Alias, Expr, OnConflict, Query},
};
use serde_json::{Map, Value as Json};

/// Parameters of a statement; SQLite takes 32,766.
const PARAMETERS: usize = 30_000;

/// Rows about to be written; where a row with the same key is there already, it stays.
#[derive(Default)]
pub struct Rows(Vec<Table>);

struct Table {
    name: &'static str,
    key: Vec<&'static str>,
    columns: Vec<&'static str>,
    then: Then,
    rows: Vec<Vec<Value>>,
}

/// What becomes of a row whose key is there already.
enum Then {
    Stays,
    Fails,
    Overwritten(Vec<&'static str>),
}

type Column<A> = <<A as ActiveModelTrait>::Entity as EntityTrait>::Column;

fn names<C: IdenStatic>(columns: &[C]) -> Vec<&'static str> {
    columns.iter().map(IdenStatic::as_str).collect()
}

impl Rows {
    /// More rows, all of whose columns are set; `key` is what no two rows share. A row that is there already stays.
    ///
    /// # Errors
    /// `internal` when a column is not set.
    pub fn add<A: ActiveModelTrait>(
        &mut self,
        rows: impl IntoIterator<Item = A>,
        key: &[Column<A>],
    ) -> Result<()> {
        self.push(rows, key, Then::Stays)
    }

    /// As [`Self::add`], but when one of them is there already, writing fails.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_new<A: ActiveModelTrait>(
        &mut self,
        rows: impl IntoIterator<Item = A>,
        key: &[Column<A>],
    ) -> Result<()> {
        self.push(rows, key, Then::Fails)
    }

    /// As [`Self::add`], but of a row that is there already these columns are written over.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn overwriting<A: ActiveModelTrait>(
        &mut self,
        rows: impl IntoIterator<Item = A>,
        key: &[Column<A>],
        overwritten: &[Column<A>],
    ) -> Result<()> {
        self.push(rows, key, Then::Overwritten(names(overwritten)))
    }

    fn push<A: ActiveModelTrait>(
        &mut self,
        rows: impl IntoIterator<Item = A>,
        key: &[Column<A>],
        then: Then,
    ) -> Result<()> {
        let columns: Vec<Column<A>> = Column::<A>::iter().collect();
        let values = |row: A| {
            let value = |column: &Column<A>| match row.get(*column) {
                ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Ok(value),
                ActiveValue::NotSet => Err(AppError::internal("a column of a row is not set")),
            };
            columns.iter().map(value).collect()
        };
        let rows = rows.into_iter().map(values).collect::<Result<Vec<_>>>()?;
        if !rows.is_empty() {
            self.0.push(Table {
                name: A::Entity::default().table_name(),
                key: names(key),
                columns: names(&columns),
                then,
                rows,
            });
        }
        Ok(())
    }

    /// Writes them, in the order they were added.
    ///
    /// # Errors
    /// `internal` when a row that must be new is there already; a database fault.
    pub async fn write(self, tx: &DatabaseTransaction) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let written = if tx.get_database_backend() == DbBackend::Postgres {
            self.at_once(tx).await?
        } else {
            let mut written = Vec::with_capacity(self.0.len());
            for table in &self.0 {
                written.push(table.write(tx).await?);
            }
            written
        };
        let mut tables = self.0.iter().zip(written);
        match tables.find(|(table, written)| !table.bears(*written)) {
            Some((table, _)) => {
                let what = format!("some rows of {} exist already", table.name);
                Err(AppError::internal(what))
            }
            None => Ok(()),
        }
    }

    /// All tables in one statement; how many rows each wrote.
    async fn at_once(&self, tx: &DatabaseTransaction) -> Result<Vec<u64>> {
        let (mut parts, mut counts, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (number, table) in self.0.iter().enumerate() {
            parts.push(format!("t{number} AS ({})", table.statement(number + 1)));
            counts.push(format!("(SELECT COUNT(*) FROM t{number}) AS n{number}"));
            values.push(Value::from(table.json()?));
        }
        let (parts, counts) = (parts.join(", "), counts.join(", "));
        let sql = format!("WITH {parts} SELECT {counts}");
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let row = tx.query_one_raw(statement).await?;
        let count = |number: usize| {
            let name = format!("n{number}");
            let count: Option<i64> = row.as_ref().map(|row| row.try_get("", &name)).transpose()?;
            Ok(count.map_or(0, i64::unsigned_abs))
        };
        (0..self.0.len()).map(count).collect()
    }
}

impl Table {
    /// Whether it is as it should be that so many rows were written.
    fn bears(&self, written: u64) -> bool {
        !matches!(self.then, Then::Fails) || usize::try_from(written) == Ok(self.rows.len())
    }

    fn conflict(&self) -> OnConflict {
        let mut conflict = OnConflict::columns(self.key.iter().copied().map(Alias::new));
        match &self.then {
            Then::Stays | Then::Fails => conflict.do_nothing(),
            Then::Overwritten(columns) => {
                conflict.update_columns(columns.iter().copied().map(Alias::new))
            }
        };
        conflict
    }

    async fn write(&self, tx: &DatabaseTransaction) -> Result<u64> {
        let mut written = 0;
        for some in self.rows.chunks(PARAMETERS / self.columns.len().max(1)) {
            let mut insert = Query::insert();
            insert
                .into_table(Alias::new(self.name))
                .columns(self.columns.iter().copied().map(Alias::new))
                .on_conflict(self.conflict());
            for row in some {
                let row = row.iter().cloned().map(Expr::value);
                insert.values(row).map_err(AppError::internal)?;
            }
            written += tx.execute(&insert).await?.rows_affected();
        }
        Ok(written)
    }

    /// The names are those of our entities, never a caller's.
    fn statement(&self, parameter: usize) -> String {
        let quoted = |names: &[&str]| {
            let quoted = names.iter().map(|name| format!("\"{name}\""));
            quoted.collect::<Vec<_>>().join(", ")
        };
        let (name, columns, key) = (self.name, quoted(&self.columns), quoted(&self.key));
        let then = match &self.then {
            Then::Stays | Then::Fails => "NOTHING".to_owned(),
            Then::Overwritten(columns) => {
                let set = columns.iter();
                let set = set.map(|name| format!("\"{name}\" = EXCLUDED.\"{name}\""));
                format!("UPDATE SET {}", set.collect::<Vec<_>>().join(", "))
            }
        };
        format!(
            "INSERT INTO \"{name}\" ({columns}) SELECT {columns} \
             FROM json_populate_recordset(CAST(NULL AS \"{name}\"), CAST(${parameter} AS JSON)) \
             ON CONFLICT ({key}) DO {then} RETURNING 1"
        )
    }

    fn json(&self) -> Result<String> {
        let object = |row: &Vec<Value>| {
            let pairs = self.columns.iter().zip(row);
            let pair =
                |(name, value): (&&'static str, &Value)| Ok(((*name).to_owned(), json(value)?));
            pairs.map(pair).collect::<Result<Map<_, _>>>()
        };
        let rows = self.rows.iter().map(object).collect::<Result<Vec<_>>>()?;
        Ok(serde_json::to_string(&rows)?)
    }
}

/// A value as PostgreSQL reads it back from JSON: exact numbers, moments to the microsecond it keeps.
fn json(value: &Value) -> Result<Json> {
    Ok(match value {
        Value::Bool(value) => Json::from(*value),
        Value::SmallInt(value) => Json::from(*value),
        Value::Int(value) => Json::from(*value),
        Value::BigInt(value) => Json::from(*value),
        Value::String(value) => Json::from(value.clone()),
        Value::Uuid(value) => Json::from(value.map(|id| id.to_string())),
        Value::ChronoDateTimeUtc(value) => {
            Json::from(value.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)))
        }
        Value::Json(value) => value.as_deref().cloned().unwrap_or(Json::Null),
        other => {
            let what = format!("rows cannot carry {other:?}");
            return Err(AppError::internal(what));
        }
    })
}
