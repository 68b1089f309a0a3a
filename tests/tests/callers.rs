//! Who may call what (I9): every RPC with every role, with no certificate and with a foreign one, against a running
//! coordinator. The expectation is written out here by hand; the table in the code is not asked.

use gallra_identity::CallerRole::{self, Agent, Approver, Auditor, Billing, Operator, Witness};
use gallra_testkit::Story;
use gallra_testkit::caller::{Who, call, connect};
use tonic::Code;

const EXPECTED: &[(&str, &[CallerRole])] = &[
    ("ContractService/StartContract", &[Operator, Billing]),
    ("ContractService/EndContract", &[Operator, Billing]),
    ("ContractService/SettleContract", &[Operator, Billing]),
    ("ContractService/ResumeContract", &[Operator, Billing]),
    ("ContractService/MoveContract", &[Operator, Billing]),
    ("ContractService/RecordAddress", &[Operator, Billing]),
    ("ContractService/RecordIdentifiers", &[Operator, Billing]),
    ("ContractService/GetContract", &[Operator, Billing, Approver, Auditor]),
    ("CustomerService/MergeCustomers", &[Operator, Billing]),
    ("CustomerService/GetCustomer", &[Operator, Billing, Approver, Auditor]),
    ("RequestService/GetRequest", &[Operator, Approver, Auditor]),
    ("RequestService/ListRequests", &[Operator, Approver, Auditor]),
    ("RequestService/ListUnsettled", &[Operator, Approver, Auditor]),
    ("RequestService/WatchRequest", &[Operator, Approver, Auditor]),
    ("RequestService/ApproveRequest", &[Approver]),
    ("RequestService/ShowClaimCode", &[Operator]),
    ("RequestService/ConfirmDelivery", &[Operator]),
    ("KeyService/RegisterCauseKey", &[Approver]),
    ("KeyService/ListCauseKeys", &[Operator, Approver, Auditor]),
    ("KeyService/GetKeyFile", &[Operator, Approver, Billing, Auditor, Witness]),
    ("KeyService/SubmitManifest", &[Approver]),
    ("KeyService/RevokeKey", &[Approver]),
    ("KeyService/ListKeys", &[Operator, Approver, Auditor]),
    ("HoldService/PlaceHold", &[Operator, Approver]),
    ("HoldService/ReleaseHold", &[Approver]),
    ("HoldService/ReviewHold", &[Operator, Approver]),
    ("HoldService/ListHolds", &[Operator, Approver, Auditor]),
    ("HaltService/Stop", &[Operator, Approver]),
    ("HaltService/Start", &[Operator, Approver]),
    ("HaltService/GetHalt", &[Operator, Approver, Auditor]),
    ("PolicyService/ApplyPolicy", &[Approver]),
    ("PolicyService/PreviewPolicy", &[Operator, Approver, Auditor]),
    ("PolicyService/ListPolicies", &[Operator, Approver, Auditor]),
    ("PolicyService/WithdrawPolicy", &[Approver]),
    ("InstructionService/SetInstruction", &[Operator]),
    ("InstructionService/RemoveInstruction", &[Operator, Approver]),
    ("InstructionService/AcceptInstruction", &[Approver]),
    ("InstructionService/ListInstructions", &[Operator, Approver, Auditor]),
    ("PlanService/GetPlan", &[Operator, Approver, Auditor]),
    ("PlanService/PreviewPlan", &[Operator, Approver, Auditor]),
    ("JobService/ListJobs", &[Operator, Approver, Auditor]),
    ("JobService/GetJob", &[Operator, Approver, Auditor]),
    ("JobService/RetryJob", &[Operator]),
    ("ReceiptService/ListReceipts", &[Operator, Approver, Auditor]),
    ("ReceiptService/GetReceipt", &[Operator, Approver, Auditor]),
    ("BackupService/ListCopies", &[Operator, Approver, Auditor]),
    ("ProofService/ListProofs", &[Operator, Approver, Auditor]),
    ("ProofService/GetProof", &[Operator, Approver, Auditor]),
    ("ProofService/PickUpProof", &[Operator, Approver, Auditor]),
    ("ProofService/GetIssuerKey", &[Operator, Approver, Billing, Auditor, Witness]),
    ("LogService/GetLog", &[Operator, Approver, Auditor, Witness]),
    ("LogService/GetTile", &[Operator, Approver, Auditor, Witness]),
    ("LogService/GetLogEntry", &[Operator, Approver, Auditor, Witness]),
    ("LogService/HearCheckpoint", &[Operator, Approver, Auditor]),
    ("AgentRegistryService/InviteAgent", &[Operator]),
    ("AgentRegistryService/ListAgents", &[Operator, Approver, Auditor]),
    ("AgentRegistryService/GetAgent", &[Operator, Approver, Auditor]),
    ("AgentRegistryService/ApproveAgent", &[Approver]),
    ("TargetService/ListTargets", &[Operator, Approver, Auditor]),
    ("SuppressionService/ListSuppressions", &[Operator, Approver, Auditor]),
    ("SuppressionService/LiftSuppression", &[Approver]),
    ("AgentService/Session", &[Agent]),
    ("DoctorService/Examine", &[Operator, Approver, Auditor]),
    ("ClockService/GetClock", &[Operator, Approver, Billing, Auditor]),
    ("ClockService/AdvanceClock", &[Operator]),
    ("ClockService/ConfirmClock", &[Operator, Approver]),
];

