//! `ClockService`: tells the time, moves a demonstration's, and takes an operator's word for one that leapt.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gallra_flow::clock::Standing;
use gallra_model::Instant;
use gallra_wire::session::clock_to_wire;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::clock::ClockError;
use crate::core::Core;
use crate::error::CoreError;
use crate::gate;
use crate::leader;

/// Real seconds to wait for due work unless asked otherwise, and at most.
const WAIT: (u32, u32) = (60, 600);
/// Looks at the store again at least so often, should a notification be missed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[tonic::async_trait]
impl v1::clock_service_server::ClockService for Api {
    async fn get_clock(&self, _: Request<v1::GetClockRequest>) -> Result<Response<v1::ClockReading>, Status> {
        Ok(Response::new(reading(&self.core)))
    }

    async fn advance_clock(
        &self,
        request: Request<v1::AdvanceClockRequest>,
    ) -> Result<Response<v1::ClockReading>, Status> {
        let request = request.into_inner();
        let to: Instant = parse::instant("to", &request.to)?;
        let wait = if request.wait_seconds == 0 { WAIT.0 } else { request.wait_seconds.min(WAIT.1) };
        self.core.time.advance(to).map_err(|error| match error {
            ClockError::Real | ClockError::Back(_) => details::state(error.to_string()),
        })?;
        self.core.fleet.clock_moved();
        tokio::time::timeout(Duration::from_secs(wait.into()), settle(&self.core))
            .await
            .map_err(|_| Status::deadline_exceeded("the clock moved; connected agents still have due work"))??;
        Ok(Response::new(reading(&self.core)))
    }

    async fn confirm_clock(
        &self,
        request: Request<v1::ConfirmClockRequest>,
    ) -> Result<Response<v1::ClockReading>, Status> {
        let by = gate::caller(&request)?.name;
        let request = request.into_inner();
        let at: Instant = parse::instant("now", &request.now)?;
        self.core.confirm_clock(at, &request.reason, &by).await?;
        Ok(Response::new(reading(&self.core)))
    }
}

fn reading(core: &Core) -> v1::ClockReading {
    let clock = clock_to_wire(core.time.kind()).into();
    v1::ClockReading { now: core.time.now().to_string(), clock, ahead_seconds: ahead(core) }
}

/// Seconds by which a clock that is doubted is ahead; 0 when it is believed.
pub(super) fn ahead(core: &Core) -> i64 {
    match core.time.look().1 {
        Standing::Trusted => 0,
        Standing::Suspect { ahead_seconds } => ahead_seconds,
    }
}

/// Waits until no connected agent has a due job that is not parked, and no request is due.
async fn settle(core: &Core) -> Result<(), CoreError> {
    loop {
        let moved = core.fleet.moved.notified();
        // A demonstration's clock is each coordinator's own: one that follows has nothing due by it.
        let made = if core.leads.load(Ordering::Relaxed) { leader::run_due(core).await? } else { 0 };
        if made == 0 && !has_work(core).await? {
            return Ok(());
        }
        let _ = tokio::time::timeout(LOOK_AGAIN, moved).await;
    }
}

async fn has_work(core: &Core) -> Result<bool, CoreError> {
    for agent in core.fleet.connected() {
        let ready = core.ready_jobs(&agent).await?;
        if ready.iter().any(|job| !core.fleet.is_parked(&agent, *job)) {
            return Ok(true);
        }
    }
    Ok(false)
}
