//! Chooses what must not be found after an erasure: short pieces of the subject's own texts that nobody else's rows,
//! no kept column and no word of the schema contain. Knows nothing of files: which pieces really lie in the raw bytes
//! is the caller's to find out.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::engine::{Session, Value};
use super::look::Look;
use super::mapping::{Act, Mapping, Table, column};
use super::matcher::Matcher;
use crate::driver::Failure;

/// Shorter texts prove nothing: they stand in foreign bytes by chance.
const SHORTEST: usize = 6;
/// Longer texts are cut: a piece must fit between two page borders.
const LONGEST: usize = 32;
/// Fewer different bytes than this are padding, which is everywhere.
const DIFFERENT_BYTES: usize = 4;
/// Pieces of one column; of all columns. More say no more and cost time.
const PER_COLUMN: usize = 16;
const IN_ALL: usize = 256;

/// The pieces as they lie in the raw files, and how many bytes of text and blobs an erasure removes.
pub(super) struct Residue {
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) bytes: u64,
}

/// Pieces of one table's rows, column by column.
#[derive(Default)]
pub(super) struct Taken {
    columns: Vec<BTreeSet<Vec<u8>>>,
    /// Bytes of text and blobs in these rows.
    pub(super) bytes: u64,
}

impl Taken {
    /// Takes from a row that goes.
    pub(super) fn take(&mut self, session: &dyn Session, row: &[Value]) {
        self.columns.resize_with(row.len().max(self.columns.len()), BTreeSet::new);
        for (value, taken) in row.iter().zip(&mut self.columns) {
            self.bytes += value.bytes().map_or(0, |text| text.len() as u64);
            for piece in cut(value) {
                if taken.len() < PER_COLUMN {
                    taken.extend(session.stored(&piece).map(Cow::into_owned));
                }
            }
        }
    }
}

/// The pieces of all tables, each once; the longest say most, where there are too many.
pub(super) fn chosen(taken: impl IntoIterator<Item = Taken>) -> Vec<Vec<u8>> {
    let all: BTreeSet<Vec<u8>> = taken.into_iter().flat_map(|taken| taken.columns).flatten().collect();
    let mut pieces: Vec<Vec<u8>> = all.into_iter().collect();
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    pieces.truncate(IN_ALL);
    pieces
}

/// Which pieces stand in what stays: those may rightly be found afterwards.
pub(super) struct Staying<'p> {
    matcher: Matcher<'p>,
    found: Vec<bool>,
}

impl<'p> Staying<'p> {
    /// Nothing was looked at yet but the schema and the tables of common words.
    pub(super) fn new(session: &dyn Session, mapping: &Mapping, pieces: &'p [Vec<u8>]) -> Result<Self, Failure> {
        let mut staying = Self { matcher: Matcher::new(pieces), found: vec![false; pieces.len()] };
        for definition in session.definitions()? {
            staying.mark(session, &Value::Text(definition));
        }
        for table in &mapping.shared {
            let sql = format!("SELECT * FROM {}", session.quote(table));
            session.rows(&sql, &[], &mut |row| {
                row.iter().for_each(|value| staying.mark(session, value));
                Ok(())
            })?;
        }
        Ok(staying)
    }

    /// Looks at one value that stays.
    pub(super) fn mark(&mut self, session: &dyn Session, value: &Value) {
        let Some(stored) = session.stored(value) else { return };
        let Self { matcher, found } = self;
        matcher.scan(&stored, 0, &mut |index| {
            if let Some(flag) = found.get_mut(index) {
                *flag = true;
            }
        });
    }

    /// The flag of each piece.
    pub(super) fn found(self) -> Vec<bool> {
        self.found
    }
}

/// Leaves out what stands in what stays.
pub(super) fn without(mut pieces: Vec<Vec<u8>>, staying: Vec<bool>) -> Vec<Vec<u8>> {
    let mut staying = staying.into_iter();
    pieces.retain(|_| !staying.next().unwrap_or(false));
    pieces
}

/// Collects from rows to be deleted and columns to be blanked.
pub(super) fn collect(look: &Look<'_>) -> Result<Residue, Failure> {
    let erased = look.mapping.tables.iter().filter(|table| !table.act.keeps());
    let taken = erased.map(|table| collect_table(look, table)).collect::<Result<Vec<_>, _>>()?;
    let bytes = taken.iter().map(|taken| taken.bytes).sum();
    let pieces = chosen(taken);
    let staying = shared_with_others(look, &pieces)?;
    Ok(Residue { pieces: without(pieces, staying), bytes })
}

fn collect_table(look: &Look<'_>, table: &Table) -> Result<Taken, Failure> {
    let session = look.session;
    let select = match &table.act {
        Act::Blank(columns) => list(session, table, columns.iter().map(String::as_str)),
        Act::Delete | Act::Keep => format!("{}.*", session.quote(&table.name)),
    };
    let due = look.mapping.is_due(table, session);
    let sql = format!("SELECT {select} FROM {} WHERE {due}", session.quote(&table.name));
    let mut taken = Taken::default();
    session.rows(&sql, &[look.id(table)?], &mut |row| {
        taken.take(session, row);
        Ok(())
    })?;
    Ok(taken)
}

