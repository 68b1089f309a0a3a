//! A checked mapping: which rows are a subject's, and what becomes of them. Owns the SQL conditions that follow from it;
//! every name in them was checked by `config`, every value is a bound parameter.

use gallra_model::selector::Selector;

use super::engine::Session;
use super::written::Written;
use crate::driver::Failure;
use crate::template::{By, id_of};

/// A row that must always be there.
pub(super) struct Sentinel {
    pub(super) table: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// The row that stands for the subject.
pub(super) struct Anchor {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
}

/// What a restriction sets.
pub(super) struct Restrict {
    pub(super) table: String,
    pub(super) column: String,
    pub(super) value: String,
}

/// How a table's rows are found.
pub(super) enum Pick {
    /// A column holds the id.
    Own { key: String, by: By },
    /// A column refers to a row of another table whose column holds the id.
    Via { parent: String, key: String, foreign: String },
}

/// What becomes of a table's rows.
pub(super) enum Act {
    Delete,
    Blank(Vec<String>),
    Keep,
}

impl Act {
    /// Whether the column is emptied.
    pub(super) fn blanks(&self, column: &str) -> bool {
        match self {
            Self::Blank(columns) => columns.iter().any(|blank| blank.eq_ignore_ascii_case(column)),
            Self::Delete | Self::Keep => false,
        }
    }

    /// Whether an erasure leaves the rows alone.
    pub(super) fn keeps(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// How old a table's rows are.
#[derive(Clone)]
pub(super) enum Aged {
    /// Nothing is said: they never leave by age.
    Unsaid,
    /// A column says when a row was made.
    Own { column: String, written: Written },
    /// As old as the row that they refer to, and they go with it.
    WithParent,
    /// They are no records of their own, and never leave by age.
    Ageless,
}

/// One declared table.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) pick: Pick,
    pub(super) act: Act,
    pub(super) id: Option<String>,
    pub(super) aged: Aged,
}

impl Table {
    /// Whether this is the table's name, as databases compare names.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Every column that the mapping names in this table.
    pub(super) fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = match &self.pick {
            Pick::Own { key, .. } => vec![key],
            Pick::Via { foreign, .. } => vec![foreign],
        };
        if let Act::Blank(blank) = &self.act {
            columns.extend(blank.iter().map(String::as_str));
        }
        columns.extend(self.id.as_deref());
        if let Aged::Own { column, .. } = &self.aged {
            columns.push(column);
        }
        columns
    }

    /// Whether a column of its own says how old a row is.
    pub(super) fn has_time(&self) -> bool {
        matches!(self.aged, Aged::Own { .. })
    }
}

/// Everything that `[target.sql]` declares about rows.
pub(super) struct Mapping {
    pub(super) sentinel: Sentinel,
    pub(super) anchor: Option<Anchor>,
    pub(super) restrict: Option<Restrict>,
    pub(super) shared: Vec<String>,
    pub(super) allow_triggers: bool,
    pub(super) tables: Vec<Table>,
}

impl Mapping {
    /// The declared table of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.is_called(name))
    }

    /// Whether nothing is ever erased here: then the kept rows are the target's items.
    pub(super) fn keeps_all(&self) -> bool {
        self.tables.iter().all(|table| table.act.keeps())
    }

    /// The tables whose rows count as the target's items.
    pub(super) fn counted(&self) -> impl Iterator<Item = &Table> {
        let all = self.keeps_all();
        self.tables.iter().filter(move |table| all || !table.act.keeps())
    }

    /// The ids that the mapping asks for, each once.
    ///
    /// # Errors
    /// `BadSelector` when the job does not carry one of them.
    pub(super) fn ids<'s>(&self, selector: &'s Selector) -> Result<Vec<&'s str>, Failure> {
        [By::Service, By::Customer]
            .into_iter()
            .filter(|wanted| {
                self.tables.iter().any(|table| matches!(&table.pick, Pick::Own { by, .. } if by == wanted))
            })
            .map(|by| id_of(selector, by))
            .collect()
    }

    /// What tells this subject in this mapping from any other, for the note that a scrub is owed.
    ///
    /// # Errors
    /// As [`Mapping::ids`].
    pub(super) fn marks<'s>(&'s self, selector: &'s Selector) -> Result<Vec<&'s str>, Failure> {
        let mut marks = self.ids(selector)?;
        marks.extend(self.tables.iter().map(|table| table.name.as_str()));
        Ok(marks)
    }

    /// The id by which the table's rows (or its parent's) are found.
    ///
    /// # Errors
    /// `BadSelector` when the job does not carry it.
    pub(super) fn id<'s>(&self, table: &Table, selector: &'s Selector) -> Result<&'s str, Failure> {
        let by = match &table.pick {
            Pick::Own { by, .. } => *by,
            Pick::Via { parent, .. } => self.parent(parent).map_or(By::Service, |(_, by)| by),
        };
        id_of(selector, by)
    }

    /// Key column and id kind of a table that others are reached through.
    pub(super) fn parent(&self, name: &str) -> Option<(&str, By)> {
        self.find(name).and_then(|table| match &table.pick {
            Pick::Own { key, by } => Some((key.as_str(), *by)),
            Pick::Via { .. } => None,
        })
    }

    /// The condition that a row is the subject's; parameter 1 is [`Mapping::id`].
    pub(super) fn is_subjects(&self, table: &Table, session: &dyn Session) -> String {
        match &table.pick {
            Pick::Own { key, .. } => session.exact(&column(session, &table.name, key)),
            Pick::Via { parent, key, foreign } => {
                let by_id = self.parent(parent).map_or_else(
                    || "1 = 0".to_owned(),
                    |(parent_key, _)| session.exact(&column(session, parent, parent_key)),
                );
                format!(
                    "{} IN (SELECT {} FROM {} WHERE {by_id})",
                    column(session, &table.name, foreign),
                    column(session, parent, key),
                    session.quote(parent)
                )
            }
        }
    }

    /// The condition that a row is the subject's and there is something to do: a blank row has a column left to empty.
    pub(super) fn is_due(&self, table: &Table, session: &dyn Session) -> String {
        let subjects = self.is_subjects(table, session);
        format!("{subjects} AND {}", self.has_content(table, session))
    }

    /// The condition that an erasure would have something to do in a row, whoever's it is.
    pub(super) fn has_content(&self, table: &Table, session: &dyn Session) -> String {
        let Act::Blank(columns) = &table.act else { return "1 = 1".to_owned() };
        let filled: Vec<String> = columns
            .iter()
            .map(|name| format!("coalesce(octet_length({}), 0) > 0", column(session, &table.name, name)))
            .collect();
        format!("({})", filled.join(" OR "))
    }
}

/// A column with its table before it: such a name can never be read as a string.
pub(super) fn column(session: &dyn Session, table: &str, name: &str) -> String {
    format!("{}.{}", session.quote(table), session.quote(name))
}
