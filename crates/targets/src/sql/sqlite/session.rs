//! One SQLite connection with one open transaction. Drops into a rollback.

use std::borrow::Cow;

use gallra_model::Instant;
use gallra_model::receipt::Code;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::{answered, older};
use crate::driver::Failure;
use crate::sql::engine::{Column, EachRow, Session, Shape, Sort, Value};
use crate::sql::mapping::column;
use crate::sql::written::Written;

/// How texts lie in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

pub(super) struct Sqlite {
    connection: Connection,
    encoding: Encoding,
    changed_before: u64,
}

impl Sqlite {
    /// Begins with `begin`, and reads once, since SQLite fixes what a reader sees only then.
    pub(super) fn begin(connection: Connection, begin: &str) -> Result<Self, Failure> {
        let start = || {
            connection.execute_batch(begin)?;
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            connection.query_row("PRAGMA encoding", [], |row| row.get::<_, String>(0))
        };
        let word = start().map_err(|error| answered(&error, "beginning to read the database"))?;
        let encoding = match word.as_str() {
            "UTF-8" => Encoding::Utf8,
            "UTF-16le" => Encoding::Utf16Le,
            "UTF-16be" => Encoding::Utf16Be,
            _ => return Err(Failure::new(Code::Target, "the database's text encoding is unknown to this driver")),
        };
        let changed_before = connection.total_changes();
        Ok(Self { connection, encoding, changed_before })
    }
}

impl Session for Sqlite {
    fn exact(&self, column: &str) -> String {
        // The cast leaves SQLite no room to compare as numbers ('1e3' = 1000), the collation none to fold case.
        format!("CAST({column} AS TEXT) = ?1 COLLATE BINARY")
    }

    fn is_older(&self, column: &str, written: Written, before: Instant) -> String {
        older::condition(column, written, before)
    }

    fn address(&self, table: &str) -> Result<Option<String>, Failure> {
        let mut rowless = true;
        let sql =
            "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ?1 COLLATE NOCASE";
        self.rows(sql, &[table], &mut |row| {
            rowless = !matches!(row, [Value::Integer(0)]);
            Ok(())
        })?;
        let Some(shape) = self.shape(table)?.filter(|_| !rowless) else { return Ok(None) };
        let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| shape.column(name).is_none());
        Ok(free.map(|name| column(self, table, name)))
    }

    fn shape(&self, table: &str) -> Result<Option<Shape>, Failure> {
        let mut columns = Vec::new();
        let sql = "SELECT c.name, c.\"notnull\", c.pk FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c \
                   WHERE s.type = 'table' AND s.name = ?1 COLLATE NOCASE AND s.sql NOT LIKE 'create virtual %' \
                   AND c.hidden <> 1 ORDER BY c.cid";
        self.rows(sql, &[table], &mut |row| {
            if let [Value::Text(name), Value::Integer(not_null), Value::Integer(primary)] = row {
                columns.push(Column {
                    name: String::from_utf8_lossy(name).into_owned(),
                    not_null: *not_null != 0,
                    primary: u64::try_from(*primary).unwrap_or(0),
                });
            }
            Ok(())
        })?;
        Ok((!columns.is_empty()).then_some(Shape { columns }))
    }

    fn tables(&self) -> Result<Vec<(String, Sort)>, Failure> {
        let mut tables = Vec::new();
        let sql = "SELECT name, type = 'shadow' OR name LIKE 'sqlite\\_%' ESCAPE '\\' FROM pragma_table_list \
                   WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name";
        self.rows(sql, &[], &mut |row| {
            if let [Value::Text(name), Value::Integer(internal)] = row {
                let sort = if *internal == 0 { Sort::Ordinary } else { Sort::Internal };
                tables.push((String::from_utf8_lossy(name).into_owned(), sort));
            }
            Ok(())
        })?;
        Ok(tables)
    }

    fn definitions(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut texts = Vec::new();
        let sql = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema";
        self.rows(sql, &[], &mut |row| {
            texts.extend(row.first().and_then(Value::bytes).map(<[u8]>::to_vec));
            Ok(())
        })?;
        Ok(texts)
    }

    fn identity(&self) -> Result<Vec<u8>, Failure> {
        let mut identity = b"sqlite ".to_vec();
        self.rows("PRAGMA application_id", &[], &mut |row| {
            identity.extend(row.first().and_then(Value::as_text).map(Cow::into_owned).unwrap_or_default());
            Ok(())
        })?;
        Ok(identity)
    }

    fn rows(&self, sql: &str, parameters: &[&str], each: EachRow<'_>) -> Result<(), Failure> {
        let read = |error: &rusqlite::Error| answered(error, "reading rows");
        let mut statement = self.connection.prepare(sql).map_err(|error| read(&error))?;
        let width = statement.column_count();
        let mut rows = statement.query(params_from_iter(parameters)).map_err(|error| read(&error))?;
        while let Some(row) = rows.next().map_err(|error| read(&error))? {
            let values = (0..width)
                .map(|index| row.get_ref(index).map(owned))
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| read(&error))?;
            each(&values)?;
        }
        Ok(())
    }

    fn change(&self, sql: &str, parameters: &[&str], doing: &str) -> Result<u64, Failure> {
        self.connection
            .execute(sql, params_from_iter(parameters))
            .map(|rows| rows as u64)
            .map_err(|error| answered(&error, doing))
    }

    fn changed(&self) -> u64 {
        self.connection.total_changes() - self.changed_before
    }

    fn forget_samples(&self, tables: &[&str]) -> Result<(), Failure> {
        for samples in ["sqlite_stat3", "sqlite_stat4"] {
            if self.shape(samples)?.is_none() {
                continue;
            }
            for table in tables {
                let sql = format!("DELETE FROM {samples} WHERE tbl = ?1 COLLATE NOCASE");
                self.change(&sql, &[table], "removing the query planner's samples")?;
            }
        }
        Ok(())
    }

    fn stored<'v>(&self, value: &'v Value) -> Option<Cow<'v, [u8]>> {
        let bytes = value.bytes()?;
        let Value::Text(_) = value else { return Some(Cow::Borrowed(bytes)) };
        let units = || std::str::from_utf8(bytes).ok().map(str::encode_utf16);
        match self.encoding {
            Encoding::Utf8 => Some(Cow::Borrowed(bytes)),
            Encoding::Utf16Le => Some(units()?.flat_map(u16::to_le_bytes).collect::<Vec<u8>>().into()),
            Encoding::Utf16Be => Some(units()?.flat_map(u16::to_be_bytes).collect::<Vec<u8>>().into()),
        }
    }

    fn free_pages(&self) -> Result<u64, Failure> {
        crate::sql::engine::number(self, "PRAGMA freelist_count", &[])
    }

    fn commit(self: Box<Self>) -> Result<(), Failure> {
        self.connection
            .execute_batch("COMMIT")
            .map_err(|error| answered(&error, "making the changes last (all were undone)"))
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
