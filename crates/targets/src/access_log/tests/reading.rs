//! Both sides read lines alike, whatever stands in them, and whatever pieces they come in.

use std::io::{self, Read};

use proptest::prelude::*;

use crate::access_log::config::Act;
use crate::access_log::format::{Fields, Format, Names};
use crate::access_log::raw::{Rule, Tally, Wanted};
use crate::access_log::stream::{Sink, pass};
use crate::access_log::subject::{Subject, Who};
use crate::access_log::{mask, time};
use crate::testing::service;

use super::fixture::{Logs, addresses, visit};

/// Gives so many bytes at once.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(self.0.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

struct Collecting(Vec<u8>);

impl Sink for Collecting {
    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn formats() -> Vec<Format> {
    vec![
        Format::VhostCombined,
        Format::Fields(Fields { host: Some(0), address: 1, time: 4, forwarded: Some(8) }),
        Format::Json(Names { host: Some("h".into()), address: "a".into(), time: "t".into(), forwarded: None }),
    ]
}

/// Bits that lines are made of, good and bad.
fn bit() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("anna.example".to_owned()),
        Just("anna.example:443 ".to_owned()),
        Just("ANNA.example:x ".to_owned()),
        Just("192.0.2.1 - - [01/Mar/2026:13:12:00 +0000] \"GET /\" ".to_owned()),
        Just("[01/Mar/2026:13:12:00 +0000] \"".to_owned()),
        Just("{\"h\":\"anna.example\",\"a\":\"192.0.2.1\",\"t\":1772370720}".to_owned()),
        Just("{\"a\":\"::ffff:192.0.2.1\", \"h\" : \"www.anna.example\", \"t\":\"2026-03-01T13:12:00Z\",".to_owned()),
        Just("\n".to_owned()),
        "[ \"\\\\\\[\\]{}:,.a1-]{0,4}",
        (0_u32..60).prop_map(|minute| visit("anna.example", "192.0.2.1", minute)),
        (0_u32..60).prop_map(|minute| visit("b.example", "2001:db8::1", minute)),
    ]
}

proptest! {
    #[test]
    fn both_sides_see_the_same_lines(bits in prop::collection::vec(bit(), 0..30), step in 1_usize..50) {
        let text = bits.concat();
        for format in formats() {
            for by_host in [true, false] {
                let mut logs = if by_host { Logs::by_host() } else { Logs::by_address() };
                logs.config.format = format.clone();
                let selector = if by_host { service("anna.example") } else { addresses(&["192.0.2.1"]) };
                let subject = Subject::of(&logs.config, &selector).expect("selects");
                let mut sink = Collecting(Vec::new());
                let sum = pass(&mut Dripping(text.as_bytes(), step), &subject, &mut sink).expect("reads");
                let rule = Rule { format: &format, wanted: Wanted::Of(&subject.who, Act::Erase) };
                let before = Tally::of(Dripping(text.as_bytes(), step), &rule).expect("reads");
                let after = Tally::of(sink.0.as_slice(), &rule).expect("reads");
                prop_assert_eq!((sum.mine, sum.lines), (before.mine, before.mine + before.others), "{:?}", format);
                prop_assert!(before.same_others(&after), "{:?}", format);
                prop_assert_eq!(after.mine, 0);
                prop_assert_eq!(sum.reads, before.reads, "{:?}", format);
            }
        }
    }

    #[test]
    fn no_line_makes_a_reader_panic_and_masking_twice_is_masking_once(line in prop::collection::vec(any::<u8>(), 0..200)) {
        for format in formats() {
            if let Some(parts) = format.read(&line) {
                let (mut once, mut twice) = (Vec::new(), Vec::new());
                mask::line(&line, &parts, &mut once);
                if let Some(parts) = format.read(&once) {
                    mask::line(&once, &parts, &mut twice);
                    prop_assert_eq!(once, twice);
                }
            }
            let who = Who::Hosts(vec!["a".into()]);
            let rule = Rule { format: &format, wanted: Wanted::Of(&who, Act::Anonymise) };
            let _ = Tally::of(line.as_slice(), &rule).expect("memory reads");
        }
        let _ = time::read(&line);
    }

    #[test]
    fn times_are_read_as_they_were_written(seconds in 0_i64..4_000_000_000, minutes in -14_i32 * 60..14 * 60) {
        let instant = gallra_model::Instant::from_second(seconds).expect("in range");
        let offset = jiff::tz::Offset::from_seconds(minutes * 60).expect("in range");
        let local = instant.to_zoned(jiff::tz::TimeZone::fixed(offset));
        prop_assert_eq!(time::read(local.strftime("%d/%b/%Y:%H:%M:%S %z").to_string().as_bytes()), Some(instant));
        prop_assert_eq!(time::read(local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().as_bytes()), Some(instant));
        prop_assert_eq!(time::read(seconds.to_string().as_bytes()), Some(instant));
    }
}

#[test]
fn a_time_without_a_zone_is_none() {
    for bad in [
        "",
        "01/Mar/2026:13:00:00",
        "31/Feb/2026:13:00:00 +0000",
        "01/Mar/2026:13:00:00 0000x",
        "2026-03-01T13:00:00",
        "12.",
        "-1",
    ] {
        assert_eq!(time::read(bad.as_bytes()), None, "{bad}");
    }
}
