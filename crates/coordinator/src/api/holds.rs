//! `HoldService`. Looks customers and contracts up by their identifiers, and lets go of them: a hold has references only.

use gallra_model::hold::{Hold, Level};
use gallra_model::selector::ExternalId;
use gallra_wire::v1::place_hold_request::Covers;
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::core::Core;
use crate::error::CoreError;
use crate::gate;

#[tonic::async_trait]
impl v1::hold_service_server::HoldService for Api {
    async fn place_hold(
        &self,
        request: Request<v1::PlaceHoldRequest>,
    ) -> Result<Response<v1::PlaceHoldResponse>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let level = level(&self.core, parse::required("covers", request.covers)?).await?;
        let review = parse::optional_day("review", &request.review)?;
        let placed = self.core.place_hold(level, &request.ground, review, &by).await?;
        let begun = u32::try_from(placed.begun).unwrap_or(u32::MAX);
        Ok(Response::new(v1::PlaceHoldResponse { hold: Some(to_wire(&placed.hold)), begun }))
    }

    async fn release_hold(&self, request: Request<v1::ReleaseHoldRequest>) -> Result<Response<v1::Hold>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let id = parse::field("id", &request.id)?;
        Ok(Response::new(to_wire(&self.core.release_hold(&id, &request.reason, &by).await?)))
    }

    async fn list_holds(
        &self,
        request: Request<v1::ListHoldsRequest>,
    ) -> Result<Response<v1::ListHoldsResponse>, Status> {
        let holds = self.core.list_holds(request.into_inner().released_too).await?;
        Ok(Response::new(v1::ListHoldsResponse { holds: holds.iter().map(to_wire).collect() }))
    }
}

async fn level(core: &Core, covers: Covers) -> Result<Level, Status> {
    Ok(match covers {
        Covers::Everything(true) => Level::Global,
        Covers::Everything(false) => return Err(Status::invalid_argument("covers: name what the hold covers")),
        Covers::Category(word) => Level::Category { category: parse::field("category", &word)? },
        Covers::Target(target) => Level::Target {
            agent: parse::field("target.agent", &target.agent)?,
            target: parse::field("target.target", &target.target)?,
        },
        Covers::Customer(number) => {
            let number: ExternalId = parse::field("customer", &number)?;
            let (_, customer) = core.find_customer(&number).await?.ok_or(CoreError::NotFound("customer"))?;
            Level::Customer { customer: customer.id }
        }
        Covers::Service(service) => {
            let service: ExternalId = parse::field("service", &service)?;
            Level::Contract { contract: core.find_contract(&service).await?.1.id }
        }
        Covers::Request(id) => Level::Request { request: parse::field("request", &id)? },
    })
}

fn to_wire(hold: &Hold) -> v1::Hold {
    let (level, of) = match &hold.level {
        Level::Global => ("global", String::new()),
        Level::Category { category } => ("category", category.to_string()),
        Level::Target { agent, target } => ("target", format!("{agent}/{target}")),
        Level::Customer { customer } => ("customer", customer.to_string()),
        Level::Contract { contract } => ("contract", contract.to_string()),
        Level::Request { request } => ("request", request.to_string()),
    };
    let released = hold.released.as_ref();
    v1::Hold {
        id: hold.id.to_string(),
        level: level.to_owned(),
        of,
        ground: hold.ground.clone(),
        placed_by: hold.placed_by.clone(),
        placed: hold.placed.to_string(),
        review: parse::text_or_empty(hold.review),
        released_by: parse::text_or_empty(released.map(|release| &release.by)),
        released: parse::text_or_empty(released.map(|release| release.at)),
        reason: parse::text_or_empty(released.map(|release| &release.reason)),
    }
}
