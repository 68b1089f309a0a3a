//! Rows of a subject in a database, by the mapping that the host's admin declares. Owns the order of one call; the
//! engines are behind `engine`, and SQLite is the first. Upholds decision 10 (exact selection, everybody else's rows
//! counted before and after) and that freed pages are written over and searched (`docs/targets/sql.md`).

mod act;
mod batch;
mod candidates;
mod config;
mod engine;
mod keep;
mod look;
mod mapping;
mod matcher;
mod purge;
mod recount;
mod residue;
mod sqlite;
mod survey;
#[cfg(test)]
mod tests;
mod written;

use std::time::Duration;

use gallra_model::Instant;
use gallra_model::job::Keep;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code};
use gallra_model::selector::Selector;
use gallra_model::target::TargetKind;

pub use config::{
    ActionConfig, AnchorConfig, Config, EngineKind, RestrictConfig, SentinelConfig, TableConfig, ViaConfig,
};
pub use written::Written;

use crate::age::Age;
use crate::driver::{Boundary, Confirmation, Driver, Failure, Inspection, Preserved, PurgeOrder, Purged};
use engine::{Engine, Session};
use look::Look;
use mapping::Mapping;

/// One database and its mapping.
pub struct Sql {
    engine: Box<dyn Engine>,
    mapping: Mapping,
    youngest: Option<Age>,
}

impl Sql {
    /// Checks the section; the database is not touched, it may not be mounted yet.
    ///
    /// # Errors
    /// What is wrong with the section, in words of `agent.toml`.
    pub fn open(config: &Config) -> Result<Self, String> {
        let mapping = config::check(config)?;
        let wait = Duration::from_secs(config.wait_seconds);
        let engine: Box<dyn Engine> = match config.engine {
            EngineKind::Sqlite => Box::new(sqlite::Sqlite::new(config.database.clone(), wait)),
        };
        Ok(Self { engine, mapping, youngest: config.youngest_purge_age })
    }

    fn look<'a>(&'a self, session: &'a dyn Session, selector: &'a Selector) -> Result<Look<'a>, Failure> {
        Look::new(session, &self.mapping, selector)
    }

    /// Keeps the pieces that really lie in the raw files: a text can be cut by a page's border. If none does, the files
    /// are not what they seem (encrypted, compressed), and no search in them would prove anything.
    fn only_searchable(&self, pieces: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Failure> {
        if pieces.is_empty() {
            return Ok(pieces);
        }
        let hits = self.engine.search(&pieces)?;
        let found: Vec<_> =
            pieces.into_iter().zip(hits).filter(|(_, hits)| *hits > 0).map(|(piece, _)| piece).collect();
        if found.is_empty() {
            return Err(Failure::new(
                Code::CheckBlind,
                "none of the texts that must go is found in the database's raw files: they may be encrypted or compressed, \
                 and a byte search could not be trusted",
            ));
        }
        Ok(found)
    }
}

impl Driver for Sql {
    fn kind(&self) -> TargetKind {
        TargetKind::Sql
    }

    fn purges(&self) -> bool {
        self.youngest.is_some()
    }

    fn purge(&self, order: &PurgeOrder, now: Instant, boundary: &mut dyn Boundary) -> Result<Purged, Failure> {
        purge::purge(self, order, now, boundary)
    }

    fn inspect(&self, selector: &Selector) -> Result<Inspection, Failure> {
        let _turn = self.engine.turn();
        let session = self.engine.look()?;
        let look = self.look(&*session, selector)?;
        let mut found = look.tally()?;
        if found.items == 0 {
            drop(session);
            let instance = self.engine.owed(&self.mapping.marks(selector)?)?;
            return Ok(Inspection { instance, found, residue: Vec::new() });
        }
        let instance = Some(look.instance()?);
        let collected = residue::collect(&look)?;
        found.bytes = collected.bytes;
        drop(session);
        let residue = self.only_searchable(collected.pieces)?;
        Ok(Inspection { instance, found, residue })
    }

    fn candidates(&self, each: &mut dyn FnMut(Selector) -> Result<(), Failure>) -> Result<u64, Failure> {
        let _turn = self.engine.turn();
        let session = self.engine.look()?;
        candidates::each(&*session, &self.mapping, each)?;
        Ok(0)
    }

    fn restrict(&self, selector: &Selector, _seen: &Inspection) -> Result<u64, Failure> {
        let _turn = self.engine.turn();
        let session = self.engine.begin()?;
        let rows = act::restrict(&self.look(&*session, selector)?)?;
        session.commit()?;
        Ok(rows)
    }

    fn erase(&self, selector: &Selector, seen: &Inspection, boundary: &mut dyn Boundary) -> Result<Counts, Failure> {
        if self.mapping.keeps_all() {
            return Err(Failure::new(
                Code::Unsupported,
                "every table of this target is declared `keep`: nothing was erased",
            ));
        }
        let _turn = self.engine.turn();
        let mut erased = 0;
        if let (Some(instance), true) = (seen.instance, seen.found.items > 0) {
            let session = self.engine.begin()?;
            erased = act::erase(&self.look(&*session, selector)?, seen, boundary)?;
            self.engine.remember(&self.mapping.marks(selector)?, instance)?;
            session.commit()?;
        }
        self.engine.scrub()?;
        Ok(Counts { erased, ..Counts::default() })
    }

    fn confirm(&self, selector: &Selector, seen: &Inspection) -> Result<Confirmation, Failure> {
        let _turn = self.engine.turn();
        let session = self.engine.look()?;
        let recount = recount::recount(&self.look(&*session, selector)?)?;
        let free = session.free_pages()?;
        drop(session);
        let owed = u64::from(self.engine.owed(&self.mapping.marks(selector)?)?.is_some());
        let hits: u64 = self.engine.search(&seen.residue)?.iter().sum();
        let gone = recount.found == 0;
        let erased_now = gone && seen.found.items > 0;
        let check = |name: &str, count, ok| Check { name: name.to_owned(), count, ok };
        let checks = vec![
            check("sentinel", 1, true),
            check("recount", recount.found, true),
            // Satisfied when rows and raw bytes say the same: both there, or both gone.
            check("byte-search", hits, if gone { hits == 0 } else { hits > 0 || seen.residue.is_empty() }),
            check("free-pages", free, !erased_now || free == 0),
            check("scrub-owed", owed, owed == 0),
        ];
        Ok(Confirmation { found: recount.found, residue: hits, others: recount.others, checks })
    }

    fn preserve(&self, selector: &Selector, _seen: &Inspection, _keep: &Keep) -> Result<Preserved, Failure> {
        let _turn = self.engine.turn();
        let session = self.engine.look()?;
        keep::preserve(&self.look(&*session, selector)?, self.engine.name())
    }
}
