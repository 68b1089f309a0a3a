//! How to check it, how to show whom it is about, and where to complain.

use crate::html::Html;
use crate::page::{Page, code};

pub(crate) fn verify(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let line = if told.is_final { "VALID final" } else { "VALID interim" };
    let anchor = format!("sha256:{}", told.keys.anchor);
    let body = page
        .paragraph(t.verify_file)
        .and(command("gallra verify proof.json --key keys.json"))
        .and(Html::element("p", Html::text(t.verify_line).and(Html::literal(" ")).and(code(line))))
        .and(page.paragraph(t.verify_digest))
        .and(compared(&told.digest))
        .and(page.paragraph(t.verify_shell))
        .and(page.paragraph(t.verify_anchor))
        .and(compared(&anchor))
        .and(page.paragraph(t.verify_anchor_why))
        .and(claim(page));
    page.section("verify", t.verify, body)
}

fn claim(page: Page<'_>) -> Html {
    let t = page.texts;
    let count = u64::try_from(page.told.subjects.len()).unwrap_or(u64::MAX);
    if count == 0 {
        return page.paragraph(t.verify_nobody);
    }
    Html::element("p", page.counted(count, t.verify_claim_one, t.verify_claim_many))
        .and(command(
            "gallra verify proof.json --key keys.json --identifier customer-number=1234 --code aaaa-bbbb-cccc-dddd-eeee-ffff-gggg-hhhh",
        ))
        .and(page.paragraph(t.verify_claim_why))
}

/// To be typed. A word goes to the next line as a whole, as far as it fits on one.
fn command(text: &'static str) -> Html {
    let word = |(at, word): (usize, &str)| {
        let space = if at > 0 { Html::literal(" ") } else { Html::default() };
        space.and(Html::element("span", Html::text(word)))
    };
    let words = text.split(' ').enumerate().map(word).collect();
    Html::with("p", &[("class", "command")], Html::element("code", words))
}

/// To be compared.
fn compared(text: &str) -> Html {
    Html::with("p", &[("class", "command")], code(text))
}

pub(crate) fn complain(page: Page<'_>) -> Html {
    let (told, t) = (page.told, page.texts);
    let contact = [("issuer", page.issuer()), ("contact", Html::text(&told.issuer.contact))];
    let authority = Html::element("strong", Html::text(&told.issuer.authority));
    let mut body = page.sentence(t.complain_issuer, &contact);
    if told.targets.iter().any(|target| target.role == "processor") {
        body = body.and(page.sentence(t.complain_processor, &[("issuer", page.issuer())]));
    }
    body = body.and(page.sentence(t.complain_right, &[("authority", authority)]));
    if told.issuer.country == "SE" {
        body = body.and(page.paragraph(t.complain_se));
    }
    page.section("complain", t.complain, body.and(page.paragraph(t.complain_court)))
}
