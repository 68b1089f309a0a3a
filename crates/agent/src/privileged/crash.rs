//! The crash points of the privileged half, for erasures only: a test that kills at one of them means the act that counts.

use gallra_flow::agent::privileged::Act;
use gallra_flow::agent::record::Record;
use gallra_model::job::Action;

/// Around the journal: before and after the beginning of an erasure, and after its end, which holds the receipt.
pub(super) fn around<T>(record: &Record, append: impl FnOnce() -> T) -> T {
    let begins = matches!(record, Record::Begin(begun) if begun.action == Action::Erase);
    if begins {
        gallra_crash::point("before_journal");
    }
    let appended = append();
    if begins {
        gallra_crash::point("after_journal");
    }
    appended
}

/// An erasure was carried out, and nothing is written of what came of it.
pub(super) fn acted(act: &Act) {
    if act.spec.action == Action::Erase {
        gallra_crash::point("before_receipt");
    }
}
