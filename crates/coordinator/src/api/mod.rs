//! The gRPC services: each handler decodes, makes one call of the core, and encodes. Who may call is the gate's matter.

mod agents;
mod backups;
mod clock;
mod contracts;
mod customers;
mod doctor;
mod enrolment;
mod halt;
pub(crate) mod health;
mod holds;
mod instructions;
mod jobs;
mod keys;
mod log;
mod plans;
mod policies;
mod proofs;
mod receipts;
mod requests;
pub mod sessions;
mod suppressions;
mod targets;

use std::sync::Arc;

use gallra_model::message::MAX_MESSAGE_BYTES;
use gallra_wire::v1;
use tonic::service::Routes;

pub(crate) use backups::is_overdue;

use crate::core::Core;

/// What every service holds.
#[derive(Clone)]
pub struct Api {
    core: Arc<Core>,
}

/// The services behind client certificates.
///
/// # Errors
/// Never in practice: the descriptions of our own services can be read.
pub fn routes(core: &Arc<Core>) -> anyhow::Result<Routes> {
    let (reporter, health) = health::service();
    tokio::spawn({
        let core = Arc::clone(core);
        async move { health::follow(&core, reporter).await }
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(gallra_wire::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    Ok(services(core).add_service(health).add_service(reflection))
}

fn services(core: &Arc<Core>) -> Routes {
    let api = Api { core: Arc::clone(core) };
    let sessions =
        v1::agent_service_server::AgentServiceServer::new(api.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    Routes::new(sessions)
        .add_service(v1::agent_registry_service_server::AgentRegistryServiceServer::new(api.clone()))
        .add_service(v1::backup_service_server::BackupServiceServer::new(api.clone()))
        .add_service(v1::clock_service_server::ClockServiceServer::new(api.clone()))
        .add_service(v1::contract_service_server::ContractServiceServer::new(api.clone()))
        .add_service(v1::customer_service_server::CustomerServiceServer::new(api.clone()))
        .add_service(v1::doctor_service_server::DoctorServiceServer::new(api.clone()))
        .add_service(v1::halt_service_server::HaltServiceServer::new(api.clone()))
        .add_service(v1::hold_service_server::HoldServiceServer::new(api.clone()))
        .add_service(v1::instruction_service_server::InstructionServiceServer::new(api.clone()))
        .add_service(v1::job_service_server::JobServiceServer::new(api.clone()))
        .add_service(v1::key_service_server::KeyServiceServer::new(api.clone()))
        .add_service(v1::log_service_server::LogServiceServer::new(api.clone()))
        .add_service(v1::plan_service_server::PlanServiceServer::new(api.clone()))
        .add_service(v1::policy_service_server::PolicyServiceServer::new(api.clone()))
        .add_service(v1::proof_service_server::ProofServiceServer::new(api.clone()))
        .add_service(v1::receipt_service_server::ReceiptServiceServer::new(api.clone()))
        .add_service(v1::request_service_server::RequestServiceServer::new(api.clone()))
        .add_service(v1::suppression_service_server::SuppressionServiceServer::new(api.clone()))
        .add_service(v1::target_service_server::TargetServiceServer::new(api))
}

/// The one service without: its credential is the token.
pub fn enrolment_routes(core: &Arc<Core>) -> Routes {
    Routes::new(v1::enrolment_service_server::EnrolmentServiceServer::new(Api { core: Arc::clone(core) }))
}
