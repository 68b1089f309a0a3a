//! Whose rows there are: the distinct values of the columns by which the mapping finds a subject, through one read-only
//! session. Values that no id can have are nobody's whom a job could select. Changes nothing.

use gallra_model::receipt::Code;
use gallra_model::selector::{ExternalId, Selector};

use super::engine::{Session, Value};
use super::look::sentinel;
use super::mapping::{Mapping, Pick, column};
use crate::driver::Failure;
use crate::template::By;

/// Shows each id once. The database sorts; nothing but the row in hand is held here.
pub(super) fn each(
    session: &dyn Session,
    mapping: &Mapping,
    show: &mut dyn FnMut(Selector) -> Result<(), Failure>,
) -> Result<(), Failure> {
    sentinel(session, mapping)?;
    let mut kind = None;
    let mut parts = Vec::new();
    for table in &mapping.tables {
        let Pick::Own { key, by } = &table.pick else { continue };
        // What a table keeps stays after an erasure too.
        if table.act.keeps() {
            continue;
        }
        if kind.is_some_and(|kind| kind != *by) {
            let hint =
                "this target's tables are found by service id and by customer number: nobody can tell whose a row is";
            return Err(Failure::new(Code::Unsupported, hint));
        }
        kind = Some(*by);
        // Only rows in which an erasure has something to do: a row that stays, blanked, is nobody's who came back.
        let key = column(session, &table.name, key);
        let due = mapping.has_content(table, session);
        parts.push(format!(
            "SELECT CAST({key} AS TEXT) FROM {} WHERE {key} IS NOT NULL AND {due}",
            session.quote(&table.name)
        ));
    }
    let Some(kind) = kind else { return Ok(()) };
    session.rows(&parts.join(" UNION "), &[], &mut |row| {
        let text = row.first().and_then(Value::as_text);
        let text = text.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(text) = text.filter(|text| *text != mapping.sentinel.value) else { return Ok(()) };
        let Ok(id) = text.parse::<ExternalId>() else { return Ok(()) };
        show(match kind {
            By::Service => Selector { service: Some(id), ..Selector::default() },
            By::Customer => Selector { customer: Some(id), ..Selector::default() },
        })
    })
}
