//! `gallra proof …`: what is handed out.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gallra_proof::subject::ClaimCode;
use gallra_wire::v1::proof_service_client::ProofServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{FAILED, Failure, OK, USAGE};
use crate::output;

/// Longest proof that is fetched: what a verifier takes, and a little for its frame.
const MAX_PROOF_BYTES: usize = 33 * 1024 * 1024;

/// Proofs.
#[derive(Subcommand)]
pub enum ProofCommand {
    /// Fetch a proof file.
    #[command(
        after_help = "Examples:\n  gallra proof get REQUEST --out proof.json && gallra verify proof.json --key keys.json\n  gallra proof \
        get --code mfrg-gzdf-... --out proof.json\n\nBy the claim code of its subject the newest proof is found however long ago all \
        that named that one was erased. The code stays on this machine: only a reference made of it is sent."
    )]
    Get {
        /// The request.
        #[arg(required_unless_present = "code")]
        request: Option<String>,
        /// The claim code of its subject, instead.
        #[arg(long, value_name = "CODE", conflicts_with_all = ["request", "sequence"])]
        code: Option<String>,
        /// Which of its proofs; 0 is the newest.
        #[arg(long, default_value_t = 0)]
        sequence: u32,
        /// Write here instead of stdout.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// List a request's proofs.
    List {
        /// The request.
        request: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Print the public key that proofs are signed with (PEM).
    Key,
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: ProofCommand) -> Result<u8, Failure> {
    let mut client = ProofServiceClient::new(connect(profile).await?).max_decoding_message_size(MAX_PROOF_BYTES);
    match command {
        ProofCommand::Get { request, code, sequence, out } => {
            let answer = match code {
                Some(code) => {
                    let code: ClaimCode =
                        code.parse().map_err(|error| Failure::new(USAGE, format!("code: {error}")))?;
                    let reference = code.pickup();
                    client.pick_up_proof(v1::PickUpProofRequest { reference }).await?.into_inner()
                }
                None => {
                    let request = request.unwrap_or_default();
                    client.get_proof(v1::GetProofRequest { request, sequence }).await?.into_inner()
                }
            };
            if let Some(proof) = answer.proof.as_ref().filter(|proof| proof.stage == i32::from(v1::Stage::Interim)) {
                let until = if proof.until.is_empty() { "not known yet" } else { &proof.until };
                output::note(&format!("interim: something is still to come, the last of it {until}"));
            }
            let written = match &out {
                Some(path) => std::fs::write(path, &answer.file),
                None => std::io::stdout().write_all(&answer.file),
            };
            written.map_err(|error| Failure::new(FAILED, format!("the proof cannot be written: {error}")))?;
        }
        ProofCommand::List { request, shown } => {
            let proofs = client.list_proofs(v1::ListProofsRequest { request }).await?.into_inner().proofs;
            output::list(shown.output, &proofs, ["sequence", "stage", "until", "issued", "bytes"], |proof| {
                [
                    proof.sequence.to_string(),
                    words::stage_word(proof.stage),
                    proof.until.clone(),
                    proof.issued.clone(),
                    proof.bytes.to_string(),
                ]
            });
        }
        ProofCommand::Key => {
            let pem = client.get_issuer_key(v1::GetIssuerKeyRequest {}).await?.into_inner().pem;
            output::line(pem.trim_end());
        }
    }
    Ok(OK)
}
