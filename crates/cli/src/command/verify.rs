//! `gallra verify FILE`: checks a proof offline. Owns the reading of files and keys and the printing; everything that is
//! checked is `gallra-verify`'s. Needs no coordinator, no profile and no network (I13).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use gallra_verify::{ClaimCode, Identifier, Opening, Question, Require, Trust, Verdict, verify};

use super::Shown;
use crate::exit::USAGE;
use crate::output::{self, Format};

/// Beyond this a file is refused by the verifier; one byte more is read so that it can see that.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// What is checked, and against what.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    gallra verify proof.json --key keys.json\n  \
    gallra verify proof.json --key sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n  \
    gallra verify proof.json --key keys.json --require final --require level=A1 --output json\n  \
    gallra verify proof.json --key keys.json --identifier customer-number=1001 --code mfrg-gzdf-...\n\n\
    Exit codes: 0 valid; 2 wrong usage, or a file that cannot be read; 10 not final, 11 something is kept, 12 level not \
    reached (only with --require); invalid: 20 signature, 21 not in the log, 22 the log shows two histories, 23 too few \
    witnesses, 24 time stamp, 25 no trusted key, 26 the evidence does not show what the proof says, 27 an identifier \
    stands in it, 30 no proof, 31 unknown version.\n\
    Get the key from somewhere else than the proof.")]
