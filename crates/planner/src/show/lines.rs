//! Head and sections as lines, for the terminal.

use std::fmt::Write as _;

use gallra_model::plan::Plan;
use gallra_model::time::day_of;
use gallra_model::{Clock, Day};

use super::picture::time_of_day;
use super::section::Section;
use super::word::{Language, Word};

/// What plan it is, of which rules, counted from what: a line each.
pub(super) fn head(plan: &Plan, language: Language) -> Vec<String> {
    let mut made = format!("{} {}", day_of(plan.made), time_of_day(plan.made));
    if plan.clock == Clock::Simulated {
        let _ = write!(made, ", {}", Word::Simulated.get(language));
    }
    let (number, request) = (plan.number.to_string(), plan.request.to_string());
    let mut head = vec![Word::PlanOf.with(language, &[&number, &request, &made])];
    head.extend(plan.parent.map(|parent| Word::Succeeds.with(language, &[&parent.to_string()])));
    head.push(Word::Policy.with(language, &[&plan.policy.to_string()]));
    let ends = ends(plan, language);
    if !ends.is_empty() {
        head.push(Word::CountedFrom.with(language, &[&ends]));
    }
    head
}

fn ends(plan: &Plan, language: Language) -> String {
    let a = &plan.anchors;
    let pair = |who: Word, ended: Option<Day>, settled: Option<Day>| {
        let settled = settled.map_or_else(
            || Word::NotSettled.get(language).to_owned(),
            |day| Word::Settled.with(language, &[&day.to_string()]),
        );
        ended.map(|day| Word::Ended.with(language, &[who.get(language), &day.to_string(), &settled]))
    };
    let contract = pair(Word::Contract, a.contract_ended, a.contract_settled);
    let customer = pair(Word::Customer, a.customer_ended, a.customer_settled);
    contract.into_iter().chain(customer).collect::<Vec<_>>().join("; ")
}

/// A title and its rows.
pub(super) fn section(section: &Section) -> String {
    let mut out = format!("\n{}\n", section.title);
    for row in &section.rows {
        let mut line = String::from("  ");
        if let Some([time, step]) = &row.lead {
            let _ = write!(line, "{time:<5}  {step}  ");
        }
        if !row.place.is_empty() {
            let _ = write!(line, "{:<28}  ", row.place);
        }
        line.push_str(&row.text);
        match &row.quoted {
            Some(quoted) if row.text.is_empty() => line.push_str(quoted),
            Some(quoted) => {
                let _ = write!(line, ": {quoted}");
            }
            None => {}
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
