//! What the coordinator is told of a restore: one statement for each entry whose erasure the copy undid (`docs/formats/proof-v1.md`,
//! section 2.6). Owns when it may say that all is gone again. Upholds I12: here it is known who that is, and what would show it is
//! not signed.

use anyhow::Context as _;
use gallra_model::Instant;
use gallra_model::restore::Restore as Said;
use gallra_model::selector::Selector;
use gallra_proof::subject::{Identifier, Kind};

use super::erase::Erased;
use super::sort::Found;
use super::{Due, Restore};
use crate::serve::SOFTWARE;

impl Restore {
    /// Signs and keeps what came of one subject, durably. `after` is the look at everybody after the last erasure.
    pub(super) fn tell(&self, due: &Due, erased: &Erased, after: &Found, finished: Instant) -> anyhow::Result<()> {
        let still_there = after.due.iter().any(|left| left.selector == due.selector);
        // Remains in the trash could be anybody's.
        let gone = erased.failure.is_none() && erased.counts.settles() && !still_there && after.subjects.unknown == 0;
        let whom = identifiers(&due.selector)?;
        for entry in &due.undone {
            let said = Said {
                entry: entry.digest()?,
                agent: self.agent.clone(),
                target: self.info.id.clone(),
                kind: self.info.kind,
                taken: self.taken,
                counts: erased.counts,
                released: gone,
                started: erased.started,
                finished: finished.max(erased.started),
                clock: entry.clock,
                software: SOFTWARE.to_owned(),
            };
            let envelope = gallra_proof::restore::sign(&said, &whom, &self.keys.evidence)
                .context("what the coordinator is told of this restore is not signed")?;
            self.outbox.keep(&envelope)?;
        }
        Ok(())
    }
}

/// Whom a selector selects.
fn identifiers(selector: &Selector) -> anyhow::Result<Vec<Identifier>> {
    let service = selector.service.iter().map(|id| Identifier::new(Kind::Service, id.expose()));
    let customer = selector.customer.iter().map(|id| Identifier::new(Kind::CustomerNumber, id.expose()));
    Ok(service.chain(customer).collect::<Result<_, _>>()?)
}
