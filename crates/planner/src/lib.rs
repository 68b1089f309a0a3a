//! From policy and facts to a plan, and a second opinion on it.
//!
//! [`plan`] decides what happens to each target, when and under which rule; [`check`] re-derives the promises on its
//! own and says where a plan breaks them; [`purge`] and [`check_purge`] do the same for what is too old; [`show`] draws a plan for people. Refuses to know jobs' fates, stores and
//! what time it is: facts come in as values, and the same facts give the same plan, byte for byte. Upholds I1 (nothing
//! is due before its earliest day) and I2 (a plan names its parent).

mod backup;
mod change;
mod check;
mod facts;
mod hold;
mod live;
mod note;
mod order;
pub mod purge;
mod reading;
mod said;
pub mod show;
mod touched;

pub use check::{Problem, check, check_purge};
pub use facts::{Facts, MAX_STEPS, MAX_TERMS, PlanError};
pub use order::plan;
pub use show::render;
pub use touched::Touched;
