//! How old every row of a mapping is, and whose, through one session: what a purge by age would take and what it would
//! leave. Changes nothing. Upholds decision 10 for ages: a hold matches its own rows exactly, and a row of which nobody can
//! say how old it is, or (while anybody is held) whose, stays.

use std::collections::HashSet;

use gallra_model::Instant;
use gallra_model::receipt::Code;
use gallra_model::selector::Selector;

use super::engine::{Session, Value, number};
use super::mapping::{Aged, Mapping, Pick, Table, column};
use super::residue::{Staying, Taken, chosen, without};
use super::written::Written;
use crate::driver::{Failure, PurgeOrder};
use crate::template::By;

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays: young enough, or the sentinel.
    Stays,
    /// It is older, and stays for somebody who is held.
    Held,
    /// It stays, since nobody can say how old it is.
    Undated,
    /// It goes.
    Goes,
}

/// Called with each row's fate, address and columns in turn.
pub(super) type Show<'a> = &'a mut dyn FnMut(Fate, i64, &[Value]) -> Result<(), Failure>;

/// Which rows are too old, and whose stay.
pub(super) struct Ages<'m> {
    pub(super) mapping: &'m Mapping,
    pub(super) before: Instant,
    now: Instant,
    services: HashSet<&'m [u8]>,
    customers: HashSet<&'m [u8]>,
}

/// What a table's rows say of themselves, as SQL.
struct Says {
    time: String,
    written: Written,
    owner: String,
    by: By,
    /// What the sentinel is told by; `NULL` where it cannot be among the rows.
    nobody: String,
}

impl<'m> Ages<'m> {
    /// # Errors
    /// `BadSelector` for a hold that this mapping cannot tell, one on the sentinel, or a cut within a second.
    pub(super) fn new(mapping: &'m Mapping, order: &'m PurgeOrder, now: Instant) -> Result<Self, Failure> {
        let wrong = |hint: &str| Err(Failure::new(Code::BadSelector, hint));
        if order.before.subsec_nanosecond() != 0 {
            return wrong("the purge's line between old and young is no whole second: nothing was touched");
        }
        for selector in &order.preserve {
            if mapping.ids(selector)?.contains(&mapping.sentinel.value.as_str()) {
                return wrong("a hold is on the sentinel: nothing was touched");
            }
        }
        let id_of = |held: &'m Selector, by| crate::template::id_of(held, by).ok().map(str::as_bytes);
        let ids = |by| order.preserve.iter().filter_map(|held| id_of(held, by)).collect();
        Ok(Self { mapping, before: order.before, now, services: ids(By::Service), customers: ids(By::Customer) })
    }

