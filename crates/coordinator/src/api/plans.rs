//! `PlanService`.

use gallra_model::digest::Digest;
use gallra_model::plan::Anchors;
use gallra_model::time::day_of;
use gallra_model::{RequestId, plan::Plan};
use gallra_planner::Facts;
use gallra_wire::{details, parse, v1};
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
        let opened = gallra_proof::plan::read(&envelope).map_err(|_| Status::data_loss("the plan is damaged"))?;
        let text = serde_json::to_vec(&opened.predicate).map_err(|_| Status::internal("the plan cannot be written"))?;
        let given = answer(text, Vec::new())?.into_inner();
        Ok(Response::new(v1::GetPlanResponse { digest: opened.digest.to_string(), ..given }))
    }

    async fn preview_plan(
        &self,
        request: Request<v1::PreviewPlanRequest>,
    ) -> Result<Response<v1::GetPlanResponse>, Status> {
        let request = request.into_inner();
        if !request.request.is_empty() {
            return self.preview_again(request).await;
        }
        let (_, contract) = self.core.find_contract(&parse::field("service", &request.service)?).await?;
        let now = self.core.time.now();
        let ended = parse::optional_day("ended", &request.ended)?.unwrap_or_else(|| day_of(now));
        let settled = parse::optional_day("settled", &request.settled)?;
        if settled.is_some_and(|settled| settled < ended) {
            return Err(details::invalid_text("settled: before the end"));
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
        doubted(&self.core.facts(&policy, id, None, anchors, &inventories))
    }
}

impl Api {
    /// What planning a live request now would make, and what would change; nothing of it is kept.
    async fn preview_again(&self, asked: v1::PreviewPlanRequest) -> Result<Response<v1::GetPlanResponse>, Status> {
        let id: RequestId = parse::field("request", &asked.request)?;
        let others = [&asked.service, &asked.ended, &asked.settled];
        if others.into_iter().any(|field| !field.is_empty()) {
            return Err(details::invalid_text("request: its service and its dates are its own: leave them empty"));
        }
        let loaded = state::load(&*self.core.store, &id).await?;
        let request = &loaded.view.request;
        if request.about.purge_day().is_some() {
            return Err(details::state("a purge is planned for its day, and never anew"));
        }
        let (policy, inventories) = (self.core.rules_of(request).await?.policy, self.core.inventories().await?);
        let current = request.plan.map(|plan| (plan.number, plan.digest));
        let (before, holds) = (loaded.view.plan.as_ref(), self.core.holds_on(request).await?);
        doubted(&Facts {
            before,
            holds: &holds,
            ..self.core.facts(&policy, id, current, request.anchors, &inventories)
        })
    }
}

/// The plan of these facts, and what the checker says about it.
fn doubted(facts: &Facts<'_>) -> Result<Response<v1::GetPlanResponse>, Status> {
    let plan: Plan = gallra_planner::plan(facts).map_err(|error| details::state(error.to_string()))?;
    let problems = gallra_planner::check(&plan, facts).iter().map(ToString::to_string).collect();
    answer(serde_json::to_vec(&plan).map_err(|_| Status::internal("the plan cannot be written"))?, problems)
}

fn answer(plan: Vec<u8>, problems: Vec<String>) -> Result<Response<v1::GetPlanResponse>, Status> {
    let digest = Digest::of(&plan).to_string();
    let plan = String::from_utf8(plan).map_err(|_| Status::data_loss("the plan is no text"))?;
    Ok(Response::new(v1::GetPlanResponse { plan, digest, problems }))
}
