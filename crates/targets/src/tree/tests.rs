//! Tests of the tree machinery through the `files` driver and `attempt::run`, on a real file system and, since tenants'
//! files belong to many users, as root.
#![allow(clippy::disallowed_methods, reason = "tests take trees away behind the driver's back, and beside no tenant")]

mod alike;
pub(crate) mod fixture;
mod hostile;
mod odd;
mod place;
mod race;
mod resume;