fn list<'c>(session: &dyn Session, table: &Table, columns: impl Iterator<Item = &'c str>) -> String {
    columns.map(|name| column(session, &table.name, name)).collect::<Vec<_>>().join(", ")
}

/// Head, middle and end of a long value; the whole of a short one. A long value does not lie in one stretch, and its
/// head alone would say nothing of the pages that its middle was on.
fn cut(value: &Value) -> Vec<Value> {
    let Some(bytes) = value.bytes() else { return Vec::new() };
    let text = match value {
        Value::Text(_) => std::str::from_utf8(bytes).ok(),
        Value::Null | Value::Integer(_) | Value::Real(_) | Value::Blob(_) => None,
    };
    let border = |at: usize| text.map_or(at, |text| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
    let last = bytes.len().saturating_sub(LONGEST);
    let starts = BTreeSet::from([0, border(last / 2), border(last)]);
    starts
        .into_iter()
        .filter_map(|start| bytes.get(start..border((start + LONGEST).min(bytes.len()))))
        .filter(|piece| piece.len() >= SHORTEST && piece.iter().collect::<BTreeSet<_>>().len() >= DIFFERENT_BYTES)
        .map(|piece| if text.is_some() { Value::Text(piece.to_vec()) } else { Value::Blob(piece.to_vec()) })
        .collect()
}

/// For each piece, whether it may rightly be found after the erasure, since what stays contains it.
fn shared_with_others(look: &Look<'_>, pieces: &[Vec<u8>]) -> Result<Vec<bool>, Failure> {
    let session = look.session;
    let mut staying = Staying::new(session, look.mapping, pieces)?;
    for table in &look.mapping.tables {
        for (sql, by_id) in queries(look, table)? {
            let parameters: Vec<&str> = if by_id { vec![look.id(table)?] } else { Vec::new() };
            session.rows(&sql, &parameters, &mut |row| {
                row.iter().for_each(|value| staying.mark(session, value));
                Ok(())
            })?;
        }
    }
    Ok(staying.found())
}

/// Queries for what an erasure leaves of a declared table, and whether each takes the id.
fn queries(look: &Look<'_>, table: &Table) -> Result<Vec<(String, bool)>, Failure> {
    let session = look.session;
    let from = session.quote(&table.name);
    let subjects = look.mapping.is_subjects(table, session);
    let others = (format!("SELECT {from}.* FROM {from} WHERE ({subjects}) IS NOT TRUE"), true);
    Ok(match &table.act {
        Act::Keep => vec![(format!("SELECT {from}.* FROM {from}"), false)],
        Act::Delete => vec![others],
        Act::Blank(_) => {
            let shape = look.shape(&table.name)?;
            let kept = shape.columns.iter().map(|column| column.name.as_str()).filter(|name| !table.act.blanks(name));
            vec![others, (format!("SELECT {} FROM {from} WHERE {subjects}", list(session, table, kept)), true)]
        }
    })
}

/// How many pieces stand in any row of any table, internal ones too: what a mapping forgot, what a trigger copied.
pub(super) fn standing(session: &dyn Session, pieces: &[Vec<u8>]) -> Result<u64, Failure> {
    standing_in(session, pieces, &|_| true)
}

/// The same in tables whose names are wanted.
pub(super) fn standing_in(
    session: &dyn Session,
    pieces: &[Vec<u8>],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<u64, Failure> {
    let matcher = Matcher::new(pieces);
    let mut found = BTreeSet::new();
    for (table, _) in session.tables()?.into_iter().filter(|(table, _)| wanted(table)) {
        let sql = format!("SELECT * FROM {}", session.quote(&table));
        session.rows(&sql, &[], &mut |row| {
            for stored in row.iter().filter_map(|value| session.stored(value)) {
                matcher.scan(&stored, 0, &mut |index| {
                    found.insert(index);
                });
            }
            Ok(())
        })?;
    }
    Ok(found.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: &Value) -> Vec<String> {
        cut(value).iter().filter_map(Value::bytes).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    #[test]
    fn short_texts_are_taken_whole_and_long_ones_at_three_places() {
        assert_eq!(texts(&Value::Text(b"anna@a.example".to_vec())), ["anna@a.example"]);
        assert!(texts(&Value::Text(b"Umea1".to_vec())).is_empty());
        let long: String = (0..400).map(|n| format!("{n:03} ")).collect();
        let cut = texts(&Value::Text(long.clone().into_bytes()));
        let [head, middle, end] = cut.as_slice() else { unreachable!("three pieces") };
        assert!(long.starts_with(head) && long.ends_with(end) && long.contains(middle));
    }

    #[test]
    fn padding_and_numbers_are_not_searched_for() {
        assert!(cut(&Value::Blob(vec![0; 100])).is_empty());
        assert!(cut(&Value::Text(b"00000000".to_vec())).is_empty());
        assert!(cut(&Value::Integer(1_985_010_112_345)).is_empty());
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        for text in ["å".repeat(50), format!("x{}", "ö".repeat(49)), "ab€".repeat(30)] {
            for piece in cut(&Value::Text(text.clone().into_bytes())) {
                assert!(std::str::from_utf8(piece.bytes().expect("a text")).is_ok());
            }
        }
    }
}
