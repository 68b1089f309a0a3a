//! `LogService`.

use gallra_log::evidence::Evidence;
use gallra_log::tile::Tile;
use gallra_wire::{details, parse, v1};
use tonic::{Request, Response, Status};

use super::Api;
use crate::error::CoreError;
use crate::gate;

#[tonic::async_trait]
impl v1::log_service_server::LogService for Api {
    async fn get_log(&self, _: Request<v1::GetLogRequest>) -> Result<Response<v1::Log>, Status> {
        Ok(Response::new(self.log().await?))
    }

    async fn get_tile(&self, request: Request<v1::GetTileRequest>) -> Result<Response<v1::GetTileResponse>, Status> {
        let path = request.into_inner().path;
        path.parse::<Tile>().map_err(|why| details::invalid_text(format!("path: {why}")))?;
        let tile = self.core.ledger.tile(&path).await?.ok_or(CoreError::NotFound("tile in the published tree"))?;
        Ok(Response::new(v1::GetTileResponse { tile }))
    }

    async fn get_log_entry(&self, request: Request<v1::GetLogEntryRequest>) -> Result<Response<v1::LogEntry>, Status> {
        let (ledger, index) = (&self.core.ledger, request.into_inner().index);
        let missing = || CoreError::NotFound("entry in the published tree");
        let text = ledger.entry(index).await?.ok_or_else(missing)?;
        let first = ledger.first_holding(index).await?.ok_or_else(missing)?;
        let path = ledger.inclusion(index, first.size).await?;
        let note = first.note.parse().map_err(|why: gallra_log::note::NoteError| CoreError::Unreadable {
            what: "log note",
            why: why.to_string(),
        })?;
        let evidence = Evidence { unverified_extra: None, index, path, note }.to_string();
        Ok(Response::new(v1::LogEntry { index, text, evidence }))
    }

    async fn hear_checkpoint(&self, request: Request<v1::HearCheckpointRequest>) -> Result<Response<v1::Log>, Status> {
        let by = gate::caller(&request)?.name;
        self.core.ledger.heard_from(&by, &request.into_inner().checkpoint).await?;
        Ok(Response::new(self.log().await?))
    }
}

impl Api {
    async fn log(&self) -> Result<v1::Log, Status> {
        let ledger = &self.core.ledger;
        let standing = ledger.standing();
        let (size, root) = match ledger.committed().await {
            Ok((size, root)) => (size, root.to_string()),
            // Then the log is stopped, and that is what has to be shown.
            Err(CoreError::Unreadable { .. }) => (0, String::new()),
            Err(error) => return Err(error.into()),
        };
        let stamp = self.core.last_stamp().await?;
        let published = standing.published.as_ref();
        Ok(v1::Log {
            origin: ledger.origin().to_string(),
            vkey: ledger.public().to_string(),
            size,
            root,
            checkpoint: parse::text_or_empty(published.map(|signed| &signed.note)),
            signed_size: published.map_or(0, |signed| signed.size),
            signed: parse::text_or_empty(published.map(|signed| signed.at)),
            waiting: u32::try_from(ledger.waiting().await?).unwrap_or(u32::MAX),
            waits_for_agents: u32::try_from(standing.waits_for).unwrap_or(u32::MAX),
            stamped_size: stamp.as_ref().map_or(0, |stamp| stamp.size),
            stamped: stamp.map(|stamp| stamp.at).unwrap_or_default(),
            stopped: parse::text_or_empty(standing.stopped.map(|stopped| stopped.why)),
        })
    }
}
