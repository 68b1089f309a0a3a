//! `gallra contract …`: what billing reports. Merges, and customers, are `contract/merge.rs`.

mod merge;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use gallra_wire::v1::contract_service_client::ContractServiceClient;
use gallra_wire::{parse, v1, words};

use super::Shown;
use crate::cause::{self, Whom};
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Contract events, and one reader.
#[derive(Subcommand)]
pub enum ContractCommand {
    /// A service was sold.
    #[command(
        after_help = "Examples:\n  gallra contract start --customer 1001 --service anna.example --started 2026-01-01\n  gallra contract \
        start --customer 1001 --service anna.example --started 2026-01-01 --identifier email=anna@example.org"
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
        /// What else names the customer or the service, as `email=anna@example.org`; may be repeated. See `identify`.
        #[arg(long = "identifier", value_name = "KIND=VALUE")]
        identifiers: Vec<String>,
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
    /// Say what else names a customer or a service: the proof is bound to it, and nothing is signed that shows it.
    #[command(
        after_help = "Example:\n  gallra contract identify anna.example --customer 1001 --identifier personal-number=198112189876 \
        --identifier domain=anna.example\n\nKinds: personal-number (12 digits), organisation-number (a sole trader's is a \
        personal number), email, domain, ip. Sealed, and destroyed with the rest of what names them; nobody is found by it, and nothing is \
        searched by it. At most 30 of a customer and one contract together."
    )]
    Identify {
        /// Service id.
        service: String,
        /// The customer number that the contract has.
        #[arg(long)]
        customer: String,
        /// What names them; may be repeated.
        #[arg(long = "identifier", value_name = "KIND=VALUE", required = true)]
        identifiers: Vec<String>,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// A service ended: opens a request.
    #[command(
        after_help = "Example:\n  gallra contract end --service anna.example --customer 1001 --ended 2026-01-31 --cause-key \
        /etc/gallra/cause.key\n\nWithout a cause key nothing is erased until an approver brings one: gallra request approve."
    )]
    End {
        /// Service id.
        #[arg(long)]
        service: String,
        /// The customer number, for the signature: to be given where the customer leaves with this contract.
        #[arg(long, requires = "cause_key")]
        customer: Option<String>,
        /// A cause key's file: signs that this is to be erased.
        #[arg(long, env = "GALLRA_CAUSE_KEY", value_name = "FILE")]
        cause_key: Option<PathBuf>,
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
    #[command(
        after_help = "Examples:\n  gallra contract settle --service anna.example --settled 2026-01-31\n  gallra contract settle \
        --contract 019d487c51005e6a00900cd52ffa302a --settled 2026-01-31\n\nThe second is for the time before a move, by the \
        reference that the move's answer gives as \"time before\" and the weekly list of unsettled contracts as the contract: \
        also when the service is erased under its new customer."
    )]
    Settle {
        /// Service id.
        #[arg(long, required_unless_present = "contract")]
        service: Option<String>,
        /// Reference of the time before a move, instead.
        #[arg(long, value_name = "REFERENCE", conflicts_with_all = ["service", "version"])]
        contract: Option<String>,
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
    /// A service goes on after all: its request is cancelled, as far as it has not begun.
    #[command(
        after_help = "Example:\n  gallra contract resume anna.example\n\nAt any time before the request is done. What \
        has begun to go is not brought back; the answer says target by target what is gone and what is left, as far as \
        receipts say. Asked again, it says more.\n\nIP addresses that ended with \
        the contract stay ended: record again what is still theirs, with --from the day after its last day."
    )]
    Resume {
        /// Service id.
        service: String,
        /// The event's version; unset means one more than the last.
        #[arg(long, default_value_t = 0)]
        version: u64,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// A service goes on under another customer: its data goes along, the earlier customer's own stays.
    #[command(
        after_help = "Examples:\n  gallra contract move --service anna.example --to-customer 1002 --on 2026-03-31\n  gallra \
        contract move --service anna.example --to-customer 1002 --on 2026-03-31 --settled 2026-04-15\n\nThe second, which may \
        come later, settles what the earlier customer owed for it. If it was that one's last contract, the customer has ended on \
        that day: a request is opened, and nothing of it is erased until an approver brings a cause: gallra request \
        approve.\n\nIP addresses until that day stay the earlier customer's: record again, with --from the day after, what goes \
        on. Refused while a hold lies on the contract or on either customer."
    )]
    Move {
        /// Service id.
        #[arg(long)]
        service: String,
        /// Customer number under which it goes on; known or new.
        #[arg(long, value_name = "NUMBER")]
        to_customer: String,
        /// Last day under the customer so far, YYYY-MM-DD.
        #[arg(long, value_name = "YYYY-MM-DD")]
        on: String,
        /// Day on which that one's last invoice for it was settled; unset while it is open.
        #[arg(long, value_name = "YYYY-MM-DD", default_value = "", hide_default_value = true)]
        settled: String,
        /// The event's version; unset means one more than the last.
        #[arg(long, default_value_t = 0)]
        version: u64,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Two customer numbers turned out to be one customer: what is concluded from the last contract, and what a hold covers, is
    /// one customer's from then on.
    #[command(
        after_help = "Examples:\n  gallra contract merge --customer 1001 --into 1002 --dry-run\n  gallra contract merge --customer \
        1001 --into 1002\n\nContracts and data stay under the number that they have. The customer has ended when the last \
        contract under both has; then a request for that opens under each number, and each needs a cause that names it: gallra \
        request approve. An end that is open is taken back while the other number has an active contract: data is kept longer \
        than was said, and the answer says of which requests. A hold on either number covers both.\n\nA merge \
        is not taken apart again. Told again, in any order, it changes nothing. Refused while the own data of either customer \
        is being erased."
    )]
    Merge {
        /// The number that turned out to be somebody known.
        #[arg(long, value_name = "NUMBER")]
        customer: String,
        /// That one's number.
        #[arg(long, value_name = "NUMBER")]
        into: String,
        /// Only say what it would come to; change nothing.
        #[arg(long)]
        dry_run: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Say when an IP address was the subject's, so that the provider's own logs are searched by it, in that time only.
    #[command(
        after_help = "Example:\n  gallra contract address anna.example --ip 192.0.2.1 --from 2026-01-02 --until 2026-01-20\n\nA         day is a whole day in Europe/Stockholm. Said again with --until, an open time ends there; one that nobody ended         ends with the contract's last day. Outside of its time the address counts as somebody else's."
    )]
    Address {
        /// Service id.
        service: String,
        /// IPv4 or IPv6 address.
        #[arg(long, value_name = "ADDRESS")]
        ip: String,
        /// From when: YYYY-MM-DD, or an instant.
        #[arg(long, value_name = "DAY|INSTANT", required_unless_present = "withdraw")]
        from: Option<String>,
        /// The last day, or the instant from which it is no longer theirs; unset while it is.
        #[arg(long, value_name = "DAY|INSTANT")]
        until: Option<String>,
        /// Take back everything that was recorded of this address.
        #[arg(long, conflicts_with_all = ["from", "until"])]
        withdraw: bool,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show a contract, or a customer with the numbers that are one with it.
    Show {
        /// Service id.
        #[arg(long, required_unless_present = "customer")]
        service: Option<String>,
        /// Customer number, instead.
        #[arg(long, value_name = "NUMBER", conflicts_with = "service")]
        customer: Option<String>,
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
    let channel = connect(profile).await?;
    let mut client = ContractServiceClient::new(channel.clone());
    let (contract, shown) = match command {
        ContractCommand::Start { customer, service, addresses, identifiers, started, version, shown } => {
            let identifiers = told(&identifiers)?;
            let request = v1::StartContractRequest { service, customer, addresses, started, version, identifiers };
            (client.start_contract(request).await?, shown)
        }
        ContractCommand::Identify { service, customer, identifiers, shown } => {
            let request = v1::RecordIdentifiersRequest { service, customer, identifiers: told(&identifiers)? };
            (client.record_identifiers(request).await?, shown)
        }
        ContractCommand::End { service, customer, cause_key, ended, version, shown } => {
            let cause = match &cause_key {
                None => None,
                Some(file) => {
                    let whom = Whom {
                        service: Some(parse::field("service", &service)?),
                        customer: customer.map(|number| parse::field("customer", &number)).transpose()?,
                        ended: Some(parse::day("ended", &ended)?),
                    };
                    Some(cause::sign(&cause::read_key(file)?, &whom, cause::clock(channel).await?)?)
                }
            };
            if cause.is_none() {
                output::note(
                    "no cause key: nothing is erased until an approver brings one, see `gallra request approve`",
                );
            }
            (client.end_contract(v1::EndContractRequest { service, ended, version, cause }).await?, shown)
        }
        ContractCommand::Settle { service, contract, settled, version, shown } => {
            let (service, contract) = (service.unwrap_or_default(), contract.unwrap_or_default());
            (client.settle_contract(v1::SettleContractRequest { service, settled, version, contract }).await?, shown)
        }
        ContractCommand::Resume { service, version, shown } => {
            resumed(&client.resume_contract(v1::ResumeContractRequest { service, version }).await?.into_inner(), shown);
            return Ok(OK);
        }
        ContractCommand::Move { service, to_customer, on, settled, version, shown } => {
            let request = v1::MoveContractRequest { service, to_customer, on, settled, version };
            moved(&client.move_contract(request).await?.into_inner(), shown);
            return Ok(OK);
        }
        ContractCommand::Address { service, ip: address, from, until, withdraw, shown } => {
            let (from, until) = (from.unwrap_or_default(), until.unwrap_or_default());
            let request = v1::RecordAddressRequest { service, address, from, until, withdraw };
            recorded(&client.record_address(request).await?.into_inner(), shown);
            return Ok(OK);
        }
        ContractCommand::Merge { customer, into, dry_run, shown } => {
            merge::run(channel, v1::MergeCustomersRequest { customer, into, dry_run }, shown).await?;
            return Ok(OK);
        }
        ContractCommand::Show { customer: Some(customer), shown, .. } => {
            merge::show(channel, customer, shown).await?;
            return Ok(OK);
        }
        ContractCommand::Show { service, shown, .. } => {
            (client.get_contract(v1::GetContractRequest { service: service.unwrap_or_default() }).await?, shown)
        }
    };
    let contract = contract.into_inner();
    output::one(shown.output, &contract, &pairs(&contract));
    Ok(OK)
}

fn pairs(contract: &v1::Contract) -> [(&'static str, String); 8] {
    [
        ("contract", contract.id.clone()),
        ("customer", contract.customer.clone()),
        ("state", words::contract_state_word(contract.state)),
        ("version", contract.version.to_string()),
        ("started", contract.started.clone()),
        ("ended", contract.ended.clone()),
        ("settled", contract.settled.clone()),
        ("request", contract.request.clone()),
    ]
}

fn recorded(answer: &v1::RecordAddressResponse, shown: Shown) {
    let mut lines = answer.contract.as_ref().map(|contract| pairs(contract).to_vec()).unwrap_or_default();
    lines.push(("times of addresses", answer.on_record.to_string()));
    output::one(shown.output, answer, &lines);
}

fn moved(answer: &v1::MoveContractResponse, shown: Shown) {
    let mut lines = answer.contract.as_ref().map(|contract| pairs(contract).to_vec()).unwrap_or_default();
    if let Some(before) = &answer.before {
        lines.push(("time before", before.id.clone()));
        lines.push(("earlier customer", before.customer.clone()));
        lines.push(("until", before.ended.clone()));
        lines.push(("settled there", before.settled.clone()));
        lines.push(("customer's end", answer.ending.clone()));
    }
    output::one(shown.output, answer, &lines);
    if answer.before.as_ref().is_some_and(|before| before.settled.is_empty()) {
        output::note(
            "what the earlier customer owed for it is not settled: say so later by the same move with --settled, or by `gallra \
             contract settle --contract` with the reference of the time before",
        );
    }
}

fn resumed(answer: &v1::ResumeContractResponse, shown: Shown) {
    let mut lines = answer.contract.as_ref().map(|contract| pairs(contract).to_vec()).unwrap_or_default();
    lines.extend(answer.cancelled.iter().map(|request| ("cancelled", request.clone())));
    lines.extend(answer.remains.iter().map(|one| ("target", remains(one))));
    output::one(shown.output, answer, &lines);
    if answer.begun {
        output::note(
            "data had begun to go, and is not brought back: what is gone and what was saved is said target by target",
        );
        if answer.remains.iter().any(|one| one.reached == "under-way") {
            output::note("what is under way stops at its next item: ask again, its receipt says what is gone");
        }
    }
}

/// What became of one target, in a line.
fn remains(one: &v1::Remains) -> String {
    let counts = [
        (one.erased, "erased"),
        (one.anonymised, "anonymised"),
        (one.key_destroyed, "unreadable: key destroyed"),
        (one.retained, "kept behind a handle"),
        (one.restricted, "out of reach"),
        (one.unknown, "unknown"),
    ];
    let gone = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    let left = one.left.map(|left| format!("{left} left"));
    let said: Vec<_> = gone.chain(left).collect();
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
    format!("{}/{} {} {}{said}", one.agent, one.target, one.action, one.reached)
}

/// Identifiers as they are sent, in their one spelling: what is refused is refused here, and not quoted.
fn told(texts: &[String]) -> Result<Vec<v1::Identifier>, Failure> {
    let read = |text: &String| {
        let identifier = super::subject::identifier(text)?;
        Ok(v1::Identifier { kind: identifier.kind().word().to_owned(), value: identifier.expose().to_owned() })
    };
    texts.iter().map(read).collect()
}
