//! Keys that are changed while requests go on, through the coordinator's real paths on a real store, and what the verifier
//! says of proofs of before and after (`docs/formats/keys-v1.md`).

mod ceremony;
mod ended;
mod held_back;
mod refused;
mod rotated;
#[path = "../guards/site.rs"]
#[allow(dead_code, reason = "the races' site does more than is needed here")]
mod site;
mod stamped;
mod succeeded;
mod succession_edges;
mod succession_killed;
mod succession_refused;
#[path = "../../../verify/tests/token/mod.rs"]
mod token;
