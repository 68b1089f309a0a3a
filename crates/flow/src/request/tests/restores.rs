//! Restores: what came back after it was erased makes no other state, is a fact until it is gone again, and has the proof
//! amended; what was forgotten stays forgotten.

use super::*;

fn final_proof() -> Input {
    Input::ProofIssued { stage: Stage::Final, content: Digest::of(b"final") }
}

fn interim_proof() -> Input {
    Input::ProofIssued { stage: Stage::Interim, content: Digest::of(b"interim") }
}

/// A request whose final proof is issued.
fn done() -> Life {
    let mut life = Life::to_live_confirmed();
    life.tick("2026-02-28T21:10:01Z");
    life.listing(7, &[], true, false);
    life.tick("2026-02-28T21:20:01Z");
    life.done(8, Counts { absent: 1, ..Counts::default() });
    life.take(final_proof());
    life
}

#[test]
fn a_restore_has_an_open_requests_proof_made_anew_once_there_is_one() {
    let mut life = Life::to_live_confirmed();
    life.take(Input::Restored { came_back: false });
    assert_eq!(life.effects, [], "no proof says anything yet");
    life.tick("2026-02-28T21:10:01Z");
    life.listing(7, &[1], false, false);
    life.take(interim_proof());
    life.take(Input::Restored { came_back: true });
    assert_eq!(life.effects, [Effect::ConsiderProof]);
    let facts = life.view.request.facts;
    assert_eq!(
        (facts.came_back, facts.amending),
        (true, false),
        "an interim proof is not amended, the next one says it"
    );
    life.take(Input::Restored { came_back: false });
    assert!(!life.view.request.facts.came_back);
}

#[test]
fn a_done_request_is_owed_an_amendment_until_it_has_one_and_is_looked_at_daily() {
    let mut life = done();
    let ended = life.view.request.done;
    assert_eq!(life.view.request.wake, None);
    life.now = at("2026-09-01T10:00:00Z");
    life.take(Input::Restored { came_back: true });
    assert_eq!((life.effects.as_slice(), life.view.request.facts.amending), ([Effect::ConsiderProof].as_slice(), true));
    // Something came back: what can be said now is no final word, and it is looked at again.
    life.take(interim_proof());
    let request = &life.view.request;
    assert_eq!((request.state, request.done, request.facts.amending), (RequestState::Done, ended, true));
    assert_eq!(request.wake, Some(at("2026-09-02T10:00:00Z")));
    life.tick("2026-09-02T10:00:00Z");
    assert_eq!(life.effects, [Effect::ConsiderProof]);
    life.take(Input::Restored { came_back: false });
    assert_eq!(life.effects, [Effect::ConsiderProof]);
    life.take(Input::ProofIssued { stage: Stage::Amendment, content: Digest::of(b"amended") });
    let request = &life.view.request;
    assert_eq!((request.facts.came_back, request.facts.amending, request.wake), (false, false, None));
    assert_eq!((request.done, life.effects.as_slice()), (ended, [].as_slice()), "nothing is forgotten twice");
    life.tick("2026-09-03T10:00:00Z");
    assert_eq!(life.effects, []);
}

#[test]
fn what_was_taken_back_is_given_no_proof_by_a_restore() {
    let mut life = Life::to_live_confirmed();
    life.view.request.proofs = 1;
    life.view.request.facts.cancelled = true;
    life.take(Input::Restored { came_back: true });
    assert_eq!(life.effects, []);
    assert!(life.view.request.facts.came_back, "and shows it all the same");
}
