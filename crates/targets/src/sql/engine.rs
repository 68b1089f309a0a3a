//! What differs between database engines, behind two traits: an engine that can be looked at, changed, scrubbed and
//! searched byte by byte, and a session on it. Knows nothing of mappings, subjects or jobs. SQLite is the only engine
//! today; MariaDB and PostgreSQL take the same seat.

use std::borrow::Cow;

use gallra_model::Instant;
use gallra_model::target::Instance;

use super::written::Written;
use crate::driver::Failure;

/// One value of one row. Personal data, so no `Debug`.
#[derive(Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    /// As the client library hands text out; UTF-8 unless the database holds broken text.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Value {
    /// The value written as text, for comparing it with an id outside the database's own rules.
    pub(super) fn as_text(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Null => None,
            Self::Integer(number) => Some(Cow::Owned(number.to_string().into_bytes())),
            Self::Real(number) => Some(Cow::Owned(format!("{number:?}").into_bytes())),
            Self::Text(bytes) | Self::Blob(bytes) => Some(Cow::Borrowed(bytes)),
        }
    }

    /// Whether nothing is left to blank: null, or no bytes.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Integer(_) | Self::Real(_) => false,
            Self::Text(bytes) | Self::Blob(bytes) => bytes.is_empty(),
        }
    }

    /// Bytes that lie in the file as they are read: text and blobs only.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) => None,
            Self::Text(bytes) | Self::Blob(bytes) => Some(bytes),
        }
    }
}

/// One column, as the database declares it.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) not_null: bool,
    /// Place in the primary key, from 1; 0 when it is not part of it.
    pub(super) primary: u64,
}

/// One table, as the database declares it.
pub(super) struct Shape {
    pub(super) columns: Vec<Column>,
}

impl Shape {
    /// The column of this name, compared as the databases do: without regard to ASCII case.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Names of the primary key's columns, in its order.
    pub(super) fn primary(&self) -> Vec<String> {
        let mut key: Vec<_> = self.columns.iter().filter(|column| column.primary > 0).collect();
        key.sort_by_key(|column| column.primary);
        key.into_iter().map(|column| column.name.clone()).collect()
    }
}

/// What a table that the database lists is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Rows that applications write.
    Ordinary,
    /// Rows that the engine or an extension writes for itself: statistics, the insides of a full-text index.
    Internal,
}

/// Called with each row in turn.
pub(super) type EachRow<'a> = &'a mut dyn FnMut(&[Value]) -> Result<(), Failure>;

/// One connection with one open transaction. Dropped without [`Session::commit`], it leaves everything as it was.
pub(super) trait Session {
    /// An SQL condition: the column, written as text, has exactly the bytes of parameter 1.
    fn exact(&self, column: &str) -> String;

    /// The name quoted, so that it can only be a name.
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// An SQL condition, by the engine's own date arithmetic: the column is written so, and older than an instant (a whole
    /// second).
    fn is_older(&self, column: &str, written: Written, before: Instant) -> String;

    /// An SQL expression that is a whole number and names one row of the table until this session ends; `None` where
    /// there is none.
    fn address(&self, table: &str) -> Result<Option<String>, Failure>;

    /// The table's shape; `None` when there is no table of this name (a view is none).
    fn shape(&self, table: &str) -> Result<Option<Shape>, Failure>;

    /// Every table that stores rows, under the database's own spelling.
    fn tables(&self) -> Result<Vec<(String, Sort)>, Failure>;

    /// Texts of the schema itself: they lie in the same files as the data.
    fn definitions(&self) -> Result<Vec<Vec<u8>>, Failure>;

    /// What the database says it is, for the instance.
    fn identity(&self) -> Result<Vec<u8>, Failure>;

    /// Runs a query and hands out its rows.
    fn rows(&self, sql: &str, parameters: &[&str], each: EachRow<'_>) -> Result<(), Failure>;

    /// Runs one change; `doing` says which, for the hint. Returns how many rows it changed itself.
    fn change(&self, sql: &str, parameters: &[&str], doing: &str) -> Result<u64, Failure>;

    /// Rows changed since the session began, by triggers and foreign-key actions too.
    fn changed(&self) -> u64;

    /// Removes samples of column values that the query planner keeps about these tables.
    fn forget_samples(&self, tables: &[&str]) -> Result<(), Failure>;

    /// How the value lies in the raw files; `None` for what is not searched for.
    fn stored<'v>(&self, value: &'v Value) -> Option<Cow<'v, [u8]>>;

    /// Pages or segments that hold no live row.
    fn free_pages(&self) -> Result<u64, Failure>;

    /// Makes the changes last.
    fn commit(self: Box<Self>) -> Result<(), Failure>;
}

/// A number from a query that returns one.
pub(super) fn number(session: &dyn Session, sql: &str, parameters: &[&str]) -> Result<u64, Failure> {
    let mut found = 0;
    session.rows(sql, parameters, &mut |row| {
        if let Some(Value::Integer(number)) = row.first() {
            found = u64::try_from(*number).unwrap_or(0);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Held while one driver call works on any database of this engine.
pub(super) type Turn = std::sync::MutexGuard<'static, ()>;

/// One database.
pub(super) trait Engine: Send {
    /// The word used in digests and in what is sealed.
    fn name(&self) -> &'static str;

    /// Waits until no other call of this process works on this engine.
    fn turn(&self) -> Turn;

    /// A fresh connection that can only read, and sees one moment of the database for as long as it lives.
    ///
    /// # Errors
    /// [`gallra_model::receipt::Code::SentinelMissing`] when the database is not there; it is never created.
    fn look(&self) -> Result<Box<dyn Session>, Failure>;

    /// A fresh connection with a write transaction begun, foreign keys enforced, freed bytes overwritten.
    ///
    /// # Errors
    /// As [`Engine::look`], and when another program holds the lock for too long.
    fn begin(&self) -> Result<Box<dyn Session>, Failure>;

    /// Hits of each needle in the raw files. No session of this process may be open.
    fn search(&self, needles: &[Vec<u8>]) -> Result<Vec<u64>, Failure>;

    /// Removes what deleted rows left in pages, logs and journals, then forgets what [`Engine::remember`] noted.
    fn scrub(&self) -> Result<(), Failure>;

    /// Notes, so that a crash does not lose it, that rows of this subject are about to go and a scrub must follow.
    /// `marks` tell the subject and the mapping; they are not kept in a readable form.
    fn remember(&self, marks: &[&str], instance: Instance) -> Result<(), Failure>;

    /// The instance under which a scrub is still owed for this subject.
    fn owed(&self, marks: &[&str]) -> Result<Option<Instance>, Failure>;
}
