//! `gallra hold …`: what must not be erased now. Grounds and reasons are read by others later: they name nobody.

use std::path::Path;

use clap::{Args, Subcommand};
use gallra_wire::v1;
use gallra_wire::v1::hold_service_client::HoldServiceClient;
use gallra_wire::v1::place_hold_request::Covers;

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK, USAGE};
use crate::output;

/// Holds.
#[derive(Subcommand)]
pub enum HoldCommand {
    /// Place a hold: nothing that it covers begins to change data any more, and what has begun stops at its next item.
    #[command(
        after_help = "Examples:\n  gallra hold place --customer 1001 --ground \"invoice disputed\" --review 2026-06-01\n  \
        gallra hold place --target web1/www --ground \"restore under way\"\n\nIt prints the hold's reference. Somebody else \
        releases it."
    )]
    Place {
        /// What it covers.
        #[command(flatten)]
        covers: CoversArgs,
        /// Why; names nobody.
        #[arg(long)]
        ground: String,
        /// Day on which somebody looks whether it is still needed.
        #[arg(long, value_name = "YYYY-MM-DD", default_value = "", hide_default_value = true)]
        review: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Release a hold that somebody else placed. For approvers.
    #[command(after_help = "Example:\n  gallra hold release HOLD --reason \"dispute settled\"")]
    Release {
        /// The hold.
        hold: String,
        /// Why; names nobody.
        #[arg(long)]
        reason: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List the holds that lie, oldest first.
    List {
        /// Released ones too.
        #[arg(long)]
        all: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Exactly one of them.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct CoversArgs {
    /// Everything in the installation.
    #[arg(long)]
    everything: bool,
    /// One category on every agent.
    #[arg(long, value_name = "WORD")]
    category: Option<String>,
    /// One target.
    #[arg(long, value_name = "AGENT/TARGET")]
    target: Option<String>,
    /// All contracts of a customer, by customer number.
    #[arg(long, value_name = "NUMBER")]
    customer: Option<String>,
    /// One contract, by service id.
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// One request.
    #[arg(long, value_name = "REQUEST")]
    request: Option<String>,
}

impl CoversArgs {
    fn into_wire(self) -> Result<Covers, Failure> {
        if let Some(name) = self.target {
            let (agent, target) = name.split_once('/').ok_or_else(|| {
                Failure::new(USAGE, "--target: expected AGENT/TARGET, as `gallra target list` shows them")
            })?;
            return Ok(Covers::Target(v1::HeldTarget { agent: agent.to_owned(), target: target.to_owned() }));
        }
        let one = [
            self.category.map(Covers::Category),
            self.customer.map(Covers::Customer),
            self.service.map(Covers::Service),
            self.request.map(Covers::Request),
        ];
        Ok(one.into_iter().flatten().next().unwrap_or(Covers::Everything(self.everything)))
    }
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: HoldCommand) -> Result<u8, Failure> {
    match command {
        HoldCommand::Place { covers, ground, review, shown } => {
            let request = v1::PlaceHoldRequest { covers: Some(covers.into_wire()?), ground, review };
            let mut client = HoldServiceClient::new(connect(profile).await?);
            let placed = client.place_hold(request).await?.into_inner();
            let mut lines = placed.hold.as_ref().map(|hold| pairs(hold).to_vec()).unwrap_or_default();
            lines.push(("begun", placed.begun.to_string()));
            output::one(shown.output, &placed, &lines);
            if placed.begun > 0 {
                output::note(
                    "jobs that had begun stop at their next item: their receipts say what is gone, see `gallra job list`",
                );
            }
        }
        HoldCommand::Release { hold, reason, shown } => {
            let mut client = HoldServiceClient::new(connect(profile).await?);
            let hold = client.release_hold(v1::ReleaseHoldRequest { id: hold, reason }).await?.into_inner();
            output::one(shown.output, &hold, &pairs(&hold));
        }
        HoldCommand::List { all, shown } => {
            let mut client = HoldServiceClient::new(connect(profile).await?);
            let holds = client.list_holds(v1::ListHoldsRequest { released_too: all }).await?.into_inner().holds;
            let head = ["hold", "covers", "placed", "by", "review", "ground", "released"];
            output::list(shown.output, &holds, head, |hold| {
                [
                    hold.id.clone(),
                    covered(hold),
                    hold.placed.clone(),
                    hold.placed_by.clone(),
                    hold.review.clone(),
                    hold.ground.clone(),
                    hold.released.clone(),
                ]
            });
        }
    }
    Ok(OK)
}

fn covered(hold: &v1::Hold) -> String {
    format!("{} {}", hold.level, hold.of).trim_end().to_owned()
}

fn pairs(hold: &v1::Hold) -> [(&'static str, String); 9] {
    [
        ("hold", hold.id.clone()),
        ("covers", covered(hold)),
        ("ground", hold.ground.clone()),
        ("placed", hold.placed.clone()),
        ("by", hold.placed_by.clone()),
        ("review", hold.review.clone()),
        ("released", hold.released.clone()),
        ("released by", hold.released_by.clone()),
        ("reason", hold.reason.clone()),
    ]
}
