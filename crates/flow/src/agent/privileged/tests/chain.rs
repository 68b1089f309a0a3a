//! What a statement repeats of its permit, and names of what was said before.

use super::*;

#[test]
fn a_receipt_repeats_the_tree_that_its_permit_quoted_and_names_what_was_said_before() {
    let mut bench = Bench::new(host());
    let commitment = Some(gallra_model::statement::Commitment { size: 7, root: Digest::of(b"root") });
    let permitted = || Permit { commitment, checkpoint: Some("note".into()), ..permit(&spec(1)) };
    bench.offer(0, &spec(1));
    bench.permit(0, permitted());
    bench.feed(0, Input::Acted(Box::new(Outcome::refused(Code::Target, ""))));
    let first = bench.receipt().expect("a receipt");
    assert_eq!((first.commitment, first.previous), (commitment, None));
    let Input::Signed { receipt: named, .. } = signed(&first) else { panic!("signed") };
    bench.signed();
    bench.feed(0, Input::ReceiptStored(named));

    // A restart, from the shortest journal that comes to the same.
    let lasts = bench.state.lasts.clone();
    let replayed = crate::agent::record::Replayed { lasts, checkpoint: Some("note".into()), ..Default::default() };
    let mut bench = Bench { state: Privileged::new(host()), last: vec![] };
    bench.feed(0, Input::Restarted(replayed.into_records()));
    let said = bench.feed(0, connected(Clock::Real)).to_vec();
    let checkpoint = Effect::Say(ToCoordinator::Checkpoint { note: Some("note".into()) });
    assert_eq!(said.last(), Some(&checkpoint));
    bench.offer(0, &spec(1));
    bench.permit(0, permitted());
    bench.feed(0, Input::Acted(Box::new(done())));
    let second = bench.receipt().expect("a receipt");
    assert_eq!(second.previous, Some(named), "leaving out the one that failed would show");
    bench.signed();
    assert!(bench.state.lasts.is_empty(), "what is done is named by nothing");
}
