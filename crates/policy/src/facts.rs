//! What rows without a date say, by kind of question: who is told, what a request warns of, what stops an erasure. Owns
//! the asking, for planner and coordinator; decides nothing.

use gallra_model::Day;
use gallra_model::plan::Anchors;
use gallra_model::target::Category;

use crate::calendar::{AnswerDays, CalendarError, answer_days};
use crate::entry::{Channel, Effect, Entry, Field, Ground, Recipient, Request, Right, Transport};
use crate::pack::Policy;
use crate::reading::{Extra, Known};
use crate::rule::{Detail, Rule};
use crate::word::{Bound, Deed};

impl Policy {
    /// A row of any kind by its id.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.id == id)
    }

    /// A rule with dates by its id.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules().iter().find(|rule| rule.id == id)
    }

    /// The rows about a data subject's right: article, grounds, warnings, and the rule that its answer follows.
    pub fn requests(&self, right: Right) -> impl Iterator<Item = (&Entry, &Request)> {
        self.entries().iter().filter_map(move |entry| {
            let Effect::Request(request) = &entry.effect else { return None };
            (request.right == right).then_some((entry, request))
        })
    }

    /// Everybody who gets data, each to be told of an erasure (GDPR Art. 19).
    pub fn recipients(&self) -> impl Iterator<Item = (&Entry, &Recipient)> {
        self.entries().iter().flat_map(|entry| {
            let to = if let Effect::Recipients(recipients) = &entry.effect { recipients.to.as_slice() } else { &[] };
            to.iter().map(move |to| (entry, to))
        })
    }

    /// Grounds that stop an erasure, with the row that names each: the case by case grounds, the disclosures', the orders'.
    pub fn hold_grounds(&self) -> impl Iterator<Item = (&Entry, Ground)> {
        self.entries().iter().flat_map(|entry| {
            let grounds = if let Effect::Assess { holds } | Effect::Disclosure { holds, .. } = &entry.effect {
                holds.as_slice()
            } else if let Effect::Recipients(recipients) = &entry.effect {
                recipients.holds.as_slice()
            } else {
                &[]
            };
            grounds.iter().map(move |ground| (entry, *ground))
        })
    }

    /// How a category is reached, where the text demands it, and whether its store is encrypted at rest.
    pub fn transport(&self, category: &Category) -> Option<(Transport, bool)> {
        self.entries_for(category).find_map(|entry| {
            let Effect::Transport { clients, at_rest } = entry.effect else { return None };
            Some((clients, at_rest))
        })
    }

    /// Whether no data of the category is expected, so that finding some is a finding.
    pub fn expects_none(&self, category: &Category) -> bool {
        self.entries_for(category).any(|entry| entry.effect == Effect::ExpectNone)
    }

    /// The row by which a category's period is agreed with each customer: without an instruction there is none.
    pub fn by_instruction<'a>(&'a self, category: &'a Category) -> Option<&'a Entry> {
        self.entries_for(category).find(|entry| entry.effect == Effect::ByInstruction)
    }

    /// Whether the text about a category leaves its period open (combination rule 7), and no rule or instruction gives one.
    pub fn lacks_a_period(&self, category: &Category) -> bool {
        let promised = self.rules_for(category).any(|rule| rule.decides() && rule.bound != Bound::Keep);
        !promised && self.entries_for(category).any(Entry::takes_a_period)
    }

    /// The row without a date that leaves a category's period open, by instruction or otherwise.
    pub fn leaves_open<'a>(&'a self, category: &'a Category) -> Option<&'a Entry> {
        self.entries_for(category).find(|entry| entry.takes_a_period())
    }

    /// The rule that locks a category (GDPR Art. 18), and the first day on which it is locked: the soonest, where there are
    /// several whose anchor is known.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn locks(&self, category: &Category, anchors: &Anchors) -> Result<Option<(&Rule, Day)>, CalendarError> {
        if self.rules_for(category).all(|rule| rule.action != Deed::Restrict) {
            return Ok(None);
        }
        let extra = Extra::default();
        let rows = Known { policy: self, anchors, extra: &extra }.rows(category)?;
        let locks = rows.into_iter().filter(|row| row.rule.action == Deed::Restrict);
        let days = locks.filter_map(|row| Some((self.rule(&row.rule.id)?, row.dates?.latest?.day())));
        Ok(days.min_by_key(|(_, day)| *day))
    }

    /// The channels on which a withdrawn consent to marketing acts at once.
    pub fn marketing_channels(&self) -> impl Iterator<Item = Channel> {
        self.rules().iter().flat_map(|rule| &rule.details).flat_map(|detail| {
            let channels = if let Detail::Channels(channels) = detail { channels.as_slice() } else { &[] };
            channels.iter().copied()
        })
    }

    /// Fields of a category's records that another rule blanks, and that rule.
    pub fn blanked<'a>(&'a self, category: &'a Category) -> impl Iterator<Item = (&'a Rule, Field)> {
        self.rules().iter().flat_map(move |rule| {
            let fields = rule.details.iter().filter_map(move |detail| {
                let Detail::Blanks { category: of, field } = detail else { return None };
                (of == category).then_some(*field)
            });
            fields.map(move |field| (rule, field))
        })
    }

    /// What interfaces to other systems send, and what they do not.
    pub fn minimised(&self) -> Option<(&[Field], &[Field])> {
        self.entries().iter().find_map(|entry| {
            let Effect::Minimise { send, instead_of } = &entry.effect else { return None };
            Some((send.as_slice(), instead_of.as_slice()))
        })
    }

    /// The day from which an ended contract that nobody settles is listed for a decision, if the text says so.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn unsettled_from(&self, ended: Day) -> Result<Option<Day>, CalendarError> {
        let after = self.entries().iter().find_map(|entry| {
            let Effect::Unsettled { after, .. } = entry.effect else { return None };
            Some(after)
        });
        after.map(|after| after.last_day(ended)).transpose()
    }

    /// When a request that came in on `received` must be answered: both days where `paused` whole days were spent on asking
    /// who it is. The plan works to the unpaused one (GDPR Art. 12(3), 12(6)).
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] past the year 9999.
    pub fn answer(&self, received: Day, extended: bool, paused: u16) -> Result<Option<Answer>, CalendarError> {
        let of = |rule: &&Rule| rule.action == Deed::Answer && rule.apart == extended;
        let Some(rule) = self.rules().iter().find(of) else { return Ok(None) };
        let Some(clause) = rule.clauses.first() else { return Ok(None) };
        let end = clause.period.last_day(received)?;
        let paused =
            end.checked_add(jiff::Span::new().days(i64::from(paused))).map_err(|_| CalendarError::OutOfRange)?;
        Ok(Some(Answer { days: answer_days(end)?, latest_paused: answer_days(paused)?.latest }))
    }
}

