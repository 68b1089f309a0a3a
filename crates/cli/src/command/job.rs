//! `gallra job …`: the steps that agents carry out.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1::job_service_client::JobServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Jobs.
#[derive(Subcommand)]
pub enum JobCommand {
    /// List a request's jobs.
    List {
        /// The request.
        request: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show one job.
    Show {
        /// The job.
        job: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Try a job again now instead of at its next time. Never before its due day.
    Retry {
        /// The job.
        job: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: JobCommand) -> Result<u8, Failure> {
    let mut client = JobServiceClient::new(connect(profile).await?);
    match command {
        JobCommand::List { request, shown } => {
            let jobs = client.list_jobs(v1::ListJobsRequest { request }).await?.into_inner().jobs;
            output::list(
                shown.output,
                &jobs,
                ["job", "plan", "step", "target", "action", "state", "due", "rule", "setback"],
                |job| {
                    [
                        job.id.clone(),
                        job.plan.to_string(),
                        job.step.to_string(),
                        format!("{}/{}", job.agent, job.target),
                        job.action.clone(),
                        words::job_state_word(job.state),
                        job.due.clone(),
                        job.rule.clone(),
                        job.setback.clone(),
                    ]
                },
            );
        }
        JobCommand::Show { job, shown } => {
            show(&client.get_job(v1::GetJobRequest { id: job }).await?.into_inner(), shown);
        }
        JobCommand::Retry { job, shown } => {
            show(&client.retry_job(v1::GetJobRequest { id: job }).await?.into_inner(), shown);
        }
    }
    Ok(OK)
}

fn show(job: &v1::Job, shown: Shown) {
    output::one(
        shown.output,
        job,
        &[
            ("job", job.id.clone()),
            ("request", job.request.clone()),
            ("target", format!("{}/{} ({})", job.agent, job.target, job.kind)),
            ("action", job.action.clone()),
            ("rule", job.rule.clone()),
            ("state", words::job_state_word(job.state)),
            ("attempts", job.attempt.to_string()),
            ("due", job.due.clone()),
            ("receipt", job.receipt.clone()),
            ("setback", job.setback.clone()),
        ],
    );
}
