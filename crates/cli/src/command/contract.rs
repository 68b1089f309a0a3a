//! `gallra contract …`: what billing reports.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::{v1, words};

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Contract events, and one reader.
#[derive(Subcommand)]
pub enum ContractCommand {
    /// A service was sold.
    #[command(
        after_help = "Example:\n  gallra contract start --customer 1001 --service anna.example --started 2026-01-01"
    )]
    Start {
        /// Customer number of the billing system.
        #[arg(long)]
        customer: String,
        /// Service id of the billing system.
        #[arg(long)]
        service: String,
        /// An address hosted under the service; may be repeated.
        #[arg(long = "address")]
        addresses: Vec<String>,
        /// First day, YYYY-MM-DD.
        #[arg(long)]
        started: String,
        /// The event's version; unset means one more than the last.
        #[arg(long, default_value_t = 0)]
        version: u64,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// A service ended: opens a request.
    #[command(after_help = "Example:\n  gallra contract end --service anna.example --ended 2026-01-31")]
    End {
        /// Service id.
        #[arg(long)]
        service: String,
        /// Last day, YYYY-MM-DD.
        #[arg(long)]
        ended: String,
        /// The event's version; unset means one more than the last.
        #[arg(long, default_value_t = 0)]
        version: u64,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// The last invoice was paid or written off: the request gets its dates.
    #[command(after_help = "Example:\n  gallra contract settle --service anna.example --settled 2026-01-31")]
    Settle {
        /// Service id.
        #[arg(long)]
        service: String,
        /// Day of settlement, YYYY-MM-DD.
        #[arg(long)]
        settled: String,
        /// The event's version; unset means one more than the last.
        #[arg(long, default_value_t = 0)]
        version: u64,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show a contract.
    Show {
        /// Service id.
        #[arg(long)]
        service: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: ContractCommand) -> Result<u8, Failure> {
    let mut client = ContractServiceClient::new(connect(profile).await?);
    let (contract, shown) = match command {
        ContractCommand::Start { customer, service, addresses, started, version, shown } => {
            let request = v1::StartContractRequest { service, customer, addresses, started, version };
            (client.start_contract(request).await?, shown)
        }
        ContractCommand::End { service, ended, version, shown } => {
            (client.end_contract(v1::EndContractRequest { service, ended, version }).await?, shown)
        }
        ContractCommand::Settle { service, settled, version, shown } => {
            (client.settle_contract(v1::SettleContractRequest { service, settled, version }).await?, shown)
        }
        ContractCommand::Show { service, shown } => {
            (client.get_contract(v1::GetContractRequest { service }).await?, shown)
        }
    };
    let contract = contract.into_inner();
    output::one(
        shown.output,
        &contract,
        &[
            ("contract", contract.id.clone()),
            ("customer", contract.customer.clone()),
            ("state", words::contract_state_word(contract.state)),
            ("version", contract.version.to_string()),
            ("started", contract.started.clone()),
            ("ended", contract.ended.clone()),
            ("settled", contract.settled.clone()),
            ("request", contract.request.clone()),
        ],
    );
    Ok(OK)
}
