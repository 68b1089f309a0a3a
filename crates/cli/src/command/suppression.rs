//! `gallra suppression …`: the erasures that restores must not undo. Nothing here names a person; whoever searches by an id
//! types it, and it is not kept.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1;
use gallra_wire::v1::suppression_service_client::SuppressionServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Suppression entries.
#[derive(Subcommand)]
pub enum SuppressionCommand {
    /// List entries; all of them, or those of a request or of somebody.
    #[command(after_help = "Example:\n  gallra suppression list --service anna.example")]
    List {
        /// Only those of a request.
        #[arg(long, default_value = "", hide_default_value = true)]
        request: String,
        /// Only those of a service, as billing writes it.
        #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "customer")]
        service: String,
        /// Only those of a customer number.
        #[arg(long, default_value = "", hide_default_value = true)]
        customer: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Lift one: the customer came back, or it was an error. A restore then leaves that subject in that target. For approvers.
    #[command(after_help = "Example:\n  gallra suppression lift ENTRY --reason \"the customer came back\"")]
    Lift {
        /// The entry.
        entry: String,
        /// Why; names nobody.
        #[arg(long)]
        reason: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: SuppressionCommand) -> Result<u8, Failure> {
    let mut client = SuppressionServiceClient::new(connect(profile).await?);
    match command {
        SuppressionCommand::List { request, service, customer, shown } => {
            let asked = v1::ListSuppressionsRequest { request, service, customer };
            let found = client.list_suppressions(asked).await?.into_inner().suppressions;
            let head = ["entry", "target", "erased", "rule", "state", "request"];
            output::list(shown.output, &found, head, |entry| {
                [
                    entry.id.clone(),
                    format!("{}/{}", entry.agent, entry.target),
                    entry.erased.clone(),
                    entry.rule.clone(),
                    entry.state.clone(),
                    entry.request.clone(),
                ]
            });
        }
        SuppressionCommand::Lift { entry, reason, shown } => {
            let lifted = client.lift_suppression(v1::LiftSuppressionRequest { id: entry, reason }).await?.into_inner();
            let pairs = [
                ("entry", lifted.id.clone()),
                ("target", format!("{}/{}", lifted.agent, lifted.target)),
                ("erased", lifted.erased.clone()),
                ("state", lifted.state.clone()),
                ("lifted by", lifted.lifted_by.clone()),
                ("lifted", lifted.lifted.clone()),
                ("reason", lifted.reason.clone()),
            ];
            output::one(shown.output, &lifted, &pairs);
        }
    }
    Ok(OK)
}
