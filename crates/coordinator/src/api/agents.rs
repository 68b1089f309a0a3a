//! `AgentRegistryService`.

use std::time::Duration;

use gallra_model::AgentName;
use gallra_model::target::Inventory;
use gallra_store::keys;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::core::Core;
use crate::error::{CoreError, decode};
use crate::jobs::AgentRecord;
use crate::state;

/// Seconds that a join token lives unless asked otherwise, and at most.
const VALID: (u32, u32) = (3_600, 604_800);

#[tonic::async_trait]
impl v1::agent_registry_service_server::AgentRegistryService for Api {
    async fn invite_agent(
        &self,
        request: Request<v1::InviteAgentRequest>,
    ) -> Result<Response<v1::InviteAgentResponse>, Status> {
        let request = request.into_inner();
        let name: AgentName = parse::field("name", &request.name)?;
        let seconds = if request.valid_seconds == 0 { VALID.0 } else { request.valid_seconds };
        if seconds > VALID.1 {
            return Err(details::invalid_text(format!("valid_seconds: at most {}", VALID.1)));
        }
        let (token, expires) = self.core.invite_agent(&name, Duration::from_secs(seconds.into())).await?;
        Ok(Response::new(v1::InviteAgentResponse { token: token.to_string(), expires: expires.to_string() }))
    }

    async fn list_agents(&self, _: Request<v1::ListAgentsRequest>) -> Result<Response<v1::ListAgentsResponse>, Status> {
        let records: Vec<AgentRecord> = state::all(&*self.core.store, &keys::agents(), "agent").await?;
        let mut agents = Vec::with_capacity(records.len());
        for record in &records {
            agents.push(to_wire(&self.core, record).await?);
        }
        Ok(Response::new(v1::ListAgentsResponse { agents }))
    }

    async fn get_agent(&self, request: Request<v1::GetAgentRequest>) -> Result<Response<v1::Agent>, Status> {
        let name: AgentName = parse::field("name", &request.into_inner().name)?;
        Ok(Response::new(to_wire(&self.core, &self.core.agent(&name).await?).await?))
    }

    async fn approve_agent(&self, request: Request<v1::ApproveAgentRequest>) -> Result<Response<v1::Agent>, Status> {
        let name: AgentName = parse::field("name", &request.into_inner().name)?;
        self.core.approve_agent(&name).await?;
        Ok(Response::new(to_wire(&self.core, &self.core.agent(&name).await?).await?))
    }
}

async fn to_wire(core: &Core, record: &AgentRecord) -> Result<v1::Agent, CoreError> {
    let inventory = core.store.get(&keys::inventory(&record.name)).await?;
    let inventory: Option<Inventory> = inventory.map(|entry| decode("inventory", &entry.value)).transpose()?;
    Ok(v1::Agent {
        name: record.name.to_string(),
        connected: core.is_connected(&record.name).await?,
        joined: record.joined.to_string(),
        evidence_key: record.evidence_key.clone(),
        quarantined: core.standing(&record.name).await?.quarantined.map_or_else(String::new, |at| at.to_string()),
        targets: inventory.map_or(0, |inventory| u32::try_from(inventory.targets.len()).unwrap_or(u32::MAX)),
    })
}