    /// Tables whose rows leave by age.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'m Table> + use<'m> {
        let mapping = self.mapping;
        mapping.tables.iter().filter(|table| matches!(table.aged, Aged::Own { .. } | Aged::WithParent))
    }

    fn fate(&self, says: &Says, time: &Value, owner: &Value, nobody: &Value) -> Fate {
        let is_sentinel = |text: &[u8]| text == self.mapping.sentinel.value.as_bytes();
        if nobody.as_text().is_some_and(|text| is_sentinel(&text)) {
            return Fate::Stays;
        }
        match says.written.latest(time, self.now) {
            None => Fate::Undated,
            Some(latest) if latest >= self.before => Fate::Stays,
            Some(_) if self.is_held(says.by, owner) => Fate::Held,
            Some(_) => Fate::Goes,
        }
    }

    fn is_held(&self, by: By, owner: &Value) -> bool {
        let held = match by {
            By::Service => &self.services,
            By::Customer => &self.customers,
        };
        match owner {
            // Nobody can say whose it is: it could be theirs, and it is for their sake that it stays.
            Value::Null | Value::Real(_) => !held.is_empty(),
            Value::Integer(_) | Value::Text(_) | Value::Blob(_) => {
                owner.as_text().is_some_and(|text| held.contains(text.as_ref()))
            }
        }
    }

    /// Shows the fate and the columns of each row of a table, and where it is. `among` is a further SQL condition.
    pub(super) fn each(
        &self,
        session: &dyn Session,
        table: &Table,
        among: &str,
        show: Show<'_>,
    ) -> Result<(), Failure> {
        let Some(says) = says(session, self.mapping, table) else { return Ok(()) };
        let (from, address) = (session.quote(&table.name), address(session, table)?);
        let Says { time, owner, nobody, .. } = &says;
        let sql = format!("SELECT {address}, {time}, {owner}, {nobody}, {from}.* FROM {from} WHERE {among}");
        session.rows(&sql, &[], &mut |row| {
            let [Value::Integer(address), time, owner, nobody, columns @ ..] = row else {
                return Err(Failure::new(Code::Target, "a row's address could not be read: nothing was changed"));
            };
            show(self.fate(&says, time, owner, nobody), *address, columns)
        })
    }

    /// Looks at every row.
    pub(super) fn survey(&self, session: &dyn Session) -> Result<Survey, Failure> {
        let mut survey = Survey::default();
        let mut taken = Vec::new();
        for table in self.tables() {
            refers_to_one(session, table)?;
            let mut of_table = Taken::default();
            self.each(session, table, "1 = 1", &mut |fate, _, columns| {
                survey.add(fate);
                if fate == Fate::Goes {
                    of_table.take(session, columns);
                }
                Ok(())
            })?;
            survey.bytes += of_table.bytes;
            taken.push(of_table);
            survey.older += self.older(session, table)?;
        }
        let pieces = chosen(taken);
        let staying = self.staying(session, &pieces)?;
        survey.pieces = without(pieces, staying);
        Ok(survey)
    }

    /// Which pieces stand in rows of the mapping that stay.
    fn staying(&self, session: &dyn Session, pieces: &[Vec<u8>]) -> Result<Vec<bool>, Failure> {
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let mut staying = Staying::new(session, self.mapping, pieces)?;
        for table in self.tables() {
            self.each(session, table, "1 = 1", &mut |fate, _, columns| {
                if fate != Fate::Goes {
                    columns.iter().for_each(|value| staying.mark(session, value));
                }
                Ok(())
            })?;
        }
        for table in self.mapping.tables.iter().filter(|table| matches!(table.aged, Aged::Ageless | Aged::Unsaid)) {
            session.rows(&format!("SELECT * FROM {}", session.quote(&table.name)), &[], &mut |row| {
                row.iter().for_each(|value| staying.mark(session, value));
                Ok(())
            })?;
        }
        Ok(staying.found())
    }

    /// The second opinion on ages: the database's own arithmetic, whoever's the rows are.
    fn older(&self, session: &dyn Session, table: &Table) -> Result<u64, Failure> {
        let older_than = |name: &str, aged: &Aged| match aged {
            Aged::Own { column: time, written } => {
                session.is_older(&column(session, name, time), *written, self.before)
            }
            Aged::Unsaid | Aged::WithParent | Aged::Ageless => "1 = 0".to_owned(),
        };
        let older = match (&table.aged, &table.pick) {
            (Aged::WithParent, Pick::Via { parent, key, foreign }) => {
                let older = self.mapping.find(parent).map(|found| older_than(parent, &found.aged));
                format!(
                    "{} IN (SELECT {} FROM {} WHERE {})",
                    column(session, &table.name, foreign),
                    column(session, parent, key),
                    session.quote(parent),
                    older.unwrap_or_else(|| "1 = 0".to_owned())
                )
            }
            (aged, _) => older_than(&table.name, aged),
        };
        let Some(says) = says(session, self.mapping, table) else { return Ok(0) };
        let (from, sentinel) = (session.quote(&table.name), session.exact(&says.nobody));
        let sql = format!("SELECT count(*) FROM {from} WHERE {older} AND ({sentinel}) IS NOT TRUE");
        number(session, &sql, &[&self.mapping.sentinel.value])
    }
}

