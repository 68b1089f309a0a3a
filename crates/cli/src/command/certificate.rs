//! `gallra certificate FILE`: a verified proof as a page for people. Verifies first, and makes no page of anything that did
//! not pass; what is said is `gallra-certificate`'s. Needs no coordinator, no profile and no network (I13).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use gallra_certificate::{Language, render};
use gallra_verify::{Outcome, Verdict};

use super::verify::judge;
use crate::exit::{FAILED, Failure, OK, USAGE};

/// What is rendered, and where it goes.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    gallra certificate proof.json --key keys.json --language sv --out intyg.html\n  \
    gallra certificate proof.json --key keys.json --language en > certificate.html\n\n\
    Exit codes: 0 made; 1 the page cannot be written; 2 wrong usage, a file that cannot be read, or one that is there \
    already; an invalid proof: those of `gallra verify`, and no page.\n\
    The page is no evidence: hand it out together with the proof.")]
pub struct CertificateArgs {
    /// The proof.
    file: PathBuf,
    /// A key that you trust to issue proofs, as for `gallra verify`. May be given again.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// The language of the page.
    #[arg(long, value_enum, default_value_t = Spoken::Sv)]
    language: Spoken,
    /// Write here instead of stdout: the whole page, or nothing.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Take the place of a file that is there.
    #[arg(long, requires = "out")]
    force: bool,
}

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Spoken {
    /// Swedish.
    Sv,
    /// English.
    En,
}

/// Writes the pages of a proof in both languages into a folder, as `gallra certificate` does.
///
/// # Errors
/// That it is invalid, or cannot be read or written.
pub fn write_both(proof: &Path, key: &Path, folder: &Path) -> anyhow::Result<()> {
    let verdict = judge(proof, &[key.to_string_lossy().into_owned()]).map_err(anyhow::Error::msg)?;
    for (language, name) in [(Language::Swedish, "certificate.sv.html"), (Language::English, "certificate.en.html")] {
        let page = page(&verdict, language).map_err(|failure| anyhow::anyhow!(failure.text))?;
        fs::write(folder.join(name), page)?;
    }
    Ok(())
}

/// Verifies, renders, writes.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub fn run(args: &CertificateArgs) -> Result<u8, Failure> {
    let verdict = judge(&args.file, &args.keys).map_err(|problem| Failure::new(USAGE, problem))?;
    let language = match args.language {
        Spoken::Sv => Language::Swedish,
        Spoken::En => Language::English,
    };
    let page = page(&verdict, language)?;
    match &args.out {
        None => io::stdout().write_all(page.as_bytes()).map_err(|error| unwritten(&error))?,
        Some(out) => write(out, page.as_bytes(), args.force)?,
    }
    Ok(OK)
}

fn page(verdict: &Verdict, language: Language) -> Result<String, Failure> {
    if let Outcome::Invalid { why, .. } = &verdict.outcome {
        return Err(Failure::new(verdict.exit_code(&[]), format!("no certificate: the proof is invalid: {why}")));
    }
    let told = verdict.told.as_deref();
    let told = told.ok_or_else(|| Failure::new(FAILED, "no certificate: nothing is told of the proof"))?;
    Ok(render(told, language))
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::new(FAILED, format!("the certificate cannot be written: {error}"))
}

/// Puts a whole file in its place, or leaves the place as it was. It is made beside it under a name of this process's own.
fn write(out: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let name = out.file_name().ok_or_else(|| Failure::new(USAGE, format!("{} names no file", out.display())))?;
    let beside = out.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&beside).map_err(|error| unwritten(&error))?;
    let whole = file.write_all(bytes).and_then(|()| file.sync_all());
    // A link is refused where a name is taken, and there is no moment between looking and doing.
    let placed = whole.and_then(|()| if force { fs::rename(&beside, out) } else { fs::hard_link(&beside, out) });
    let renamed = force && placed.is_ok();
    let cleared = if renamed { Ok(()) } else { fs::remove_file(&beside) };
    match placed {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Failure::new(USAGE, format!("{} is there already; --force takes its place", out.display())))
        }
        placed => placed.and(cleared).map_err(|error| unwritten(&error)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CertificateArgs,
    }

    fn vector(name: &str) -> String {
        format!("{}/../../docs/formats/vectors/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn code(proof: &str, key: &str, out: &Path) -> u8 {
        let out = out.to_str().expect("a path of this test");
        let words = ["certificate", proof, "--key", key, "--out", out];
        let ran = run(&Line::try_parse_from(words).expect("right usage").args);
        ran.unwrap_or_else(|failure| failure.code)
    }

    #[test]
    fn there_is_no_page_of_what_did_not_pass() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("intyg.html");
        let (proof, key) = (vector("proof-v1.json"), vector("proof-v1.keys.json"));
        let other = "sha256:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        for (proof, key, expected) in
            [(proof.as_str(), other, 25), (&key, &key, 30), ("no-such-file", &key, 2), (&proof, "no-such-key", 2)]
        {
            assert_eq!(code(proof, key, &out), expected, "{proof} {key}");
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was written");
        }
        assert_eq!(code(&proof, &key, &out), OK, "and of what did, there is");
        assert!(fs::read_to_string(&out).expect("a page").contains("2033-12-31"), "with what is kept, and until when");
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_told_otherwise() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("intyg.html");
        let write = |text: &str, force| write(&out, text.as_bytes(), force).map_err(|failure| failure.code);
        let read = || fs::read_to_string(&out).expect("it is there");
        assert_eq!(write("one", false), Ok(()));
        assert_eq!(write("two", false), Err(USAGE));
        assert_eq!(read(), "one");
        assert_eq!(write("three", true), Ok(()));
        assert_eq!(read(), "three");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_place_that_is_none_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let failed = |out: &Path, force| write(out, b"one", force).expect_err("no place").code;
        assert_eq!(failed(&folder.path().join("no-such-folder/intyg.html"), false), FAILED);
        assert_eq!(failed(folder.path(), true), FAILED, "a folder is not replaced");
        assert_eq!(failed(Path::new("/"), false), USAGE);
    }

    #[test]
    fn force_goes_with_a_file() {
        assert!(Line::try_parse_from(["certificate", "proof.json", "--force"]).is_err());
        assert!(Line::try_parse_from(["certificate", "proof.json", "--language", "de"]).is_err());
    }
}
