//! The engine against real etcd: the contract, and what only this engine promises.
#![allow(missing_docs, reason = "a program of its own")]

mod contract;
