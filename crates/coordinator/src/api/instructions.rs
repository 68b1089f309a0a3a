//! `InstructionService`. Looks customers up by their number, and lets go of it: answers name them by reference only.

use gallra_identity::CallerRole;
use gallra_model::selector::ExternalId;
use gallra_policy::Deviation;
use gallra_store::keys;
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::gate;
use crate::instructions::{Listed, Remover, Set, State};

#[tonic::async_trait]
impl v1::instruction_service_server::InstructionService for Api {
    async fn set_instruction(
        &self,
        request: Request<v1::SetInstructionRequest>,
    ) -> Result<Response<v1::ChangedInstruction>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let customer: ExternalId = parse::field("customer", &request.customer)?;
        let set = self.core.set_instruction(&customer, &request.text, &by).await?;
        self.changed(set).await
    }

    async fn remove_instruction(
        &self,
        request: Request<v1::RemoveInstructionRequest>,
    ) -> Result<Response<v1::RemovedInstruction>, Status> {
        let caller = gate::caller(&request)?;
        let request = request.into_inner();
        let customer: ExternalId = parse::field("customer", &request.customer)?;
        let by = Remover { name: &caller.name, approver: caller.role == CallerRole::Approver };
        let removed = self.core.remove_instruction(&customer, &request.id, by).await?;
        Ok(Response::new(v1::RemovedInstruction {
            customer: removed.customer.to_string(),
            begun: u32::try_from(removed.begun).unwrap_or(u32::MAX),
            id: removed.id,
        }))
    }

    async fn accept_instruction(
        &self,
        request: Request<v1::AcceptInstructionRequest>,
    ) -> Result<Response<v1::ChangedInstruction>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let customer: ExternalId = parse::field("customer", &request.customer)?;
        let digest = Some(&request.digest).filter(|text| !text.is_empty());
        let digest = digest.map(|text| parse::field("digest", text)).transpose()?;
        let set = self.core.accept_instruction(&customer, &request.id, digest, &by).await?;
        self.changed(set).await
    }

    async fn list_instructions(
        &self,
        request: Request<v1::ListInstructionsRequest>,
    ) -> Result<Response<v1::ListInstructionsResponse>, Status> {
        let request = request.into_inner();
        let (listed, more) = if request.customer.is_empty() {
            let range = super::requests::from(&keys::all_instructed().range(), &request.page_token)?;
            self.core.list_all_instructions(&range).await?
        } else {
            let customer: ExternalId = parse::field("customer", &request.customer)?;
            (self.core.list_instructions(&customer).await?, None)
        };
        Ok(Response::new(v1::ListInstructionsResponse {
            instructions: listed.iter().map(to_wire).collect(),
            next_page_token: more.unwrap_or_default(),
        }))
    }
}

impl Api {
    async fn changed(&self, set: Set) -> Result<Response<v1::ChangedInstruction>, Status> {
        let listed = self.core.one_instruction(&set.customer, &set.id).await?;
        let begun = u32::try_from(set.begun).unwrap_or(u32::MAX);
        Ok(Response::new(v1::ChangedInstruction { instruction: Some(to_wire(&listed)), begun }))
    }
}

fn to_wire(listed: &Listed) -> v1::Instruction {
    let accepted = listed.accepted.as_ref();
    v1::Instruction {
        customer: listed.customer.to_string(),
        id: listed.id.clone(),
        state: listed.state.as_str().to_owned(),
        reason: if let State::Refused(why) = &listed.state { why.clone() } else { String::new() },
        given_by: listed.given_by.clone(),
        given_on: listed.given_on.to_string(),
        from: listed.from.to_string(),
        set_by: listed.set_by.clone(),
        set: listed.set_at.to_string(),
        accepted_by: parse::text_or_empty(accepted.map(|(by, _)| by)),
        accepted: parse::text_or_empty(accepted.map(|(_, at)| at)),
        deviations: listed.replaced.iter().map(deviation_to_wire).collect(),
        digest: listed.digest.to_string(),
    }
}

fn deviation_to_wire(deviation: &Deviation) -> v1::Deviation {
    v1::Deviation {
        rule: deviation.rule.clone(),
        category: deviation.category.to_string(),
        before: deviation.before.clone(),
        after: deviation.after.clone(),
        turn: deviation.turn.as_str().to_owned(),
        legal_review: deviation.legal_review,
        warns: deviation.warns.iter().map(|warning| warning.as_str().to_owned()).collect(),
    }
}
