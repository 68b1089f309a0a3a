//! `gallra request …`: what was asked, and where it stands.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use gallra_wire::v1::request_service_client::RequestServiceClient;
use gallra_wire::{parse, v1, words};

use super::Shown;
use crate::cause::{self, Whom};
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output::{self, Format};

/// Readers of requests, and the approver's word.
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
    /// List requests, oldest first; or the contracts that ended and that nobody settles.
    #[command(
        after_help = "Examples:\n  gallra request list --open\n  gallra request list --unsettled\n\nThe list of unsettled \
        contracts is made when the policy says so (WebOne: weekly). For each somebody decides: gallra contract settle, or resume."
    )]
    List {
        /// Only those not yet done.
        #[arg(long)]
        open: bool,
        /// The newest list of contracts that ended and that nobody settles, instead.
        #[arg(long, conflicts_with = "open")]
        unsettled: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Sign that what a request erases is to be erased: where its end came without a cause.
    #[command(
        after_help = "Example:\n  gallra request approve 0192… --service anna.example --customer 1001 --cause-key cause.key\n\n\
        The signature is over what you type. Take it from the contract, not from the coordinator."
    )]
    Approve(ApproveArgs),
    /// Show the claim code of a request's subject, to be handed over to that one alone; or say that it was.
    #[command(
        after_help = "Examples:\n  gallra request code 0192…\n  gallra request code 0192… --delivered\n\nWith the code its holder \
        fetches the final proof, months after the contact address was erased, and shows whom the proof is about. It is personal \
        data. 30 days after it was made it is destroyed here, and nobody can show it again."
    )]
    Code {
        /// The request.
        request: String,
        /// The subject has it: destroy it here, at once.
        #[arg(long)]
        delivered: bool,
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

/// What `gallra request approve` is told.
#[derive(Args)]
pub struct ApproveArgs {
    /// The request.
    request: String,
    /// The service id whose erasure is signed for, as billing writes it.
    #[arg(long, required_unless_present = "customer")]
    service: Option<String>,
    /// The customer number whose erasure is signed for: where the customer leaves.
    #[arg(long)]
    customer: Option<String>,
    /// A cause key's file.
    #[arg(long, env = "GALLRA_CAUSE_KEY", value_name = "FILE")]
    cause_key: PathBuf,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: RequestCommand) -> Result<u8, Failure> {
    let channel = connect(profile).await?;
    let mut client = RequestServiceClient::new(channel.clone());
    match command {
        RequestCommand::Approve(ApproveArgs { request, service, customer, cause_key, shown }) => {
            let whom = Whom {
                service: service.map(|id| parse::field("service", &id)).transpose()?,
                customer: customer.map(|number| parse::field("customer", &number)).transpose()?,
                ended: None,
            };
            let cause = cause::sign(&cause::read_key(&cause_key)?, &whom, cause::clock(channel).await?)?;
            let approved = v1::ApproveRequestRequest { id: request, cause: Some(cause) };
            show(&client.approve_request(approved).await?.into_inner(), shown.output);
        }
        RequestCommand::Show { request, shown } => {
            let request = client.get_request(v1::GetRequestRequest { id: request }).await?.into_inner();
            show(&request, shown.output);
        }
        RequestCommand::Code { request, delivered: true, shown } => {
            let told = v1::ConfirmDeliveryRequest { id: request };
            show(&client.confirm_delivery(told).await?.into_inner(), shown.output);
        }
        RequestCommand::Code { request, delivered: false, shown } => {
            let asked = v1::ShowClaimCodeRequest { id: request.clone() };
            show_code(&request, &client.show_claim_code(asked).await?.into_inner(), shown.output);
        }
        RequestCommand::List { unsettled: true, shown, .. } => show_unsettled(&mut client, shown.output).await?,
        RequestCommand::List { open, unsettled: false, shown } => {
            let requests = all(&mut client, open).await?;
            let columns = ["request", "about", "state", "jobs", "copies left", "proofs", "facts"];
            output::list(shown.output, &requests, columns, row);
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

/// The newest list of contracts that ended and that nobody settles, all of its pages as one.
async fn show_unsettled(
    client: &mut RequestServiceClient<tonic::transport::Channel>,
    format: Format,
) -> Result<(), Failure> {
    let mut list = v1::ListUnsettledResponse::default();
    loop {
        let asked = v1::ListUnsettledRequest { page_token: std::mem::take(&mut list.next_page_token) };
        let page = client.list_unsettled(asked).await?.into_inner();
        let before = std::mem::take(&mut list.contracts);
        list = v1::ListUnsettledResponse { contracts: before.into_iter().chain(page.contracts).collect(), ..page };
        if list.next_page_token.is_empty() {
            break;
        }
    }
    if format == Format::Json {
        output::json(&list);
        return Ok(());
    }
    if list.day.is_empty() {
        output::note("no list was made yet, or the policy asks for none");
        return Ok(());
    }
    let left = list.contracts.len();
    output::note(&format!("list of {}, made {}: {} then, {left} still", list.day, list.made, list.listed));
    let columns = ["contract", "request", "ended", "listed since", "days kept"];
    output::list(format, &list.contracts, columns, |one| {
        [one.contract.clone(), one.request.clone(), one.ended.clone(), one.since.clone(), one.waited_days.to_string()]
    });
    Ok(())
}

fn row(request: &v1::Request) -> [String; 7] {
    [
        request.id.clone(),
        about(request),
        words::request_state_word(request.state),
        format!("{}/{}", request.jobs_settled, request.jobs),
        request.copies_left.to_string(),
        request.proofs.to_string(),
        request.facts.join(", "),
    ]
}

/// What a request is about, in a word or two.
fn about(request: &v1::Request) -> String {
    if request.day.is_empty() { request.kind.clone() } else { format!("{} {}", request.kind, request.day) }
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
        ("about", about(request)),
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
    let signed = |approval: &v1::Approval| {
        format!("{} by {}, {}, key {}", approval.of, approval.by, approval.at, output::short(&approval.key))
    };
    pairs.extend(request.approved_by.iter().map(|approval| ("approved", signed(approval))));
    if request.facts.iter().any(|fact| fact == "needs_approval") {
        let how = if request.kind == "purge" {
            "a signature on its policy version: gallra policy apply FILE --cause-key KEY"
        } else {
            "a cause that covers all of it: gallra request approve"
        };
        pairs.push(("waits for", how.to_owned()));
    }
    pairs.extend(request.claim.iter().map(|claim| ("claim code", claim_line(&request.id, claim))));
    pairs.extend(request.leaks.iter().map(leak_line));
    pairs.extend(request.restores.iter().map(|restore| ("restored", restore_line(restore))));
    if request.facts.iter().any(|fact| fact == "amending") {
        pairs.push(("owes", "an amendment: its newest final proof does not say all that is known".to_owned()));
    }
    pairs.extend(request.holds.iter().map(|hold| ("held by", hold.clone())));
    if request.facts.iter().any(|fact| fact == "unmet") {
        let how = format!("a promise on some target is not carried out: gallra plan show {} says which", request.id);
        pairs.push(("unmet", how));
    }
    if request.facts.iter().any(|fact| fact == "log_stopped") {
        let how =
            "the log is stopped, nothing is signed or permitted: gallra log show says why, gallra doctor what to do";
        pairs.push(("waits for", how.to_owned()));
    }
    pairs.extend(request.obligations.iter().map(|obligation| ("kept", kept(obligation))));
    pairs.extend(request.unproven.iter().map(|target| ("unproven", target.clone())));
    if !request.gap.is_empty() {
        pairs.push(("gap", request.gap.clone()));
    }
    output::one(format, request, &pairs);
}

/// What became of a claim code, in a line.
fn claim_line(request: &str, claim: &v1::Claim) -> String {
    if claim.state != "waiting" {
        return format!("{} {}", claim.state, claim.ended);
    }
    let seen = if claim.shown == 0 { "nobody was shown it" } else { "it was shown" };
    format!(
        "waits for delivery since {}, {seen}, destroyed when {} begins: gallra request code {request}",
        claim.made, claim.until
    )
}

fn show_code(request: &str, shown: &v1::ClaimCode, format: Format) {
    let mut pairs = vec![("claim code", shown.code.clone())];
    if let Some(claim) = &shown.claim {
        pairs.push(("made", claim.made.clone()));
        pairs.push(("destroyed when this day begins", claim.until.clone()));
    }
    output::one(format, shown, &pairs);
    output::note(
        "personal data: who has the code and the proof can test guesses of who it is about. For the subject alone, in the letter that \
         says when what is erased; keep no copy",
    );
    output::note(&format!("once the subject has it: gallra request code {request} --delivered"));
}

/// What came of a restore, and what is to be done.
fn restore_line(restore: &v1::Restore) -> String {
    let v1::Restore { agent, target, taken, finished, erased, failed, .. } = restore;
    let place = format!("{agent}/{target}, out of a copy of {taken}");
    match (restore.gone, restore.overtaken) {
        (true, _) => format!("{place}: {} erased again, {finished}", output::items(*erased)),
        (false, true) => format!("{place}: not all of it went again, {finished}, and all of it did later"),
        (false, false) => format!(
            "{place}: NOT gone again, {} left, {finished}: run gallra-agent restored on {agent} once more",
            output::items(*failed)
        ),
    }
}

/// What would show the subject, and where.
fn leak_line(leak: &v1::Leak) -> (&'static str, String) {
    let place = format!("{} the subject's {}, since {}", leak.field, leak.kind, leak.since);
    match leak.receipt.as_str() {
        "" => ("not signed", format!("a {}: would show in {place}", leak.statement)),
        receipt => ("not taken", format!("receipt {}: shows in {place}", output::short(receipt))),
    }
}