/// Of gRPC's own services; `Watch` never ends, and is called in `looking.rs`.
const GRPC: &[(&str, &[CallerRole])] = &[
    ("/grpc.health.v1.Health/Check", &CallerRole::ALL),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[Operator]),
];

/// RPCs in the protos that need no certificate, and are served elsewhere.
const TOKEN_ONLY: &str = "EnrolmentService/Enrol";

fn methods() -> Vec<String> {
    let ours = EXPECTED.iter().map(|(method, _)| format!("/gallra.v1.{method}"));
    ours.chain(GRPC.iter().map(|(method, _)| (*method).to_owned())).collect()
}

async fn site() -> (Story, String) {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let client = std::fs::read_to_string(story.site.profile().join("client.toml")).expect("a profile");
    let address = client.split('"').nth(1).expect("an address").to_owned();
    (story, address)
}

#[tokio::test]
async fn every_rpc_answers_only_the_roles_that_it_names() {
    let (story, address) = site().await;
    let coordinator = story.site.path("coordinator");
    for role in CallerRole::ALL {
        let channel = connect(&coordinator, &address, Who::Role(role)).await.expect("a certificate of ours connects");
        for (method, roles) in EXPECTED {
            let code = call(channel.clone(), &format!("/gallra.v1.{method}")).await;
            let refused = code == Code::PermissionDenied || code == Code::Unauthenticated;
            assert_eq!(refused, !roles.contains(&role), "{method} as {role:?}: {code:?}");
        }
        for (method, roles) in GRPC {
            let code = call(channel.clone(), method).await;
            let refused = code == Code::PermissionDenied || code == Code::Unauthenticated;
            assert_eq!(refused, !roles.contains(&role), "{method} as {role:?}: {code:?}");
            assert_ne!(code, Code::Unimplemented, "{method} is not served");
        }
        assert_eq!(call(channel.clone(), "/gallra.v1.NoService/NoCall").await, Code::PermissionDenied, "{role:?}");
        assert_eq!(call(channel, &format!("/gallra.v1.{TOKEN_ONLY}")).await, Code::PermissionDenied, "{role:?}");
    }
}

#[tokio::test]
async fn no_certificate_and_a_foreign_one_get_nothing() {
    let (story, address) = site().await;
    let coordinator = story.site.path("coordinator");
    let operator = || connect(&coordinator, &address, Who::Role(Operator));
    for who in [Who::Nobody, Who::Foreign] {
        // The server is there and answers: what follows is a refusal, not an absence.
        let alive = operator().await.expect("an operator connects");
        assert_eq!(call(alive, "/gallra.v1.ClockService/GetClock").await, Code::Ok);
        // TLS 1.3 lets a client believe that it is connected before the server has looked at its certificate.
        let Ok(channel) = connect(&coordinator, &address, who).await else { continue };
        for method in methods() {
            let code = call(channel.clone(), &method).await;
            assert!(
                matches!(code, Code::Unavailable | Code::Unauthenticated | Code::Unknown | Code::Cancelled),
                "{method} as {who:?} was answered: {code:?}"
            );
        }
    }
}

#[test]
fn the_expectation_covers_every_rpc_of_the_protos() {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/gallra/v1");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(protos).expect("the protos") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a proto");
        let mut service = "";
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("service ") {
                service = name.trim_end_matches([' ', '{']);
            }
            if let Some(rpc) = line.strip_prefix("rpc ") {
                found.push(format!("{service}/{}", rpc.split('(').next().expect("a name")));
            }
        }
    }
    found.retain(|method| method != TOKEN_ONLY);
    found.sort();
    let mut expected: Vec<_> = EXPECTED.iter().map(|(method, _)| (*method).to_owned()).collect();
    expected.sort();
    assert_eq!(found, expected);
}
