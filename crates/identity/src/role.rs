//! The roles that a certificate can give.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a certificate's holder is. Not to be confused with the provider's legal role at a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerRole {
    /// Runs the installation: invites agents, reports contracts by hand, retries jobs.
    Operator,
    /// Decides what needs a second person (decision 14).
    Approver,
    /// The billing system: reports that contracts begin, end and are settled.
    Billing,
    /// Reads everything that names no person, changes nothing.
    Auditor,
    /// One host's agent.
    Agent,
    /// Watches the log from outside.
    Witness,
}

impl CallerRole {
    /// Every role, in the order of declaration.
    pub const ALL: [Self; 6] =
        [Self::Operator, Self::Approver, Self::Billing, Self::Auditor, Self::Agent, Self::Witness];

    /// The word in certificates, tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Billing => "billing",
            Self::Auditor => "auditor",
            Self::Agent => "agent",
            Self::Witness => "witness",
        }
    }
}

impl fmt::Display for CallerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a role: expected operator, approver, billing, auditor, agent or witness")]
pub struct RoleError;

impl FromStr for CallerRole {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_back_from_its_word_and_from_no_other() {
        for role in CallerRole::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).expect("a word"), format!("\"{role}\""));
            assert_eq!(role.as_str().to_uppercase().parse::<CallerRole>(), Err(RoleError));
        }
        for bad in ["", "operators", "admin", " agent"] {
            assert_eq!(bad.parse::<CallerRole>(), Err(RoleError), "{bad}");
        }
    }
}
