//! What a row without a date asks, as one sentence for a person. Owns the wording; nothing is decided by it.

use super::{Effect, Entry, Recipient, Recipients, Request};
use crate::rule::Detail;

impl Detail {
    /// One sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::HandledFirst { copy_to } => format!(
                "what is relevant is copied to {copy_to} and confirmed there first, what needs no answer goes at once, \
                 what nobody handled is listed for a person"
            ),
            Self::Blanks { category, field } => format!("blanks {field} in {category} too"),
            Self::Channels(channels) => format!("a withdrawal acts at once on {}", list(channels)),
            Self::ChangeReachesAll => {
                "who left has the account removed, any other change reaches every target".to_owned()
            }
            Self::ConsentEnds => "what rests on consent alone ends with it".to_owned(),
            Self::NeedsPurpose { otherwise } => format!("only with a stated purpose, else {otherwise}"),
            Self::ReasonsWithin(rule) => format!("reasons are given within {rule}"),
        }
    }
}

impl Entry {
    /// One sentence.
    pub fn sentence(&self) -> String {
        match &self.effect {
            Effect::NoPeriod => "needs a period: held while it is needed, and the text names no end".to_owned(),
            Effect::AnonymisedFirst { uses, parts } => {
                format!("anonymised before use for {}; no period in the text for {}", list(uses), list(parts))
            }
            Effect::ByInstruction => "needs an instruction: a period is agreed with each customer, there is no default".to_owned(),
            Effect::AsLaw { law, exceptions_need } => {
                let others = if exceptions_need.is_empty() { String::new() } else { format!("; another exception needs {}", list(exceptions_need)) };
                format!("kept as the law demands ({law}){others}")
            }
            Effect::ControllerDecides { acts_on } => format!("the customer is the controller: acted on only by {}", list(acts_on)),
            Effect::ExpectNone => "none is expected: finding some is a finding".to_owned(),
            Effect::Recipients(recipients) => of_recipients(recipients),
            Effect::Transport { clients, at_rest } => {
                let rest = if *at_rest { ", encrypted at rest (doctor checks or records it)" } else { "" };
                format!("reached over {clients} only{rest}")
            }
            Effect::Request(request) => of_request(request),
            Effect::Identify => "nothing is done without sufficient proof of who asks".to_owned(),
            Effect::Assess { holds } => format!("judged case by case, with reasons; may be kept for {}", list(holds)),
            Effect::Disclosure { to, grounds, holds } => {
                let to = if to.is_empty() { String::new() } else { format!(" to {}", to.join(", ")) };
                let what = if grounds.is_empty() { String::new() } else { format!("handed out{to} on {}; ", list(grounds)) };
                format!("{what}a ground to hold: {}", list(holds))
            }
            Effect::Minimise { send, instead_of } => {
                format!("other systems get {} instead of {}", list(send), list(instead_of))
            }
            Effect::Complaint { to } => format!("complaints go to {}: letters name all", to.join(", then to ")),
            Effect::Sale { survives } => {
                format!("if the company is sold, notice comes before the change of controller; {} survive it", list(survives))
            }
            Effect::Instructions { large_factor, warns } => format!(
                "an instruction replaces the standard; legal review where a period is {large_factor} times as long or as short; warns: {}",
                list(warns)
            ),
            Effect::AgreedOtherwise { rule } => format!("{rule} holds unless otherwise agreed: by instruction"),
            Effect::Unsettled { after, every } => {
                format!("ended and not settled {after} later: listed every {every} for a decision")
            }
            Effect::Roles { without_contract, active_by } => format!(
                "subjects without a contract: {}; active processor of a service by {}",
                list(without_contract),
                list(active_by)
            ),
            Effect::Counting => "the event's day is not counted; a month without the date ends on its last day; retention does not move off holidays".to_owned(),
            Effect::Zone { zone } => format!("days are days in {zone}"),
            Effect::Notify { of } => format!(
                "each recipient is told of {}, unless impossible or disproportionate; the subject is told who they are",
                list(of)
            ),
            Effect::Exemptions { grounds } => format!("erasure may be refused for {}", list(grounds)),
            Effect::ReturnOrDelete => {
                "returned or deleted at the controller's choice, copies too; the proof goes to the controller".to_owned()
            }
            Effect::ProviderAdds { laws, needs } => format!("a provider adds rows under {}, each with {}", laws.join(", "), list(needs)),
        }
    }
}

fn list<T: std::fmt::Display>(words: &[T]) -> String {
    words.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn of_recipients(recipients: &Recipients) -> String {
    let mut parts = Vec::new();
    if !recipients.grounds.is_empty() {
        parts.push(format!("handed out on {}", list(&recipients.grounds)));
    }
    if !recipients.to.is_empty() {
        let names: Vec<_> = recipients.to.iter().map(of_recipient).collect();
        parts.push(format!("to be told of an erasure: {}", names.join(", ")));
    }
    if recipients.per_service {
        parts.push("listed service by service and shown to the customer".to_owned());
    }
    if !recipients.sources.is_empty() {
        parts.push(format!("sources that an access answer names: {}", recipients.sources.join(", ")));
    }
    if let Some(transport) = recipients.transport {
        parts.push(format!("sent over {transport}"));
    }
    if !recipients.holds.is_empty() {
        parts.push(format!("a ground to hold: {}", list(&recipients.holds)));
    }
    if parts.is_empty() { "the text names no recipient".to_owned() } else { parts.join("; ") }
}

fn of_recipient(to: &Recipient) -> String {
    let agreement = if to.agreement { "; under an agreement" } else { "" };
    let country = to.country.as_ref().map_or_else(String::new, |country| format!("; in {country}"));
    let safeguard = to.safeguard.as_ref().map_or_else(String::new, |safeguard| format!("; safeguard: {safeguard}"));
    format!("{} ({}; on {}{agreement}{country}{safeguard})", to.name, list(&to.fields), to.ground)
}

fn of_request(request: &Request) -> String {
    let mut text = format!("GDPR Art. {}: {}, answered by {}", request.article, request.right, request.answer);
    let mut add = |word: &str, list: String| {
        if !list.is_empty() {
            text.push_str(&format!("; {word}: {list}"));
        }
    };
    add("grounds", list(&request.grounds));
    add("warns first", list(&request.warns));
    add("lifts when", list(&request.until));
    add("finishes first", list(&request.finishes_first));
    add("always succeeds for", list(&request.always));
    add("given", list(&request.form));
    add("comes by", list(&request.channels));
    if request.by_staff {
        text.push_str("; carried out by staff");
    }
    if request.names_processing {
        text.push_str("; names the processing");
    }
    text
}
