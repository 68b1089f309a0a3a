//! How a verification is told: one line a check, one last line, an exit code (`docs/formats/proof-v1.md`, sections
//! 7 and 14). Knows nothing of how anything was checked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::told::Told;

/// Which clock a statement was made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// The machines' own clocks.
    Real,
    /// A demonstration's clock: the proof is worth nothing outside it.
    Simulated,
}

/// What kind of defect makes a proof invalid; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A signature does not verify, or is by a key that may not sign this. Exit code 20.
    Signature,
    /// What was signed is not in the log at the place where it is said to be. Exit code 21.
    NotInLog,
    /// The log's checkpoints do not follow from each other: it has shown two histories. Exit code 22.
    Fork,
    /// A witness's cosignature does not verify, or fewer witnesses signed than were asked for. Exit code 23.
    Witness,
    /// A time stamp does not hold. Exit code 24.
    TimeStamp,
    /// No trusted key was given, or the issuer's is not among them. Exit code 25.
    NoTrustedKey,
    /// The evidence does not show what the statement says. Exit code 26.
    Evidence,
    /// An identifier that the caller gave stands in the proof. Exit code 27.
    Leak,
    /// No proof, or not in its canonical form. Exit code 30.
    Malformed,
    /// A proof of a version that this program does not know. Exit code 31.
    UnknownVersion,
}

impl Kind {
    /// The exit code of `gallra verify`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Signature => 20,
            Self::NotInLog => 21,
            Self::Fork => 22,
            Self::Witness => 23,
            Self::TimeStamp => 24,
            Self::NoTrustedKey => 25,
            Self::Evidence => 26,
            Self::Leak => 27,
            Self::Malformed => 30,
            Self::UnknownVersion => 31,
        }
    }
}

/// Why a proof is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) why: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, why: &str) -> Self {
        Self { kind, why: why.to_owned() }
    }

    pub(crate) fn malformed(why: &str) -> Self {
        Self::new(Kind::Malformed, why)
    }

    pub(crate) fn evidence(why: &str) -> Self {
        Self::new(Kind::Evidence, why)
    }
}

/// How a check's line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// The check holds.
    Ok,
    /// Something that a reader must know.
    Note,
    /// The check fails, and with it the proof.
    Fail,
}

/// One check, one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// How it went.
    pub mark: Mark,
    /// What was checked.
    pub text: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.mark {
            Mark::Ok => "ok  ",
            Mark::Note => "note",
            Mark::Fail => "FAIL",
        };
        write!(f, "{mark}  {}", self.text)
    }
}

/// What is kept beyond the erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// How many items, of all obligations together.
    pub items: u64,
    /// The rules that keep them, in order, each once.
    pub rules: Vec<String>,
    /// The last day on which any of them is still kept, `YYYY-MM-DD`, Europe/Stockholm.
    pub until: String,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.items == 1 { "item" } else { "items" };
        write!(f, "{} {noun} ({}) until {}", self.items, self.rules.join(", "), self.until)
    }
}

/// What a proof amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is erased or kept with ground and date.
    Final {
        /// What is kept; unset where nothing is.
        kept: Option<Kept>,
    },
    /// Something is still to come.
    Interim {
        /// The last day on which the copies that are left should be gone; unset where nobody can say.
        until: Option<String>,
        /// What is kept already; unset where nothing is.
        kept: Option<Kept>,
    },
    /// Not to be believed.
    Invalid {
        /// What kind of defect.
        kind: Kind,
        /// One sentence.
        why: String,
    },
}

/// Something that a caller asks of a valid proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// It is final. Exit code 10 if not.
    Final,
    /// Nothing is kept. Exit code 11 if something is.
    NothingKept,
    /// At least this assurance level, 0 to 4. Exit code 12 if it is lower.
    Level(u8),
}

impl FromStr for Require {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "final" => Ok(Self::Final),
            "nothing-kept" => Ok(Self::NothingKept),
            "level=A0" => Ok(Self::Level(0)),
            "level=A1" => Ok(Self::Level(1)),
            "level=A2" => Ok(Self::Level(2)),
            "level=A3" => Ok(Self::Level(3)),
            "level=A4" => Ok(Self::Level(4)),
            _ => Err("expected final, nothing-kept, or level=A0 to level=A4".to_owned()),
        }
    }
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was checked, in order.
    pub checks: Vec<Check>,
    /// Assurance level: `A0` to `A3`; `none` where the proof is invalid.
    pub level: &'static str,
    /// The statement's clock; unset where verification ended before it was believed.
    pub clock: Option<Clock>,
    /// What it comes to.
    pub outcome: Outcome,
    /// All that a valid proof of version 1 says; unset otherwise.
    pub told: Option<Box<Told>>,
}

