//! `gallra agent …`: who may join, and who has.

use std::path::Path;

use clap::Subcommand;
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;

use super::Shown;
use crate::client::connect;
use crate::exit::{Failure, OK};
use crate::output::{self, Format};

/// Agents.
#[derive(Subcommand)]
pub enum AgentCommand {
    /// Print a single-use token with which a host joins under a name.
    #[command(
        after_help = "Example:\n  gallra agent invite web1 > token\n  gallra-agent join --dir /var/lib/gallra-agent --token \"$(cat token)\""
    )]
    Invite {
        /// The agent's name: 1 to 63 of a-z, 0-9 and '-'.
        name: String,
        /// Seconds until the token expires.
        #[arg(long, default_value_t = 3_600)]
        valid_seconds: u32,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// List agents.
    List {
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Lift the quarantine of an agent whose journal went back, after you have looked at its host. For approvers.
    #[command(after_help = "Example:\n  gallra agent approve web1")]
    Approve {
        /// Name.
        name: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
    /// Show one agent.
    Show {
        /// Name.
        name: String,
        /// How it is printed.
        #[command(flatten)]
        shown: Shown,
    },
}

/// Runs one of them.
///
/// # Errors
/// What to say on stderr, and the exit code.
pub async fn run(profile: Option<&Path>, command: AgentCommand) -> Result<u8, Failure> {
    let mut client = AgentRegistryServiceClient::new(connect(profile).await?);
    match command {
        AgentCommand::Invite { name, valid_seconds, shown } => {
            let answer = client.invite_agent(v1::InviteAgentRequest { name, valid_seconds }).await?.into_inner();
            match shown.output {
                Format::Json => output::json(&answer),
                Format::Table => {
                    output::line(&answer.token);
                    output::note(&format!("works once, until {}", answer.expires));
                }
            }
        }
        AgentCommand::List { shown } => {
            let agents = client.list_agents(v1::ListAgentsRequest {}).await?.into_inner().agents;
            output::list(shown.output, &agents, ["agent", "connected", "targets", "joined"], |agent| {
                let connected = match (agent.connected, agent.quarantined.is_empty()) {
                    (_, false) => "quarantined",
                    (true, true) => "yes",
                    (false, true) => "no",
                };
                [agent.name.clone(), connected.to_owned(), agent.targets.to_string(), agent.joined.clone()]
            });
        }
        AgentCommand::Approve { name, shown } => {
            show(shown.output, &client.approve_agent(v1::ApproveAgentRequest { name }).await?.into_inner());
        }
        AgentCommand::Show { name, shown } => {
            show(shown.output, &client.get_agent(v1::GetAgentRequest { name }).await?.into_inner());
        }
    }
    Ok(OK)
}

fn show(format: Format, agent: &v1::Agent) {
    output::one(
        format,
        agent,
        &[
            ("agent", agent.name.clone()),
            ("connected", agent.connected.to_string()),
            ("joined", agent.joined.clone()),
            ("targets", agent.targets.to_string()),
            ("evidence key", agent.evidence_key.clone()),
            ("quarantined", agent.quarantined.clone()),
        ],
    );
}
