//! `BackupService`.

use gallra_flow::view::View;
use gallra_model::copy::{CopyRecord, CopyState, Expected};
use gallra_model::time::day_of;
use gallra_model::{Day, RequestId};
use gallra_store::keys;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::state;

/// Most copies in one answer.
const MAX_COPIES: usize = 10_000;

#[tonic::async_trait]
impl v1::backup_service_server::BackupService for Api {
    async fn list_copies(
        &self,
        request: Request<v1::ListCopiesRequest>,
    ) -> Result<Response<v1::ListCopiesResponse>, Status> {
        let request = request.into_inner();
        let ids: Vec<RequestId> = if request.request.is_empty() {
            let open: Vec<gallra_model::request::Request> =
                state::all(&*self.core.store, &keys::requests(), "request").await?;
            open.iter().filter(|request| request.done.is_none()).map(|request| request.id).collect()
        } else {
            vec![parse::field("request", &request.request)?]
        };
        let today = day_of(self.core.time.now());
        let mut copies = Vec::new();
        for id in ids {
            let view = state::load(&*self.core.store, &id).await?.view;
            let mut oldest_first: Vec<_> = view.copies.iter().collect();
            oldest_first.sort_by_key(|copy| copy.began);
            copies.extend(oldest_first.into_iter().map(|copy| to_wire(&view, copy, today)));
            if copies.len() > MAX_COPIES {
                return Err(details::state("more copies than one answer holds: name a request"));
            }
        }
        copies.retain(|copy| copy.overdue || !request.overdue_only);
        Ok(Response::new(v1::ListCopiesResponse { copies }))
    }
}

/// The day by which a copy is promised to be gone.
fn promised(view: &View, copy: &CopyRecord) -> Option<Day> {
    let mut backups = view.plan.iter().flat_map(|plan| &plan.backups);
    backups.find(|backup| backup.agent == copy.agent && backup.target == copy.target)?.latest
}

/// Whether a copy that is there should be gone.
pub(crate) fn is_overdue(view: &View, copy: &CopyRecord, today: Day) -> bool {
    !matches!(copy.state, CopyState::Gone { .. }) && promised(view, copy).is_some_and(|promised| promised < today)
}

fn to_wire(view: &View, copy: &CopyRecord, today: Day) -> v1::Copy {
    let gone = match copy.state {
        CopyState::Gone { seen } => Some(seen),
        CopyState::Listed | CopyState::Unlisted => None,
    };
    v1::Copy {
        id: copy.copy.to_string(),
        request: view.request.id.to_string(),
        agent: copy.agent.to_string(),
        target: copy.target.to_string(),
        began: copy.began.to_string(),
        expected: match copy.expected {
            Expected::By(day) => day.to_string(),
            Expected::Never => "never".to_owned(),
            Expected::Unknown => "unknown".to_owned(),
        },
        promised: parse::text_or_empty(promised(view, copy)),
        state: match copy.state {
            CopyState::Listed => v1::CopyState::Listed,
            CopyState::Unlisted => v1::CopyState::Unlisted,
            CopyState::Gone { .. } => v1::CopyState::Gone,
        }
        .into(),
        gone: parse::text_or_empty(gone),
        overdue: is_overdue(view, copy, today),
    }
}
