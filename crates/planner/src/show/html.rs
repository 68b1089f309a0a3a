//! The plan as one HTML page that needs nothing else: style inside, no script, nothing fetched, fit for print and for a screen
//! reader. Everything that is put in is escaped here and nowhere else.

use std::fmt::Write as _;

use gallra_model::plan::Plan;

use super::picture::{Mark, Picture, Row, Stay, picture};
use super::section::{Section, sections};
use super::word::{Language, Word};
use super::{lines, plain};

/// Units across the picture; a row is as high as [`HEIGHT`] of them.
const WIDTH: f64 = 600.0;
const HEIGHT: u16 = 22;
/// Months that are named along the axis, at most.
const MONTHS: usize = 8;

const STYLE: &str = "
:root { color-scheme: light; }
body { font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { text-align: left; vertical-align: middle; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #ccc; }
th { font-weight: 600; } td.picture { width: 55%; padding-right: 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font: 600 12px ui-monospace, monospace; paint-order: stroke; stroke: #fff; stroke-width: 3px; } svg .month { font: 11px system-ui, sans-serif; fill: #444; }
.there { fill: #b3261e; } .kept { fill: #1b5e9c; } .locked { fill: #7a5c00; } .copies { fill: #6b6b6b; }
.axis { stroke: #bbb; } .edge { fill: #1a1a1a; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; padding: 0; list-style: none; }
.legend b { font-family: ui-monospace, monospace; } .swatch { display: inline-block; width: 2rem; height: .6rem; vertical-align: middle; }
.swatch.there { background: #b3261e; } .swatch.kept { background: #1b5e9c; } .swatch.locked { background: #7a5c00; }
.swatch.copies { background: #6b6b6b; }
.warning { border-left: .3rem solid #b3261e; padding-left: 1rem; }
summary h2 { display: inline; } .quoted { color: #444; } .wrap { overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } h2 { break-after: avoid; } tr, li { break-inside: avoid; }
svg, .swatch { print-color-adjust: exact; } details::details-content { content-visibility: visible; } }
";

/// The plan as a page; `problems` are the checker's objections.
pub fn html(plan: &Plan, problems: &[String], language: Language) -> String {
    let title = Word::Title.get(language);
    let mut out = String::new();
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n",
        language.tag(),
        plan.request
    );
    for line in lines::head(plan, language) {
        let _ = writeln!(out, "<p class=\"wrap\">{}</p>", escaped(&line));
    }
    out.push_str("</header>\n<main>\n");
    let sections = sections(plan, problems, language);
    let (first, rest) = sections.split_at(usize::from(!problems.is_empty()));
    for own in first {
        let _ = write!(out, "<div class=\"warning\" role=\"alert\">\n{}</div>\n", section(own));
    }
    out.push_str(&timeline(&picture(plan, language), language));
    for own in rest {
        out.push_str(&section(own));
    }
    out.push_str("</main>\n</body>\n</html>");
    out
}

/// Text as it may stand between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for own in plain(text).chars() {
        match own {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            own => out.push(own),
        }
    }
    out
}

fn timeline(picture: &Picture, language: Language) -> String {
    let word = |word: Word| escaped(word.get(language));
    let mut out = format!(
        "<table>\n<caption>{}</caption>\n<thead>\n<tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th>\
         <th scope=\"col\">{}</th><td class=\"picture\">{}</td></tr>\n</thead>\n<tbody>\n",
        word(Word::Timeline),
        word(Word::Target),
        word(Word::Category),
        word(Word::Happens),
        axis(picture)
    );
    for row in &picture.rows {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"picture\">{}</td></tr>",
            escaped(&row.name),
            escaped(&row.category),
            escaped(&row.does),
            drawn(picture, row)
        );
    }
    out.push_str("</tbody>\n</table>\n");
    out.push_str(&legend(language));
    out
}

fn across(picture: &Picture, day: gallra_model::Day) -> f64 {
    picture.place(day) * WIDTH
}

/// The months along the axis; a screen reader has them in every row's words.
fn axis(picture: &Picture) -> String {
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH:.0} {HEIGHT}\" aria-hidden=\"true\">");
    for month in picture.months(MONTHS) {
        let at = across(picture, month);
        let _ = write!(
            out,
            "<line class=\"axis\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{HEIGHT}\"/>\
             <text class=\"month\" x=\"{:.1}\" y=\"14\">{}</text>",
            at + 3.0,
            month.strftime("%Y-%m")
        );
    }
    out.push_str("</svg>");
    out
}

/// One row's picture; its words are its label.
fn drawn(picture: &Picture, row: &Row) -> String {
    let label = escaped(&format!("{}: {}", row.name, row.does));
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH:.0} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">");
    for month in picture.months(MONTHS) {
        let at = across(picture, month);
        let _ = write!(out, "<line class=\"axis\" x1=\"{at:.1}\" y1=\"0\" x2=\"{at:.1}\" y2=\"{HEIGHT}\"/>");
    }
    for span in row.spans.iter().filter(|span| span.from <= picture.to) {
        let (from, to) = (across(picture, span.from), span.to.map_or(WIDTH, |day| across(picture, day)));
        // A lock lies under what is locked, so that neither hides the other.
        let (y, height) = if span.what == Stay::Locked { (16, 4) } else { (7, 8) };
        let _ = write!(
            out,
            "<rect class=\"{}\" x=\"{from:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{height}\"/>",
            class(span.what),
            (to - from).max(2.0)
        );
        if span.to.is_none_or(|day| day > picture.to) {
            let _ = write!(
                out,
                "<polygon class=\"edge\" points=\"{WIDTH:.0},11 {:.0},5 {:.0},17\"/>",
                WIDTH - 8.0,
                WIDTH - 8.0
            );
        }
    }
    for (mark, day) in row.marks.iter().filter(|(_, day)| *day <= picture.to) {
        let at = across(picture, *day);
        // The signs of one day stand side by side rather than on each other.
        let (anchor, shift) = match mark {
            Mark::Ended | Mark::Earliest => ("end", -4.0),
            Mark::Settled | Mark::Latest | Mark::Kept => ("start", 4.0),
            Mark::LastCopy | Mark::Chosen => ("middle", 0.0),
        };
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"15\" text-anchor=\"{anchor}\">{}</text>",
            at + shift,
            escaped(&mark.sign().to_string())
        );
    }
    out.push_str("</svg>");
    out
}

