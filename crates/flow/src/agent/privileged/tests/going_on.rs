//! An act's minutes: asked for at an item boundary, for exactly this attempt, and for no longer than the host allows.

use super::*;

/// The host's limit, and when the act was asked for.
const MINUTE: u64 = 60_000;
const ASKED: u64 = 10_000;

/// The moment with a nonce of its own.
fn later(boot_ms: u64, nonce: u8) -> Moment {
    Moment { nonce: Nonce::from_bytes([nonce; 16]), ..moment(boot_ms) }
}

/// A half that carries out attempt 3.
fn acting(host: Host) -> Bench {
    let mut bench = Bench::new(host);
    bench.offer(ASKED, &spec(1));
    let third = Permit { attempt: 3, ..permit(&spec(1)) };
    assert!(touches(bench.permit(ASKED + 5_000, third)));
    bench
}

/// What would answer the asking with this nonce.
fn renewed(nonce: u8) -> Permit {
    Permit { attempt: 3, nonce: Nonce::from_bytes([nonce; 16]), ..permit(&spec(1)) }
}

fn permitted(permit: Permit) -> Heard {
    Heard::Permitted(Box::new(permit))
}

fn asks_on(nonce: u8) -> Boundary {
    let (job, spec) = (spec(1).job, digest(&spec(1)));
    Boundary::Ask(ToCoordinator::AskOn { job, attempt: 3, spec, nonce: Nonce::from_bytes([nonce; 16]) })
}

/// An act that has asked on at the end of its first minute, under nonce 1.
fn asked(bench: &Bench) -> UnderWay<'_> {
    let mut act = bench.state.under_way(MINUTE).expect("an act");
    assert_eq!(act.at_boundary(&later(ASKED + MINUTE + 1, 1)), asks_on(1));
    act
}

#[test]
fn a_minute_counts_from_its_asking_and_the_next_one_from_the_next() {
    let bench = acting(host());
    let mut act = bench.state.under_way(MINUTE).expect("an act");
    // However long it has looked meanwhile, it asks for nothing before a boundary, and only once the minute is over.
    assert_eq!(act.at_boundary(&later(ASKED + MINUTE, 1)), Boundary::GoOn);
    let asked = ASKED + 3 * MINUTE;
    assert_eq!(act.at_boundary(&later(asked, 1)), asks_on(1));
    assert_eq!(act.at_boundary(&later(asked + 10_000, 2)), Boundary::Wait, "asked once");
    assert!(act.hear(permitted(renewed(1)), &later(asked + 20_000, 3)));
    assert_eq!(act.at_boundary(&later(asked + 20_000, 4)), Boundary::GoOn);
    assert_eq!(act.at_boundary(&later(asked + MINUTE, 5)), Boundary::GoOn);
    assert_eq!(act.at_boundary(&later(asked + MINUTE + 1, 6)), asks_on(6));
    // The answer to an earlier asking gives nothing a second time.
    assert!(act.hear(permitted(renewed(1)), &later(asked + MINUTE + 2, 7)));
    let replayed = Boundary::Stop(Over::BadPermit(Fault::Nonce));
    assert_eq!(act.at_boundary(&later(asked + MINUTE + 2, 8)), replayed);
}

#[test]
fn i1_a_renewed_permit_that_differs_in_anything_stops_the_act() {
    type Change = (Fault, fn(&mut Permit));
    let cases: [Change; 15] = [
        (Fault::Agent, |p| p.agent = "web2".parse().expect("a label")),
        (Fault::Nonce, |p| p.nonce = NONCE),
        (Fault::Spec, |p| p.spec = Digest::of(b"x")),
        (Fault::Pseudonym, |p| p.pseudonym = gallra_model::Pseudonym::from_bytes([4; 16])),
        (Fault::Target, |p| p.target = "mail".parse().expect("id")),
        (Fault::Instance, |p| p.instance = None),
        (Fault::Instance, |p| p.instance = Some(Digest::of(b"other"))),
        (Fault::Action, |p| p.action = Action::Inspect),
        (Fault::Generation, |p| p.generation = 4),
        (Fault::Generation, |p| p.generation = 6),
        (Fault::Clock, |p| p.clock = Clock::Simulated),
        (Fault::Attempt, |p| p.attempt = 4),
        (Fault::Attempt, |p| p.attempt = 2),
        (Fault::TooEarly, |p| p.not_before = instant("2026-03-01T03:10:01Z")),
        (Fault::Expired, |p| p.begin_within_seconds = 0),
    ];
    let answered = later(ASKED + MINUTE + 1_001, 2);
    for (fault, change) in cases {
        let bench = acting(host());
        let mut act = asked(&bench);
        let mut wrong = renewed(1);
        change(&mut wrong);
        act.hear(permitted(wrong), &answered);
        assert_eq!(act.at_boundary(&answered), Boundary::Stop(Over::BadPermit(fault)));
        // And for good: the right one comes too late.
        act.hear(permitted(renewed(1)), &answered);
        assert_eq!(act.at_boundary(&answered), Boundary::Stop(Over::BadPermit(fault)));
    }
    let bench = acting(host());
    let mut act = asked(&bench);
    assert!(!act.hear(permitted(Permit { job: spec(2).job, ..renewed(1) }), &answered), "another job's");
    assert_eq!(act.at_boundary(&answered), Boundary::Wait);
    assert!(act.hear(Heard::PermitBad(Some(spec(1).job)), &answered));
    assert_eq!(act.at_boundary(&answered), Boundary::Stop(Over::BadPermit(Fault::Signature)));
}

