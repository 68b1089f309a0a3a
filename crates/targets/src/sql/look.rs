//! A look at one subject through one session: sentinel, shapes, counts, instance. Changes nothing. Upholds decision 10:
//! a missing table, column or sentinel is a failure, never "nothing there".

use gallra_model::digest::Digest;
use gallra_model::receipt::{Code, Tally};
use gallra_model::selector::Selector;
use gallra_model::target::Instance;

use super::engine::{Session, Shape, Value, number};
use super::mapping::{Mapping, Pick, Table, column};
use crate::driver::Failure;

/// A session, a mapping and a subject that fit together.
pub(super) struct Look<'a> {
    pub(super) session: &'a dyn Session,
    pub(super) mapping: &'a Mapping,
    pub(super) selector: &'a Selector,
}

impl<'a> Look<'a> {
    /// Looks only once the job carries the ids, the sentinel is found and every declared table and column is there.
    pub(super) fn new(session: &'a dyn Session, mapping: &'a Mapping, selector: &'a Selector) -> Result<Self, Failure> {
        let ids = mapping.ids(selector)?;
        if ids.contains(&mapping.sentinel.value.as_str()) {
            return Err(Failure::new(Code::BadSelector, "the job selects the sentinel: nothing was touched"));
        }
        sentinel(session, mapping)?;
        fits(session, mapping)?;
        Ok(Self { session, mapping, selector })
    }

    pub(super) fn shape(&self, table: &str) -> Result<Shape, Failure> {
        shape(self.session, table)
    }

    /// The id by which the table is searched.
    pub(super) fn id(&self, table: &Table) -> Result<&'a str, Failure> {
        self.mapping.id(table, self.selector)
    }

    /// Rows that are the subject's.
    pub(super) fn subjects(&self, table: &Table) -> Result<u64, Failure> {
        self.count(table, &self.mapping.is_subjects(table, self.session))
    }

    /// Rows that are the subject's and in which an erasure has something to do.
    pub(super) fn due(&self, table: &Table) -> Result<u64, Failure> {
        self.count(table, &self.mapping.is_due(table, self.session))
    }

    fn count(&self, table: &Table, condition: &str) -> Result<u64, Failure> {
        let from = self.session.quote(&table.name);
        number(self.session, &format!("SELECT count(*) FROM {from} WHERE {condition}"), &[self.id(table)?])
    }

    fn all(&self, table: &str) -> Result<u64, Failure> {
        all(self.session, table)
    }

    /// Items and others; bytes are left at 0.
    pub(super) fn tally(&self) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        for table in self.mapping.counted() {
            tally.items += if table.act.keeps() { self.subjects(table)? } else { self.due(table)? };
        }
        for table in &self.mapping.tables {
            tally.others += self.all(&table.name)?.saturating_sub(self.subjects(table)?);
        }
        Ok(tally)
    }

    /// What the id stands for: which engine and application, and the row that stands for the subject, by its primary
    /// key and the columns that the mapping calls written once. Rows added or gone elsewhere do not change it.
    pub(super) fn instance(&self) -> Result<Instance, Failure> {
        let anchor = self.mapping.anchor.as_ref();
        let first = anchor.and_then(|anchor| self.mapping.find(&anchor.table));
        let others =
            self.mapping.tables.iter().rev().filter(|table| !first.is_some_and(|first| first.is_called(&table.name)));
        for table in first.into_iter().chain(others) {
            let Pick::Own { key, .. } = &table.pick else { continue };
            let mut identity = self.shape(&table.name)?.primary();
            let declared = anchor.filter(|anchor| table.is_called(&anchor.table));
            identity.extend(declared.into_iter().flat_map(|anchor| anchor.columns.iter().cloned()));
            let tells_apart = identity.iter().any(|name| !name.eq_ignore_ascii_case(key));
            if let Some(row) = self.first_row(table, &identity)? {
                if tells_apart {
                    return self.digest(table, key, &row);
                }
                if declared.is_some() {
                    break;
                }
            }
        }
        Err(Failure::new(
            Code::Target,
            "nothing but the id itself tells the subject's row from a later one under the same id: name a column that \
             is written once (a creation time) in `anchor` of agent.toml",
        ))
    }

    fn first_row(&self, table: &Table, identity: &[String]) -> Result<Option<Vec<Value>>, Failure> {
        let names: Vec<String> = identity.iter().map(|name| column(self.session, &table.name, name)).collect();
        let (select, order) =
            if names.is_empty() { ("1".to_owned(), "1".to_owned()) } else { (names.join(", "), names.join(", ")) };
        let from = self.session.quote(&table.name);
        let condition = self.mapping.is_subjects(table, self.session);
        let mut first = None;
        self.session.rows(
            &format!("SELECT {select} FROM {from} WHERE {condition} ORDER BY {order} LIMIT 1"),
            &[self.id(table)?],
            &mut |row| {
                first = Some(row.to_vec());
                Ok(())
            },
        )?;
        Ok(first)
    }

    fn digest(&self, table: &Table, key: &str, row: &[Value]) -> Result<Instance, Failure> {
        let identity = self.session.identity()?;
        let (name, key) = (table.name.to_ascii_lowercase(), key.to_ascii_lowercase());
        let mut parts = vec![b"gallra/sql/instance/v0".to_vec(), identity, name.into_bytes(), key.into_bytes()];
        for value in row {
            let kind: &[u8] = match value {
                Value::Null => b"null",
                Value::Integer(_) => b"integer",
                Value::Real(_) => b"real",
                Value::Text(_) => b"text",
                Value::Blob(_) => b"blob",
            };
            parts.push(kind.to_vec());
            parts.push(value.as_text().map(std::borrow::Cow::into_owned).unwrap_or_default());
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Ok(Digest::of_parts(&parts))
    }
}

