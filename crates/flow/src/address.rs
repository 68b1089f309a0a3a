//! When an address was a subject's, as billing tells it bit by bit: what a further word changes, when a use ends that nobody
//! ended, and what an offer carries of it. Owns the decision; refuses to know where uses are sealed. Upholds I11: nothing
//! that is told twice, late or in another order makes the time longer than somebody said it was, since outside of it the
//! address is somebody else's (decision 10).

use core::net::IpAddr;

use gallra_model::Instant;
use gallra_model::selector::AddressUse;

/// Uses that one contract may have on record: a year of an address that changes twice in three days. They are one sealed
/// value.
pub const MAX_USES: usize = 256;

/// Uses that one offer carries, a customer's contracts together: some half a megabyte, of the four that a message may have.
pub const MAX_OFFERED: usize = 4096;

/// A contract's own time: none of its addresses is anybody's by it outside of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Its first day begins.
    pub from: Instant,
    /// Its last day is over; unset while none is known.
    pub until: Option<Instant>,
}

/// Why a word is not taken. Does not quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Reserved, or of many at once by what it is.
    #[error("the address can be nobody's own: its lines would be everybody's")]
    Nobodys,
    /// A mistyped year, say: it would take the lines of whoever had the address then.
    #[error("from: before the contract's first day; the address was somebody else's then")]
    Early,
    /// Beyond the contract.
    #[error("after the contract's last day: an address is theirs until that day's end at the latest")]
    Late,
    /// Merged, the longer time would win, and nobody would know that it was corrected.
    #[error("a time on record would become shorter: withdraw the address first, then record all of its times anew")]
    Shortens,
    /// The end is not after the beginning.
    #[error("until: must be after from; outside of that time the address is somebody else's")]
    Backwards,
    /// It would be theirs from within a time that is on record as ended, and with no end.
    #[error(
        "it begins in a time that is on record with an end: say until when, or withdraw the address and record it anew"
    )]
    Reopens,
    /// An erasure would take lines of one of the two.
    #[error("the address is on record as another customer's for a part of that time: end or correct that first")]
    Taken,
    /// The record is full.
    #[error("a contract has at most {MAX_USES} times of addresses: unite or withdraw some")]
    TooMany,
}

/// The record with one more use. One that is told again, or that overlaps another of the same address, becomes one with it;
/// one with an end also ends an open one that it overlaps, if it does not begin later than that.
///
/// # Errors
/// [`Refused`]; the record stays as it was.
pub fn record(uses: &[AddressUse], told: &AddressUse, term: Term) -> Result<Vec<AddressUse>, Refused> {
    let told = AddressUse { address: told.address.to_canonical(), ..told.clone() };
    if is_nobodys(told.address) {
        return Err(Refused::Nobodys);
    }
    if told.until.is_some_and(|until| until <= told.from) {
        return Err(Refused::Backwards);
    }
    if told.from < term.from {
        return Err(Refused::Early);
    }
    if term.until.is_some_and(|end| told.from >= end) {
        return Err(Refused::Late);
    }
    let beyond = term.until.zip(told.until).is_some_and(|(end, until)| until > end);
    let next = joined(uses, told)?;
    // What was told before the contract ended may be told again: it counts until that end only.
    if beyond && next != uses { Err(Refused::Late) } else { Ok(next) }
}

fn joined(uses: &[AddressUse], told: AddressUse) -> Result<Vec<AddressUse>, Refused> {
    let (same, mut left): (Vec<_>, Vec<_>) = uses.iter().cloned().partition(|used| used.address == told.address);
    // A beginning that was told before, and whose end came since: a late copy of it opens nothing again.
    if told.until.is_none() && same.iter().any(|used| used.from == told.from) {
        return Ok(uses.to_vec());
    }
    let mut merged = told.clone();
    for used in same {
        if !overlap(&used, &merged) {
            left.push(used);
            continue;
        }
        // In doubt it is a correction. What begins within a time that has an end cannot be told from a lease that goes on.
        let ends_sooner = used.until.zip(told.until).is_some_and(|(recorded, until)| until < recorded);
        if ends_sooner || (used.until.is_none() && told.from > used.from) {
            return Err(Refused::Shortens);
        }
        merged.until = match (used.until, merged.until) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (None, until) => until,
            (Some(_), None) => return Err(Refused::Reopens),
        };
        merged.from = merged.from.min(used.from);
    }
    left.push(merged);
    left.sort_by_key(order);
    if left.len() > MAX_USES { Err(Refused::TooMany) } else { Ok(left) }
}

