//! The cause of what cannot be undone (decision 2): whether the signature that an offer carries is about exactly whom the
//! offer selects. Owns the decision; which keys the host trusts, and whether one of them signed, is the edge's. Upholds
//! that a coordinator alone, stolen or mistaken, erases nothing.

use gallra_model::cause::{Cause, Ground};
use gallra_model::job::JobSpec;
use gallra_model::time::CLOCK_BOUND_SECONDS;
use gallra_model::{Clock, Instant};

/// The first thing in which the cause of a job does not fit, as a hint for whoever looks after the host. `trusted` is what
/// a key of `[causes]` in `agent.toml` signed; unset where none did. `now` is this agent's time.
pub fn objection(spec: &JobSpec, trusted: Option<&Cause>, now: Instant) -> Option<&'static str> {
    let Some(backing) = &spec.cause else {
        return Some("the job carries no cause: it must be approved with a cause key, see `gallra request approve`");
    };
    let Some(cause) = trusted else {
        return Some(
            "the job's cause is signed by none of the keys in [causes] of agent.toml: nothing was touched; find out who signed",
        );
    };
    let ground = if spec.purge.is_some() { Ground::RollingPurge } else { Ground::ContractEnd };
    if cause.ground != ground || !cause.is_well_formed() {
        return Some("the job's cause is of another ground than the job: nothing was touched");
    }
    if cause.clock != spec.clock {
        return Some("the job and its cause are under different clocks: nothing was touched");
    }
    // A simulated clock is whatever the coordinator says that it is: there is nothing to hold it against.
    if spec.clock == Clock::Real && cause.signed.as_second().saturating_sub(now.as_second()) > CLOCK_BOUND_SECONDS {
        return Some("the job's cause was signed later than now on this host's clock: compare the clocks");
    }
    if let Some(purge) = &spec.purge {
        // How far it may reach is this host's own limit, whatever was signed (`youngest_purge_age`).
        let same = cause.policy == Some(purge.policy);
        return (!same)
            .then_some("the purge follows another policy version than the one that was signed: nothing was touched");
    }
    let covered = backing.salt.is_some_and(|salt| cause.covers(&spec.selector, &salt));
    if covered { None } else { Some("the job's cause is about somebody else than the job: nothing was touched") }
}
