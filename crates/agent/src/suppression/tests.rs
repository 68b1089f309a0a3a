//! The list on a real disk: what is kept, what is refused, and what is left after a crash or a drop.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use std::fs;

use gallra_model::SuppressionId;
use gallra_model::suppression::{Lift, Month};
use gallra_proof::key::SigningKey;
use tempfile::TempDir;

use super::*;

fn permit() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn own() -> AgentName {
    "web1".parse().expect("a label")
}

fn at(text: &str) -> Instant {
    text.parse().expect("a literal")
}

fn now() -> Instant {
    at("2026-03-10T00:00:00Z")
}

fn key(byte: u8) -> MonthKey {
    MonthKey::from_bytes([byte; 32])
}

fn id(byte: u8) -> SuppressionId {
    SuppressionId::from_bytes([byte; 16])
}

fn entry(byte: u8, with: &MonthKey) -> Item {
    Item::Entry(Entry {
        id: id(byte),
        month: Month::of(now()),
        key: with.name(),
        tag: Digest::of(&[byte]),
        target: "www".parse().expect("a label"),
        erased: now(),
        rule: "webone/customer-data".into(),
        cause: None,
        generation: 1,
        clock: Clock::Real,
    })
}

fn complete(text: &str) -> Item {
    Item::Complete { at: at(text), clock: Clock::Real }
}

fn signed(sequence: u64, after: u64, item: Item) -> Envelope {
    gallra_proof::suppression::sign(&Line { agent: own(), sequence, after, item }, &permit()).expect("signs")
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn open(&self) -> Result<List, ListError> {
        List::open(self.0.path(), &own(), &permit().verifying())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("suppression/list")
    }

    /// Two entries and the word that this is all.
    fn filled() -> (Self, List) {
        let place = Self::new();
        let mut list = place.open().expect("opens");
        for (sequence, byte) in [(1, 1), (2, 2)] {
            let line = signed(sequence, sequence - 1, entry(byte, &key(byte)));
            assert_eq!(list.take(&line, Some(&key(byte)), now()).expect("keeps"), None);
        }
        list.take(&signed(2, 2, complete("2026-03-09T00:00:00Z")), None, now()).expect("keeps");
        (place, list)
    }
}

#[test]
fn lines_keys_and_the_last_word_outlive_a_restart() {
    let (place, list) = Place::filled();
    let (known, contact) = (list.known().clone(), list.contact());
    drop(list);
    let again = place.open().expect("opens");
    assert_eq!((again.known(), again.contact()), (&known, contact));
    assert_eq!(again.known().through(), 2);
    for entry in again.known().entries() {
        assert_eq!(again.key(entry).map(MonthKey::name), Some(entry.key), "two keys of one month are told apart");
    }
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(place.file()).expect("there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_line_that_is_not_the_coordinators_or_not_the_next_one_is_not_kept() {
    let (place, mut list) = Place::filled();
    let before = fs::read(place.file()).expect("reads");
    let thief = SigningKey::from_seed(&[9; 32]);
    let line = Line { agent: own(), sequence: 3, after: 2, item: entry(3, &key(3)) };
    let forged = gallra_proof::suppression::sign(&line, &thief).expect("signs");
    let other = Line { agent: "web2".parse().expect("a label"), ..line };
    let foreign = gallra_proof::suppression::sign(&other, &permit()).expect("signs");
    let cases = [
        (forged, Some(key(3)), Refused::Signature),
        (foreign, Some(key(3)), Refused::Foreign),
        (signed(4, 3, entry(3, &key(3))), Some(key(3)), Refused::Gap),
        (signed(3, 2, entry(3, &key(3))), None, Refused::Key),
        (signed(3, 2, entry(3, &key(3))), Some(key(4)), Refused::Key),
        (signed(3, 3, complete("2026-03-10T00:00:00Z")), None, Refused::Gap),
    ];
    for (line, key, why) in cases {
        assert_eq!(list.take(&line, key.as_ref(), now()).expect("no trouble"), Some(why));
    }
    assert_eq!(list.take(&signed(2, 1, entry(2, &key(2))), Some(&key(2)), now()).expect("no trouble"), None, "again");
    assert_eq!(fs::read(place.file()).expect("reads"), before);
}

#[test]
fn a_torn_last_line_is_cut_off_and_damage_before_it_is_said() {
    let (place, list) = Place::filled();
    drop(list);
    let whole = fs::read(place.file()).expect("reads");
    fs::write(place.file(), &whole[..whole.len() - 20]).expect("writes");
    let mut list = place.open().expect("opens");
    assert_eq!(list.known().through(), 1);
    assert_eq!(list.contact(), None, "the last word was about more than is left");
    list.take(&signed(2, 1, entry(2, &key(2))), Some(&key(2)), now()).expect("keeps");
    assert_eq!(fs::read(place.file()).expect("reads"), whole, "said again, it is the same list");
    drop(list);
    let mut damaged = whole;
    damaged[40] ^= 1;
    fs::write(place.file(), damaged).expect("writes");
    assert!(matches!(place.open(), Err(ListError::Damaged { line: 1, .. })));
}

#[test]
fn an_old_word_makes_nothing_look_fresh() {
    let (_place, mut list) = Place::filled();
    let newest = list.contact().expect("heard").at;
    list.take(&signed(2, 2, complete("2026-03-01T00:00:00Z")), None, now()).expect("no trouble");
    assert_eq!(list.contact().expect("heard").at, newest);
}

#[test]
fn what_was_dropped_leaves_the_disk_with_its_key() {
    let (place, mut list) = Place::filled();
    let lift = Item::Lift(Lift { entry: id(1), by: "ada".into(), at: now() });
    list.take(&signed(3, 2, lift), None, now()).expect("keeps");
    list.take(&signed(4, 3, Item::Drop { entry: id(1) }), None, now()).expect("keeps");
    list.take(&signed(4, 4, complete("2026-03-10T00:00:00Z")), None, now()).expect("keeps");
    let text = fs::read_to_string(place.file()).expect("reads");
    assert_eq!(text.lines().count(), 2, "the other entry, and how far the list goes");
    assert!(!text.contains(&String::from(key(1))) && text.contains(&String::from(key(2))));
    drop(list);
    let again = place.open().expect("opens");
    assert_eq!((again.known().entries().count(), again.known().through()), (1, 4));
    // What comes next fits.
    let mut again = again;
    let line = signed(9, 4, entry(5, &key(2)));
    assert_eq!(again.take(&line, Some(&key(2)), now()).expect("keeps"), None);
}

#[test]
fn a_line_with_another_entrys_key_is_damage() {
    let place = Place::new();
    drop(place.open().expect("opens"));
    let kept = Kept { line: signed(1, 0, entry(1, &key(1))), key: Some(key(2)) };
    fs::write(place.file(), text_of(&kept).expect("writes")).expect("writes");
    assert!(matches!(place.open(), Err(ListError::Damaged { line: 1, .. })));
}
