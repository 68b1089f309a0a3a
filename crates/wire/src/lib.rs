//! Generated gRPC code and the conversions between it and the model.
//!
//! Owns everything that sees prost types. Refuses to decide anything: a message either becomes a value of the model or
//! an `INVALID_ARGUMENT` that names the field. Upholds that a zero enum value and an unknown word are refused.

pub mod cause;
pub mod details;
pub mod parse;
pub mod protocol;
pub mod session;
pub mod target;
pub mod words;

/// The generated code of `proto/gallra/v1`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::wildcard_enum_match_arm, unused_qualifications)]
#[allow(rust_2018_idioms)]
pub mod v1 {
    tonic::include_proto!("gallra.v1");
}

/// What `proto/gallra/v1` says, for callers that ask the server itself (gRPC reflection): an encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("gallra");
