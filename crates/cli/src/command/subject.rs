//! `gallra subject …`: what only a subject can do, offline. Owns the reading of what was typed and the printing; openings and
//! commitments are `gallra-proof`'s. What is typed is personal data: it stands in no error.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gallra_model::Digest;
use gallra_model::proof::{Proof, ProofFile};
use gallra_proof::payload;
use gallra_proof::subject::{ClaimCode, Identifier, Kind, MAX_IDENTIFIERS};
use serde::Serialize;

use super::Shown;
use crate::exit::{FAILED, Failure, NOT_FOUND, OK, USAGE};
use crate::output::{self, Format};

/// Longest proof that is read: what a verifier takes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// What the holder of a claim code can do.
#[derive(Subcommand)]
pub enum SubjectCommand {
    /// Print what opens one identifier of a proof, to be handed over instead of the code. Offline.
    #[command(
        after_help = "Examples:\n  gallra subject open --code mfrg-gzdf-... --identifier service=anna.example --proof proof.json\n  \
        gallra verify proof.json --key keys.json --opening NUMBER:OPENING:service=anna.example\n\nWho is given the line sees that \
        the proof is about that identifier, and nothing of the others. Without the proof all identifiers of the request are to be \
        given, since they are numbered in order."
    )]
    Open {
        /// The claim code.
        #[arg(long, value_name = "CODE")]
        code: String,
        /// An identifier to be shown, such as `customer-number=1001`. May be given again.
        #[arg(long = "identifier", value_name = "KIND=VALUE", required = true)]
        identifiers: Vec<String>,
        /// The proof: says which commitment each identifier opens.
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// What is handed over for one identifier.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Opened {
    number: u8,
    opening: String,
    kind: &'static str,
    value: String,
}

/// Runs it.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub fn run(command: SubjectCommand) -> Result<u8, Failure> {
    let SubjectCommand::Open { code, identifiers, proof, shown } = command;
    let code: ClaimCode = code.parse().map_err(|error| Failure::new(USAGE, format!("code: {error}")))?;
    let identifiers = identifiers.iter().map(|text| identifier(text)).collect::<Result<Vec<_>, _>>()?;
    let opened = match proof {
        Some(path) => in_proof(&code, &identifiers, &commitments(&path)?)?,
        None => {
            output::note(
                "the numbers are right if these are all the identifiers of the request: --proof FILE finds them",
            );
            in_order(&code, identifiers)?
        }
    };
    match shown.output {
        Format::Json => output::json(&opened),
        Format::Table => {
            for one in &opened {
                output::line(&format!("{}:{}:{}={}", one.number, one.opening, one.kind, one.value));
            }
        }
    }
    Ok(OK)
}

/// Reads `KIND=VALUE`. What is refused is not quoted.
///
/// # Errors
/// [`USAGE`].
pub fn identifier(text: &str) -> Result<Identifier, Failure> {
    let refused = |error: gallra_proof::subject::IdentifierError| Failure::new(USAGE, format!("identifier: {error}"));
    let (kind, value) = text
        .split_once('=')
        .ok_or_else(|| Failure::new(USAGE, "identifier: expected KIND=VALUE, as email=anna@example.org"))?;
    Identifier::new(kind.parse().map_err(refused)?, value).map_err(refused)
}

fn shown(code: &ClaimCode, number: u8, identifier: &Identifier) -> Opened {
    let (kind, value): (Kind, _) = (identifier.kind(), identifier.expose().to_owned());
    Opened { number, opening: code.opening(number).expose(), kind: kind.word(), value }
}

fn in_order(code: &ClaimCode, mut identifiers: Vec<Identifier>) -> Result<Vec<Opened>, Failure> {
    identifiers.sort();
    identifiers.dedup();
    if identifiers.len() > MAX_IDENTIFIERS {
        return Err(Failure::new(USAGE, format!("identifier: a request has at most {MAX_IDENTIFIERS}")));
    }
    Ok((1..).zip(&identifiers).map(|(number, identifier)| shown(code, number, identifier)).collect())
}

fn in_proof(code: &ClaimCode, identifiers: &[Identifier], commitments: &[Digest]) -> Result<Vec<Opened>, Failure> {
    let find = |identifier: &Identifier| {
        let opens = |(number, digest): &(u8, &Digest)| code.opening(*number).commitment(identifier) == **digest;
        let number = (1..).zip(commitments).find(opens).map(|(number, _)| number);
        let kind = identifier.kind().word();
        let not = || Failure::new(NOT_FOUND, format!("the code does not show that the proof is about this {kind}"));
        number.map(|number| shown(code, number, identifier)).ok_or_else(not)
    };
    identifiers.iter().map(find).collect()
}

/// The commitments of a proof file. Whether it is valid is `gallra verify`'s to say.
fn commitments(path: &Path) -> Result<Vec<Digest>, Failure> {
    let unread = |why: &str| Failure::new(FAILED, format!("{}: {why}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes));
    file.map_err(|error| unread(&format!("cannot be read: {error}")))?;
    let file: ProofFile = serde_json::from_slice(&bytes).map_err(|_| unread("no proof of version 1"))?;
    let proof = payload::read::<Proof>("proof", &file.proof.envelope).map_err(|error| unread(&error.to_string()))?;
    Ok(proof.subject.iter().map(|subject| subject.digest.sha256).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "mfrg-gzdf-mztw-q2lk-nnwg-23tp-obyx-e43u";

    fn read(texts: &[&str]) -> Vec<Identifier> {
        texts.iter().map(|text| identifier(text).expect("an identifier")).collect()
    }

    fn code() -> ClaimCode {
        CODE.parse().expect("a code")
    }

    #[test]
    fn identifiers_are_numbered_as_the_page_orders_them_and_each_once() {
        let typed = read(&["email=Anna@Example.org", "customer-number=1001", "email=Anna@example.org"]);
        let opened = in_order(&code(), typed).expect("two");
        let seen: Vec<_> = opened.iter().map(|one| (one.number, one.kind, one.value.as_str())).collect();
        assert_eq!(seen, [(1, "customer-number", "1001"), (2, "email", "Anna@example.org")]);
        // docs/formats/subject-v1.md, section 5.
        assert_eq!(opened[0].opening, "6f529a868ef5bb10cbb2d284ed873df488f7b0b42da685259346fd53708b8d1c");
    }

    #[test]
    fn a_proof_says_which_commitment_an_identifier_opens() {
        let [number, mail] = read(&["customer-number=1001", "email=anna@example.org"]).try_into().expect("two");
        let digests = [code().opening(1).commitment(&number), code().opening(2).commitment(&mail)];
        let opened = in_proof(&code(), &[mail], &digests).expect("one");
        assert_eq!((opened[0].number, opened[0].opening.clone()), (2, code().opening(2).expose()));
        let refused = in_proof(&code(), &read(&["customer-number=1002"]), &digests).expect_err("another");
        assert_eq!((refused.code, refused.text.contains("1002")), (NOT_FOUND, false));
    }

    #[test]
    fn what_is_refused_is_not_quoted() {
        for bad in ["anna", "name=anna", "email=anna", "personal-number=8112189876", "organisation-number=811218-9876"]
        {
            let refused = identifier(bad).expect_err(bad);
            let value = bad.rsplit('=').next().expect("some");
            assert!(
                refused.code == USAGE && !refused.text.contains(&format!("{value} ")) && !refused.text.ends_with(value),
                "{bad}"
            );
        }
        let sole_trader = identifier("organisation-number=811218-9876").expect_err("a person's");
        assert!(sole_trader.text.contains("give it as personal-number"), "{}", sole_trader.text);
    }
}
