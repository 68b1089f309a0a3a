//! Table tests of the session: legal pairs in one story each, every other pair ignored.

use gallra_model::{Clock, Digest};

use super::*;

fn ready() -> Input {
    let inventory = Inventory { agent: "web1".parse().expect("a label"), evidence_key: String::new(), targets: vec![] };
    Input::Privileged(ToSession::Ready { inventory, generation: 4 })
}

fn welcome(generation: u64) -> Input {
    let now = "2026-03-01T03:00:00Z".parse().expect("a literal");
    Input::Said(ToAgent::Welcome { generation, clock: Clock::Real, now, heartbeat_seconds: 20 })
}

fn stored() -> Input {
    Input::Said(ToAgent::ReceiptStored { receipt: Digest::of(b"r") })
}

fn say() -> Input {
    let envelope =
        gallra_model::envelope::Envelope { payload_type: String::new(), payload: String::new(), signatures: vec![] };
    Input::Privileged(ToSession::Say(ToCoordinator::Receipt { envelope }))
}

fn run(inputs: impl IntoIterator<Item = Input>) -> (Session, Vec<Effect>) {
    inputs.into_iter().fold((Session::new(8), vec![]), |(state, _), input| step(state, input))
}

fn at(link: Link) -> Session {
    let inputs = match link {
        Link::Starting => vec![],
        Link::Waiting => vec![ready(), Input::DialFailed],
        Link::Dialling => vec![ready()],
        Link::Greeting => vec![ready(), Input::Dialled],
        Link::Open => vec![ready(), Input::Dialled, welcome(5)],
        Link::Stopped => vec![Input::Stop],
    };
    let (state, _) = run(inputs);
    assert_eq!(state.link(), link);
    state
}

#[test]
fn a_stream_is_greeted_then_used_then_dialled_again_with_the_highest_generation() {
    let (state, effects) = run([ready(), Input::Dialled]);
    let [Effect::Send(ToCoordinator::Hello { generation: 4, credits: 8, .. })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    let (state, effects) = step(state, welcome(9));
    let [
        Effect::Watch,
        Effect::Beat { every_seconds: 20 },
        Effect::Tell(ToPrivileged::Connected { generation: 9, .. }),
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    let (state, effects) = step(state, stored());
    assert!(matches!(effects.as_slice(), [Effect::Tell(ToPrivileged::ReceiptStored { .. })]));
    let (state, effects) = step(state, say());
    assert!(matches!(effects.as_slice(), [Effect::Send(ToCoordinator::Receipt { .. })]));
    let (state, effects) = step(state, Input::Broken);
    assert_eq!(effects, [Effect::Wait]);
    let (state, effects) = step(state, Input::Woke);
    assert_eq!(effects, [Effect::Dial]);
    let (_, effects) = step(state, Input::Dialled);
    assert!(matches!(effects.as_slice(), [Effect::Send(ToCoordinator::Hello { generation: 9, .. })]), "{effects:?}");
}

#[test]
fn only_a_stream_that_lasts_makes_the_next_wait_short() {
    let (state, effects) = step(at(Link::Greeting), welcome(5));
    assert!(!effects.contains(&Effect::Calm), "not at once: {effects:?}");
    let (state, effects) = step(state, Input::Lasted);
    assert_eq!((state.link(), effects), (Link::Open, vec![Effect::Calm]));
}

#[test]
fn a_coordinator_that_speaks_out_of_turn_is_hung_up_on() {
    for (link, message) in [(Link::Greeting, stored()), (Link::Open, welcome(5))] {
        let (state, effects) = step(at(link), message);
        assert_eq!(effects, [Effect::Ignored(Why::OutOfTurn), Effect::HangUp, Effect::Wait]);
        assert_eq!(state.link(), Link::Waiting);
    }
}

#[test]
fn every_other_pair_changes_nothing() {
    use Link::{Dialling, Greeting, Open, Starting, Stopped, Waiting};
    let all = [Starting, Waiting, Dialling, Greeting, Open, Stopped];
    let rows: [(&str, Input, &[Link]); 9] = [
        ("ready", ready(), &[Starting]),
        ("say", say(), &[Open]),
        ("dialled", Input::Dialled, &[Dialling]),
        ("dial failed", Input::DialFailed, &[Dialling]),
        ("broken", Input::Broken, &[Greeting, Open]),
        ("woke", Input::Woke, &[Waiting]),
        ("lasted", Input::Lasted, &[Open]),
        ("welcome", welcome(5), &[Greeting, Open]),
        ("stored", stored(), &[Greeting, Open]),
    ];
    for (name, input, legal) in rows {
        for link in all.iter().filter(|link| !legal.contains(link)) {
            let before = at(*link);
            let (state, effects) = step(before.clone(), input.clone());
            assert_eq!(state.link(), *link, "{name} at {link:?}");
            assert!(matches!(effects.as_slice(), [Effect::Ignored(_)]), "{name} at {link:?}: {effects:?}");
        }
    }
}

#[test]
fn stop_is_final() {
    for link in [Link::Starting, Link::Waiting, Link::Dialling, Link::Greeting, Link::Open] {
        let (state, effects) = step(at(link), Input::Stop);
        assert_eq!((state.link(), effects), (Link::Stopped, vec![Effect::HangUp]));
    }
}