#[test]
fn whatever_stops_an_act_stops_it_while_it_waits_too() {
    let order = |halted, sequence| {
        let at = instant("2026-03-01T02:00:00Z");
        Heard::Ordered(Box::new(Order { halted, generation: 5, sequence, at, clock: Clock::Real }))
    };
    let one = Nonce::from_bytes([1; 16]);
    let cases = [
        (Over::Halted, vec![order(true, 7), order(false, 8)]),
        (Over::Withdrawn, vec![Heard::Withdrawn(spec(1).job)]),
        (Over::Denied(Denial::Held), vec![Heard::Denied(spec(1).job, one, Denial::Held)]),
    ];
    let soon = later(ASKED + MINUTE + 2, 2);
    for (over, words) in cases {
        let bench = acting(host());
        let mut act = asked(&bench);
        for word in words {
            act.hear(word, &soon);
        }
        act.hear(permitted(renewed(1)), &soon);
        assert_eq!(act.at_boundary(&soon), Boundary::Stop(over));
    }
    let bench = acting(host());
    let mut act = asked(&bench);
    act.deafen();
    act.hear(permitted(renewed(1)), &soon);
    assert_eq!(act.at_boundary(&soon), Boundary::Stop(Over::Deaf));
    // What is about another job, or answers another asking, changes nothing.
    let bench = acting(host());
    let mut act = asked(&bench);
    assert!(!act.hear(Heard::Withdrawn(spec(2).job), &soon));
    assert!(!act.hear(Heard::Denied(spec(2).job, one, Denial::Held), &soon));
    assert!(act.hear(Heard::Denied(spec(1).job, NONCE, Denial::Held), &soon), "no one else's either");
    assert_eq!(act.at_boundary(&soon), Boundary::Wait);
}

#[test]
fn an_act_waits_no_longer_for_an_answer_than_the_first_asking_does() {
    let bench = acting(host());
    let mut act = asked(&bench);
    let since = ASKED + MINUTE + 1;
    assert_eq!(act.at_boundary(&later(since + ASK_PATIENCE_MS, 2)), Boundary::Wait);
    assert_eq!(act.at_boundary(&later(since + ASK_PATIENCE_MS + 1, 3)), Boundary::Stop(Over::Unanswered));
    // An answer that comes when its own minute is over gives none: else it would go round.
    let mut act = bench.state.under_way(1_000).expect("an act");
    assert_eq!(act.at_boundary(&later(since, 1)), asks_on(1));
    act.hear(permitted(renewed(1)), &later(since + 1_001, 2));
    assert_eq!(act.at_boundary(&later(since + 1_001, 2)), Boundary::Stop(Over::Unanswered));
}

#[test]
fn on_a_new_stream_it_asks_anew_and_waits_no_longer_for_that() {
    let bench = acting(host());
    let mut act = asked(&bench);
    let since = ASKED + MINUTE + 1;
    assert!(!act.hear(Heard::Connected { generation: 5 }, &later(since + 20_000, 2)), "the machine hears it too");
    assert_eq!(act.at_boundary(&later(since + 20_000, 3)), asks_on(3));
    let (mut old, mut new) = (act.clone(), act.clone());
    old.hear(permitted(renewed(1)), &later(since + 20_001, 4));
    let stale = Boundary::Stop(Over::BadPermit(Fault::Nonce));
    assert_eq!(old.at_boundary(&later(since + 20_001, 4)), stale, "asked for on the old stream");
    new.hear(permitted(renewed(3)), &later(since + 20_001, 4));
    assert_eq!(
        new.at_boundary(&later(since + 20_000 + MINUTE, 5)),
        Boundary::GoOn,
        "from the asking that was answered"
    );
    let late = later(since + ASK_PATIENCE_MS + 1, 5);
    assert_eq!(act.at_boundary(&late), Boundary::Stop(Over::Unanswered));
}

#[test]
fn i3_a_newer_coordinator_seen_in_the_middle_makes_the_older_ones_word_void() {
    let bench = acting(host());
    let mut act = asked(&bench);
    let soon = later(ASKED + MINUTE + 2, 2);
    act.hear(Heard::Connected { generation: 6 }, &soon);
    act.hear(Heard::Connected { generation: 5 }, &soon);
    assert_eq!(act.at_boundary(&soon), Boundary::Stop(Over::BadPermit(Fault::Generation)));
    // Also within the minute that the older one gave.
    let mut act = bench.state.under_way(MINUTE).expect("an act");
    let early = later(ASKED + 5_001, 2);
    assert_eq!(act.at_boundary(&early), Boundary::GoOn);
    act.hear(Heard::Connected { generation: 6 }, &early);
    assert_eq!(act.at_boundary(&early), Boundary::Stop(Over::BadPermit(Fault::Generation)));
}

#[test]
fn quiet_hours_that_begin_in_the_middle_are_kept_at_the_next_minute() {
    let mut bench = acting(host());
    // The bench's time is 04:00 in Stockholm.
    bench.state.host.quiet_hours = vec![String::from("04:00-05:00").try_into().expect("hours")];
    let mut act = bench.state.under_way(MINUTE).expect("an act");
    assert_eq!(act.at_boundary(&later(ASKED + MINUTE, 1)), Boundary::GoOn);
    assert_eq!(act.at_boundary(&later(ASKED + MINUTE + 1, 2)), Boundary::Stop(Over::QuietHours));
}

#[test]
fn a_permit_that_nothing_asked_for_gives_no_minute_and_nothing_is_under_way_while_idle() {
    let bench = acting(host());
    let mut act = bench.state.under_way(MINUTE).expect("an act");
    assert!(act.hear(permitted(renewed(7)), &later(ASKED + 50_000, 1)));
    assert_eq!(act.at_boundary(&later(ASKED + MINUTE + 1, 1)), asks_on(1));
    assert!(Bench::new(host()).state.under_way(MINUTE).is_none());
}
