//! The picture with characters, for the terminal. Owns columns and signs.

use super::picture::{Mark, Picture, Row, Span, Stay};
use super::plain;
use super::word::{Language, Word};

/// Columns of the time axis.
const WIDTH: u16 = 48;
/// Columns that a month's name under the axis takes, with room beside it.
const MONTH: usize = 9;

fn sign(stay: Stay) -> char {
    match stay {
        Stay::There => '━',
        Stay::Kept => '─',
        Stay::Locked => '▒',
        Stay::Copies => '░',
    }
}

/// What goes on beyond the axis.
const BEYOND: char = '>';

/// A line for each row, the axis above, the signs below.
pub(super) fn bars(picture: &Picture, language: Language) -> String {
    let names = picture.rows.iter().map(|row| plain(&row.name)).collect::<Vec<_>>();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut out = format!("{:width$}  {}\n", "", axis(picture));
    for (row, name) in picture.rows.iter().zip(&names) {
        let line = format!("{name:width$}  {}  {}", bar(picture, row), plain(&row.does));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&legend(picture, language));
    out
}

fn column(picture: &Picture, day: gallra_model::Day) -> usize {
    let place = picture.place(day) * f64::from(WIDTH - 1);
    // 0 to WIDTH - 1: rounding never leaves it.
    (0..usize::from(WIDTH))
        .take_while(|column| f64::from(u32::try_from(*column).unwrap_or(0)) <= place)
        .last()
        .unwrap_or(0)
}

fn axis(picture: &Picture) -> String {
    let mut line = String::new();
    for month in picture.months(usize::from(WIDTH) / MONTH) {
        let at = column(picture, month);
        let used = line.chars().count();
        if used == 0 || at > used {
            line.push_str(&" ".repeat(at.saturating_sub(used)));
            line.push_str(&month.strftime("%Y-%m").to_string());
        }
    }
    line
}

fn bar(picture: &Picture, row: &Row) -> String {
    let mut cells = vec![' '; usize::from(WIDTH)];
    for span in row.spans.iter().filter(|span| span.from <= picture.to) {
        let (from, to) =
            (column(picture, span.from), span.to.map_or(usize::from(WIDTH) - 1, |day| column(picture, day)));
        for cell in cells.iter_mut().take(to + 1).skip(from) {
            *cell = sign(span.what);
        }
        if is_beyond(picture, span) {
            cells.last_mut().into_iter().for_each(|cell| *cell = BEYOND);
        }
    }
    let mut marks: Vec<_> = row.marks.iter().filter(|(_, day)| *day <= picture.to).collect();
    marks.sort();
    for (mark, day) in marks {
        cells.get_mut(column(picture, *day)).into_iter().for_each(|cell| *cell = mark.sign());
    }
    cells.into_iter().collect()
}

fn is_beyond(picture: &Picture, span: &Span) -> bool {
    span.from <= picture.to && span.to.is_none_or(|day| day > picture.to)
}

/// The signs that were used, and what each says.
fn legend(picture: &Picture, language: Language) -> String {
    let spans = |stay: Stay| {
        picture.rows.iter().flat_map(|row| &row.spans).any(|span| span.what == stay && span.from <= picture.to)
    };
    let marks = |mark: Mark| {
        picture.rows.iter().flat_map(|row| &row.marks).any(|(own, day)| *own == mark && *day <= picture.to)
    };
    let beyond = picture.rows.iter().flat_map(|row| &row.spans).any(|span| is_beyond(picture, span));
    let stays = Stay::ALL.into_iter().filter(|stay| spans(*stay)).map(|stay| (sign(stay), stay.word()));
    let edge = beyond.then_some((BEYOND, Word::SpanBeyond));
    let signs = Mark::ALL.into_iter().filter(|mark| marks(*mark)).map(|mark| (mark.sign(), mark.word()));
    let line = |told: &mut dyn Iterator<Item = (char, Word)>| {
        let told: Vec<_> = told.map(|(sign, word)| format!("{sign} {}", word.get(language))).collect();
        if told.is_empty() { String::new() } else { format!("  {}\n", told.join("   ")) }
    };
    line(&mut { signs }) + &line(&mut stays.chain(edge))
}
