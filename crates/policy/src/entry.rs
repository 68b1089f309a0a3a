//! Rows of a pack that give no date: what each asks, as data and never as text alone. Owns the kinds of rows and their
//! words; who carries one out asks [`crate::Policy`] for the kind it needs. Their serialised form is part of the digest.

mod sentence;
mod term;
mod word;

pub(crate) use term::terms;
pub use word::{Cause, Channel, Field, Form, Ground, Need, Notice, Party, Right, Survivor, Transport, Use, Warning};

use gallra_model::target::Category;
use serde::Serialize;

use crate::calendar::Period;
use crate::word::{Bound, Deed};

/// One row without a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Pack and name, as `netip/tickets`.
    pub id: String,
    /// What it is about, where it is about one category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// What it asks.
    pub effect: Effect,
    /// Why, where the text says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Where it stands.
    pub cites: Vec<String>,
}

/// What a row without a date asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Effect {
    /// Held while it is needed; the text gives no period, so nobody guesses one (combination rule 7).
    NoPeriod,
    /// The same, and anonymised before it is used otherwise.
    AnonymisedFirst {
        /// For which uses.
        uses: Vec<Use>,
        /// The kinds of data that no other rule gives a period.
        parts: Vec<Field>,
    },
    /// A period is agreed with each customer and given by its instruction; there is no default.
    ByInstruction,
    /// The law's rule of the same category decides.
    AsLaw {
        /// That rule.
        law: String,
        /// What any other exception needs.
        exceptions_need: Vec<Need>,
    },
    /// The customer is the controller: acted on only on these causes.
    ControllerDecides {
        /// The causes.
        acts_on: Vec<Cause>,
    },
    /// None is expected; finding some is a finding.
    ExpectNone,
    /// Who gets data, and what.
    Recipients(Recipients),
    /// How data travels and is stored.
    Transport {
        /// Agents reach it over TLS or a local socket only.
        clients: Transport,
        /// Whether the store must be encrypted at rest: `doctor` checks or records it.
        at_rest: bool,
    },
    /// A right of the data subject.
    Request(Request),
    /// Nothing is done without sufficient proof of who asks.
    Identify,
    /// Judged case by case, with reasons; these may stand against it.
    Assess {
        /// Grounds of holds.
        holds: Vec<Ground>,
    },
    /// A ground to hand data out, and to hold it.
    Disclosure {
        /// To whom.
        to: Vec<String>,
        /// On which grounds.
        grounds: Vec<Ground>,
        /// Which of them also stop an erasure.
        holds: Vec<Ground>,
    },
    /// Interfaces to other systems send these instead of those.
    Minimise {
        /// What is sent.
        send: Vec<Field>,
        /// What is not.
        instead_of: Vec<Field>,
    },
    /// Where a data subject complains, in this order: letters name all.
    Complaint {
        /// The addresses.
        to: Vec<String>,
    },
    /// The records go along when the company is sold: notice comes before the change of controller.
    Sale {
        /// What survives the change.
        survives: Vec<Survivor>,
    },
    /// A customer's instruction replaces the standard; a large deviation goes to legal review.
    Instructions {
        /// A period this many times as long, or as short, is a large deviation.
        large_factor: u16,
        /// What the customer is warned of.
        warns: Vec<Warning>,
    },
    /// The text foresees another agreement about a rule: an instruction for it is no deviation.
    AgreedOtherwise {
        /// The rule.
        rule: String,
    },
    /// An ended contract that nobody settles is listed for a decision.
    Unsettled {
        /// How long after the contract's end.
        after: Period,
        /// How often.
        every: Period,
    },
    /// Who is a subject without a contract, and what makes the provider an active processor of a service.
    Roles {
        /// Subjects without a contract.
        without_contract: Vec<Party>,
        /// What makes it active.
        active_by: Vec<Cause>,
    },
    /// How periods are counted.
    Counting,
    /// Whose days they are.
    Zone {
        /// The zone's name.
        zone: String,
    },
    /// Each recipient is told of these; the subject is told who they are.
    Notify {
        /// Of what.
        of: Vec<Notice>,
    },
    /// What a request for erasure may be answered with instead.
    Exemptions {
        /// Grounds of holds.
        grounds: Vec<Ground>,
    },
    /// Hosted data is returned or deleted at the controller's choice, copies too; the proof is addressed to the controller.
    ReturnOrDelete,
    /// Rows that a provider adds under another law.
    ProviderAdds {
        /// Which laws.
        laws: Vec<String>,
        /// What each row needs.
        needs: Vec<Need>,
    },
}

