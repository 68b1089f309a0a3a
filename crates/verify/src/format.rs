//! The documented shapes, read strictly: a field that the page does not list is refused. One module a page.

pub(crate) mod plan;
pub(crate) mod receipt;
pub(crate) mod shared;
pub(crate) mod statement;
pub(crate) mod v1;