/// The record without any use of an address: it was told in error.
pub fn withdraw(uses: &[AddressUse], address: IpAddr) -> Vec<AddressUse> {
    uses.iter().filter(|used| used.address != address.to_canonical()).cloned().collect()
}

/// The uses as they count once the contract has ended: none goes on after it, whatever end was told in advance, since from
/// then on nobody says that the address is still theirs. One that had not begun by then is none.
pub fn closed(uses: &[AddressUse], ended: Option<Instant>) -> Vec<AddressUse> {
    let close = |used: &AddressUse| AddressUse { until: used.until.into_iter().chain(ended).min(), ..used.clone() };
    uses.iter().map(close).filter(|used| used.until.is_none_or(|until| used.from < until)).collect()
}

/// Whether an address is in both at the same time.
pub fn collide(uses: &[AddressUse], others: &[AddressUse]) -> bool {
    uses.iter().any(|one| others.iter().any(|other| one.address == other.address && overlap(one, other)))
}

/// Uses of several contracts as one list: what overlaps, or follows at once, becomes one.
pub fn unite(mut uses: Vec<AddressUse>) -> Vec<AddressUse> {
    uses.sort_by_key(order);
    let mut united: Vec<AddressUse> = Vec::with_capacity(uses.len());
    for used in uses {
        match united.last_mut() {
            Some(last) if last.address == used.address && last.until.is_none_or(|until| used.from <= until) => {
                last.until = last.until.zip(used.until).map(|(one, other)| one.max(other));
            }
            _ => united.push(used),
        }
    }
    united
}

fn order(used: &AddressUse) -> (IpAddr, Instant) {
    (used.address, used.from)
}

fn overlap(one: &AddressUse, other: &AddressUse) -> bool {
    other.until.is_none_or(|until| one.from < until) && one.until.is_none_or(|until| other.from < until)
}

