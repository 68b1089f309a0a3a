//! What a log succession comes to, for whoever decides on it: said before, and again when it is done.

use gallra_model::RequestId;
use gallra_model::request::{Request, RequestState};
use gallra_model::statement::Type;
use gallra_store::keys;

use super::Checked;
use crate::core::Core;
use crate::entered::entry_of;
use crate::error::{CoreError, decode};
use crate::ledger::Agrees;
use crate::state;

/// What it comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foretold {
    /// The log in force is the one that was asked for: nothing is left to do.
    pub already: bool,
    /// The log that ends.
    pub ended: String,
    /// The size of its last good checkpoint.
    pub last: u64,
    /// Entries of it in the store.
    pub store: u64,
    /// The log that goes on.
    pub origin: String,
    /// The id of its key.
    pub key: String,
    /// How many entries it begins with.
    pub entries: usize,
    /// Requests that are planned and inspected anew, and go on.
    pub anew: Vec<RequestId>,
    /// Requests whose data has begun to go: they stay open, and their proof cannot be made.
    pub stay: Vec<RequestId>,
    /// Proofs that stand behind the last good checkpoint, or in no log at all: they cannot be handed out any more.
    pub lost: usize,
    /// Proofs that stand by it.
    pub stand: usize,
}

impl Foretold {
    pub(super) fn done(origin: &str) -> Self {
        Self { already: true, origin: origin.to_owned(), ..Self::default() }
    }

    /// Lines for a person.
    pub fn lines(&self, done: &str) -> Vec<String> {
        if self.already {
            return vec![format!("the log goes on as {} already: nothing to do", self.origin)];
        }
        let mut lines = vec![
            format!("ends: {}, at its checkpoint of {} entries; the store has {}", self.ended, self.last, self.store),
            format!(
                "goes on as: {}, under the key {}, with {} entries to begin with",
                self.origin, self.key, self.entries
            ),
            format!("proofs that stand by the ended log: {}", self.stand),
            format!("proofs that cannot be handed out any more: {}", self.lost),
            format!("requests that are planned and inspected anew: {}", self.anew.len()),
            format!("requests that stay open, since their data has begun to go: {}", self.stay.len()),
        ];
        lines.extend(self.stay.iter().map(|id| format!("  stays open: {id}")));
        if self.store < self.last {
            lines.push(format!(
                "the store went back: what the ended log has from entry {} on is known to others only",
                self.store
            ));
        }
        lines.push(done.to_owned());
        lines.push(format!(
            "next: write origin = \"{}\" under [log] in coordinator.toml, and start the coordinator",
            self.origin
        ));
        lines.push("next: give witnesses the new key (log.vkey), publish the key file (gallra key export) beside the ended log's (log/ended-N/keys.json)".to_owned());
        lines
    }
}

impl Core {
    pub(super) async fn foretold(&self, checked: &Checked) -> Result<Foretold, CoreError> {
        let (said, last) = (&checked.said.predicate, checked.last.size);
        let store = match checked.agrees {
            Agrees::Same => self.ledger.committed().await?.0,
            Agrees::Larger { ours } => ours,
        };
        let mut foretold = Foretold {
            ended: said.ended.clone(),
            last,
            store,
            origin: said.origin.clone(),
            key: said.key.to_string(),
            entries: checked.entries.len(),
            ..Foretold::default()
        };
        let mut range = Some(keys::requests().range());
        while let Some(next) = range {
            let page = self.store.range(&next, state::page_size()).await?;
            for entry in &page.entries {
                self.weigh(&decode("request", &entry.value)?, &mut foretold).await?;
            }
            range = page.more.map(|more| next.starting_at(&more));
        }
        Ok(foretold)
    }

    async fn weigh(&self, request: &Request, foretold: &mut Foretold) -> Result<(), CoreError> {
        for proof in self.proofs(&request.id).await? {
            let leaf = entry_of(&proof.envelope, Type::Proof, Some(request.id), None)?.leaf();
            let place = self.place_of(&leaf).await?;
            let of_this = |origin| origin == self.ledger.origin();
            match place {
                Some((ledger, index)) if !of_this(ledger.origin()) || index < foretold.last => foretold.stand += 1,
                _ => foretold.lost += 1,
            }
        }
        if request.done.is_some() || request.facts.cancelled {
            return Ok(());
        }
        let Some(asked) = self.asked(&request.id).await? else { return Ok(()) };
        let leaf = entry_of(&asked.envelope, Type::Request, Some(request.id), None)?.leaf();
        if self.place_of(&leaf).await?.is_none() {
            return Ok(());
        }
        let stays = request.state >= RequestState::Running;
        if stays {
            foretold.stay.push(request.id)
        } else {
            foretold.anew.push(request.id)
        }
        Ok(())
    }
}
