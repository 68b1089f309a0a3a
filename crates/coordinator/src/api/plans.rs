//! `PlanService`.

use gallra_model::digest::Digest;
use gallra_model::plan::Anchors;
use gallra_model::time::day_of;
use gallra_model::{RequestId, plan::Plan};
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::core::random;
use crate::error::CoreError;
use crate::state;

#[tonic::async_trait]
impl v1::plan_service_server::PlanService for Api {
    async fn get_plan(&self, request: Request<v1::GetPlanRequest>) -> Result<Response<v1::GetPlanResponse>, Status> {
        let request = request.into_inner();
        let id: RequestId = parse::field("request", &request.request)?;
        let number = match request.number {
            0 => {
                let current = state::load(&*self.core.store, &id).await?.view.request.plan;
                current.ok_or(CoreError::NotFound("plan yet"))?.number
            }
            number => number,
        };
        let (envelope, _) = state::load_plan(&*self.core.store, &id, number).await?;
        let payload = gallra_proof::dsse::payload(&envelope).map_err(|_| Status::data_loss("the plan is damaged"))?;
        answer(payload, Vec::new())
    }

    async fn preview_plan(
        &self,
        request: Request<v1::PreviewPlanRequest>,
    ) -> Result<Response<v1::GetPlanResponse>, Status> {
        let request = request.into_inner();
        let (_, contract) = self.core.find_contract(&parse::field("service", &request.service)?).await?;
        let now = self.core.time.now();
        let ended = parse::optional_day("ended", &request.ended)?.unwrap_or_else(|| day_of(now));
        let settled = parse::optional_day("settled", &request.settled)?;
        if settled.is_some_and(|settled| settled < ended) {
            return Err(Status::invalid_argument("settled: before the end"));
        }
        let anchors = Anchors {
            contract_ended: Some(ended),
            contract_settled: settled,
            customer_ended: Some(ended),
            customer_settled: settled,
        };
        let inventories = self.core.inventories().await?;
        let in_force = self.core.in_force().await?;
        let policy = self.core.rules_at(&in_force, &contract.customer, &anchors).await?.policy;
        let id = RequestId::at(now, random().map_err(Status::from)?);
        let facts = self.core.facts(&policy, id, None, anchors, &inventories);
        let plan: Plan =
            gallra_planner::plan(&facts).map_err(|error| Status::failed_precondition(error.to_string()))?;
        let problems = gallra_planner::check(&plan, &facts).iter().map(ToString::to_string).collect();
        answer(serde_json::to_vec(&plan).map_err(|_| Status::internal("the plan cannot be written"))?, problems)
    }
}

fn answer(plan: Vec<u8>, problems: Vec<String>) -> Result<Response<v1::GetPlanResponse>, Status> {
    let digest = Digest::of(&plan).to_string();
    let plan = String::from_utf8(plan).map_err(|_| Status::data_loss("the plan is no text"))?;
    Ok(Response::new(v1::GetPlanResponse { plan, digest, problems }))
}
