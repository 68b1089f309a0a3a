//! The store: one trait, the engines behind it, the schema of its keys, and the sealing of what names a person.
//!
//! Owns how state is kept. Refuses to know what a request, a permit or a proof means: values are bytes to it.
//! Upholds that an acknowledged commit survives any crash (I8), that every queue is bounded (I10), and that no
//! identifier stands in a key or outside a sealed value (I12, decision 12).
//!
//! * [`store`]: the trait [`Store`], sized by what the flow needs: get, range, conditional transaction, watch.
//! * [`key`], [`keys`]: what a key is, and every family of keys there is.
//! * [`election`]: who leads, and the fence that a leader's transactions carry.
//! * [`embedded`]: the engine of a single machine, on redb. The engine of several coordinators, on etcd, is a crate of its own
//!   (`gallra-store-etcd`: its client needs `protoc` to build), and runs the same [`contract_tests`].
//! * [`cluster`]: several coordinators on one store: who is there.
//! * [`keyring`]: keys per subject and per epoch, sealed values, blind indexes, pseudonyms.
//! * [`epochs`]: turning of key epochs, so that what was destroyed becomes unreadable everywhere.
//! * [`schema`]: which schema the store is in, and who may work on it.
//! * [`transfer`]: from one engine into another.
//! * [`search`]: offline proof that a text is, or is not, in a store.

pub mod cluster;
#[cfg(any(test, feature = "contract-tests"))]
pub mod contract_tests;
pub mod election;
pub mod embedded;
pub mod epochs;
pub mod key;
pub mod keyring;
pub mod keys;
pub mod schema;
pub mod search;
pub mod store;
pub mod transfer;
pub mod txn;
pub mod watch;

pub use cluster::Cluster;
pub use election::{Election, Fenced, Term};
pub use embedded::{Embedded, Frozen};
pub use key::{Key, KeyPrefix, KeyRange};
pub use keyring::{Epoch, Keyring, SubjectKey, Wrapped};
pub use schema::{Known, Schema, Speaks};
pub use store::{Entry, Page, Store, StoreError};
pub use txn::{Expect, Revision, Txn};
pub use watch::{Change, Watch};