/// When a request must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Without any pause: the plan works to these.
    pub days: AnswerDays,
    /// The last day with the pause added.
    pub latest_paused: Day,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::tests::{includes, webone, webone_with};

    #[test]
    fn a_period_is_lacking_where_the_text_leaves_it_open_and_nothing_promises_one() {
        let category = |word: &str| word.parse::<Category>().expect("a category");
        assert!(!webone().lacks_a_period(&category("tickets")), "no row at all is another thing");
        assert!(!webone().lacks_a_period(&category("chat")));
        let host = include_str!("../../../policies/host001.toml");
        let parse = |text: &str| Policy::parse("host001", text, includes).expect("in order");
        assert!(parse(host).lacks_a_period(&category("customer-data")));
        let kept = host.replace("include =", "switch_on = [\"law/data-act\"]\ninclude =");
        assert!(parse(&kept).lacks_a_period(&category("customer-data")), "a duty is no period");
        let promised = format!(
            "{kept}\n[[rule]]\nid = \"host001/data\"\ncategory = \"customer-data\"\naction = \"erase\"\nbound = \"by\"\n\
             basis = \"contract\"\ncount = [{{ from = \"contract_ended\", period = \"2 months\" }}]\n"
        );
        assert!(!parse(&promised).lacks_a_period(&category("customer-data")));
    }

    #[test]
    fn the_row_that_leaves_a_period_open_is_named() {
        let text = include_str!("../../../policies/netip.toml");
        let netip = Policy::parse("netip", text, includes).expect("in order");
        let open = |word: &str| netip.leaves_open(&word.parse().expect("a category")).map(|entry| entry.id.clone());
        assert_eq!(open("hosted-logs").as_deref(), Some("netip/hosted-logs"));
        assert_eq!(open("own-site-logs").as_deref(), Some("netip/visitors"));
        assert_eq!(open("mail"), None, "how mail travels says nothing of how long it stays");
        assert_eq!(open("chat"), None);
    }

    #[test]
    fn the_soonest_lock_counts_and_only_locks_do() {
        let text = include_str!("../../../policies/connect2ip.toml");
        let ended = Day::new(2026, 1, 31).expect("a day");
        let anchors = Anchors { customer_ended: Some(ended), contract_ended: Some(ended), ..Anchors::default() };
        let locks = |text: &str, word: &str, anchors: &Anchors| {
            let policy = Policy::parse("connect2ip", text, includes).expect("in order");
            let category = word.parse().expect("a category");
            policy.locks(&category, anchors).expect("in range").map(|(rule, day)| (rule.id.clone(), day.to_string()))
        };
        let lock = Some(("connect2ip/record-lock".to_owned(), "2026-07-31".to_owned()));
        assert_eq!(locks(text, "register", &anchors), lock);
        assert_eq!(locks(text, "register", &Anchors::default()), None, "nobody has ended");
        assert_eq!(locks(text, "bookkeeping", &anchors), None);
        let sooner = format!(
            "{text}\n[[rule]]\nid = \"connect2ip/sooner\"\ncategory = \"register\"\naction = \"restrict\"\nbound = \"at\"\n\
             basis = \"contract\"\ncites = []\ncount = [{{ from = \"contract_ended\", period = \"3 months\" }}]\n"
        );
        let sooner = locks(&sooner, "register", &anchors);
        assert_eq!(sooner, Some(("connect2ip/sooner".to_owned(), "2026-04-30".to_owned())));
        let alone = text
            .replace("category = \"register\"\naction = \"restrict\"", "category = \"notes\"\naction = \"restrict\"");
        assert_eq!(locks(&alone, "notes", &anchors), lock, "where nothing else is said of the category");
    }

    #[test]
    fn rows_are_found_by_their_id() {
        let policy = webone();
        assert_eq!(policy.rule("webone/chat").map(|rule| rule.category.as_str()), Some("chat"));
        assert_eq!(policy.entry("webone/roles").map(|entry| entry.id.as_str()), Some("webone/roles"));
        assert!(policy.rule("webone/roles").is_none() && policy.entry("webone/chat").is_none());
        let changed = webone_with(
            "period = \"12 months\" }, { from = \"record\"",
            "period = \"11 months\" }, { from = \"record\"",
        );
        assert_ne!(changed.rule("webone/chat"), policy.rule("webone/chat"));
    }
}
