//! The rolling purge of rows: what is older than an instant goes, whoever's it is, but what a hold covers and what nobody can
//! date. Owns the order: look, doubt, delete in batches, scrub, look again. Upholds I1's sibling for ages (the host's own
//! floor binds), and I5: rows that have no age keep the run from being called done.

use gallra_model::digest::Digest;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code, Tally};
use gallra_model::{Instant, target};

use super::engine::Session;
use super::look::{fits, sentinel};
use super::mapping::Table;
use super::survey::{Ages, Survey};
use super::{Sql, batch, residue};
use crate::age;
use crate::driver::{Boundary, Failure, PurgeOrder, Purged};

/// Tells what a purge owes from what an erasure does: no id has a space.
const MARK: &str = "purge by age";

pub(super) fn purge(
    sql: &Sql,
    order: &PurgeOrder,
    now: Instant,
    boundary: &mut dyn Boundary,
) -> Result<Purged, Failure> {
    age::allowed(sql.youngest, order.before, now)?;
    let ages = Ages::new(&sql.mapping, order, now)?;
    let engine = &*sql.engine;
    let _turn = engine.turn();
    let marks: Vec<&str> =
        std::iter::once(MARK).chain(sql.mapping.tables.iter().map(|table| table.name.as_str())).collect();
    let owed = engine.owed(&marks)?.is_some();
    let session = engine.look()?;
    let before = first_look(&*session, &ages)?;
    let instance: target::Instance = Digest::of_parts(&[b"gallra/sql/purge/v0", &session.identity()?]);
    drop(session);
    let pieces = sql.only_searchable(before.pieces.clone())?;
    let erased = batch::all(engine, &ages, (&marks, instance), boundary)?;
    if erased > 0 || owed {
        engine.scrub()?;
    }
    let session = engine.look()?;
    let after = look(&*session, &ages)?;
    let (standing, free) = (residue::standing(&*session, &pieces)?, session.free_pages()?);
    drop(session);
    let owed = u64::from(engine.owed(&marks)?.is_some());
    let hits: u64 = engine.search(&pieces)?.iter().sum();
    let check = |name: &str, count, ok| Check { name: name.to_owned(), count, ok };
    let checks = vec![
        check("sentinel", 1, true),
        check("recount", after.goes, after.goes == 0 && after.differ() == 0),
        check("byte-search", hits, hits == 0),
        check("free-pages", free, erased == 0 || free == 0),
        check("scrub-owed", owed, owed == 0),
        check("held-items", after.held, true),
    ];
    if standing > 0 || checks.iter().any(|check| !check.ok) {
        return Err(still_there(&after, standing.max(hits)));
    }
    if after.others() < before.others() {
        return Err(Failure::new(
            Code::OthersChanged,
            "rows that were to stay are fewer than before: does an application delete here, too? look, then try again",
        ));
    }
    let counts = Counts { erased, retained: after.held, failed: after.undated, ..Counts::default() };
    Ok(Purged {
        counts,
        before: Tally { items: before.goes, bytes: before.bytes, others: before.others() },
        after: Tally { items: after.goes, bytes: 0, others: after.others() },
        unread: after.undated,
        undone: undated(&after),
        removed_files: 0,
        checks,
    })
}

/// Looks at every row, once the sentinel and all columns are found.
fn look(session: &dyn Session, ages: &Ages<'_>) -> Result<Survey, Failure> {
    sentinel(session, ages.mapping)?;
    fits(session, ages.mapping)?;
    ages.survey(session)
}

/// The look before the act, and what has to be so that anything may go.
pub(super) fn first_look(session: &dyn Session, ages: &Ages<'_>) -> Result<Survey, Failure> {
    let survey = look(session, ages)?;
    if survey.differ() > 0 {
        return Err(Failure::new(
            Code::CheckBlind,
            format!(
                "the database's own dates differ from the agent's on {} old rows: no check could be trusted afterwards; \
                 nothing was erased",
                survey.differ()
            ),
        ));
    }
    // Tables that leave by age still hold what goes; the planner's samples go with the rows.
    let elsewhere = |table: &str| {
        !ages.tables().any(|aged: &Table| aged.is_called(table))
            && !table.to_ascii_lowercase().starts_with("sqlite_stat")
    };
    let standing = residue::standing_in(session, &survey.pieces, &elsewhere)?;
    if standing > 0 {
        return Err(Failure::new(
            Code::StillThere,
            format!(
                "{standing} texts of old rows would still stand in tables that agent.toml does not declare: declare \
                 those tables, or call them `shared` if they hold common words; nothing was erased"
            ),
        ));
    }
    Ok(survey)
}

fn still_there(after: &Survey, texts: u64) -> Failure {
    Failure::new(
        Code::StillThere,
        format!(
            "old rows went, and yet {} are there, the database's own dates differ on {}, {texts} of their texts are found, \
             or pages are not scrubbed: the next attempt goes on; see docs/targets/sql.md",
            after.goes,
            after.differ()
        ),
    )
}

/// What nobody can date stays, and keeps the run from being done.
fn undated(after: &Survey) -> Option<Failure> {
    (after.undated > 0).then(|| {
        Failure::new(
            Code::Undated,
            format!(
                "{} rows have no time that reads as `time_written` says, or one in the future: they stay, and whether \
                 they are too old is unknown; give them a time, or correct agent.toml",
                after.undated
            ),
        )
    })
}
