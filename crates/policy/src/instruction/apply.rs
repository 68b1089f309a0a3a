//! Applying an instruction to a policy. Owns what it may not replace: a law, a duty to keep, what it does not know, what
//! another instruction replaced already.

use gallra_model::target::{Category, Scope};

use super::deviation::{is_large, line};
use super::{Applied, Deviation, Instruction, Of, Replacement, Turn, turn};
use crate::pack::{Policy, relink};
use crate::problem::{Problem, Refused};
use crate::render::promises;
use crate::rule::Rule;
use crate::word::{Anchor, Bound, Deed, Sweep};

/// What rules are called that only an instruction gives.
const OWN_PREFIX: &str = "instruction";

impl Policy {
    /// The policy with an instruction carried out; it has a digest of its own.
    ///
    /// # Errors
    /// [`Refused`] with every replacement that is not the customer's to give, or that contradicts an instruction already
    /// carried out.
    pub fn with(&self, instruction: &Instruction) -> Result<Self, Refused> {
        let mut content = self.content().clone();
        let (mut replaced, mut problems) = (Vec::new(), Vec::new());
        for replacement in &instruction.replaces {
            match self.replacing(replacement) {
                Ok((rule, deviation)) => {
                    content.entries.retain(|entry| entry.id != rule.id);
                    match content.rules.iter_mut().find(|own| own.id == rule.id) {
                        Some(own) => *own = rule,
                        None => content.rules.push(rule),
                    }
                    replaced.push(deviation);
                }
                Err((text, hint)) => problems.push(Problem {
                    file: instruction.name.clone(),
                    line: Some(replacement.line),
                    text,
                    hint: hint.to_owned(),
                }),
            }
        }
        for broken in relink(&mut content.rules) {
            let hint = "give it the anchor that the rule following it counts from";
            let (file, hint) = (instruction.name.clone(), hint.to_owned());
            problems.push(Problem { file, line: None, text: broken.text, hint });
        }
        if !problems.is_empty() {
            return Err(Refused { problems });
        }
        content.instructions.push(Applied {
            id: instruction.id.clone(),
            given_by: instruction.given_by.clone(),
            given_on: instruction.given_on,
            from: instruction.from,
            replaced,
        });
        Ok(Self::of(content))
    }

    /// The instruction that replaced a rule, and what it replaced.
    pub fn instruction_for(&self, rule: &str) -> Option<(&Applied, &Deviation)> {
        self.instructions().iter().find_map(|applied| {
            applied.replaced.iter().find(|deviation| deviation.rule == rule).map(|deviation| (applied, deviation))
        })
    }

    /// Whether any instruction strays so far that the provider's counsel looks first.
    pub fn needs_legal_review(&self) -> bool {
        self.instructions().iter().flat_map(|applied| &applied.replaced).any(|deviation| deviation.legal_review)
    }

    /// The rule that a replacement makes, and how far it strays.
    fn replacing(&self, replacement: &Replacement) -> Result<(Rule, Deviation), (String, &'static str)> {
        let (rule, before) = match &replacement.of {
            Of::Rule(id) => self.replacing_rule(id, replacement)?,
            Of::Category(category) => (self.replacing_none(category, replacement)?, None),
        };
        if let Some((applied, _)) = self.instruction_for(&rule.id) {
            let text = format!("contradictory: {} was replaced by the instruction {} already", rule.id, applied.id);
            return Err((text, "withdraw one of the two"));
        }
        acceptable(&rule)?;
        let after = (rule.bound, rule.clauses.as_slice());
        let (turn, large) = match &before {
            None => (Turn::New, false),
            Some(old) => {
                let before = (old.bound, old.clauses.as_slice());
                (turn(before, after), is_large(self, &rule.id, before, after))
            }
        };
        let deviation = Deviation {
            rule: rule.id.clone(),
            category: rule.category.clone(),
            before: before.as_ref().map_or_else(|| crate::combine::NEEDS_PERIOD.to_owned(), promises),
            after: promises(&rule),
            turn,
            legal_review: large,
            warns: if large { line(self).1 } else { Vec::new() },
        };
        Ok((rule, deviation))
    }

