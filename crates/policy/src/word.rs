//! The closed lists of words that a policy pack may use. Owns their spelling; refuses every other word, so that a
//! slip of the pen in a pack or on the command line is an error and never a rule that silently binds nothing.

use gallra_model::target::Category;

/// Every category that a target or a question may name: the category column of the promises that the packs carry, and
/// `response` for the answer within a month (GDPR Art. 12(3)). Alphabetical.
pub const CATEGORIES: [&str; 22] = [
    "access-logs",
    "backup",
    "bookkeeping",
    "chat",
    "contact",
    "customer-data",
    "history",
    "hosted-logs",
    "ip",
    "leftover",
    "mail",
    "marketing",
    "network-logs",
    "notes",
    "other",
    "own-site-logs",
    "recipients",
    "register",
    "response",
    "tickets",
    "traffic",
    "user-logs",
];

/// The category, if the word is one of [`CATEGORIES`].
pub fn category(word: &str) -> Option<Category> {
    if CATEGORIES.contains(&word) { word.parse().ok() } else { None }
}

/// Declares a closed list of words: an enum that is read from and written as exactly these.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub enum $name {
            $($(#[$item_doc])* #[serde(rename = $word)] $item,)+
        }

        impl $name {
            /// Every word, in order of declaration.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word used in packs and answers.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$item => $word,)+ }
            }

            /// What the word stands for, if it is one of [`Self::WORDS`].
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$item),)+ _ => None }
            }
        }

        impl crate::word::Word for $name {
            const WORDS: &'static [&'static str] = Self::WORDS;

            fn from_word(word: &str) -> Option<Self> {
                Self::from_word(word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

/// What can be read from one of a closed list of words.
pub(crate) trait Word: Sized {
    /// Every word.
    const WORDS: &'static [&'static str];

    /// What the word stands for.
    fn from_word(word: &str) -> Option<Self>;
}

words! {
    /// An event that a period counts from.
    Anchor {
        /// The contract's last day.
        ContractEnded = "contract_ended",
        /// Its last invoice was paid or written off.
        ContractSettled = "contract_settled",
        /// The customer's last contract ended.
        CustomerEnded = "customer_ended",
        /// All of the customer's contracts are settled.
        CustomerSettled = "customer_settled",
        /// The record's own time; for a backup, when the copy was made.
        Record = "record",
        /// The day on which the data left the active systems.
        LeftActive = "left_active",
        /// The provider came to know of a change.
        ChangeKnown = "change_known",
        /// The end of the financial year that the record, or else the settlement, falls in.
        FiscalYearEnd = "fiscal_year_end",
        /// A request was received.
        Received = "received",
    }
}

impl Anchor {
    /// Whether the day is unknown only because nobody has settled yet: such a rule waits and is not left out.
    pub fn waits_for_settlement(self) -> bool {
        matches!(self, Self::ContractSettled | Self::CustomerSettled | Self::FiscalYearEnd)
    }
}

words! {
    /// What a rule's period binds.
    Bound {
        /// A promise to forget: gone no later than the period's last day; earlier is fine.
        By = "by",
        /// A promise both ways: there until the run's window opens on the period's last day, gone after it.
        At = "at",
        /// A duty: not before the period is over.
        Keep = "keep",
    }
}

words! {
    /// What a rule asks for.
    Deed {
        /// Erase.
        Erase = "erase",
        /// Lock: stored, out of everybody's reach.
        Restrict = "restrict",
        /// No longer about a person.
        Anonymise = "anonymise",
        /// Keep: the opposite of the others.
        Keep = "keep",
        /// Answer a request; only rules about the category `response` do.
        Answer = "answer",
    }
}

words! {
    /// How often a rule's own run comes round.
    Sweep {
        /// Every hour at :00; goes with periods in hours.
        Hourly = "hourly",
        /// Every day.
        Daily = "daily",
        /// On the first of every month.
        Monthly = "monthly",
        /// On 2 January.
        Yearly = "yearly",
    }
}

words! {
    /// Where a period's last day is moved to.
    Until {
        /// Nowhere: the day that the arithmetic gives.
        Exact = "exact",
        /// The last day of its calendar year.
        YearEnd = "year-end",
        /// The last day of its calendar month.
        MonthEnd = "month-end",
        /// The next day that is no Saturday, Sunday or public holiday; only for answers.
        WorkingDay = "working-day",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_words_are_categories() {
        for word in CATEGORIES {
            assert_eq!(category(word).map(String::from).as_deref(), Some(word));
        }
        for word in ["", "Mail", "mails", "customer_data", "-"] {
            assert_eq!(category(word), None, "{word:?}");
        }
    }

    #[test]
    fn every_word_is_read_back_as_what_it_is_written_for() {
        for word in Anchor::WORDS {
            assert_eq!(Anchor::from_word(word).map(Anchor::as_str), Some(*word));
        }
        for word in Deed::WORDS {
            assert_eq!(Deed::from_word(word).map(Deed::as_str), Some(*word));
        }
        assert_eq!(Bound::from_word("By"), None);
    }
}
