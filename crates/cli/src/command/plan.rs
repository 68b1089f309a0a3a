//! `gallra plan …`: what will happen, as a timeline.

use std::path::Path;

use clap::Subcommand;
use gallra_model::plan::Plan;
use gallra_wire::v1;
use gallra_wire::v1::plan_service_client::PlanServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{FAILED, Failure, OK};
use crate::output::{self, Format};

/// Readers of plans. Nothing here changes anything.
#[derive(Subcommand)]
pub enum PlanCommand {
    /// Plan a contract's end without opening a request.
    #[command(
        after_help = "Example:\n  gallra plan preview --service anna.example --ended 2026-01-31 --settled 2026-01-31"
    )]
    Preview {
        /// Service id.
        #[arg(long)]
        service: String,
        /// Last day, YYYY-MM-DD; unset means today.
        #[arg(long, default_value = "")]
        ended: String,
        /// Day of settlement; unset means not settled.
        #[arg(long, default_value = "")]
        settled: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show a live request's plan.
    Show {
        /// The request.
        request: String,
        /// Which of its plans; 0 is the current one.
        #[arg(long, default_value_t = 0)]
        number: u32,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: PlanCommand) -> Result<u8, Failure> {
    let mut client = PlanServiceClient::new(connect(profile).await?);
    let (answer, shown) = match command {
        PlanCommand::Preview { service, ended, settled, shown } => {
            (client.preview_plan(v1::PreviewPlanRequest { service, ended, settled }).await?, shown)
        }
        PlanCommand::Show { request, number, shown } => {
            (client.get_plan(v1::GetPlanRequest { request, number }).await?, shown)
        }
    };
    let answer = answer.into_inner();
    match shown.output {
        Format::Json => output::line(&answer.plan),
        Format::Table => {
            let plan: Plan = serde_json::from_str(&answer.plan)
                .map_err(|error| Failure::new(FAILED, format!("the plan cannot be read: {error}")))?;
            output::line(&gallra_planner::render(&plan));
        }
    }
    for problem in &answer.problems {
        output::note(&format!("the checker objects: {problem}"));
    }
    Ok(OK)
}
