//! The parts of the page, in its order.

pub(crate) mod checked;
pub(crate) mod copies;
pub(crate) mod erased;
pub(crate) mod exact;
pub(crate) mod head;
pub(crate) mod kept;
pub(crate) mod left;
pub(crate) mod limits;
pub(crate) mod others;
pub(crate) mod verify;
