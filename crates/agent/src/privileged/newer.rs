//! What can be made of words that say more than this version reads: enough to refuse them aloud, never to begin anything. Upholds that
//! what is unknown is no permission.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gallra_model::envelope::Envelope;
use gallra_model::job::{Action, JobSpec, Purge};
use gallra_model::order::{ORDER_TYPE, Order};
use gallra_model::selector::Selector;
use gallra_model::target::{Instance, TargetId};
use gallra_model::{AgentName, Clock, Digest, Instant, JobId, Nonce, Pseudonym};
use gallra_proof::key::VerifyingKey;
use gallra_proof::payload::PayloadError;
use serde::Deserialize;

/// What a receipt repeats of an offer.
#[derive(Deserialize)]
struct Outline {
    job: JobId,
    agent: AgentName,
    action: Action,
    target: TargetId,
    pseudonym: Pseudonym,
    salt: Nonce,
    generation: u64,
    plan: Digest,
    rule: String,
    #[serde(default)]
    instance: Option<Instance>,
    #[serde(default)]
    again: bool,
    #[serde(default)]
    purge: Option<Purge>,
    clock: Clock,
}

/// An offer without what is not known, and without whom it is about: a job that selects nobody. None where not even a receipt could
/// name it, as with an action of a later version.
pub(super) fn outline(spec: &str) -> Option<JobSpec> {
    let Outline { job, agent, action, target, pseudonym, salt, generation, plan, rule, instance, again, purge, clock } =
        serde_json::from_str(spec).ok()?;
    Some(JobSpec {
        job,
        agent,
        action,
        target,
        pseudonym,
        salt,
        generation,
        plan,
        rule,
        selector: Selector::default(),
        instance,
        keep: None,
        again,
        question: None,
        purge,
        cause: None,
        clock,
    })
}

/// An order as the permit key signed it. One that says more than this version reads counts where it stops: that can only make this host
/// do less, and the coordinator that pulled the stop waits for it.
pub(super) fn order(envelope: &Envelope, key: &VerifyingKey) -> Result<Order, PayloadError> {
    #[derive(Deserialize)]
    struct Stop {
        halted: bool,
        generation: u64,
        sequence: u64,
        at: Instant,
        clock: Clock,
    }
    let error = match gallra_proof::order::open(envelope, key) {
        Ok((order, _)) => return Ok(order),
        Err(error) => error,
    };
    let bytes = gallra_proof::dsse::open(envelope, ORDER_TYPE, key)?;
    match serde_json::from_slice(&bytes) {
        Ok(Stop { halted: true, generation, sequence, at, clock }) => {
            Ok(Order { halted: true, generation, sequence, at, clock })
        }
        Ok(Stop { halted: false, .. }) | Err(_) => Err(error),
    }
}

/// The job that an unchecked permit claims to be about: enough to end an asking.
pub(super) fn claimed_job(envelope: &Envelope) -> Option<JobId> {
    #[derive(Deserialize)]
    struct Claim {
        job: JobId,
    }
    let payload = STANDARD.decode(&envelope.payload).ok()?;
    serde_json::from_slice::<Claim>(&payload).ok().map(|claim| claim.job)
}