/// All rows of a table.
pub(super) fn all(session: &dyn Session, table: &str) -> Result<u64, Failure> {
    number(session, &format!("SELECT count(*) FROM {}", session.quote(table)), &[])
}

fn shape(session: &dyn Session, table: &str) -> Result<Shape, Failure> {
    session.shape(table)?.ok_or_else(|| {
        Failure::new(Code::Target, format!("the database has no table {table}: correct the mapping in agent.toml"))
    })
}

/// Whether every declared table and column is there.
pub(super) fn fits(session: &dyn Session, mapping: &Mapping) -> Result<(), Failure> {
    for table in &mapping.tables {
        table_fits(session, mapping, table)?;
    }
    for shared in &mapping.shared {
        shape(session, shared)?;
    }
    Ok(())
}

fn table_fits(session: &dyn Session, mapping: &Mapping, table: &Table) -> Result<(), Failure> {
    let mut wanted: Vec<(&str, &str)> = table.columns().into_iter().map(|name| (table.name.as_str(), name)).collect();
    if let Pick::Via { parent, key, .. } = &table.pick {
        wanted.push((parent, key));
    }
    if let Some(anchor) = mapping.anchor.as_ref().filter(|anchor| table.is_called(&anchor.table)) {
        wanted.extend(anchor.columns.iter().map(|name| (table.name.as_str(), name.as_str())));
    }
    if let Some(restrict) = mapping.restrict.as_ref().filter(|restrict| table.is_called(&restrict.table)) {
        wanted.push((&table.name, &restrict.column));
    }
    for (table, name) in wanted {
        if shape(session, table)?.column(name).is_none() {
            return Err(Failure::new(
                Code::Target,
                format!("table {table} has no column {name}: correct the mapping in agent.toml"),
            ));
        }
    }
    Ok(())
}

/// Finds the row that must always be there, through the session that is about to be believed.
pub(super) fn sentinel(session: &dyn Session, mapping: &Mapping) -> Result<(), Failure> {
    let sentinel = &mapping.sentinel;
    let there = match session.shape(&sentinel.table)? {
        Some(shape) if shape.column(&sentinel.key).is_some() => {
            let key = session.exact(&column(session, &sentinel.table, &sentinel.key));
            let from = session.quote(&sentinel.table);
            number(session, &format!("SELECT count(*) FROM {from} WHERE {key}"), &[&sentinel.value])? > 0
        }
        _ => false,
    };
    if there {
        return Ok(());
    }
    Err(Failure::new(
        Code::SentinelMissing,
        format!(
            "the sentinel row is not in table {}: is this the right database, and is its disk mounted?",
            sentinel.table
        ),
    ))
}
