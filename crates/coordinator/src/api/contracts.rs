//! `ContractService`.

use gallra_flow::remains::Remains;
use gallra_model::RequestId;
use gallra_model::contract::{Contract, ContractState};
use gallra_proof::subject::Identifier;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::addresses::Told;
use crate::causes::Brought;
use crate::contracts::{End, Move, Start};
use crate::gate;
use crate::told::ToldOf;

#[tonic::async_trait]
impl v1::contract_service_server::ContractService for Api {
    async fn start_contract(
        &self,
        request: Request<v1::StartContractRequest>,
    ) -> Result<Response<v1::Contract>, Status> {
        let request = request.into_inner();
        let start = Start {
            service: parse::field("service", &request.service)?,
            customer: parse::field("customer", &request.customer)?,
            addresses: request.addresses.iter().map(|id| parse::field("addresses", id)).collect::<Result<_, _>>()?,
            started: parse::day("started", &request.started)?,
            version: request.version,
        };
        let identifiers = identifiers(&request.identifiers)?;
        let contract = self.core.start_contract(&start).await?;
        if !identifiers.is_empty() {
            let Start { service, customer, .. } = start;
            self.core.record_identifiers_of_sale(&ToldOf { service, customer, identifiers }).await?;
        }
        Ok(Response::new(to_wire(&contract)))
    }

    async fn record_identifiers(
        &self,
        request: Request<v1::RecordIdentifiersRequest>,
    ) -> Result<Response<v1::Contract>, Status> {
        let request = request.into_inner();
        let told = ToldOf {
            service: parse::field("service", &request.service)?,
            customer: parse::field("customer", &request.customer)?,
            identifiers: identifiers(&request.identifiers)?,
        };
        Ok(Response::new(to_wire(&self.core.record_identifiers(&told).await?)))
    }

    async fn end_contract(&self, request: Request<v1::EndContractRequest>) -> Result<Response<v1::Contract>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let end = End {
            service: parse::field("service", &request.service)?,
            ended: parse::day("ended", &request.ended)?,
            version: request.version,
            cause: match request.cause {
                None => None,
                Some(cause) => {
                    let (envelope, salts) = gallra_wire::cause::from_wire(cause)?;
                    Some(Brought { envelope, salts, by })
                }
            },
        };
        Ok(Response::new(to_wire(&self.core.end_contract(&end).await?)))
    }

    async fn settle_contract(
        &self,
        request: Request<v1::SettleContractRequest>,
    ) -> Result<Response<v1::Contract>, Status> {
        let request = request.into_inner();
        let settled = parse::day("settled", &request.settled)?;
        if !request.contract.is_empty() {
            if !request.service.is_empty() || request.version != 0 {
                return Err(details::invalid_text("contract: goes without service and version"));
            }
            let part = parse::field("contract", &request.contract)?;
            return Ok(Response::new(to_wire(&self.core.settle_time_before(&part, settled).await?)));
        }
        let service = parse::field("service", &request.service)?;
        Ok(Response::new(to_wire(&self.core.settle_contract(&service, settled, request.version).await?)))
    }

    async fn resume_contract(
        &self,
        request: Request<v1::ResumeContractRequest>,
    ) -> Result<Response<v1::ResumeContractResponse>, Status> {
        let request = request.into_inner();
        let service = parse::field("service", &request.service)?;
        let resumed = self.core.resume_contract(&service, request.version).await?;
        Ok(Response::new(v1::ResumeContractResponse {
            cancelled: resumed.cancelled.iter().map(ToString::to_string).collect(),
            contract: Some(to_wire(&resumed.contract)),
            begun: resumed.begun,
            remains: resumed.remains.iter().map(|(request, one)| remains_to_wire(request, one)).collect(),
        }))
    }

    async fn move_contract(
        &self,
        request: Request<v1::MoveContractRequest>,
    ) -> Result<Response<v1::MoveContractResponse>, Status> {
        let request = request.into_inner();
        let told = Move {
            service: parse::field("service", &request.service)?,
            customer: parse::field("to_customer", &request.to_customer)?,
            on: parse::day("on", &request.on)?,
            settled: parse::optional_day("settled", &request.settled)?,
            version: request.version,
        };
        let moved = self.core.move_contract(&told).await?;
        Ok(Response::new(v1::MoveContractResponse {
            contract: Some(to_wire(&moved.contract)),
            before: moved.part.as_ref().map(to_wire),
            ending: parse::text_or_empty(moved.ending),
        }))
    }

    async fn record_address(
        &self,
        request: Request<v1::RecordAddressRequest>,
    ) -> Result<Response<v1::RecordAddressResponse>, Status> {
        let request = request.into_inner();
        let told = Told {
            service: parse::field("service", &request.service)?,
            address: parse::field("address", &request.address)?,
            time: match (request.withdraw, request.from.as_str(), request.until.as_str()) {
                (true, "", "") => None,
                (true, _, _) => return Err(details::invalid_text("withdraw: goes without from and until")),
                (false, from, "") => Some((parse::beginning("from", from)?, None)),
                (false, from, until) => Some((parse::beginning("from", from)?, Some(parse::end("until", until)?))),
            },
        };
        let (contract, known) = self.core.record_address(&told).await?;
        let on_record = u32::try_from(known).unwrap_or(u32::MAX);
        Ok(Response::new(v1::RecordAddressResponse { contract: Some(to_wire(&contract)), on_record }))
    }

    async fn get_contract(&self, request: Request<v1::GetContractRequest>) -> Result<Response<v1::Contract>, Status> {
        let service = parse::field("service", &request.into_inner().service)?;
        Ok(Response::new(to_wire(&self.core.find_contract(&service).await?.1)))
    }
}

fn remains_to_wire(request: &RequestId, one: &Remains) -> v1::Remains {
    v1::Remains {
        request: request.to_string(),
        agent: one.agent.to_string(),
        target: one.target.to_string(),
        category: one.category.to_string(),
        action: one.action.as_str().to_owned(),
        reached: one.reached.as_str().to_owned(),
        erased: one.counts.erased,
        anonymised: one.counts.anonymised,
        key_destroyed: one.counts.key_destroyed,
        retained: one.counts.retained,
        restricted: one.counts.restricted,
        absent: one.counts.absent,
        unknown: one.counts.unknown,
        left: one.left,
    }
}

fn to_wire(contract: &Contract) -> v1::Contract {
    v1::Contract {
        id: contract.id.to_string(),
        customer: contract.customer.to_string(),
        version: contract.version,
        state: match contract.state {
            ContractState::Active => v1::ContractState::Active,
            ContractState::Ended => v1::ContractState::Ended,
            ContractState::Settled => v1::ContractState::Settled,
        }
        .into(),
        started: contract.started.to_string(),
        ended: parse::text_or_empty(contract.ended),
        settled: parse::text_or_empty(contract.settled),
        request: parse::text_or_empty(contract.request),
    }
}

/// Identifiers in their one spelling. What is refused is not quoted.
fn identifiers(told: &[v1::Identifier]) -> Result<Vec<Identifier>, Status> {
    let read = |one: &v1::Identifier| Identifier::new(one.kind.parse()?, &one.value);
    told.iter()
        .map(read)
        .collect::<Result<_, _>>()
        .map_err(|error| details::invalid_text(format!("identifiers: {error}")))
}