impl Verdict {
    /// The last line of the output.
    pub fn conclusion(&self) -> String {
        match &self.outcome {
            Outcome::Final { kept: None } => "VALID final".to_owned(),
            Outcome::Final { kept: Some(kept) } => format!("VALID final, KEPT: {kept}"),
            Outcome::Interim { until, .. } => {
                format!("VALID interim until {}", until.as_deref().unwrap_or("unknown"))
            }
            Outcome::Invalid { why, .. } => format!("INVALID: {why}"),
        }
    }

    /// 0 whenever valid and nothing that was required is missing.
    pub fn exit_code(&self, required: &[Require]) -> u8 {
        let (is_final, keeps) = match &self.outcome {
            Outcome::Invalid { kind, .. } => return kind.exit_code(),
            Outcome::Final { kept } => (true, kept.is_some()),
            Outcome::Interim { kept, .. } => (false, kept.is_some()),
        };
        let reached = self.level.strip_prefix('A').and_then(|level| level.parse::<u8>().ok());
        let code = |asked: &Require| match asked {
            Require::Final => (!is_final).then_some(10),
            Require::NothingKept => keeps.then_some(11),
            Require::Level(level) => reached.is_none_or(|reached| reached < *level).then_some(12),
        };
        required.iter().filter_map(code).min().unwrap_or(0)
    }

    /// The answer for machines, one JSON object: `valid`, `stage`, `until`, `kept`, `level`, `clock`, `error`, `checks`,
    /// and of version 1 `request`, `sequence`, `amendment`, `anchor`, `witnesses`.
    pub fn to_json(&self) -> serde_json::Value {
        let (stage, until, kept, error) = match &self.outcome {
            Outcome::Final { kept } => (Some("final"), None, kept.as_ref(), None),
            Outcome::Interim { until, kept } => (Some("interim"), until.as_ref(), kept.as_ref(), None),
            Outcome::Invalid { kind, why } => {
                let error = serde_json::json!({ "kind": kind, "code": kind.exit_code(), "why": why });
                (None, None, None, Some(error))
            }
        };
        let told = self.told.as_deref();
        serde_json::json!({
            "valid": stage.is_some(),
            "stage": stage,
            "until": until,
            "kept": kept,
            "level": self.level,
            "clock": self.clock,
            "error": error,
            "checks": self.checks,
            "request": told.map(|told| &told.request.id),
            "sequence": told.map(|told| told.sequence),
            "amendment": told.map(|told| told.amendment),
            "anchor": told.map(|told| &told.keys.anchor),
            "witnesses": told.map(|told| told.log.witnesses.iter().map(|w| &w.name).collect::<Vec<_>>()),
        })
    }
}

/// What is written down while verifying.
#[derive(Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
    clock: Option<Clock>,
}

impl Report {
    pub(crate) fn ok(&mut self, text: String) {
        self.checks.push(Check { mark: Mark::Ok, text });
    }

    pub(crate) fn note(&mut self, text: String) {
        self.checks.push(Check { mark: Mark::Note, text });
    }

    pub(crate) fn clock(&mut self, clock: Clock) {
        self.clock = Some(clock);
        match clock {
            Clock::Real => self.ok("clock: real".to_owned()),
            Clock::Simulated => {
                self.note("clock: simulated: a demonstration, worth nothing outside it".to_owned());
            }
        }
    }

    pub(crate) fn valid(self, outcome: Outcome, level: &'static str, told: Option<Box<Told>>) -> Verdict {
        Verdict { checks: self.checks, level, clock: self.clock, outcome, told }
    }

    pub(crate) fn invalid(mut self, Failure { kind, why }: Failure) -> Verdict {
        self.checks.push(Check { mark: Mark::Fail, text: why.clone() });
        let outcome = Outcome::Invalid { kind, why };
        Verdict { checks: self.checks, level: "none", clock: self.clock, outcome, told: None }
    }
}
