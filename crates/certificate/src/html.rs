//! Markup, made so that no value becomes any: the only ways in are literals of this crate and [`Html::text`], which
//! escapes. Owns escaping; knows nothing of what is said.

use std::fmt::Write as _;

/// A piece of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

/// Elements that end a line, so that a page can be read and compared as text.
const LINES: [&str; 22] = [
    "article", "aside", "body", "caption", "dd", "div", "dl", "dt", "footer", "h1", "h2", "h3", "header", "li", "main",
    "ol", "p", "section", "table", "tbody", "tr", "ul",
];

impl Html {
    /// Markup of this crate's own.
    pub(crate) fn literal(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Any text: nothing in it is markup, and nothing in it steers how the text around it is read.
    pub(crate) fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for sign in text.chars() {
            match sign {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                '\n' | '\t' => out.push(' '),
                sign if sign.is_control() || turns(sign) => out.push(char::REPLACEMENT_CHARACTER),
                sign => out.push(sign),
            }
        }
        Self(out)
    }

    /// An element around what is inside.
    pub(crate) fn element(tag: &'static str, inside: Self) -> Self {
        Self::with(tag, &[], inside)
    }

    /// The same, with attributes.
    pub(crate) fn with(tag: &'static str, attributes: &[(&'static str, &str)], inside: Self) -> Self {
        let mut out = format!("<{tag}");
        for (name, value) in attributes {
            let _ = write!(out, " {name}=\"{}\"", Self::text(value).0);
        }
        let end = if LINES.contains(&tag) { "\n" } else { "" };
        let _ = write!(out, ">{}</{tag}>{end}", inside.0);
        Self(out)
    }

    /// A template of this crate's texts, with what stands for its `{names}`.
    pub(crate) fn fill(template: &'static str, parts: &[(&str, Self)]) -> Self {
        let mut out = Self::default();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, behind)) = after.split_once('}') else { break };
            let part = parts.iter().find(|(known, _)| *known == name);
            debug_assert!(part.is_some(), "nothing stands for {{{name}}} in: {template}");
            out = out.and(Self::text(before)).and(part.map(|(_, part)| part.clone()).unwrap_or_default());
            rest = behind;
        }
        out.and(Self::text(rest))
    }

    /// This, then that.
    #[must_use]
    pub(crate) fn and(mut self, next: Self) -> Self {
        self.0.push_str(&next.0);
        self
    }

    /// A line break between pieces.
    pub(crate) fn lines(pieces: Vec<Self>) -> Self {
        let mut out = Self::default();
        for (at, piece) in pieces.into_iter().enumerate() {
            out = if at > 0 { out.and(Self::literal("<br>")).and(piece) } else { piece };
        }
        out
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Self>>(pieces: I) -> Self {
        pieces.into_iter().fold(Self::default(), Self::and)
    }
}

/// Signs that change the direction of what follows, or hide in it.
fn turns(sign: char) -> bool {
    matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{061c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_page_is_taken_from_a_text() {
        let text = Html::text("<b a='1' c=\"2\">&\u{0}\u{202e}\n\u{200b}å");
        let spelled = "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}\u{fffd} \u{fffd}å";
        assert_eq!(text.into_string(), spelled);
    }

    #[test]
    fn attributes_are_texts() {
        let made = Html::with("time", &[("datetime", "\"><script>")], Html::text("x")).into_string();
        assert_eq!(made, "<time datetime=\"&quot;&gt;&lt;script&gt;\">x</time>");
    }

    #[test]
    fn a_template_takes_pieces_by_name_and_no_template_from_a_value() {
        let made = Html::fill("a & {b}{c}", &[("c", Html::text("{b}")), ("b", Html::element("b", Html::text("<")))]);
        assert_eq!(made.into_string(), "a &amp; <b>&lt;</b>{b}");
    }
}
