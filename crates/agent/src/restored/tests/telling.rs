//! What the coordinator will be told of a restore: a statement for each entry, durable before anything is released, and naming
//! nobody.

use gallra_model::envelope::Envelope;
use gallra_model::outcome::Counts;
use gallra_model::restore::Restore;
use gallra_model::suppression::Entry;

use super::*;
use crate::outbox::Outbox;

/// What waits to be told, opened under the host's key.
fn told(host: &Host) -> Vec<Restore> {
    let envelopes = Outbox::open(&host.file("privileged")).expect("opens").begin().expect("reads");
    let open = |envelope: &Envelope| gallra_proof::restore::open(envelope, &host.evidence().verifying());
    envelopes.iter().map(|envelope| open(envelope).expect("signed").0).collect()
}

fn entry(item: Item) -> Entry {
    let Item::Entry(entry) = item else { panic!("an entry") };
    entry
}

#[test]
fn each_entry_that_went_again_is_told_of_and_nothing_that_is_kept_names_anybody() {
    let host = Host::new();
    host.list(&[]);
    for target in TARGETS {
        host.restored(target, |_| {}).expect("runs");
    }
    let told = told(&host);
    for (said, target) in told.iter().zip(TARGETS) {
        let Restore { agent, target: at_target, taken, released, clock, .. } = said;
        assert_eq!((agent.as_str(), at_target.as_str(), *clock), ("web1", target, Clock::Real));
        assert_eq!((*taken, *released, said.counts.settles()), (at(TAKEN), true, true), "{target}");
        assert_eq!(said.entry, entry(host.entry(target)).digest().expect("JSON"), "{target}");
        assert!(said.counts.erased + said.counts.anonymised > 0, "{said:?}");
    }
    assert_eq!(told.len(), 3);
    // Nothing came back since: nothing is told.
    host.restored("www", |_| {}).expect("runs");
    assert_eq!(self::told(&host).len(), 3);
    for file in fs::read_dir(host.file("privileged/restores/outbox")).expect("lists") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("reads");
        let payload = gallra_proof::dsse::payload(&serde_json::from_str(&text).expect("JSON")).expect("base64");
        assert!(!String::from_utf8_lossy(&payload).contains(LEAVER) && !text.contains(LEAVER));
    }
}

#[test]
fn what_is_left_alone_is_not_told_of_and_a_dry_run_tells_nothing() {
    let lift = Item::Lift(Lift { entry: id("www"), by: "ada".into(), at: at(TAKEN) });
    for more in [lift, Item::Hold { entry: id("www"), held: true }] {
        let host = Host::new();
        host.list(&[more]);
        host.restored("www", |_| {}).expect("runs");
        assert_eq!(told(&host), []);
    }
    let host = Host::new();
    host.list(&[]);
    host.restored("www", |ask| ask.taken = at("2026-03-02T00:00:00Z")).expect("runs");
    host.restored("www", |ask| ask.dry_run = true).expect("runs");
    assert_eq!(told(&host), []);
}

#[test]
fn what_did_not_go_is_told_as_that_and_told_anew_when_it_went() {
    let host = Host::new();
    let other = SigningKey::from_seed(&[66; 32]);
    host.list_by(&other, &[]);
    assert!(!host.restored("www", |_| {}).expect("runs").restored.released);
    let failed = told(&host);
    let [Restore { released: false, counts: Counts { failed: 1, .. }, .. }] = failed.as_slice() else {
        panic!("{failed:?}")
    };
    host.trust(&other);
    host.set_now("2026-03-10T13:00:00Z");
    assert!(host.restored("www", |_| {}).expect("runs").restored.released);
    let told = told(&host);
    assert_eq!(told.iter().map(|said| said.released).collect::<Vec<_>>(), [false, true]);
    assert_eq!(told[0].entry, told[1].entry);
    assert!(!gallra_model::restore::came_back(&told), "the second one says that all of it is gone");
}

#[test]
fn remains_that_may_be_anybodys_release_nobodys_entry() {
    let host = Host::new();
    host.list(&[]);
    host.break_off();
    let trash = host.file("srv/www/.gallra-trash");
    let remains = fs::read_dir(&trash).expect("lists").next().expect("one").expect("an entry").path();
    // Of somebody whom nobody can tell; and the leaver's tree came back, too.
    let text = remains.file_name().expect("a name").to_string_lossy().into_owned();
    let (first, rest) = text.split_at(1);
    fs::rename(&remains, trash.join(format!("{}{rest}", if first == "0" { "1" } else { "0" }))).expect("renames");
    let web = host.file("srv/www").join(LEAVER);
    fs::create_dir_all(&web).expect("makes");
    fs::write(web.join("index.html"), "again").expect("writes");
    let done = host.restored("www", |_| {}).expect("runs");
    let told = told(&host);
    let subjects = done.restored.subjects;
    assert_eq!((subjects.erased, subjects.unknown), (1, 1), "{:?}", done.hints);
    assert_eq!((told.len(), told[0].released, told[0].counts.failed), (1, false, 0), "{told:?}");
}

#[test]
fn every_erasure_that_the_copy_undid_is_told_of_and_those_before_it_are_not() {
    let older = |erased: &str| {
        let newest = entry(Host::new().entry("www"));
        let id = SuppressionId::from_digest(&gallra_model::Digest::of(erased.as_bytes()));
        Entry { id, erased: at(erased), ..newest }
    };
    // One before the copy, one after it, and one after it that was lifted.
    let [before, after, lifted] = ["2026-01-01T03:00:00Z", "2026-02-10T03:00:00Z", "2026-02-11T03:00:00Z"].map(older);
    let lift = Item::Lift(Lift { entry: lifted.id, by: "ada".into(), at: at(TAKEN) });
    let host = Host::new();
    host.list(&[Item::Entry(before), Item::Entry(after.clone()), Item::Entry(lifted), lift]);
    assert!(host.restored("www", |_| {}).expect("runs").restored.released);
    let mut named: Vec<_> = told(&host).into_iter().map(|said| said.entry).collect();
    let mut wanted = vec![after.digest().expect("JSON"), entry(host.entry("www")).digest().expect("JSON")];
    named.sort();
    wanted.sort();
    assert_eq!(named, wanted);
}

#[test]
fn nothing_is_released_while_what_came_of_it_is_not_kept_and_the_next_run_keeps_it() {
    // What this run will keep, and under which name, a twin of the host tells.
    let twin = Host::new();
    twin.list(&[]);
    twin.restored("www", |_| {}).expect("runs");
    let files: Vec<_> = fs::read_dir(twin.file("privileged/restores/outbox")).expect("lists").collect();
    let [Ok(file)] = files.as_slice() else { panic!("{files:?}") };
    let host = Host::new();
    host.list(&[]);
    drop(Outbox::open(&host.file("privileged")).expect("makes"));
    // A directory in its place: not even root writes there.
    let blocked = host.file("privileged/restores/outbox").join(file.file_name()).with_extension("new");
    fs::create_dir(&blocked).expect("makes");
    let broken = host.restored("www", |_| {}).expect_err("nothing can be kept");
    assert!(format!("{broken:#}").contains("outbox"), "{broken:#}");
    assert!(!host.holds("www", LEAVER), "it is erased, and nobody was told yet");
    fs::remove_dir(&blocked).expect("removes");
    assert!(host.restored("www", |_| {}).expect("runs").restored.released);
    let told = told(&host);
    assert_eq!((told.len(), told[0].released), (1, true), "{told:?}");
}
