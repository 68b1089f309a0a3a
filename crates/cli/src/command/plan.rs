//! `gallra plan …`: what will happen, as a timeline. Owns the flags; what is shown is `gallra-planner`'s, and without a
//! coordinator the plan is made here of files alone.

mod listed;
mod offline;

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use gallra_model::plan::Plan;
use gallra_planner::show::{self, Language};
use gallra_wire::v1;
use gallra_wire::v1::plan_service_client::PlanServiceClient;

use crate::client::connect;
use crate::exit::{FAILED, Failure, OK, USAGE};
use crate::output;

/// Readers of plans. Nothing here changes anything.
#[derive(Subcommand)]
pub enum PlanCommand {
    /// Say what an end would bring, or what planning a live request anew would change. With --policy no coordinator is asked.
    #[command(after_help = "Examples:\n  \
        gallra plan preview --service anna.example --ended 2026-01-31 --settled 2026-01-31\n  \
        gallra plan preview --request 0192f0c1a2b37c4d8e5f60718293a4b5\n  \
        gallra target list --output json >targets.json\n  \
        gallra plan preview --policy policies/webone.toml --inventory targets.json --ended 2026-01-31 --settled 2026-01-31\n  \
        gallra plan preview --policy policies/webone.toml --inventory targets.json --ended 2026-01-31 \\\n    \
        --instruction clinic.toml --output html --language sv >plan.html\n\n\
        Days are whole days in Europe/Stockholm. The checker's objections are shown in the plan and on stderr.\n\
        Exit codes: 0 planned, 2 a file or a date is refused, 6 these facts give no plan.")]
    Preview(Box<PreviewArgs>),
    /// Show a live request's plan.
    #[command(after_help = "Example:\n  gallra plan show 0192f0c1a2b37c4d8e5f60718293a4b5 --output html >plan.html")]
    Show {
        /// The request.
        request: String,
        /// Which of its plans; 0 is the current one.
        #[arg(long, default_value_t = 0)]
        number: u32,
        /// How it is printed.
        #[command(flatten)]
        drawn: Drawn,
    },
}

/// Of what a preview is made.
#[derive(Args)]
#[command(group(ArgGroup::new("what").required(true).args(["service", "request", "policy"])))]
pub struct PreviewArgs {
    /// Service id of a known contract.
    #[arg(long)]
    service: Option<String>,
    /// A live request: what planning it now would make, and what would change.
    #[arg(long, conflicts_with_all = ["ended", "settled"])]
    request: Option<String>,
    /// A pack; what it includes is looked for beside it.
    #[arg(long, value_name = "FILE", requires = "inventory", requires = "ended")]
    policy: Option<PathBuf>,
    /// What `gallra target list --output json` printed.
    #[arg(long, value_name = "FILE", requires = "policy")]
    inventory: Option<PathBuf>,
    /// A customer's instruction; several in the order in which they were given.
    #[arg(long, value_name = "FILE", requires = "policy")]
    instruction: Vec<PathBuf>,
    /// Last day, YYYY-MM-DD; with --service unset means today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    ended: Option<String>,
    /// Day of settlement; unset means not settled.
    #[arg(long, value_name = "YYYY-MM-DD")]
    settled: Option<String>,
    /// The customer's last day; unset means the contract's, as if it were the last one.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "policy")]
    customer_ended: Option<String>,
    /// Day on which all of the customer's contracts are settled; unset means the contract's.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "policy")]
    customer_settled: Option<String>,
    /// The customer keeps other contracts: what waits for the customer's end stays.
    #[arg(long, requires = "policy", conflicts_with_all = ["customer_ended", "customer_settled"])]
    customer_stays: bool,
    /// When it is planned, UTC; unset means at the beginning of the first day that ends something.
    #[arg(long, value_name = "INSTANT", requires = "policy")]
    now: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    drawn: Drawn,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Drawn {
    /// A timeline for a person, JSON for a program, or one HTML page.
    #[arg(long, value_enum, default_value_t = View::Table)]
    output: View,
    /// The language of the timeline and the page.
    #[arg(long, value_enum, default_value_t = Tongue::En)]
    language: Tongue,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum View {
    /// A timeline.
    Table,
    /// The plan itself.
    Json,
    /// A page that needs nothing else.
    Html,
}

/// In which language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// English.
    En,
    /// Swedish.
    Sv,
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: PlanCommand) -> Result<u8, Failure> {
    let (answer, drawn) = match command {
        PlanCommand::Preview(args) => (preview(profile, &args).await?, args.drawn),
        PlanCommand::Show { request, number, drawn } => {
            let mut client = PlanServiceClient::new(connect(profile).await?);
            (client.get_plan(v1::GetPlanRequest { request, number }).await?.into_inner(), drawn)
        }
    };
    output::line(&printed(&answer, drawn)?);
    for problem in &answer.problems {
        output::note(&format!("the checker objects: {problem}"));
    }
    Ok(OK)
}

async fn preview(profile: Option<&Path>, args: &PreviewArgs) -> Result<v1::GetPlanResponse, Failure> {
    if let Some(policy) = &args.policy {
        return offline::preview(args, policy);
    }
    let text = |word: &Option<String>| word.clone().unwrap_or_default();
    let asked = v1::PreviewPlanRequest {
        service: text(&args.service),
        ended: text(&args.ended),
        settled: text(&args.settled),
        request: text(&args.request),
    };
    let mut client = PlanServiceClient::new(connect(profile).await?);
    Ok(client.preview_plan(asked).await?.into_inner())
}

fn printed(answer: &v1::GetPlanResponse, drawn: Drawn) -> Result<String, Failure> {
    if drawn.output == View::Json {
        return Ok(answer.plan.clone());
    }
    let plan: Plan = serde_json::from_str(&answer.plan)
        .map_err(|error| Failure::new(FAILED, format!("the plan cannot be read: {error}")))?;
    let language = match drawn.language {
        Tongue::En => Language::English,
        Tongue::Sv => Language::Swedish,
    };
    Ok(match drawn.output {
        View::Html => show::html(&plan, &answer.problems, language),
        View::Table | View::Json => show::text(&plan, &answer.problems, language),
    })
}

/// A refusal of what was typed or of a file.
fn wrong(reason: impl Into<String>) -> Failure {
    Failure::new(USAGE, reason.into())
}

#[cfg(test)]
mod tests;