/// What can never be one subscriber's (RFC 6890 and IANA's registries of special addresses). Private addresses and those of
/// documentation are not among them: in a provider's own network one may be somebody's.
fn is_nobodys(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => match v4.octets() {
            // "This" network, loopback, multicast, reserved and broadcast.
            [0 | 127 | 224.., ..] => true,
            // Shared by definition behind carrier-grade NAT (RFC 6598).
            [100, 64..=127, ..] => true,
            // Link-local; protocol assignments, among them those shared by DS-Lite (RFC 6333).
            [169, 254, ..] | [192, 0, 0, _] => true,
            // Benchmarks (RFC 2544).
            [198, 18 | 19, ..] => true,
            _ => false,
        },
        IpAddr::V6(v6) => match v6.segments() {
            // Unspecified, loopback, and IPv4-compatible, which nothing uses any more (RFC 4291).
            [0, 0, 0, 0, 0, 0, _, _] => true,
            // Discard-only (RFC 6666).
            [0x100, 0, 0, 0, ..] => true,
            // Link-local and site-local: they mean another host on each link; multicast.
            [0xfe80..=0xfeff | 0xff00.., ..] => true,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_second(second).expect("in range")
    }

    fn used(address: &str, from: i64, until: Option<i64>) -> AddressUse {
        AddressUse { address: address.parse().expect("a literal"), from: at(from), until: until.map(at) }
    }

    fn mine(from: i64, until: Option<i64>) -> AddressUse {
        used("192.0.2.1", from, until)
    }

    /// Of a contract that began long before, and goes on.
    const ALWAYS: Term = Term { from: Instant::UNIX_EPOCH, until: None };

    fn record(uses: &[AddressUse], told: &AddressUse) -> Result<Vec<AddressUse>, Refused> {
        super::record(uses, told, ALWAYS)
    }

    fn told(words: &[AddressUse]) -> Vec<AddressUse> {
        words.iter().fold(Vec::new(), |uses, word| record(&uses, word).expect("taken"))
    }

    #[test]
    fn an_open_use_is_ended_by_a_second_word_and_a_late_copy_of_the_first_opens_nothing() {
        let ended = told(&[mine(1, None), mine(1, Some(5))]);
        assert_eq!(ended, [mine(1, Some(5))]);
        assert_eq!(record(&ended, &mine(1, None)), Ok(ended.clone()));
        assert_eq!(record(&ended, &mine(1, Some(5))), Ok(ended.clone()));
        assert_eq!(record(&ended, &mine(3, None)), Err(Refused::Reopens));
        assert_eq!(record(&ended, &mine(0, None)), Err(Refused::Reopens));
        // From its end on it may be theirs again, and that does not make the first time longer.
        let again = record(&ended, &mine(5, None)).expect("taken");
        assert_eq!(again, [mine(1, Some(5)), mine(5, None)]);
        assert_eq!(record(&again, &mine(1, Some(5))), Ok(again.clone()));
    }

    #[test]
    fn overlapping_times_become_one_and_addresses_stay_apart() {
        assert_eq!(told(&[mine(1, Some(5)), mine(8, Some(9)), mine(4, Some(8))]), [mine(1, Some(8)), mine(8, Some(9))]);
        let two = told(&[mine(1, Some(5)), used("192.0.2.10", 2, None), used("2001:db8::1", 2, None)]);
        assert_eq!(two.len(), 3);
        // An IPv4 address in IPv6 clothes is the IPv4 address, and so is another spelling of an IPv6 one.
        assert_eq!(record(&two, &used("::ffff:192.0.2.1", 1, Some(5))), Ok(two.clone()));
        assert_eq!(record(&two, &used("2001:DB8:0:0::0001", 2, None)), Ok(two.clone()));
        assert_eq!(withdraw(&two, "::ffff:192.0.2.1".parse().expect("a literal")).len(), 2);
    }

    #[test]
    fn what_can_be_nobodys_and_what_ends_before_it_begins_is_refused() {
        let nobodys = "0.0.0.0 0.1.2.3 127.0.0.1 224.0.0.1 240.0.0.1 255.255.255.255 100.64.0.1 100.127.255.255 169.254.0.1 192.0.0.1 \
             198.18.0.1 198.19.255.255 :: ::1 ::192.0.2.1 100::1 ff02::1 fe80::1 febf::1 fec0::1 ::ffff:127.0.0.1 \
             ::ffff:100.64.0.1";
        for address in nobodys.split_whitespace() {
            assert_eq!(record(&[], &used(address, 1, None)), Err(Refused::Nobodys), "{address}");
        }
        let somebodys = "1.0.0.1 100.63.255.255 100.128.0.1 169.253.0.1 192.0.1.1 192.0.2.1 198.17.0.1 198.20.0.1 10.0.0.1 \
                         223.255.255.255 2001:db8::1 64:ff9b::1 fd00::1 fe7f::1";
        for address in somebodys.split_whitespace() {
            assert!(record(&[], &used(address, 1, None)).is_ok(), "{address}");
        }
        for until in [0, 1] {
            assert_eq!(record(&[], &mine(1, Some(until))), Err(Refused::Backwards));
        }
    }

    #[test]
    fn a_time_on_record_is_never_made_shorter_in_silence() {
        let leased = [mine(1, Some(20))];
        for sooner in [mine(1, Some(10)), mine(5, Some(10)), mine(0, Some(10))] {
            assert_eq!(record(&leased, &sooner), Err(Refused::Shortens));
        }
        assert_eq!(record(&[mine(1, None)], &mine(3, Some(9))), Err(Refused::Shortens), "it began later after all");
        assert_eq!(record(&[mine(1, None)], &mine(3, None)), Err(Refused::Shortens));
        // What does not touch it, or makes it longer, is no correction.
        assert_eq!(record(&leased, &mine(20, Some(25))), Ok(vec![mine(1, Some(20)), mine(20, Some(25))]));
        assert_eq!(record(&leased, &mine(15, Some(25))), Ok(vec![mine(1, Some(25))]), "a lease that goes on");
        assert_eq!(record(&[mine(3, None)], &mine(1, Some(9))), Ok(vec![mine(1, Some(9))]));
        assert_eq!(withdraw(&leased, leased[0].address), []);
    }

    #[test]
    fn outside_of_the_contracts_own_time_nothing_is_taken() {
        let term = Term { from: at(10), until: Some(at(20)) };
        let record = |uses: &[AddressUse], told: &AddressUse| super::record(uses, told, term);
        for early in [mine(9, None), mine(1, Some(15))] {
            assert_eq!(record(&[], &early), Err(Refused::Early));
        }
        for late in [mine(20, None), mine(20, Some(21)), mine(10, Some(21))] {
            assert_eq!(record(&[], &late), Err(Refused::Late));
        }
        for within in [mine(10, None), mine(10, Some(20)), mine(19, None)] {
            assert_eq!(record(&[], &within), Ok(vec![within]));
        }
        // A lease that was told before the end, told again after it.
        assert_eq!(record(&[mine(10, Some(30))], &mine(10, Some(30))), Ok(vec![mine(10, Some(30))]));
    }

    #[test]
    fn the_record_is_bounded() {
        let full: Vec<_> = (0..256).map(|n| mine(10 * n, Some(10 * n + 1))).collect();
        assert_eq!(record(&full, &mine(5, Some(6))), Err(Refused::TooMany));
        assert_eq!(record(&full, &mine(0, Some(1))), Ok(full.clone()), "told again");
    }

    #[test]
    fn no_order_of_words_makes_it_theirs_at_a_time_that_nobody_named() {
        let words: Vec<AddressUse> =
            (0..4).flat_map(|from| (from + 1..6).map(Some).chain([None]).map(move |until| mine(from, until))).collect();
        let covered = |uses: &[AddressUse], second| uses.iter().any(|used| used.covers(used.address, at(second)));
        for one in &words {
            for two in &words {
                for three in &words {
                    let mut uses = Vec::new();
                    let mut taken = Vec::new();
                    for word in [one, two, three] {
                        let Ok(next) = record(&uses, word) else { continue };
                        assert_eq!(record(&next, word), Ok(next.clone()), "told twice is told once");
                        taken.push(word.clone());
                        uses = next;
                    }
                    for second in 0..8 {
                        let named = covered(&taken, second);
                        assert!(named || !covered(&uses, second), "{second}: {taken:?}");
                        let ended = taken.iter().all(|word| word.until.is_some());
                        assert!(!ended || named == covered(&uses, second), "{second}: {taken:?} is lost");
                    }
                    assert!(uses.iter().zip(uses.iter().skip(1)).all(|(one, two)| !overlap(one, two)));
                }
            }
        }
    }

    #[test]
    fn nothing_goes_on_after_the_contract_whatever_was_told_in_advance() {
        let uses = [mine(1, None), mine(2, Some(9)), mine(3, Some(4)), used("2001:db8::1", 7, None)];
        assert_eq!(closed(&uses, Some(at(5))), [mine(1, Some(5)), mine(2, Some(5)), mine(3, Some(4))]);
        assert_eq!(closed(&uses, None), uses);
    }

    #[test]
    fn uses_of_several_contracts_become_one_list() {
        let other = used("192.0.2.10", 1, Some(2));
        let all = vec![mine(5, Some(9)), other.clone(), mine(1, Some(5)), mine(6, Some(7)), mine(20, Some(21))];
        assert_eq!(unite(all), [mine(1, Some(9)), mine(20, Some(21)), other.clone()]);
        assert_eq!(unite(vec![mine(5, Some(9)), mine(1, None)]), [mine(1, None)]);
    }
}
