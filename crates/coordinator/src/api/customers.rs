//! `CustomerService`.

use gallra_model::Day;
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::contracts::{Later, Merge};
use crate::gate;

#[tonic::async_trait]
impl v1::customer_service_server::CustomerService for Api {
    async fn merge_customers(
        &self,
        request: Request<v1::MergeCustomersRequest>,
    ) -> Result<Response<v1::MergeCustomersResponse>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let told = Merge {
            customer: parse::field("customer", &request.customer)?,
            into: parse::field("into", &request.into)?,
            dry_run: request.dry_run,
            by,
        };
        let merged = self.core.merge_customers(&told).await?;
        Ok(Response::new(v1::MergeCustomersResponse {
            numbers: merged.numbers.iter().map(ToString::to_string).collect(),
            again: merged.again,
            later: merged.later.iter().map(to_wire).collect(),
        }))
    }

    async fn get_customer(&self, request: Request<v1::GetCustomerRequest>) -> Result<Response<v1::Customer>, Status> {
        let number = parse::field("customer", &request.into_inner().customer)?;
        let shown = self.core.show_customer(&number).await?;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Response::new(v1::Customer {
            id: shown.customer.id.to_string(),
            merged_into: parse::text_or_empty(shown.customer.merged_into),
            numbers: shown.numbers.iter().map(ToString::to_string).collect(),
            active: count(shown.active),
            contracts: count(shown.customer.contracts.len()),
            active_of_all: count(shown.active_of_all),
            ending: parse::text_or_empty(shown.customer.ending),
        }))
    }
}

fn to_wire(later: &Later) -> v1::LaterEnd {
    let text = |day: Option<Day>| parse::text_or_empty(day);
    v1::LaterEnd {
        customer: later.customer.to_string(),
        before: later.before.to_string(),
        request: parse::text_or_empty(later.request),
        ended_before: text(later.was.customer_ended),
        settled_before: text(later.was.customer_settled),
        ended: text(later.is.customer_ended),
        settled: text(later.is.customer_settled),
    }
}
