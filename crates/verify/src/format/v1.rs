//! The documented shapes of version 1, read as strictly: what a page does not list is refused.

pub(crate) mod file;
pub(crate) mod keys;
pub(crate) mod statement;
