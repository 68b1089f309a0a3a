//! What billing's versioned words about one contract come to, in whatever order they arrive. Owns the decision; refuses to know
//! requests, customers and calendars. Of each kind of word the newest counts, an end and a settlement only where they are
//! newer than the newest resumption, and a settlement only where it is newer than the end that it settles. So what has
//! arrived is a set, and what it comes to does not depend on its order ([decision record 0021]); a doubled word changes
//! nothing (I6).
//!
//! [decision record 0021]: ../../../docs/decisions/0021-moving-and-late-words.md

use gallra_model::Day;
use gallra_model::contract::{Said, Words};

/// What billing says of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It ended on this day.
    Ended(Day),
    /// It was settled on this day.
    Settled(Day),
    /// It goes on after all.
    Resumed,
    /// It goes on under another customer.
    Moved,
}

/// What the words come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The service is delivered.
    Active,
    /// It ended.
    Ended {
        /// The last day.
        ended: Day,
        /// The day of settlement, where there is one.
        settled: Option<Day>,
    },
}

/// Takes a word of this version in. `None`: it is late or doubled, and changes nothing.
pub fn take(words: &Words, version: u64, word: Word) -> Option<Words> {
    let said = |day| Some(Said { version, day });
    let newer = |known: Option<Said>| version > words.since && known.is_none_or(|known| version > known.version);
    match word {
        Word::Ended(day) => newer(words.ended).then(|| Words { ended: said(day), ..*words }),
        Word::Settled(day) => newer(words.settled).then(|| Words { settled: said(day), ..*words }),
        Word::Resumed | Word::Moved => (version > words.since).then(|| {
            let still = |known: Option<Said>| known.filter(|known| known.version > version);
            Words { since: version, ended: still(words.ended), settled: still(words.settled) }
        }),
    }
}

/// What the words come to.
pub fn standing(words: &Words) -> Standing {
    let Some(end) = words.ended else { return Standing::Active };
    let settles = |said: &Said| said.version > end.version && said.day >= end.day;
    Standing::Ended { ended: end.day, settled: words.settled.filter(settles).map(|said| said.day) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(day: i8) -> Day {
        Day::constant(2026, 1, day)
    }

    fn told(words: &[(u64, Word)]) -> Words {
        words.iter().fold(Words::default(), |words, (version, word)| take(&words, *version, *word).unwrap_or(words))
    }

    #[test]
    fn a_second_end_that_overtakes_the_resumption_before_it_is_not_lost() {
        let (end, resume, again) = ((2, Word::Ended(day(2))), (3, Word::Resumed), (4, Word::Ended(day(9))));
        let ended = Standing::Ended { ended: day(9), settled: None };
        for order in [[end, resume, again], [end, again, resume], [again, end, resume], [again, resume, end]] {
            assert_eq!(standing(&told(&order)), ended, "{order:?}");
        }
    }

    #[test]
    fn a_settlement_settles_only_the_end_before_it() {
        let words = [(2, Word::Ended(day(2))), (3, Word::Settled(day(5))), (4, Word::Ended(day(4)))];
        assert_eq!(standing(&told(&words)), Standing::Ended { ended: day(4), settled: None }, "said of another end");
        let early = [(2, Word::Ended(day(9))), (3, Word::Settled(day(5)))];
        assert_eq!(standing(&told(&early)), Standing::Ended { ended: day(9), settled: None }, "before its end");
    }

    fn word() -> impl Strategy<Value = Word> {
        prop_oneof![
            (1_i8..28).prop_map(|d| Word::Ended(day(d))),
            (1_i8..28).prop_map(|d| Word::Settled(day(d))),
            Just(Word::Resumed),
        ]
    }

    proptest! {
        #[test]
        fn the_order_in_which_words_arrive_does_not_matter(
            said in prop::collection::vec(word(), 0..9),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let history: Vec<(u64, Word)> = (2..).zip(said).collect();
            let in_order = told(&history);
            // Any order, any of them twice, and then all of them once more: nothing is missing in the end.
            let mut arrived: Vec<_> = history.iter().rev().copied().collect();
            if !history.is_empty() {
                arrived.splice(0..0, order.iter().map(|index| *index.get(&history)));
            }
            prop_assert_eq!(told(&arrived), in_order);
            arrived.extend(&history);
            prop_assert_eq!(told(&arrived), in_order, "doubled");
        }

        #[test]
        fn in_order_it_is_what_anybody_would_read(said in prop::collection::vec(word(), 0..9)) {
            // Read as a person would, one word after the other, with nothing but the state before.
            let mut state = Standing::Active;
            for word in &said {
                state = match (state, *word) {
                    (_, Word::Ended(ended)) => Standing::Ended { ended, settled: None },
                    (Standing::Ended { ended, .. }, Word::Settled(day)) => {
                        Standing::Ended { ended, settled: Some(day).filter(|day| *day >= ended) }
                    }
                    (Standing::Active, Word::Settled(_)) => state,
                    (_, Word::Resumed | Word::Moved) => Standing::Active,
                };
            }
            prop_assert_eq!(standing(&told(&(2..).zip(said).collect::<Vec<_>>())), state);
        }
    }
}
