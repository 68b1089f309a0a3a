//! `gallra receipt …`: what agents signed.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1;
use gallra_wire::v1::receipt_service_client::ReceiptServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Readers of receipts.
#[derive(Subcommand)]
pub enum ReceiptCommand {
    /// List a request's receipts.
    List {
        /// The request.
        request: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show one receipt with its signed bytes (JSON).
    Show {
        /// The request that it belongs to.
        request: String,
        /// SHA-256 of its payload, from `receipt list`.
        digest: String,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: ReceiptCommand) -> Result<u8, Failure> {
    let mut client = ReceiptServiceClient::new(connect(profile).await?);
    match command {
        ReceiptCommand::List { request, shown } => {
            let receipts = client.list_receipts(v1::ListReceiptsRequest { request }).await?.into_inner().receipts;
            let head =
                ["receipt", "target", "action", "verdict", "found", "erased", "absent", "kept", "failed", "finished"];
            output::list(shown.output, &receipts, head, |receipt| {
                let verdict = [receipt.verdict.as_str(), receipt.code.as_str()];
                [
                    receipt.digest.clone(),
                    format!("{}/{}", receipt.agent, receipt.target),
                    receipt.action.clone(),
                    verdict.join(" ").trim_end().to_owned(),
                    receipt.found.to_string(),
                    receipt.erased.to_string(),
                    receipt.absent.to_string(),
                    receipt.retained.to_string(),
                    receipt.failed.to_string(),
                    receipt.finished.clone(),
                ]
            });
        }
        ReceiptCommand::Show { request, digest } => {
            output::json(&client.get_receipt(v1::GetReceiptRequest { request, digest }).await?.into_inner());
        }
    }
    Ok(OK)
}
