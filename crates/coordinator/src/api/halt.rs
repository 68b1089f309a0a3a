//! `HaltService`.

use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::gate;
use crate::halt::Halted;

#[tonic::async_trait]
impl v1::halt_service_server::HaltService for Api {
    async fn stop(&self, request: Request<v1::StopRequest>) -> Result<Response<v1::Halt>, Status> {
        let by = gate::caller(&request)?.name;
        let halted = self.core.stop(&request.into_inner().reason, &by).await?;
        Ok(Response::new(self.to_wire(&halted)))
    }

    async fn start(&self, request: Request<v1::StartRequest>) -> Result<Response<v1::Halt>, Status> {
        let by = gate::caller(&request)?.name;
        let halted = self.core.start(&request.into_inner().reason, &by).await?;
        Ok(Response::new(self.to_wire(&halted)))
    }

    async fn get_halt(&self, _: Request<v1::GetHaltRequest>) -> Result<Response<v1::Halt>, Status> {
        Ok(Response::new(self.to_wire(&self.core.halted().await?)))
    }
}

impl Api {
    fn to_wire(&self, halted: &Halted) -> v1::Halt {
        let halt = halted.halt.as_ref();
        v1::Halt {
            halted: halt.is_some(),
            by: parse::text_or_empty(halt.map(|halt| &halt.by)),
            at: parse::text_or_empty(halt.map(|halt| halt.at)),
            reason: parse::text_or_empty(halt.map(|halt| &halt.reason)),
            told: halted.told.iter().map(ToString::to_string).collect(),
            untold: halted.untold.iter().map(ToString::to_string).collect(),
            begun: u32::try_from(halted.begun).unwrap_or(u32::MAX),
            clock_ahead_seconds: super::clock::ahead(&self.core),
        }
    }
}
