//! The certificate as it is handed out, in both languages, against files beside this one. `UPDATE_GOLDEN=1` writes them
//! anew: read the difference, and look at the page, before keeping it.

mod hostile;
mod said;
mod samples;

use std::path::Path;

use gallra_certificate::{Language, render};
use gallra_verify::told::Told;

/// All of them, by the name of their file.
fn all() -> [(&'static str, Told); 5] {
    [
        ("final", samples::last()),
        ("interim", samples::interim()),
        ("hosted", samples::hosted()),
        ("purge", samples::purge()),
        ("amendment", samples::amendment()),
    ]
}

#[test]
fn the_page_is_as_it_was() {
    for (name, told) in all() {
        for language in Language::ALL {
            let path =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shown/{name}.{}.html", language.tag()));
            let got = render(&told, language);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, got).unwrap();
            } else {
                assert!(got == std::fs::read_to_string(&path).unwrap_or_default(), "{} differs", path.display());
            }
        }
    }
}

#[test]
fn the_page_needs_nothing_else() {
    for (name, told) in all() {
        for language in Language::ALL {
            let page = render(&told, language);
            for word in ["<script", "http://", "https://", "src=", "href=", "url(", "@import", "<link", " on"] {
                let attribute =
                    page.split('<').any(|piece| piece.split_once('>').is_some_and(|(tag, _)| tag.contains(word)));
                assert!(!attribute && (word == " on" || !page.contains(word)), "{name}: {word}");
            }
            assert!(page.contains("default-src 'none'"), "{name}");
            assert!(page.starts_with(&format!("<!DOCTYPE html>\n<html lang=\"{}\">", language.tag())), "{name}");
        }
    }
}
