//! Ways in for `gallra-fuzzing` to parsers of this crate that nobody else may call. No part of the product uses them.

use std::path::Path;

use gallra_model::selector::Selector;

use crate::maildir;
use crate::tree::Config;

pub use crate::access_log::fuzzing::{Line, line};
pub use crate::restic::fuzzing::{Answered, days_kept, restic_answer, search_pack};

/// The directory, relative to the root, and the name in it that a selector leads to.
pub fn tree_name(config: &Config, selector: &Selector) -> Option<(String, String)> {
    Config::name(config, selector).ok().map(|name| (name.above, name.last))
}

/// Whether a path is one of a mail.
pub fn is_mail(path: &Path) -> bool {
    maildir::mail::is_mail(path)
}

/// The Message-ID in the beginning of a mail.
pub fn message_id(head: &[u8]) -> Option<Vec<u8>> {
    maildir::mail::in_header(head)
}