pub struct VerifyArgs {
    /// The proof.
    file: PathBuf,
    /// A key that you trust: the published key file, `sha256:` and the trust anchor, or a PEM file of the issuer's public
    /// keys. May be given again, as an alternative.
    #[arg(long = "key", value_name = "FILE|sha256:HEX")]
    keys: Vec<String>,
    /// What a valid proof must also be: final, nothing-kept, or level=A0 to level=A4. May be given again.
    #[arg(long = "require", value_name = "WHAT")]
    required: Vec<Require>,
    /// An identifier that must not stand in the proof, such as `customer-number=1001`; with --code, one that the proof must
    /// be about. May be given again.
    #[arg(long = "identifier", value_name = "KIND=VALUE", hide_possible_values = true)]
    identifiers: Vec<Identifier>,
    /// The claim code that was handed out with the request: shows that the proof is about the identifiers.
    #[arg(long, value_name = "CODE", requires = "identifiers")]
    code: Option<ClaimCode>,
    /// One identifier that the subject shows without the code, as `gallra subject open` prints it: shows that the proof is about
    /// it, and opens nothing else. May be given again.
    #[arg(long = "opening", value_name = "NUMBER:OPENING:KIND=VALUE")]
    openings: Vec<Opening>,
    /// How many witnesses must have cosigned the log that the proof is in.
    #[arg(long, value_name = "N", default_value_t = 0)]
    witnesses: usize,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Checks, prints one line a check and the verdict last, and gives the exit code.
pub fn run(args: &VerifyArgs) -> u8 {
    let trust: Result<Trust, String> = args.keys.iter().map(|key| read_key(key)).collect();
    let read = trust.and_then(|trust| Ok((trust, read_file(&args.file)?)));
    match read {
        Ok((trust, bytes)) => show(&verify(&bytes, &trust, &question(args)), args.shown.output, &args.required),
        Err(problem) => {
            output::note(&problem);
            USAGE
        }
    }
}

fn question(args: &VerifyArgs) -> Question {
    Question {
        identifiers: args.identifiers.clone(),
        code: args.code.clone(),
        openings: args.openings.clone(),
        witnesses: args.witnesses,
    }
}

/// Checks one file against one key file, as `gallra verify FILE --key KEY` does.
pub fn check_file(file: &Path, key: &Path) -> u8 {
    run(&VerifyArgs {
        file: file.to_owned(),
        keys: vec![key.to_string_lossy().into_owned()],
        required: Vec::new(),
        identifiers: Vec::new(),
        code: None,
        openings: Vec::new(),
        witnesses: 0,
        shown: Shown { output: Format::Table },
    })
}

fn show(verdict: &Verdict, format: Format, required: &[Require]) -> u8 {
    match format {
        Format::Json => output::json(&verdict.to_json()),
        Format::Table => {
            for check in &verdict.checks {
                output::line(&check.to_string());
            }
            output::line(&verdict.conclusion());
        }
    }
    verdict.exit_code(required)
}

/// Verifies one file against these keys, for what is made from a proof that holds.
///
/// # Errors
/// What cannot be read: the file, or a key.
pub(super) fn judge(file: &Path, keys: &[String]) -> Result<Verdict, String> {
    let trust: Trust = keys.iter().map(|key| read_key(key)).collect::<Result<_, _>>()?;
    Ok(verify(&read_file(file)?, &trust, &Question::default()))
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// A file of that name if there is one, else the text itself.
fn read_key(key: &str) -> Result<Trust, String> {
    let path = Path::new(key);
    let text = if path.exists() { String::from_utf8_lossy(&read_file(path)?).into_owned() } else { key.to_owned() };
    Trust::parse(&text).map_err(|error| format!("--key {key}: {error}; a file that is not there reads as a key"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: VerifyArgs,
    }

    fn vector(name: &str) -> String {
        format!("{}/../../docs/formats/vectors/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn golden(name: &str) -> String {
        format!("{}/../verify/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn code(words: &[&str]) -> u8 {
        let words = ["verify".to_owned()].into_iter().chain(words.iter().map(|word| match *word {
            "FINAL" => vector("proof-v1.json"),
            "INTERIM" => vector("proof-v1-interim.json"),
            "KEY" => vector("issuer-v1.pub"),
            "PURGE" => golden("purge-v1.json"),
            "KEYS" => golden("purge-v1.keys"),
            "ANCHOR" => std::fs::read_to_string(golden("purge-v1.anchor")).expect("an anchor").trim().to_owned(),
            word => word.to_owned(),
        }));
        run(&Line::try_parse_from(words).expect("right usage").args)
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let other = "sha256:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
        for (words, expected) in [
            (&["FINAL", "--key", "KEY"] as &[&str], 0),
            (&["FINAL", "--key", other, "--key", "KEY", "--require", "final"], 0),
            (&["FINAL", "--key", "KEY", "--output", "json"], 0),
            (&["INTERIM", "--key", "KEY"], 0),
            (&["INTERIM", "--key", "KEY", "--require", "final"], 10),
            (&["FINAL", "--key", "KEY", "--require", "nothing-kept"], 11),
            (&["FINAL", "--key", "KEY", "--require", "level=A1"], 12),
            (&["FINAL", "--key", other], 25),
            (&["FINAL"], 25),
            (&["KEY", "--key", "KEY"], 30),
            (&["no-such-file", "--key", "KEY"], 2),
            (&["FINAL", "--key", "no-such-key"], 2),
            (&[env!("CARGO_MANIFEST_DIR"), "--key", "KEY"], 2),
        ] {
            assert_eq!(code(words), expected, "{words:?}");
        }
    }

    #[test]
    fn version_1_has_its_own_keys_and_questions() {
        let other = format!("sha256:{}", "12".repeat(32));
        let code_of_somebody = "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u";
        for (words, expected) in [
            (&["PURGE", "--key", "KEYS", "--require", "final", "--require", "level=A0"] as &[&str], 0),
            (&["PURGE", "--key", &other, "--key", "ANCHOR", "--output", "json"], 0),
            (&["PURGE", "--key", "ANCHOR", "--require", "level=A1"], 12),
            (&["PURGE", "--key", "ANCHOR", "--witnesses", "1"], 23),
            (&["PURGE", "--key", "ANCHOR", "--identifier", "customer-number=K-1001"], 0),
            (&["PURGE", "--key", "ANCHOR", "--identifier", "service=web1"], 27),
            (&["PURGE", "--key", "ANCHOR", "--identifier", "service=s-1", "--code", code_of_somebody], 26),
            (&["PURGE", "--key", &other], 25),
            // Both files were made with the same fixed issuer keys.
            (&["PURGE", "--key", "KEY"], 0),
            (&["FINAL", "--key", "KEYS"], 25),
        ] {
            assert_eq!(code(words), expected, "{words:?}");
        }
    }

    #[test]
    fn a_word_that_nobody_knows_is_wrong_usage() {
        assert!(Line::try_parse_from(["verify", "proof.json", "--require", "perfect"]).is_err());
        for words in [["--identifier", "name=Anna"], ["--code", "short"], ["--witnesses", "all"]] {
            assert!(Line::try_parse_from(["verify", "proof.json"].into_iter().chain(words)).is_err(), "{words:?}");
        }
        let alone = ["verify", "proof.json", "--code", "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u"];
        assert!(Line::try_parse_from(alone).is_err(), "a code without an identifier opens nothing");
    }

    #[test]
    fn the_demonstration_checks_as_anybody_would() {
        assert_eq!(check_file(Path::new(&vector("proof-v1.json")), Path::new(&vector("issuer-v1.pub"))), 0);
    }
}
