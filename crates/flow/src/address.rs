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

/// Why a word is not taken. Does not quote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Unspecified, loopback, multicast or broadcast.
    #[error("the address can be nobody's own: its lines would be everybody's")]
    Nobodys,
    /// The end is not after the beginning.
    #[error("until: must be after from; outside of that time the address is somebody else's")]
    Backwards,
    /// It would be theirs from within a time that is on record as ended, and with no end.
    #[error(
        "it begins in a time that is on record with an end: say until when, or withdraw the address and record it anew"
    )]
    Reopens,
    /// The record is full.
    #[error("a contract has at most {MAX_USES} times of addresses: unite or withdraw some")]
    TooMany,
}

/// The record with one more use. One that is told again, or that overlaps another of the same address, becomes one with it;
/// one with an end also ends an open one that it overlaps.
///
/// # Errors
/// [`Refused`]; the record stays as it was.
pub fn record(uses: &[AddressUse], told: &AddressUse) -> Result<Vec<AddressUse>, Refused> {
    let told = AddressUse { address: told.address.to_canonical(), ..told.clone() };
    if is_nobodys(told.address) {
        return Err(Refused::Nobodys);
    }
    if told.until.is_some_and(|until| until <= told.from) {
        return Err(Refused::Backwards);
    }
    let (same, mut left): (Vec<_>, Vec<_>) = uses.iter().cloned().partition(|used| used.address == told.address);
    // A beginning that was told before, and whose end came since: a late copy of it opens nothing again.
    if told.until.is_none() && same.iter().any(|used| used.from == told.from) {
        return Ok(uses.to_vec());
    }
    let mut merged = told;
    for used in same {
        if !overlap(&used, &merged) {
            left.push(used);
            continue;
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

/// The uses as they count once the contract has ended: one that nobody ended ends with it, since from then on nobody says
/// that the address is still theirs. One that had not begun by then is none.
pub fn closed(uses: &[AddressUse], ended: Option<Instant>) -> Vec<AddressUse> {
    let close = |used: &AddressUse| AddressUse { until: used.until.or(ended), ..used.clone() };
    uses.iter().map(close).filter(|used| used.until.is_none_or(|until| used.from < until)).collect()
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

fn is_nobodys(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    address.is_unspecified() || address.is_loopback() || address.is_multicast() || broadcast
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
        assert_eq!(record(&two, &used("::ffff:192.0.2.1", 2, Some(3))), Ok(two.clone()));
        assert_eq!(record(&two, &used("2001:DB8:0:0::0001", 2, None)), Ok(two.clone()));
        assert_eq!(withdraw(&two, "::ffff:192.0.2.1".parse().expect("a literal")).len(), 2);
    }

    #[test]
    fn what_can_be_nobodys_and_what_ends_before_it_begins_is_refused() {
        let nobodys =
            ["0.0.0.0", "::", "127.0.0.1", "::1", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:127.0.0.1"];
        for address in nobodys {
            assert_eq!(record(&[], &used(address, 1, None)), Err(Refused::Nobodys), "{address}");
        }
        for until in [0, 1] {
            assert_eq!(record(&[], &mine(1, Some(until))), Err(Refused::Backwards));
        }
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
    fn what_nobody_ended_ends_with_the_contract() {
        let uses = [mine(1, None), mine(2, Some(9)), used("2001:db8::1", 7, None)];
        assert_eq!(closed(&uses, Some(at(5))), [mine(1, Some(5)), mine(2, Some(9))]);
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
