//! `gallra backup …`: copies that still hold somebody's data.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1::backup_service_client::BackupServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Readers of copies.
#[derive(Subcommand)]
pub enum BackupCommand {
    /// List copies: of one request, or of every open one.
    List {
        /// The request; unset means every open one.
        #[arg(default_value = "")]
        request: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List copies past their promised day.
    Overdue {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: BackupCommand) -> Result<u8, Failure> {
    let mut client = BackupServiceClient::new(connect(profile).await?);
    let (request, overdue_only, shown) = match command {
        BackupCommand::List { request, shown } => (request, false, shown),
        BackupCommand::Overdue { shown } => (String::new(), true, shown),
    };
    let copies = client.list_copies(v1::ListCopiesRequest { request, overdue_only }).await?.into_inner().copies;
    let head = ["copy", "request", "target", "began", "expected", "promised", "state", "overdue"];
    output::list(shown.output, &copies, head, |copy| {
        [
            output::short(&copy.id),
            output::short(&copy.request),
            format!("{}/{}", copy.agent, copy.target),
            copy.began.clone(),
            copy.expected.clone(),
            copy.promised.clone(),
            words::copy_state_word(copy.state),
            if copy.overdue { "yes".to_owned() } else { String::new() },
        ]
    });
    Ok(OK)
}
