//! (skeleton)
#![allow(missing_docs)]
use crate::driver::*;
use gallra_model::{outcome::Counts, selector::Selector, target::TargetKind};
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Config {}
pub struct Maildir {}
impl Maildir {
    pub fn open(_c: &Config) -> Result<Self, String> {
        Ok(Self {})
    }
}
impl Driver for Maildir {
    fn kind(&self) -> TargetKind {
        TargetKind::Maildir
    }
    fn inspect(&self, _s: &Selector) -> Result<Inspection, Failure> {
        unimplemented!()
    }
    fn restrict(&self, _s: &Selector, _i: &Inspection) -> Result<u64, Failure> {
        unimplemented!()
    }
    fn erase(&self, _s: &Selector, _i: &Inspection, _b: &mut dyn Boundary) -> Result<Counts, Failure> {
        unimplemented!()
    }
    fn confirm(&self, _s: &Selector, _i: &Inspection) -> Result<Confirmation, Failure> {
        unimplemented!()
    }
}