/// How many rows there are of each fate, and what must not be found once the old ones are gone.
#[derive(Default)]
pub(super) struct Survey {
    pub(super) goes: u64,
    pub(super) held: u64,
    pub(super) undated: u64,
    stays: u64,
    /// Rows that the database itself calls older: as many as go and as are held.
    older: u64,
    pub(super) bytes: u64,
    pub(super) pieces: Vec<Vec<u8>>,
}

impl Survey {
    fn add(&mut self, fate: Fate) {
        let rows = match fate {
            Fate::Stays => &mut self.stays,
            Fate::Held => &mut self.held,
            Fate::Undated => &mut self.undated,
            Fate::Goes => &mut self.goes,
        };
        *rows += 1;
    }

    /// Rows that a purge leaves.
    pub(super) fn others(&self) -> u64 {
        self.stays + self.held + self.undated
    }

    /// How many older rows the two readings of ages differ by.
    pub(super) fn differ(&self) -> u64 {
        self.older.abs_diff(self.goes + self.held)
    }
}

/// `None` for a table whose rows never leave by age.
fn says(session: &dyn Session, mapping: &Mapping, table: &Table) -> Option<Says> {
    let is_sentinels = |name: &str| mapping.sentinel.table.eq_ignore_ascii_case(name);
    let own = |name: &str| column(session, &table.name, name);
    let nobody_here = is_sentinels(&table.name).then(|| own(&mapping.sentinel.key));
    let no = || "NULL".to_owned();
    match (&table.pick, &table.aged) {
        (Pick::Own { key, by }, Aged::Own { column: time, written }) => Some(Says {
            time: own(time),
            written: *written,
            owner: own(key),
            by: *by,
            nobody: nobody_here.unwrap_or_else(no),
        }),
        (Pick::Via { parent, key, foreign }, aged) => {
            let above = mapping.find(parent)?;
            let Pick::Own { key: owner, by } = &above.pick else { return None };
            let of_parent = |name: &str| {
                format!(
                    "(SELECT {} FROM {} WHERE {} = {})",
                    column(session, parent, name),
                    session.quote(parent),
                    own(foreign),
                    column(session, parent, key)
                )
            };
            let (time, written) = match (aged, &above.aged) {
                (Aged::Own { column: time, written }, _) => (own(time), *written),
                (Aged::WithParent, Aged::Own { column: time, written }) => (of_parent(time), *written),
                _ => return None,
            };
            let nobody_above = is_sentinels(parent).then(|| of_parent(&mapping.sentinel.key));
            let nobody = nobody_here.or(nobody_above).unwrap_or_else(no);
            Some(Says { time, written, owner: of_parent(owner), by: *by, nobody })
        }
        (Pick::Own { .. }, Aged::Unsaid | Aged::WithParent | Aged::Ageless) => None,
    }
}

/// Each row refers to one row at most: else nobody could say which of them its age and owner are.
fn refers_to_one(session: &dyn Session, table: &Table) -> Result<(), Failure> {
    let Pick::Via { parent, key, foreign } = &table.pick else { return Ok(()) };
    let sql = format!(
        "SELECT count(*) FROM {} WHERE (SELECT count(*) FROM {} WHERE {} = {}) > 1",
        session.quote(&table.name),
        session.quote(parent),
        column(session, &table.name, foreign),
        column(session, parent, key)
    );
    if number(session, &sql, &[])? == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Code::Target,
        format!(
            "rows of table {} refer to several rows of {parent} at once: nobody can say how old they are; nothing was \
             purged",
            table.name
        ),
    ))
}

/// What names a row of the table within a session.
pub(super) fn address(session: &dyn Session, table: &Table) -> Result<String, Failure> {
    session.address(&table.name)?.ok_or_else(|| {
        Failure::new(
            Code::Unsupported,
            format!(
                "rows of table {} have no row id (WITHOUT ROWID): this driver cannot purge them by age",
                table.name
            ),
        )
    })
}
