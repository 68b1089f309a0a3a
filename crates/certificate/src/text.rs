//! The shape of a language: every sentence has its field, so that none can be missing in one of them.

/// The language that a certificate is in. Ids, and what other people wrote, stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Swedish.
    Swedish,
    /// English.
    English,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Swedish, Self::English];

    /// The tag of BCP 47, as HTML wants it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Swedish => "sv",
            Self::English => "en",
        }
    }

    pub(crate) fn texts(self) -> &'static Texts {
        match self {
            Self::Swedish => &crate::sv::SWEDISH,
            Self::English => &crate::en::ENGLISH,
        }
    }
}

/// Words for words of the formats, in order.
pub(crate) type Table = &'static [(&'static str, &'static str)];

macro_rules! texts {
    (sentences: $($sentence:ident,)+ ; tables: $($table:ident,)+) => {
        /// Everything that is said in one language.
        pub(crate) struct Texts {
            pub(crate) language: Language,
            pub(crate) months: [&'static str; 12],
            /// What stands between thousands.
            pub(crate) thousands: char,
            $(pub(crate) $sentence: &'static str,)+
            $(pub(crate) $table: Table,)+
        }

        #[cfg(test)]
        impl Texts {
            fn sentences(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($sentence), self.$sentence),)+]
            }

            fn tables(&self) -> Vec<(&'static str, Table)> {
                vec![$((stringify!($table), self.$table),)+]
            }
        }
    };
}

texts! {
    sentences:
    simulated_title, simulated, title, title_purge, stage_final, stage_interim, stage_amendment, lead_final,
    lead_final_else, lead_nothing_erased, lead_kept, lead_copies_gone, lead_interim, lead_interim_copies,
    lead_amendment, lead_purge, brief, issuer, issuer_number, contact, reason, reason_contract, reason_customer,
    reason_right, reason_purge, received, issued, number, number_first, number_later, level, level_brief, zone_note, left,
    left_targets_one, left_targets_many, left_set, left_copies_one, left_copies_many, left_until, left_until_over,
    left_unknown, left_restores, left_withheld, left_then, targets, targets_none, targets_when, targets_item,
    controller, controller_note, processor, processor_note, controller_purge, processor_purge, place, what, outcome, erased_one, erased_many,
    anonymised_one, anonymised_many, key_destroyed_one, key_destroyed_many, kept_one, kept_many, restricted_one,
    restricted_many, failed_one, failed_many, unknown_one, unknown_many, nothing_there, done, not_done, kept,
    kept_nothing, kept_nothing_yet, kept_caption, ground, rule, until, kept_note, copies, copies_purge, copies_none,
    copies_open, copies_closed, copies_caption, store, copies_taken, copies_state, copy_one, copy_many, copies_gone,
    copies_gone_some, copies_left_one, copies_left_many, copies_expected, copies_expected_span, copies_overdue_one,
    copies_overdue_many, copies_undated_one, copies_undated_many, copies_note, restores, restores_caption,
    restore_taken, restore_finished, restore_nothing, restore_released, restore_not_released, copy, recipients,
    recipients_none, recipients_caption, recipient, told_of, told_at, acknowledged, not_acknowledged,
    recipients_note, checked, checked_plan, checked_eraser, checked_other, checked_same, checked_again, checked_log,
    checked_stamps, checked_stamp, checked_stamp_short, checked_no_stamps, checked_witnesses, checked_outside,
    checked_inside, checked_no_witnesses, checked_key_file, checked_anchor, checked_issuer_alone, checked_level,
    level_scale, limits, limit_targets, limit_said, limit_erased, limit_dedup, limit_copies_purge, limit_clocks,
    limit_clocks_stamped, limit_log, limit_same, limit_interim, limit_kept, limit_attempts, limit_last, limit_page,
    verify, verify_file, verify_line, verify_digest, verify_shell, verify_anchor, verify_anchor_why,
    verify_claim_one, verify_claim_many, verify_claim_why, verify_nobody, complain, complain_issuer, complain_right,
    complain_se, complain_court, complain_processor, exact, exact_note, exact_request, exact_proof, exact_previous,
    exact_issued, exact_plan, exact_policy, exact_manifest, exact_anchor, exact_log, exact_index, exact_root, exact_subject,
    notes, notes_whole, terms, note, term, quoted, quoted_note, footer, rule_of, rule_named,
    ;
    tables:
    levels, categories, kinds, rules, whys, notes_words, term_kinds, ofs,
}

/// The words for a word of the formats, if it is one that is known here.
pub(crate) fn known(table: Table, word: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == word).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in braces, in alphabetical order.
    fn names(template: &str) -> Vec<&str> {
        let mut names: Vec<&str> =
            template.split('{').skip(1).filter_map(|piece| piece.split_once('}').map(|(name, _)| name)).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn both_languages_have_every_sentence_with_the_same_in_it() {
        let (swedish, english) = (Language::Swedish.texts().sentences(), Language::English.texts().sentences());
        assert_eq!(swedish.len(), english.len());
        for ((name, swedish), (_, english)) in swedish.into_iter().zip(english) {
            for text in [swedish, english] {
                assert!(!text.trim().is_empty() && text.trim() == text, "{name}: {text:?}");
                assert_eq!(text.matches('{').count(), names(text).len(), "{name}: {text:?}");
                assert!(!text.contains(['<', '>', '&']), "{name} is no markup: {text:?}");
            }
            assert_eq!(names(swedish), names(english), "{name}");
        }
    }

    #[test]
    fn both_languages_know_the_same_words() {
        let (swedish, english) = (Language::Swedish.texts().tables(), Language::English.texts().tables());
        for ((name, swedish), (_, english)) in swedish.into_iter().zip(english) {
            let words = |table: Table| table.iter().map(|(word, _)| *word).collect::<Vec<_>>();
            assert_eq!(words(swedish), words(english), "{name}");
            assert!(words(swedish).is_sorted_by(|one, next| one < next), "{name} is in order, each word once");
            assert!(swedish.iter().chain(english).all(|(_, words)| !words.trim().is_empty()), "{name}");
        }
    }

    #[test]
    fn no_sentence_of_one_language_stands_in_the_other() {
        let (swedish, english) = (Language::Swedish.texts().sentences(), Language::English.texts().sentences());
        let same: Vec<&str> =
            swedish.iter().zip(&english).filter(|(one, next)| one.1 == next.1).map(|(one, _)| one.0).collect();
        assert_eq!(same, ["simulated_title", "rule_named"]);
    }
}
