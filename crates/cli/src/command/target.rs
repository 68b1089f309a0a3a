//! `gallra target …`: places with personal data.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1::target_service_client::TargetServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Readers of targets.
#[derive(Subcommand)]
pub enum TargetCommand {
    /// List every target of every agent.
    List {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs it.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: TargetCommand) -> Result<u8, Failure> {
    let TargetCommand::List { shown } = command;
    let mut client = TargetServiceClient::new(connect(profile).await?);
    let targets = client.list_targets(v1::ListTargetsRequest {}).await?.into_inner().targets;
    let head = ["agent", "target", "kind", "category", "role", "scope", "mode", "copies live"];
    output::list(shown.output, &targets, head, |target| {
        let life = match target.copy_life() {
            v1::CopyLife::Unspecified => String::new(),
            v1::CopyLife::AtMost => format!("at most {} days", target.copy_life_days),
            v1::CopyLife::Never => "for ever".to_owned(),
            v1::CopyLife::Unknown => "unknown".to_owned(),
        };
        let by = if target.by_address { " by address" } else { "" };
        [
            target.agent.clone(),
            target.id.clone(),
            words::target_kind_word(target.kind) + by,
            target.category.clone(),
            words::data_role_word(target.role),
            words::scope_word(target.scope),
            words::mode_word(target.mode),
            life,
        ]
    });
    Ok(OK)
}
