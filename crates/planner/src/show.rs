//! A plan for people: a timeline that is understood at a glance, then the days, what stays, what to mind, and what changed,
//! for the terminal and as one HTML page, in Swedish and English. Owns the showing; decides nothing. Local times are
//! Europe/Stockholm. What other people wrote (grounds, names) never becomes markup nor a terminal's control sequence.

mod bars;
mod html;
mod lines;
mod picture;
mod section;
mod word;

use gallra_model::plan::Plan;

pub use html::html;
pub use word::Language;

/// The plan as text of several lines, in English, without a newline at its end.
pub fn render(plan: &Plan) -> String {
    text(plan, &[], Language::English)
}

/// The plan as text of several lines without a newline at its end; `problems` are the checker's objections.
pub fn text(plan: &Plan, problems: &[String], language: Language) -> String {
    let mut out = lines::head(plan, language).join("\n");
    out.push_str("\n\n");
    out.push_str(&bars::bars(&picture::picture(plan, language), language));
    for section in section::sections(plan, problems, language) {
        out.push_str(&lines::section(&section));
    }
    out.truncate(out.trim_end().len());
    out
}

/// The text without what a terminal would obey: control characters become the replacement character.
fn plain(text: &str) -> String {
    text.chars().map(|own| if own.is_control() { char::REPLACEMENT_CHARACTER } else { own }).collect()
}
