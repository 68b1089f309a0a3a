//! Customers whose names look alike, to people or to a file system: exactly the bytes of the id select, in both drivers.

use std::fs;
use std::path::PathBuf;

use gallra_model::job::Action;
use gallra_model::receipt::Verdict;
use gallra_model::selector::ExternalId;

use super::fixture::{Site, bytes, portrait};
use crate::driver::Driver;
use crate::maildir::Maildir;
use crate::testing::{inspect_then, service};

/// Names that stand beside `xn--rksmrgs-5wao1o.example` and `anna.example`, as bytes on the disk.
fn neighbours() -> Vec<Vec<u8>> {
    let texts = [
        // Prefix, suffix, and the separators in between.
        "anna.exampl",
        "anna.example.org",
        "anna.example2",
        "b.anna.example",
        "anna_example",
        "anna-example",
        "annaXexample",
        // Case, dots and spaces that other systems drop.
        "Anna.example",
        "ANNA.EXAMPLE",
        "anna.example.",
        "anna.example ",
        " anna.example",
        ".anna.example",
        "anna.example\n",
        // The same word in Unicode: composed, decomposed, upper case; its punycode in another case.
        "r\u{e4}ksm\u{f6}rg\u{e5}s.example",
        "ra\u{308}ksmo\u{308}rga\u{30a}s.example",
        "R\u{c4}KSM\u{d6}RG\u{c5}S.example",
        "XN--RKSMRGS-5WAO1O.example",
        "xn--rksmrgs-5wao1o.example.",
        "rksmrgs-5wao1o.example",
        // Letters of another alphabet, full width, a mark of no width, a dot that is none.
        "\u{430}nna.example",
        "\u{ff41}nna.example",
        "anna\u{200b}.example",
        "anna\u{3002}example",
        "anna.example\u{301}",
        // What a pattern or a shell would read otherwise.
        "anna*",
        "*",
        "anna?example",
        "[a]nna.example",
        "anna.example%",
        "anna.example;",
    ];
    let mut names: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    names.push(b"anna.example\xff".to_vec());
    names
}

fn plant(site: &Site, name: &[u8]) -> PathBuf {
    let top = site.at(bytes(name));
    fs::create_dir_all(top.join("Maildir/cur")).expect("directories");
    fs::write(top.join("Maildir/cur/1.host:2,S"), "Message-ID: <0123456789.long-enough@x>\n\n").expect("a mail");
    top
}

fn only_the_exact_name_goes(open: impl Fn(&Site) -> Box<dyn Driver>) {
    for id in ["anna.example", "xn--rksmrgs-5wao1o.example", "anna.example."] {
        let site = Site::new();
        let subject = plant(&site, id.as_bytes());
        let others: Vec<_> =
            neighbours().iter().filter(|name| *name != id.as_bytes()).map(|name| plant(&site, name)).collect();
        let before: Vec<_> = others.iter().map(|path| portrait(path)).collect();
        let done = inspect_then(open(&site).as_ref(), Action::Erase, &service(id));
        assert_eq!((done.verdict, done.counts.erased), (Verdict::Done, 4), "{}", done.hint);
        assert_eq!((done.before.others, done.after.others), (others.len() as u64, others.len() as u64));
        assert!(!subject.exists());
        assert!(others.iter().map(|path| portrait(path)).collect::<Vec<_>>() == before);

        // With the subject gone, none of them is taken for it.
        let again = inspect_then(open(&site).as_ref(), Action::Erase, &service(id));
        assert_eq!((again.verdict, again.counts.absent, again.counts.erased), (Verdict::Done, 1, 0));
        assert!(others.iter().map(|path| portrait(path)).collect::<Vec<_>>() == before);
    }
}

#[test]
fn files_of_look_alikes_stay_bit_by_bit() {
    only_the_exact_name_goes(|site| Box::new(site.files()));
}

#[test]
fn mailboxes_of_look_alikes_stay_bit_by_bit() {
    only_the_exact_name_goes(|site| {
        Box::new(Maildir::open(&crate::maildir::tests::config(site)).expect("a good config"))
    });
}

#[test]
fn an_id_that_is_not_plain_never_becomes_a_selector() {
    for name in neighbours() {
        let Ok(text) = std::str::from_utf8(&name) else { continue };
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b)) && !text.starts_with('.');
        assert_eq!(text.parse::<ExternalId>().is_ok(), plain, "{text:?}");
    }
}
