//! `HoldService`. Looks customers and contracts up by their identifiers, and lets go of them: a hold has references only.

use gallra_model::Day;
use gallra_model::hold::{Hold, Level, Review};
use gallra_model::selector::ExternalId;
use gallra_model::time::day_of;
use gallra_wire::v1::place_hold_request::Covers;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::core::Core;
use crate::error::CoreError;
use crate::gate;
use crate::holds::Why;

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
        let why = Why {
            ground: &request.ground,
            on: Some(request.on.as_str()).filter(|word| !word.is_empty()),
            until: parse::optional_day("until", &request.until)?,
        };
        let placed = self.core.place_hold(level, why, review, &by).await?;
        let begun = u32::try_from(placed.begun).unwrap_or(u32::MAX);
        Ok(Response::new(v1::PlaceHoldResponse { hold: Some(to_wire(&placed.hold, self.today())), begun }))
    }

    async fn release_hold(&self, request: Request<v1::ReleaseHoldRequest>) -> Result<Response<v1::Hold>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let id = parse::field("id", &request.id)?;
        Ok(Response::new(to_wire(&self.core.release_hold(&id, &request.reason, &by).await?, self.today())))
    }

    async fn review_hold(&self, request: Request<v1::ReviewHoldRequest>) -> Result<Response<v1::Hold>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let id = parse::field("id", &request.id)?;
        let next = parse::optional_day("next", &request.next)?;
        Ok(Response::new(to_wire(&self.core.review_hold(&id, &request.note, next, &by).await?, self.today())))
    }

    async fn list_holds(
        &self,
        request: Request<v1::ListHoldsRequest>,
    ) -> Result<Response<v1::ListHoldsResponse>, Status> {
        let request = request.into_inner();
        let holds = match (request.released_too, request.due_only) {
            (true, true) => return Err(details::invalid_text("due_only: a hold that lies no more is never due")),
            (false, true) => self.core.due_holds().await?,
            (released_too, false) => self.core.list_holds(released_too).await?,
        };
        let holds = holds.iter().map(|hold| to_wire(hold, self.today())).collect();
        Ok(Response::new(v1::ListHoldsResponse { holds }))
    }
}

impl Api {
    fn today(&self) -> Day {
        day_of(self.core.time.now())
    }
}

async fn level(core: &Core, covers: Covers) -> Result<Level, Status> {
    Ok(match covers {
        Covers::Everything(true) => Level::Global,
        Covers::Everything(false) => return Err(details::invalid_text("covers: name what the hold covers")),
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

fn to_wire(hold: &Hold, today: Day) -> v1::Hold {
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
        on: hold.on.clone().unwrap_or_default(),
        until: parse::text_or_empty(hold.expires),
        review_due: hold.is_due(today),
        reviews: hold.reviews.iter().map(review_to_wire).collect(),
        earlier_reviews: hold.earlier_reviews,
    }
}

fn review_to_wire(review: &Review) -> v1::HoldReview {
    v1::HoldReview {
        by: review.by.clone(),
        at: review.at.to_string(),
        note: review.note.clone(),
        next: parse::text_or_empty(review.next),
    }
}