fn class(stay: Stay) -> &'static str {
    match stay {
        Stay::There => "there",
        Stay::Kept => "kept",
        Stay::Locked => "locked",
        Stay::Copies => "copies",
    }
}

fn legend(language: Language) -> String {
    let mut out = String::from("<ul class=\"legend\">\n");
    for mark in Mark::ALL {
        let _ = writeln!(
            out,
            "<li><b>{}</b> {}</li>",
            escaped(&mark.sign().to_string()),
            escaped(mark.word().get(language))
        );
    }
    for stay in Stay::ALL {
        let _ = writeln!(
            out,
            "<li><span class=\"swatch {}\"></span> {}</li>",
            class(stay),
            escaped(stay.word().get(language))
        );
    }
    let _ = writeln!(out, "<li><b>▶</b> {}</li>\n</ul>", escaped(Word::SpanBeyond.get(language)));
    out
}

fn section(own: &Section) -> String {
    let title = escaped(&own.title);
    let (head, tail) = if own.folded {
        (format!("<details>\n<summary><h2>{title} ({})</h2></summary>\n", own.rows.len()), "</details>\n")
    } else {
        (format!("<h2>{title}</h2>\n"), "")
    };
    let mut out = format!("<section>\n{head}<ul>\n");
    for row in &own.rows {
        let lead = row.lead.iter().flatten().map(|text| text.trim()).filter(|text| !text.is_empty());
        let head: Vec<_> =
            lead.chain(Some(row.place.as_str()).filter(|place| !place.is_empty())).map(escaped).collect();
        let _ = write!(out, "<li class=\"wrap\">");
        if !head.is_empty() {
            let _ = write!(out, "<strong>{}</strong> ", head.join(" · "));
        }
        out.push_str(&escaped(&row.text.split_whitespace().collect::<Vec<_>>().join(" ")));
        if let Some(quoted) = &row.quoted {
            let colon = if row.text.is_empty() { "" } else { ": " };
            let _ = write!(out, "{colon}<span class=\"quoted\" lang=\"en\">{}</span>", escaped(quoted));
        }
        out.push_str("</li>\n");
    }
    let _ = write!(out, "</ul>\n{tail}</section>\n");
    out
}
