//! One spelling, and nothing else.

use proptest::prelude::*;

use super::*;

fn signatures(number: u8) -> Vec<SignedBy> {
    (0..number).map(|at| (Digest::of(&[at]), Digest::of(&[at, at]))).collect()
}

fn about(kind: Kind) -> About {
    let request = kind.has_request().then(|| RequestId::from_bytes([0x5f; 16]));
    About { kind, request, due: None }
}

fn plan() -> Entry {
    let about = About { due: "2027-05-08".parse().ok(), ..about(Kind::Plan) };
    Entry::new(Some(about), Digest::of(b"pae"), signatures(2)).unwrap()
}

#[test]
fn an_entry_is_spelled_as_its_page_says() {
    let expected = format!(
        "gallra-log-entry/v1\nkind plan\nrequest 5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f\ndue 2027-05-08\npae sha256:{}\n\
         sig {} sha256:{}\nsig {} sha256:{}\n",
        Digest::of(b"pae"),
        // Sorted: the digest of 1 comes before that of 0.
        Digest::of(&[1]),
        Digest::of(&[1, 1]),
        Digest::of(&[0]),
        Digest::of(&[0, 0]),
    );
    assert_eq!(plan().to_string(), expected);
    assert_eq!(expected.parse(), Ok(plan()));
    assert_eq!(plan().leaf(), Hash::leaf(expected.as_bytes()));
}

#[test]
fn every_kind_is_read_with_what_belongs_to_it_and_without_it_not() {
    for kind in Kind::ALL {
        let (pae, sigs) = (Digest::of(b"x"), signatures(1));
        let entry = Entry::new(Some(about(kind)), pae, sigs.clone()).unwrap();
        assert_eq!(entry.to_string().parse(), Ok(entry.clone()), "{kind:?}");
        assert_eq!(entry.to_string().contains("request "), kind.has_request());
        let request = if kind.has_request() { None } else { Some(RequestId::from_bytes([1; 16])) };
        let other = About { request, ..about(kind) };
        assert_eq!(Entry::new(Some(other), pae, sigs.clone()), Err(EntryError::Request), "{kind:?}");
        let due = About { due: "2027-05-08".parse().ok(), ..about(kind) };
        let answer = Entry::new(Some(due), pae, sigs).map(|_| ());
        assert_eq!(answer, if kind == Kind::Plan { Ok(()) } else { Err(EntryError::Due) }, "{kind:?}");
    }
    let infrastructure: Vec<_> = Kind::ALL.into_iter().filter(|kind| !kind.has_request()).map(Kind::word).collect();
    assert_eq!(infrastructure, ["key-manifest", "key-event", "log-succession"]);
}

#[test]
fn an_entry_may_disclose_nothing_but_not_a_part() {
    let entry = Entry::new(None, Digest::of(b"pae"), signatures(1)).unwrap();
    let text = entry.to_string();
    assert_eq!(text.lines().count(), 3);
    assert_eq!(text.parse(), Ok(entry));
    for line in ["request 5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f", "due 2027-05-08"] {
        let part = text.replace("\npae", &format!("\n{line}\npae"));
        assert_eq!(part.parse::<Entry>(), Err(EntryError::Form), "{part}");
    }
}

#[test]
fn other_spellings_are_refused() {
    let good = plan().to_string();
    let lines: Vec<&str> = good.lines().collect();
    let mut all = vec![
        String::new(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("\n{good}"),
        good.replace('\n', "\r\n"),
        good.replace("/v1", "/v2"),
        good.replace("kind plan", "kind  plan"),
        good.replace("kind plan", "kind plan "),
        good.replace("kind plan", "kind Plan"),
        good.replace("kind plan", "kind erasure"),
        good.replace("request 5f", "request 5F"),
        good.replace("request 5f", "request "),
        good.replace("2027-05-08", "2027-5-8"),
        good.replace("2027-05-08", "20270508"),
        good.replace("2027-05-08", "2027-02-30"),
        good.replace("2027-05-08", "2027-05-08T00:00"),
        good.replace("2027-05-08", "-000001-05-08"),
        good.replace("pae sha256:", "pae sha512:"),
        good.replace("pae sha256:", "pae "),
        good.replace("pae sha256:", "pae sha256:0"),
        good.replace("pae sha256:", "pae SHA256:"),
        good.replace("pae ", "pae\t"),
        good.replace(" sha256", "  sha256"),
        good.replace("sig ", "sig\u{a0}"),
    ];
    // A line more, a line less, two in the other order.
    for at in 0..lines.len() {
        let mut doubled = lines.clone();
        doubled.insert(at, lines[at]);
        all.push(doubled.join("\n") + "\n");
        if at + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            all.push(swapped.join("\n") + "\n");
        }
        let surplus = [&lines[..at], &["note x"], &lines[at..]].concat();
        all.push(surplus.join("\n") + "\n");
        // Two lines may be missing: a plan may have no day, and one signature is enough.
        if !lines[at].starts_with("due") && !lines[at].starts_with("sig") {
            all.push([&lines[..at], &lines[at + 1..]].concat().join("\n") + "\n");
        }
    }
    for bad in all {
        assert!(bad.parse::<Entry>().is_err(), "{bad:?}");
    }
}

#[test]
fn signatures_are_bounded_and_by_different_keys() {
    let of = |sigs: Vec<SignedBy>| Entry::new(None, Digest::of(b"x"), sigs);
    assert_eq!(of(signatures(0)), Err(EntryError::Signatures));
    assert_eq!(of(signatures(17)), Err(EntryError::Signatures));
    let key = Digest::of(b"key");
    assert_eq!(of(vec![(key, Digest::of(b"1")), (key, Digest::of(b"2"))]), Err(EntryError::Signatures));
    let about = About { due: "9999-12-30".parse().ok(), ..about(Kind::Plan) };
    let longest = Entry::new(Some(about), Digest::of(b"x"), signatures(16)).unwrap().to_string();
    assert!(longest.len() <= MOST_BYTES, "{}", longest.len());
    assert!(longest.parse::<Entry>().is_ok());
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_any_order_of_signatures(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        seed: u8,
        shuffled in Just(signatures(5)).prop_shuffle(),
        opaque: bool,
    ) {
        let about = (!opaque).then(|| about(kind));
        let entry = Entry::new(about, Digest::of(&[seed]), shuffled).unwrap();
        prop_assert_eq!(&entry, &Entry::new(about, Digest::of(&[seed]), signatures(5)).unwrap());
        prop_assert_eq!(entry.to_string().parse(), Ok(entry));
    }

    #[test]
    fn no_flipped_byte_is_the_same_entry(at in 0..400_usize, bit in 0..8_u8) {
        let good = plan();
        let mut bytes = good.to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(read) = text.parse::<Entry>()
        {
            prop_assert_ne!(read.leaf(), good.leaf());
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
