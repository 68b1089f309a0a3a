//! The steps from one schema of the store to the next: which entries each looks at, and what has to be there afterwards. A step is a
//! function of one entry; the same again changes nothing. Owns no order and no transaction ([`super::raise`]).
//!
//! A step that changes the form of values is written in two releases: the first reads both forms and, while [`gallra_store::Known::writes`]
//! is below the step's number, writes the old one; the second may forget the old one.

use gallra_model::AgentName;
use gallra_store::{Entry, Key, KeyPrefix, keys};

use crate::error::{CoreError, decode, encode};
use crate::restores::Erasure;
use crate::suppression::Stored;

/// What has to be under a key.
pub type Due = (Key, Vec<u8>);

/// One step.
pub struct Step {
    /// The schema that it leads to, from the one before.
    pub to: u32,
    /// Programs that speak none as new as this may not work on the store from the step's beginning on.
    pub oldest: u32,
    /// What is different afterwards, for people.
    pub says: &'static str,
    /// Which entries are looked at.
    pub over: fn() -> KeyPrefix,
    /// What one of them asks for.
    pub due: fn(&Entry) -> Result<Vec<Due>, CoreError>,
}

/// All of them, in order.
pub const STEPS: &[Step] = &[Step {
    to: 1,
    oldest: 1,
    says: "the store says its schema, and every entry of a suppression list says whose erasure it was",
    over: keys::suppressions,
    due: whose_erasure,
}];

/// The step from a schema to the next.
pub fn after(number: u32) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.to == number + 1)
}

/// Lists that were begun before restores reached the proof have no word on whose erasure an entry was: without it, what such an entry
/// kept from coming back would be refused as nobody's, and its proof would go on saying that all is gone.
fn whose_erasure(line: &Entry) -> Result<Vec<Due>, CoreError> {
    let agent: Option<AgentName> = keys::parse_suppression(&line.key);
    let stored: Stored = decode("suppression", &line.value)?;
    let (Some(agent), Some(entry), Some(request)) = (agent, stored.entry(), stored.request) else {
        return Ok(Vec::new());
    };
    let digest = entry.digest().map_err(|error| CoreError::Crypto(error.to_string()))?;
    let erasure = Erasure { request, agent, target: entry.target.clone() };
    Ok(vec![(keys::suppression_entry(&digest), encode(&erasure)?)])
}

#[cfg(test)]
mod tests {
    use super::super::{NEWEST, OF_NEW, OLDEST};
    use super::*;

    #[test]
    fn the_steps_lead_from_the_oldest_schema_to_the_newest() {
        let numbers: Vec<u32> = STEPS.iter().map(|step| step.to).collect();
        assert_eq!(numbers, (OLDEST + 1..=NEWEST).collect::<Vec<_>>());
        for step in STEPS {
            assert!(step.oldest <= step.to, "{}", step.says);
        }
        assert_eq!(STEPS.iter().map(|step| step.oldest).max(), Some(OF_NEW.oldest));
        assert!(after(NEWEST).is_none());
    }
}