/// Who gets data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recipients {
    /// On which grounds data is handed out at all.
    pub grounds: Vec<Ground>,
    /// Each recipient.
    pub to: Vec<Recipient>,
    /// Sources that an access answer names (GDPR Art. 15(1)(g)).
    pub sources: Vec<String>,
    /// How data travels to them.
    pub transport: Option<Transport>,
    /// Listed service by service, and shown to the customer.
    pub per_service: bool,
    /// Which grounds also stop an erasure.
    pub holds: Vec<Ground>,
}

/// One recipient, or one kind of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// Its name.
    pub name: String,
    /// Which fields it gets.
    pub fields: Vec<Field>,
    /// Why.
    pub ground: Ground,
    /// Whether a data-processing agreement binds it.
    pub agreement: bool,
    /// Two-letter country code, where the text or the provider says so.
    pub country: Option<String>,
    /// What protects the data outside the EU and the EEA.
    pub safeguard: Option<String>,
}

/// A right of the data subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Which.
    pub right: Right,
    /// GDPR article.
    pub article: String,
    /// The rule that gives its dates.
    pub answer: String,
    /// The grounds that it names.
    pub grounds: Vec<Ground>,
    /// How it may come in; empty: any way.
    pub channels: Vec<Channel>,
    /// Whether staff carries it out by hand.
    pub by_staff: bool,
    /// What the subject is warned of first.
    pub warns: Vec<Warning>,
    /// What lifts it again.
    pub until: Vec<Cause>,
    /// What must end before anything is erased.
    pub finishes_first: Vec<Cause>,
    /// How the answer is given.
    pub form: Vec<Form>,
    /// What always succeeds, without weighing.
    pub always: Vec<Use>,
    /// Whether the subject names the processing that it is about.
    pub names_processing: bool,
}

impl Entry {
    /// Whether the row is part of the answer about its category: it says how long the data is held, or who has it.
    pub fn is_of_the_answer(&self) -> bool {
        match self.effect {
            Effect::NoPeriod
            | Effect::AnonymisedFirst { .. }
            | Effect::ByInstruction
            | Effect::AsLaw { .. }
            | Effect::ControllerDecides { .. }
            | Effect::ExpectNone
            | Effect::Recipients(_) => true,
            Effect::Transport { .. }
            | Effect::Request(_)
            | Effect::Identify
            | Effect::Assess { .. }
            | Effect::Disclosure { .. }
            | Effect::Minimise { .. }
            | Effect::Complaint { .. }
            | Effect::Sale { .. }
            | Effect::Instructions { .. }
            | Effect::AgreedOtherwise { .. }
            | Effect::Unsettled { .. }
            | Effect::Roles { .. }
            | Effect::Counting
            | Effect::Zone { .. }
            | Effect::Notify { .. }
            | Effect::Exemptions { .. }
            | Effect::ReturnOrDelete
            | Effect::ProviderAdds { .. } => false,
        }
    }

    /// Whether an instruction can give it the period that it lacks.
    pub fn takes_a_period(&self) -> bool {
        matches!(
            self.effect,
            Effect::NoPeriod
                | Effect::AnonymisedFirst { .. }
                | Effect::ByInstruction
                | Effect::ControllerDecides { .. }
                | Effect::ExpectNone
        )
    }

    /// What it asks for and what it binds, where it is about how long data is held.
    pub fn deed(&self) -> (Option<Deed>, Option<Bound>) {
        if matches!(self.effect, Effect::NoPeriod | Effect::ControllerDecides { .. }) {
            (Some(Deed::Erase), None)
        } else if matches!(self.effect, Effect::ByInstruction) {
            (Some(Deed::Erase), Some(Bound::By))
        } else if matches!(self.effect, Effect::AnonymisedFirst { .. }) {
            (Some(Deed::Anonymise), None)
        } else if matches!(self.effect, Effect::AsLaw { .. }) {
            (Some(Deed::Keep), Some(Bound::Keep))
        } else {
            (None, None)
        }
    }
}
