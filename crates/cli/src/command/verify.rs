//! `gallra verify FILE`: checks a proof offline. Owns the reading of files and keys and the printing; everything that is
//! checked is `gallra-verify`'s. Needs no coordinator, no profile and no network (I13).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use gallra_verify::{IssuerKey, Require, Verdict, verify};

use super::Shown;
use crate::exit::USAGE;
use crate::output::{self, Format};

/// Beyond this a file is refused by the verifier; one byte more is read so that it can see that.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// What is checked, and against what.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    gallra verify proof.json --key issuer.pub\n  \
    gallra verify proof.json --key issuer.pub --require final --output json\n\n\
    Exit codes: 0 valid; 2 wrong usage, or a file that cannot be read; 10 not final, 11 something is kept, 12 level not \
    reached (only with --require); invalid: 20 signature, 25 no trusted key, 26 the evidence does not show what the \
    statement says, 30 no proof, 31 unknown version.\n\
    Get the issuer's key from somewhere else than the proof.")]
pub struct VerifyArgs {
    /// The proof.
    file: PathBuf,
    /// A key that you trust to issue proofs: a PEM file such as issuer.pub, or 64 hex characters. May be given again.
    #[arg(long = "key", value_name = "FILE|HEX")]
    keys: Vec<String>,
    /// What a valid proof must also be: final, nothing-kept, or level=A0 to level=A4. May be given again.
    #[arg(long = "require", value_name = "WHAT")]
    required: Vec<Require>,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Checks, prints one line a check and the verdict last, and gives the exit code.
pub fn run(args: &VerifyArgs) -> u8 {
    let keys: Result<Vec<IssuerKey>, String> = args.keys.iter().map(|key| read_key(key)).collect();
    let read = keys.and_then(|keys| Ok((keys, read_file(&args.file)?)));
    match read {
        Ok((keys, bytes)) => show(&verify(&bytes, &keys), args.shown.output, &args.required),
        Err(problem) => {
            output::note(&problem);
            USAGE
        }
    }
}

/// Checks one file against one key file, as `gallra verify FILE --key KEY` does.
pub fn check_file(file: &Path, key: &Path) -> u8 {
    run(&VerifyArgs {
        file: file.to_owned(),
        keys: vec![key.to_string_lossy().into_owned()],
        required: Vec::new(),
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

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
    }
}

/// A file of that name if there is one, else the text itself.
fn read_key(key: &str) -> Result<IssuerKey, String> {
    let path = Path::new(key);
    let text = if path.exists() { String::from_utf8_lossy(&read_file(path)?).into_owned() } else { key.to_owned() };
    IssuerKey::parse(&text).map_err(|error| format!("--key {key}: {error}; a file that is not there reads as a key"))
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

    fn code(words: &[&str]) -> u8 {
        let words = ["verify".to_owned()].into_iter().chain(words.iter().map(|word| match *word {
            "FINAL" => vector("proof-v0-draft-final.json"),
            "INTERIM" => vector("proof-v0-draft-interim.json"),
            "KEY" => vector("issuer.pub"),
            word => word.to_owned(),
        }));
        run(&Line::try_parse_from(words).expect("right usage").args)
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let other = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
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
    fn a_word_that_nobody_knows_is_wrong_usage() {
        assert!(Line::try_parse_from(["verify", "proof.json", "--require", "perfect"]).is_err());
    }

    #[test]
    fn the_demonstration_checks_as_anybody_would() {
        assert_eq!(check_file(Path::new(&vector("proof-v0-draft-final.json")), Path::new(&vector("issuer.pub"))), 0);
    }
}
