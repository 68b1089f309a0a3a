//! `SuppressionService`. An identifier that is searched by is turned into tags, and let go of.

use gallra_model::AgentName;
use gallra_model::selector::Selector;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::gate;
use crate::suppression::Stored;

#[tonic::async_trait]
impl v1::suppression_service_server::SuppressionService for Api {
    async fn list_suppressions(
        &self,
        request: Request<v1::ListSuppressionsRequest>,
    ) -> Result<Response<v1::ListSuppressionsResponse>, Status> {
        let v1::ListSuppressionsRequest { request, service, customer } = request.into_inner();
        if !service.is_empty() && !customer.is_empty() {
            return Err(details::invalid_text("service, customer: give one of them"));
        }
        let request = optional("request", &request)?;
        let (service, customer) = (optional("service", &service)?, optional("customer", &customer)?);
        let selector = Selector { service, customer, addresses: Vec::new() };
        let found = self.core.list_suppressions(request, &selector).await?;
        let suppressions = found.iter().map(|(agent, stored)| to_wire(agent, stored)).collect();
        Ok(Response::new(v1::ListSuppressionsResponse { suppressions }))
    }

    async fn lift_suppression(
        &self,
        request: Request<v1::LiftSuppressionRequest>,
    ) -> Result<Response<v1::Suppression>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let id = parse::field("id", &request.id)?;
        let (agent, stored) = self.core.lift_suppression(&id, &request.reason, &by).await?;
        Ok(Response::new(to_wire(&agent, &stored)))
    }
}

fn optional<T>(name: &str, text: &str) -> Result<Option<T>, Status>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { parse::field(name, text).map(Some) }
}

fn to_wire(agent: &AgentName, stored: &Stored) -> v1::Suppression {
    let Some(entry) = stored.entry() else { return v1::Suppression::default() };
    let state = match (&stored.lifted, stored.held) {
        (Some(_), _) => "lifted",
        (None, true) => "held",
        (None, false) => "in-force",
    };
    let lifted = stored.lifted.as_ref();
    v1::Suppression {
        id: entry.id.to_string(),
        agent: agent.to_string(),
        target: entry.target.to_string(),
        erased: entry.erased.to_string(),
        rule: entry.rule.clone(),
        request: parse::text_or_empty(stored.request),
        month: entry.month.into(),
        state: state.to_owned(),
        lifted_by: lifted.map(|lifted| lifted.by.clone()).unwrap_or_default(),
        lifted: parse::text_or_empty(lifted.map(|lifted| lifted.at)),
        reason: lifted.map(|lifted| lifted.reason.clone()).unwrap_or_default(),
    }
}
