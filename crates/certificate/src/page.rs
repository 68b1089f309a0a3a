//! What stands where on the page, and the pieces that its parts are made of.

use gallra_verify::told::{Counts, Target, Told};

use crate::date;
use crate::html::Html;
use crate::section;
use crate::text::{Table, Texts, known};

/// What every part of the page is made from.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) told: &'a Told,
    pub(crate) texts: &'static Texts,
}

pub(crate) fn render(told: &Told, texts: &'static Texts) -> String {
    let page = Page { told, texts };
    let parts: [fn(Page<'_>) -> Html; 10] = [
        section::left::left,
        section::erased::erased,
        section::kept::kept,
        section::copies::copies,
        section::others::restores,
        section::others::recipients,
        section::checked::checked,
        section::limits::limits,
        section::verify::verify,
        section::verify::complain,
    ];
    let main: Html = parts.into_iter().map(|part| part(page)).chain([section::exact::exact(page)]).collect();
    let body = section::head::head(page)
        .and(Html::element("main", main))
        .and(Html::element("footer", page.paragraph(texts.footer).and(section::head::banner(page))));
    let html = Html::with("html", &[("lang", texts.language.tag())], head(page).and(Html::element("body", body)));
    Html::literal("<!DOCTYPE html>\n").and(html).and(Html::literal("\n")).into_string()
}

fn head(page: Page<'_>) -> Html {
    let before = Html::literal(concat!(
        "\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
        "<meta name=\"referrer\" content=\"no-referrer\">\n",
    ));
    let title = Html::element("title", Html::text(&section::head::name(page)));
    let style = concat!("\n<style>\n", include_str!("style.css"), "</style>\n</head>\n");
    before.and(title).and(Html::literal(style))
}

impl Page<'_> {
    /// A sentence as it is.
    pub(crate) fn paragraph(self, text: &'static str) -> Html {
        Html::element("p", Html::text(text))
    }

    /// A sentence with what is put in.
    pub(crate) fn sentence(self, template: &'static str, parts: &[(&str, Html)]) -> Html {
        Html::element("p", Html::fill(template, parts))
    }

    /// A part with its heading.
    pub(crate) fn section(self, id: &'static str, heading: &'static str, body: Html) -> Html {
        let heading = Html::with("h2", &[("id", id)], Html::text(heading));
        Html::with("section", &[("class", id), ("aria-labelledby", id)], heading.and(body))
    }

    /// A table whose first column names its rows. On a narrow page its cells stand below each other, each with the head of
    /// its column; roles are spelled out, since browsers forget a table that is shown in another way.
    pub(crate) fn table<const N: usize>(self, caption: Html, heads: [&'static str; N], rows: Vec<[Html; N]>) -> Html {
        let head =
            |text: &'static str| Html::with("th", &[("role", "columnheader"), ("scope", "col")], Html::text(text));
        let row = |cells: Html| Html::with("tr", &[("role", "row")], cells);
        let body = |cells: [Html; N]| {
            let cells = cells.into_iter().zip(heads).enumerate().map(|(at, (cell, head))| match at {
                0 => Html::with("th", &[("role", "rowheader"), ("scope", "row")], cell),
                _ => Html::with("td", &[("role", "cell"), ("data-head", head)], Html::element("div", cell)),
            });
            row(cells.collect())
        };
        let inside = Html::element("caption", caption)
            .and(Html::with("thead", &[("role", "rowgroup")], row(heads.into_iter().map(head).collect())))
            .and(Html::with("tbody", &[("role", "rowgroup")], rows.into_iter().map(body).collect()));
        Html::with("table", &[("role", "table")], inside)
    }

    /// Names and what they are.
    pub(crate) fn pairs(self, pairs: Vec<(Html, Html)>) -> Html {
        let pair = |(name, value)| Html::element("div", Html::element("dt", name).and(Html::element("dd", value)));
        Html::element("dl", pairs.into_iter().map(pair).collect())
    }

    pub(crate) fn list(self, items: Vec<Html>) -> Html {
        Html::element("ul", items.into_iter().map(|item| Html::element("li", item)).collect())
    }

    /// A number, with its thousands apart.
    pub(crate) fn number(self, number: u64) -> Html {
        let digits = number.to_string();
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
                out.push(self.texts.thousands);
            }
            out.push(digit);
        }
        Html::text(&out)
    }

    /// One, or many.
    pub(crate) fn counted(self, count: u64, one: &'static str, many: &'static str) -> Html {
        if count == 1 { Html::text(one) } else { Html::fill(many, &[("count", self.number(count))]) }
    }

    pub(crate) fn day(self, day: &str) -> Html {
        date::day(day, self.texts)
    }

    pub(crate) fn instant(self, instant: &str) -> Html {
        date::instant(instant, self.texts)
    }

    pub(crate) fn issuer(self) -> Html {
        Html::text(&self.told.issuer.name)
    }

    /// A target as the provider names it.
    pub(crate) fn place(self, agent: &str, target: &str) -> Html {
        code(&format!("{agent}/{target}"))
    }

    /// Words for a word of the formats, or the word itself.
    pub(crate) fn word(self, table: Table, word: &str) -> Html {
        known(table, word).map_or_else(|| code(word), Html::text)
    }

    /// A rule in words, with its name.
    pub(crate) fn rule(self, rule: &str) -> Html {
        let own = || {
            let (pack, name) = rule.split_once('/')?;
            let category = known(self.texts.categories, name).filter(|_| pack != "law")?;
            Some(Html::fill(self.texts.rule_of, &[("category", Html::text(category))]))
        };
        match known(self.texts.rules, rule).map(Html::text).or_else(own) {
            Some(words) => Html::fill(self.texts.rule_named, &[("words", words), ("rule", code(rule))]),
            None => code(rule),
        }
    }

    pub(crate) fn is_purge(self) -> bool {
        self.told.plan.purge.is_some()
    }

    /// Whether anything was changed, as far as the proof shows.
    pub(crate) fn acted(self) -> bool {
        let mut counts = self.told.targets.iter().map(|target| &target.counts);
        counts.any(|counts| counts.erased > 0 || counts.anonymised > 0 || counts.key_destroyed > 0)
    }

    /// Items of a target that are kept. The sum in its counts is over several statements about the same items.
    pub(crate) fn kept_at(self, target: &Target) -> u64 {
        let here = self.told.kept.iter().filter(|kept| kept.agent == target.agent && kept.target == target.target);
        here.map(|kept| kept.items).fold(0, u64::saturating_add)
    }

    /// What became of items, one line an outcome. How often nothing was found is no number of items, and not shown.
    pub(crate) fn outcomes(self, counts: &Counts) -> Vec<Html> {
        let t = self.texts;
        [
            (counts.erased, t.erased_one, t.erased_many),
            (counts.anonymised, t.anonymised_one, t.anonymised_many),
            (counts.key_destroyed, t.key_destroyed_one, t.key_destroyed_many),
            (counts.restricted, t.restricted_one, t.restricted_many),
            (counts.failed, t.failed_one, t.failed_many),
            (counts.unknown, t.unknown_one, t.unknown_many),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| self.counted(count, one, many))
        .collect()
    }
}

/// What is spelled exactly.
pub(crate) fn code(text: &str) -> Html {
    Html::element("code", Html::text(text))
}

/// Text of the issuer's own.
pub(crate) fn quoted(text: &str) -> Html {
    Html::with("span", &[("class", "quoted")], Html::text(text))
}
