//! The journal against crashes: torn tails at every length, damage in the middle, shortening.
#![allow(clippy::indexing_slicing, reason = "a panic is a failed test")]

use gallra_flow::agent::record::Held;
use gallra_model::JobId;
use gallra_model::envelope::Envelope;
use proptest::prelude::*;
use std::fs;

use super::disk::unfinished;
use super::*;

fn end(number: u8) -> Record {
    let envelope = Envelope { payload_type: "t".into(), payload: "x".repeat(usize::from(number)), signatures: vec![] };
    let job = JobId::from_bytes([number; 16]);
    Record::End(Held { job, attempt: 1, receipt: Digest::of(&[number]), envelope, done: true })
}

fn stored(number: u8) -> Record {
    Record::Stored { receipt: Digest::of(&[number]) }
}

fn text(records: &[Record]) -> Vec<u8> {
    records.iter().map(|record| line_of(record).expect("writes")).collect::<String>().into_bytes()
}

#[test]
fn what_was_appended_is_there_after_reopening_and_a_torn_tail_is_not() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("journal");
    let (mut journal, records) = Journal::open(&path).expect("makes");
    assert_eq!(records, []);
    journal.append(&Record::Generation { generation: 3 }).expect("appends");
    journal.append(&end(1)).expect("appends");
    drop(journal);
    let whole = fs::read(&path).expect("reads");
    fs::write(&path, [whole.as_slice(), b"0123456789abcdef {\"rec"].concat()).expect("tears");
    let (mut journal, records) = Journal::open(&path).expect("opens");
    assert_eq!(records, [Record::Generation { generation: 3 }, end(1)]);
    assert_eq!(fs::read(&path).expect("reads"), whole, "the torn tail is cut before anything is appended");
    journal.append(&stored(1)).expect("appends");
    let (_, records) = Journal::open(&path).expect("opens");
    assert_eq!(records.len(), 3);
}

#[test]
fn damage_before_the_last_line_stops_the_agent() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("journal");
    let mut bytes = text(&[end(1), end(2)]);
    bytes[20] ^= 1;
    fs::write(&path, bytes).expect("writes");
    assert!(matches!(Journal::open(&path), Err(JournalError::Damaged { line: 1, .. })));
}

#[test]
fn shortening_keeps_the_generation_and_what_is_not_acknowledged() {
    let temp = tempfile::tempdir().expect("a directory");
    let path = temp.path().join("journal");
    let (mut journal, _) = Journal::open(&path).expect("makes");
    journal.append(&Record::Generation { generation: 3 }).expect("appends");
    let bulky = |number: u8| match end(number) {
        Record::End(held) => {
            let envelope = Envelope { payload: "x".repeat(16 * 1024), ..held.envelope };
            Record::End(Held { envelope, ..held })
        }
        other @ (Record::Generation { .. }
        | Record::Origin { .. }
        | Record::Begin(_)
        | Record::Mark { .. }
        | Record::Order { .. }
        | Record::Last { .. }
        | Record::Checkpoint { .. }
        | Record::Stored { .. }) => other,
    };
    for number in 0..17 {
        journal.append(&bulky(number)).expect("appends");
        journal.append(&stored(number)).expect("appends");
    }
    journal.append(&end(255)).expect("appends");
    assert!(journal.bytes > COMPACT_BYTES);
    let mark = journal.mark();
    journal.compact().expect("shortens");
    assert_eq!(journal.mark(), mark, "a shortened journal is no older one");
    journal.append(&Record::Generation { generation: 4 }).expect("appends");
    let (journal, records) = Journal::open(&path).expect("opens");
    let (origin, rest) = records.split_first().expect("records");
    assert_eq!(*origin, Record::Origin { mark });
    assert_eq!(rest, [Record::Generation { generation: 3 }, end(255), Record::Generation { generation: 4 }]);
    assert!(journal.mark().may_follow(&mark) && journal.mark() != mark);
    assert!(journal.bytes < 4096 && !unfinished(&path).exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_tear_leaves_a_prefix_of_whole_records(count in 1_u8..6, cut in 0.0..1.0_f64) {
        let records: Vec<Record> = (0..count).map(end).collect();
        let bytes = text(&records);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length")]
        let length = (bytes.len() as f64 * cut) as usize;
        let (read, good) = parse(&bytes[..length]).expect("a tear is no damage");
        prop_assert!(records.starts_with(&read));
        prop_assert!(good <= length);
        prop_assert_eq!(text(&read).len(), good);
    }

    #[test]
    fn a_flipped_bit_is_never_read_as_another_record(count in 1_u8..5, at in 0.0..1.0_f64, bit in 0_u8..8) {
        let records: Vec<Record> = (0..count).map(end).collect();
        let mut bytes = text(&records);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length")]
        let place = (bytes.len() as f64 * at) as usize;
        bytes[place] ^= 1 << bit;
        if let Ok((read, _)) = parse(&bytes) {
            prop_assert_eq!(read.len() + 1, records.len(), "only the last line may be lost");
            prop_assert!(records.starts_with(&read));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }
}
