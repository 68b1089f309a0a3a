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
        gallra hold place --target web1/www --ground \"restore under way\"\n  gallra hold place --service anna.example --on \
        legal-claim --ground \"a suit is filed\" --until 2026-12-31\n\nIt prints the hold's reference. Somebody else releases \
        it, or its last day ends it: to have it lie longer, place another one."
    )]
    Place {
        /// What it covers.
        #[command(flatten)]
        covers: CoversArgs,
        /// Why; names nobody.
        #[arg(long)]
        ground: String,
        /// The ground as a word that the policy lists as a ground of holds; a word of its own is refused with the list.
        #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
        on: String,
        /// Day on which somebody looks whether it is still needed.
        #[arg(long, value_name = "YYYY-MM-DD", default_value = "", hide_default_value = true)]
        review: String,
        /// Last day on which it lies by itself; unset: until somebody releases it.
        #[arg(long, value_name = "YYYY-MM-DD", default_value = "", hide_default_value = true)]
        until: String,
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
    /// Put on record that a hold was looked at and is still needed.
    #[command(
        after_help = "Example:\n  gallra hold review HOLD --note \"the claim is before the court\" --next 2026-12-01\n\n\
        Without --next no further review is planned. `gallra hold list --due` shows what waits for one."
    )]
    Review {
        /// The hold.
        hold: String,
        /// What was found; names nobody.
        #[arg(long)]
        note: String,
        /// Day of the next review.
        #[arg(long, value_name = "YYYY-MM-DD", default_value = "", hide_default_value = true)]
        next: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List the holds that lie, oldest first. What is marked DUE waits for a review.
    #[command(after_help = "Examples:\n  gallra hold list\n  gallra hold list --due --output json")]
    List {
        /// Released ones too.
        #[arg(long)]
        all: bool,
        /// Only those whose review day has come.
        #[arg(long, conflicts_with = "all")]
        due: bool,
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
        HoldCommand::Place { covers, ground, on, review, until, shown } => {
            let request = v1::PlaceHoldRequest { covers: Some(covers.into_wire()?), ground, review, on, until };
            let mut client = HoldServiceClient::new(connect(profile).await?);
            let placed = client.place_hold(request).await?.into_inner();
            let mut lines = placed.hold.as_ref().map(pairs).unwrap_or_default();
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
        HoldCommand::Review { hold, note, next, shown } => {
            let mut client = HoldServiceClient::new(connect(profile).await?);
            let hold = client.review_hold(v1::ReviewHoldRequest { id: hold, note, next }).await?.into_inner();
            output::one(shown.output, &hold, &pairs(&hold));
        }
        HoldCommand::List { all, due, shown } => {
            let mut client = HoldServiceClient::new(connect(profile).await?);
            let asked = v1::ListHoldsRequest { released_too: all, due_only: due };
            let holds = client.list_holds(asked).await?.into_inner().holds;
            let head = ["hold", "covers", "placed", "by", "review", "until", "ground", "released"];
            output::list(shown.output, &holds, head, |hold| {
                [
                    hold.id.clone(),
                    covered(hold),
                    hold.placed.clone(),
                    hold.placed_by.clone(),
                    review(hold),
                    hold.until.clone(),
                    ground(hold),
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

/// The day of the next review, and whether it has come.
fn review(hold: &v1::Hold) -> String {
    if hold.review_due { format!("{} DUE", hold.review) } else { hold.review.clone() }
}

fn ground(hold: &v1::Hold) -> String {
    if hold.on.is_empty() { hold.ground.clone() } else { format!("{}: {}", hold.on, hold.ground) }
}

fn pairs(hold: &v1::Hold) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("hold", hold.id.clone()),
        ("covers", covered(hold)),
        ("ground", ground(hold)),
        ("placed", hold.placed.clone()),
        ("by", hold.placed_by.clone()),
        ("review", review(hold)),
        ("until", hold.until.clone()),
        ("released", hold.released.clone()),
        ("released by", hold.released_by.clone()),
        ("reason", hold.reason.clone()),
    ];
    if hold.earlier_reviews > 0 {
        pairs.push(("earlier reviews", hold.earlier_reviews.to_string()));
    }
    let said = |review: &v1::HoldReview| format!("{} by {}: {}", review.at, review.by, review.note);
    pairs.extend(hold.reviews.iter().map(|review| ("reviewed", said(review))));
    pairs
}
