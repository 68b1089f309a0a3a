//! `TargetService`.

use gallra_wire::target::target_to_wire;
use gallra_wire::v1;
use tonic::{Request, Response, Status};

use super::Api;

#[tonic::async_trait]
impl v1::target_service_server::TargetService for Api {
    async fn list_targets(
        &self,
        _: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsResponse>, Status> {
        let inventories = self.core.inventories().await?;
        let targets = inventories.iter().flat_map(|inventory| {
            let agent = inventory.agent.to_string();
            inventory.targets.iter().map(move |target| v1::Target { agent: agent.clone(), ..target_to_wire(target) })
        });
        Ok(Response::new(v1::ListTargetsResponse { targets: targets.collect() }))
    }
}
