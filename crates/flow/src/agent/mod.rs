//! The two halves of an agent as state machines: `privileged` checks permits and decides what is journalled, done and
//! signed; `session` keeps one stream to the coordinator. They share no state and speak only in the messages of
//! `gallra_model::message` (decision 15).

pub mod lasts;
pub mod privileged;
pub mod record;
pub mod session;
