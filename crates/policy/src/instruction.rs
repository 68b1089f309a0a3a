//! A customer's instruction: the periods that it, as controller, gives instead of the provider's (GDPR Art. 28(3)(a)). Owns
//! its file, what it may and may not replace, and how far it strays from the standard; refuses to touch a law, a duty to
//! keep, or another provider's rule. It names no customer: who it belongs to is known where it is stored.

mod apply;
mod deviation;
mod file;
mod records;

use gallra_model::Day;
use gallra_model::target::Category;
use serde::Serialize;

use crate::problem::Refused;
use crate::rule::Clause;
use crate::word::{Bound, Sweep};

pub use deviation::{Deviation, Turn, turn};
pub use records::record_turn;

/// An instruction, read and in order by itself. Whether a policy lets it in is seen when it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its own id: 1 to 63 of a-z, 0-9 and '-'. No customer's name or number.
    pub id: String,
    /// In which role somebody gave it, as "customer's data protection officer".
    pub given_by: String,
    /// When.
    pub given_on: Day,
    /// The first day on which it holds; not before the day on which it was given.
    pub from: Day,
    /// What it replaces.
    pub replaces: Vec<Replacement>,
    pub(crate) name: String,
}

/// One period that an instruction gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Which rule, or which category that has none.
    pub of: Of,
    /// What it counts from: the whole of it, nothing of the standard stays.
    pub clauses: Vec<Clause>,
    /// The new bound; unset: the rule's own, or *by* where there was none.
    pub bound: Option<Bound>,
    /// The new sweep; unset: the rule's own.
    pub sweep: Option<Sweep>,
    pub(crate) line: usize,
}

/// What a replacement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// A rule, or a row without a period, by its id.
    Rule(String),
    /// A category that the policy has no row for.
    Category(Category),
}

/// An instruction that a policy carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The instruction's id.
    pub id: String,
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_on: Day,
    /// The first day on which it holds.
    pub from: Day,
    /// What it replaced, in its order.
    pub replaced: Vec<Deviation>,
}

impl Instruction {
    /// Reads an instruction. `name` is the file's, for problems.
    ///
    /// # Errors
    /// [`Refused`] with every problem: unknown keys, unreal days, one rule replaced twice.
    pub fn parse(name: &str, text: &str) -> Result<Self, Refused> {
        file::parse(name, text).map_err(|problems| Refused { problems })
    }
}

#[cfg(test)]
mod tests;
