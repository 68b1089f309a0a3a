//! `JobService`.

use gallra_flow::request::Input;
use gallra_model::request::{JobRecord, JobState};
use gallra_model::{JobId, RequestId};
use gallra_wire::{parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::error::CoreError;
use crate::state;

#[tonic::async_trait]
impl v1::job_service_server::JobService for Api {
    async fn list_jobs(&self, request: Request<v1::ListJobsRequest>) -> Result<Response<v1::ListJobsResponse>, Status> {
        let id: RequestId = parse::field("request", &request.into_inner().request)?;
        let view = state::load(&*self.core.store, &id).await?.view;
        let mut jobs: Vec<_> = view.jobs.iter().collect();
        jobs.sort_by_key(|job| (job.plan.number, job.step.number));
        Ok(Response::new(v1::ListJobsResponse { jobs: jobs.into_iter().map(to_wire).collect() }))
    }

    async fn get_job(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::Job>, Status> {
        let job: JobId = parse::field("id", &request.into_inner().id)?;
        let id = state::request_of(&*self.core.store, &job).await?;
        let view = state::load(&*self.core.store, &id).await?.view;
        Ok(Response::new(to_wire(view.job(job).ok_or(CoreError::NotFound("job"))?)))
    }

    async fn retry_job(&self, request: Request<v1::GetJobRequest>) -> Result<Response<v1::Job>, Status> {
        let job: JobId = parse::field("id", &request.into_inner().id)?;
        let id = state::request_of(&*self.core.store, &job).await?;
        let view = self.core.move_request(&id, &Input::Retry(job)).await?;
        Ok(Response::new(to_wire(view.job(job).ok_or(CoreError::NotFound("job"))?)))
    }
}

fn to_wire(job: &JobRecord) -> v1::Job {
    let setback = job.setback.as_ref().map(|setback| {
        let code = setback.code.and_then(|code| serde_json::to_value(code).ok());
        let code = code.as_ref().and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned();
        format!("{code}: {}", setback.hint)
    });
    v1::Job {
        id: job.id().to_string(),
        request: job.request.to_string(),
        plan: job.plan.number,
        step: job.step.number,
        agent: job.step.agent.to_string(),
        target: job.step.target.to_string(),
        kind: job.step.kind.as_str().to_owned(),
        action: job.step.action.as_str().to_owned(),
        rule: job.step.rule.clone(),
        state: match job.state {
            JobState::Waiting => v1::JobState::Waiting,
            JobState::Ready => v1::JobState::Ready,
            JobState::Begun => v1::JobState::Begun,
            JobState::Succeeded => v1::JobState::Succeeded,
            JobState::Dropped => v1::JobState::Dropped,
        }
        .into(),
        attempt: job.attempt,
        due: job.due.to_string(),
        receipt: parse::text_or_empty(job.receipt),
        setback: setback.unwrap_or_default(),
    }
}
