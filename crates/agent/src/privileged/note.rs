//! What the privileged half logs: jobs, codes and reasons; never a selector, a path or a name of a person.

use gallra_flow::agent::privileged::Note;
use gallra_model::receipt::Receipt;

use crate::suppression::Refused;

/// Logs what the machine noted.
pub(super) fn log(note: Note) {
    match note {
        Note::ForeignOffer(job) => tracing::warn!(%job, "an offer for another agent: ignored"),
        Note::OldOffer(job) => tracing::warn!(%job, "an offer of an old generation: ignored"),
        Note::NoRoom(job) => tracing::warn!(%job, "an offer beyond the credits: ignored"),
        Note::AlreadyInHand(job) => tracing::debug!(%job, "offered again while in hand"),
        Note::Refused(job, code) => tracing::info!(%job, ?code, "refused without asking"),
        Note::BadPermit(job, fault) => tracing::warn!(%job, ?fault, "a bad permit: nothing was touched"),
        Note::StrayPermit(job) => tracing::warn!(?job, "a permit that answers no asking: nothing was touched"),
        Note::Denied(job, reason) => tracing::info!(%job, ?reason, "denied"),
        Note::Unanswered(job) => tracing::warn!(%job, "an asking was not answered in time"),
        Note::Interrupted(job) => tracing::warn!(%job, "an attempt was interrupted: its receipt says unknown"),
        Note::Ordered { halted: true } => {
            tracing::warn!("the emergency stop is pulled: nothing is changed until it is lifted")
        }
        Note::Ordered { halted: false } => tracing::warn!("the emergency stop is lifted"),
        Note::Withdrawn(job) => tracing::info!(%job, "withdrawn by the coordinator"),
        Note::Stopped(job, why) => tracing::info!(%job, ?why, "an act stops at an item"),
        Note::OutOfTurn => tracing::debug!("news that nothing asked for: ignored"),
    }
}

/// Logs a receipt that was signed.
pub(super) fn signed(receipt: &Receipt) {
    let Receipt { job, attempt, target, action, verdict, code, .. } = receipt;
    tracing::info!(%job, attempt, %target, action = action.as_str(), ?verdict, ?code, "receipt");
}

/// Logs a line of the suppression list that was not taken.
pub(super) fn listed(refused: Option<Refused>) {
    if let Some(why) = refused {
        tracing::warn!(
            ?why,
            "a line of the suppression list was not taken: the list counts as incomplete until it is said again"
        );
    }
}
