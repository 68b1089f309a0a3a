//! `gallra stop` and `gallra start`: the emergency stop, fleet-wide.

use std::path::Path;

use clap::Args;
use gallra_wire::v1;
use gallra_wire::v1::clock_service_client::ClockServiceClient;
use gallra_wire::v1::halt_service_client::HaltServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output;

/// Help of `stop`.
pub const STOP_HELP: &str = "Examples:\n  gallra stop --reason \"wrong tree on web1\"\n  gallra stop --show\n\n\
    Inspections and confirmations go on: they change nothing. Agents that are not connected are named; none of them is \
    given a permit, and a host's admin can stop one by `systemctl stop gallra-agent`.";

/// `gallra stop`.
#[derive(Args)]
pub struct StopArgs {
    /// Why; names nobody.
    #[arg(long, required_unless_present = "show", conflicts_with = "show")]
    reason: Option<String>,
    /// Only show whether it is pulled, by whom, and which agents know.
    #[arg(long)]
    show: bool,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// `gallra start`.
#[derive(Args)]
pub struct StartArgs {
    /// Why; names nobody.
    #[arg(long)]
    reason: String,
    /// Lift no stop, but confirm the coordinator's clock, which leapt forward and is right: what another clock says now, as
    /// 2026-03-01T12:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    clock: Option<String>,
    /// How it is printed.
    #[command(flatten)]
    shown: Shown,
}

/// Pulls the stop, or shows it.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn stop(profile: Option<&Path>, args: StopArgs) -> Result<u8, Failure> {
    let mut client = HaltServiceClient::new(connect(profile).await?);
    let halt = match args.reason {
        Some(reason) => client.stop(v1::StopRequest { reason }).await?.into_inner(),
        None => client.get_halt(v1::GetHaltRequest {}).await?.into_inner(),
    };
    show(&halt, args.shown);
    Ok(OK)
}

/// Lifts the stop, or ends the doubt about the clock.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn start(profile: Option<&Path>, args: StartArgs) -> Result<u8, Failure> {
    let channel = connect(profile).await?;
    let mut client = HaltServiceClient::new(channel.clone());
    let halt = match args.clock {
        Some(now) => {
            let confirmed = v1::ConfirmClockRequest { now, reason: args.reason };
            ClockServiceClient::new(channel).confirm_clock(confirmed).await?;
            client.get_halt(v1::GetHaltRequest {}).await?.into_inner()
        }
        None => client.start(v1::StartRequest { reason: args.reason }).await?.into_inner(),
    };
    show(&halt, args.shown);
    Ok(OK)
}

fn show(halt: &v1::Halt, shown: Shown) {
    let stopped = if halt.halted { "yes: nothing may change data" } else { "no" };
    let clock = match halt.clock_ahead_seconds {
        0 => "believed".to_owned(),
        ahead => {
            format!("leapt {ahead} seconds ahead: nothing is erased until most agents agree, or gallra start --clock")
        }
    };
    let pairs = [
        ("stopped", stopped.to_owned()),
        ("clock", clock),
        ("by", halt.by.clone()),
        ("at", halt.at.clone()),
        ("reason", halt.reason.clone()),
        ("jobs begun", halt.begun.to_string()),
        ("agents told", halt.told.len().to_string()),
        ("not connected", halt.untold.join(", ")),
    ];
    output::one(shown.output, halt, &pairs);
}