    fn replacing_rule(&self, id: &str, new: &Replacement) -> Result<(Rule, Option<Rule>), (String, &'static str)> {
        if !id.starts_with(&format!("{}/", self.name())) {
            let text = format!("{id} is no rule of {}", self.name());
            return Err((
                text,
                "an instruction replaces the provider's own rules: never a law, nor another provider's rule",
            ));
        }
        if let Some(old) = self.rule(id) {
            if old.bound == Bound::Keep || old.action == Deed::Answer {
                let text = format!("{id} is a duty, and no instruction lifts it");
                return Err((text, "take it out: what the law demands holds whatever a customer says"));
            }
            let rule = Rule { with: None, ..filled(old.clone(), new) };
            return Ok((rule, Some(old.clone())));
        }
        let entry = self
            .entry(id)
            .ok_or_else(|| (format!("{} has no rule {id}", self.name()), "gallra policy show lists its rules"))?;
        match entry.category.clone().filter(|_| entry.takes_a_period()) {
            Some(category) => {
                let basis = entry.basis.clone().unwrap_or_else(|| "the controller's instruction".to_owned());
                Ok((Rule { basis, cites: entry.cites.clone(), ..given(id, category, new) }, None))
            }
            None => Err((format!("{id} is no rule about a period"), "an instruction gives periods, and nothing else")),
        }
    }

    fn replacing_none(&self, category: &Category, new: &Replacement) -> Result<Rule, (String, &'static str)> {
        let period = self.rules_for(category).map(|rule| &rule.id);
        if let Some(own) = period.chain(self.entries_for(category).map(|entry| &entry.id)).next() {
            let text = format!("{category} has a row, {own}");
            return Err((text, "replace it by that id, with rule = \"…\""));
        }
        if category.as_str() == "response" {
            return Err(("no instruction changes when a request is answered".to_owned(), "take it out"));
        }
        Ok(given(&format!("{OWN_PREFIX}/{category}"), category.clone(), new))
    }
}

/// A rule where the text had none.
fn given(id: &str, category: Category, new: &Replacement) -> Rule {
    let rule = Rule {
        id: id.to_owned(),
        category,
        action: Deed::Erase,
        bound: Bound::By,
        scope: Scope::Customer,
        clauses: Vec::new(),
        with: None,
        sweep: Sweep::Daily,
        apart: false,
        basis: "the controller's instruction".to_owned(),
        cites: vec!["GDPR Art. 28(3)(a)".to_owned()],
        details: Vec::new(),
    };
    filled(rule, new)
}

fn filled(mut rule: Rule, new: &Replacement) -> Rule {
    rule.clauses.clone_from(&new.clauses);
    rule.bound = new.bound.unwrap_or(rule.bound);
    let hourly = new.clauses.iter().any(|clause| clause.period.is_in_hours());
    // A sweep that is too slow for the new period would be late, and an hourly one needs hours.
    let own = if hourly {
        Sweep::Hourly
    } else if rule.sweep == Sweep::Hourly {
        Sweep::Daily
    } else {
        rule.sweep
    };
    rule.sweep = new.sweep.unwrap_or(own);
    let of_contract =
        |clause: &crate::rule::Clause| matches!(clause.from, Anchor::ContractEnded | Anchor::ContractSettled);
    rule.scope = if rule.clauses.iter().any(of_contract) { Scope::Contract } else { rule.scope };
    rule
}

/// What a pack's check asks of a rule, asked of a replaced one.
fn acceptable(rule: &Rule) -> Result<(), (String, &'static str)> {
    if rule.bound == Bound::Keep {
        return Err((format!("{}: an instruction makes no duty to keep", rule.id), "write bound = \"by\" or \"at\""));
    }
    let hours = rule.clauses.iter().filter(|clause| clause.period.is_in_hours()).count();
    let odd = rule.clauses.iter().any(|clause| clause.period.is_in_hours() && clause.from != Anchor::Record);
    let mixed = hours > 0 && (hours < rule.clauses.len() || rule.bound != Bound::By);
    if odd || mixed || (hours > 0) != (rule.sweep == Sweep::Hourly) {
        let text = format!("{}: hours count from the record, by the hourly sweep, and with nothing else", rule.id);
        return Err((text, "count in days, or everything in hours with bound = \"by\""));
    }
    let not_held = |clause: &crate::rule::Clause| {
        matches!(clause.from, Anchor::FiscalYearEnd | Anchor::Received)
            || clause.until == crate::word::Until::WorkingDay
            || clause.stage.is_some()
            || clause.stricter.is_some()
    };
    if rule.clauses.iter().any(not_held) {
        let text = format!(
            "{}: an instruction counts plainly from a contract, a customer, a record, a change or a copy",
            rule.id
        );
        return Err((text, "leave out what only a pack may say"));
    }
    Ok(())
}
