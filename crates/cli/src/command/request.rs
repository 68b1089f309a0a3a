//! `gallra request …`: what was asked, and where it stands.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1::request_service_client::RequestServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output::{self, Format};

/// Readers of requests.
#[derive(Subcommand)]
pub enum RequestCommand {
    /// Show one request.
    Show {
        /// The request.
        request: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List requests, oldest first.
    List {
        /// Only those not yet done.
        #[arg(long)]
        open: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Follow one request until it is done; JSON is one object a line.
    Watch {
        /// The request.
        request: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: RequestCommand) -> Result<u8, Failure> {
    let mut client = RequestServiceClient::new(connect(profile).await?);
    match command {
        RequestCommand::Show { request, shown } => {
            let request = client.get_request(v1::GetRequestRequest { id: request }).await?.into_inner();
            show(&request, shown.output);
        }
        RequestCommand::List { open, shown } => {
            let requests = all(&mut client, open).await?;
            output::list(shown.output, &requests, ["request", "state", "jobs", "copies left", "proofs", "facts"], row);
        }
        RequestCommand::Watch { request, shown } => {
            let mut changes = client.watch_request(v1::GetRequestRequest { id: request }).await?.into_inner();
            while let Some(request) = changes.message().await? {
                match shown.output {
                    Format::Json => output::line(&serde_json::to_string(&request).unwrap_or_default()),
                    Format::Table => output::line(&row(&request).join("  ")),
                }
            }
        }
    }
    Ok(OK)
}

async fn all(
    client: &mut RequestServiceClient<tonic::transport::Channel>,
    open_only: bool,
) -> Result<Vec<v1::Request>, Failure> {
    let mut requests = Vec::new();
    let mut page_token = String::new();
    loop {
        let asked = v1::ListRequestsRequest { page_size: 0, page_token, open_only };
        let page = client.list_requests(asked).await?.into_inner();
        requests.extend(page.requests);
        if page.next_page_token.is_empty() {
            return Ok(requests);
        }
        page_token = page.next_page_token;
    }
}

fn row(request: &v1::Request) -> [String; 6] {
    [
        request.id.clone(),
        words::request_state_word(request.state),
        format!("{}/{}", request.jobs_settled, request.jobs),
        request.copies_left.to_string(),
        request.proofs.to_string(),
        request.facts.join(", "),
    ]
}

fn show(request: &v1::Request, format: Format) {
    let kept = |kept: &v1::Obligation| {
        format!(
            "{} in {}/{}, may be erased from {} ({}, {})",
            output::items(kept.items),
            kept.agent,
            kept.target,
            kept.earliest,
            kept.rule,
            kept.ground
        )
    };
    let mut pairs = vec![
        ("request", request.id.clone()),
        ("state", words::request_state_word(request.state)),
        ("facts", request.facts.join(", ")),
        ("received", request.received.clone()),
        ("plan", format!("{} ({})", request.plan, output::short(&request.plan_digest))),
        ("jobs", format!("{} of {} settled", request.jobs_settled, request.jobs)),
        ("live data gone", request.live_confirmed.clone()),
        ("copies closed", request.copies_closed.clone()),
        ("copies left", request.copies_left.to_string()),
        ("proofs", request.proofs.to_string()),
        ("done", request.done.clone()),
    ];
    pairs.extend(request.obligations.iter().map(|obligation| ("kept", kept(obligation))));
    pairs.extend(request.unproven.iter().map(|target| ("unproven", target.clone())));
    output::one(format, request, &pairs);
}
