//! Hostile and broken input against running processes (I9, I10): refused at the edge with a reason, nothing touched,
//! nothing logged that identifies anyone, never a panic.

use std::collections::BTreeMap;
use std::path::Path;

use gallra_identity::CallerRole;
use gallra_identity::access::TABLE;
use gallra_testkit::caller::{Who, call_raw, connect};
use gallra_testkit::{Story, day};
use gallra_wire::v1;
use gallra_wire::v1::agent_registry_service_client::AgentRegistryServiceClient;
use tonic::Code;

/// Calls that take free text first, or are a stream: each has tests of its own.
const NOT_BY_ID: [&str; 4] = [
    "/gallra.v1.AgentService/Session",
    "/gallra.v1.HaltService/Stop",
    "/gallra.v1.HaltService/Start",
    "/gallra.v1.ClockService/AdvanceClock",
];

fn hostile_ids() -> Vec<Vec<u8>> {
    let texts = [
        "../../../etc/passwd",
        "anna\0.example",
        "*",
        "anna.exampl?",
        "[a-z]",
        "%",
        "' OR 1=1 --",
        "$(reboot)",
        "ANNA.EXAMPLE ",
        "аnna.example",
        "anna.example\n",
        "\u{202e}elpmaxe.anna",
        "ffffffffffffffffffffffffffffffff",
    ];
    let mut ids: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    ids.push(vec![b'x'; 5_000]);
    ids
}

/// A message whose first field is this text: so every request that names something begins.
fn naming(id: &[u8]) -> Vec<u8> {
    let mut length = id.len();
    let mut message = vec![0x0a];
    while length >= 0x80 {
        message.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).expect("seven bits"));
    message.extend(id);
    message
}

/// Whether a call only reads, and its request has no field that it must understand.
fn reads_without_fields(method: &str) -> bool {
    method.contains("/List") || method.ends_with("/Examine")
}

/// Every file of the provider's live data, and its bytes.
fn data(story: &Story) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(&story.site.path("srv"), &mut files);
    files
}

fn collect(dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.insert(path.display().to_string(), std::fs::read(&path).expect("a file"));
        }
    }
}

fn logs(story: &Story) -> String {
    ["coordinator.log", "agent.log"]
        .map(|name| std::fs::read_to_string(story.site.path("logs").join(name)).expect("a log"))
        .concat()
}

fn assert_quiet(story: &Story) {
    let logs = logs(story);
    let names = [story.leaver.service.as_str(), story.leaver.number.as_str(), story.leaver.hosted.as_str()];
    for word in ["panicked", "stack backtrace", "etc/passwd", "OR 1=1"].iter().chain(&names) {
        assert!(!logs.contains(word), "the logs hold {word:?}");
    }
}

async fn address(story: &Story) -> String {
    let client = std::fs::read_to_string(story.site.profile().join("client.toml")).expect("a profile");
    client.split('"').nth(1).expect("an address").to_owned()
}

#[tokio::test]
async fn odd_ids_are_refused_by_every_call_and_named_by_none() {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let before = data(&story);
    let (coordinator, address) = (story.site.path("coordinator"), address(&story).await);
    for (method, roles) in TABLE.iter().filter(|(method, _)| !NOT_BY_ID.contains(method)) {
        let role = *roles.first().expect("somebody may call it");
        let channel = connect(&coordinator, &address, Who::Role(role)).await.expect("a connection");
        for id in hostile_ids() {
            let text = String::from_utf8_lossy(&id).into_owned();
            let Err(status) = call_raw(channel.clone(), method, naming(&id)).await else {
                // A list that takes no name: the field is not its own.
                let reads = reads_without_fields(method) || method.contains("/Get");
                // A good name of a host that there is not yet.
                let good_name = method.ends_with("/InviteAgent") && text.starts_with("ffff");
                assert!(reads || good_name, "{method} took {text:?}");
                continue;
            };
            let refused = [Code::InvalidArgument, Code::NotFound, Code::FailedPrecondition, Code::Internal];
            assert!(refused.contains(&status.code()), "{method} {text:?}: {status:?}");
            // Internal is what a message gets that cannot be decoded: where the first field is no text.
            let undecodable = status.message().contains("decode");
            assert!(status.code() != Code::Internal || undecodable, "{method} {text:?}: {status:?}");
            assert!(text.len() < 3 || !status.message().contains(&text), "{method} quotes {text:?}");
        }
    }
    assert!(data(&story) == before, "something was touched");
    assert_quiet(&story);
}

#[tokio::test]
async fn oversized_and_malformed_messages_are_refused_and_the_server_goes_on() {
    let story = Story::begin(|options| options.backups = false).await.expect("a site");
    let (coordinator, address) = (story.site.path("coordinator"), address(&story).await);
    let malformed = [vec![0xff; 64], vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], naming(&[0xc3, 0x28]), vec![0x0b; 400]];
    for (method, roles) in TABLE.iter().filter(|(method, _)| !method.ends_with("/Session")) {
        let role = *roles.first().expect("somebody may call it");
        let channel = connect(&coordinator, &address, Who::Role(role)).await.expect("a connection");
        for bytes in malformed.iter().cloned().chain([naming(&vec![b'x'; 5 << 20])]) {
            let size = bytes.len();
            let Err(status) = call_raw(channel.clone(), method, bytes).await else {
                // A request without fields passes over what it does not know, if it is small.
                let passes_over = size < 10 && reads_without_fields(method);
                assert!(passes_over || method.contains("/Get"), "{method} took {size} bytes");
                continue;
            };
            let refused =
                [Code::Internal, Code::OutOfRange, Code::ResourceExhausted, Code::InvalidArgument, Code::Unknown];
            assert!(refused.contains(&status.code()), "{method}, {size} bytes: {status:?}");
        }
    }
    let operator = connect(&coordinator, &address, Who::Role(CallerRole::Operator)).await.expect("it still answers");
    call_raw(operator, "/gallra.v1.TargetService/ListTargets", Vec::new()).await.expect("it still answers");
    assert_quiet(&story);
}

async fn agent(story: &Story) -> v1::Agent {
    let mut registry = AgentRegistryServiceClient::new(story.site.channel().expect("a connection"));
    registry.get_agent(v1::GetAgentRequest { name: "web1".to_owned() }).await.expect("an agent").into_inner()
}

fn copy_dir(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success());
}

/// I3: an agent restored from an old image gets nothing until an approver has looked.
#[tokio::test]
async fn an_agent_restored_from_an_old_image_is_quarantined_until_it_is_approved() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let (state, image) = (story.site.path("agent"), story.site.path("image"));
    story.site.stop_agent().await.expect("it ends");
    copy_dir(&state, &image);
    story.site.start_agent().await.expect("it starts");
    story.end_and_settle().await.expect("a request, and with it inspections");
    story.site.stop_agent().await.expect("it ends");
    std::fs::rename(&state, story.site.path("newer")).expect("put aside");
    copy_dir(&image, &state);
    let before = data(&story);
    let started = story.site.spawn_agent();
    started.expect("the process starts");
    let seen = gallra_cli::demo::site::wait_for("the quarantine", async || {
        Some(agent(&story).await).filter(|agent| !agent.quarantined.is_empty())
    });
    seen.await.expect("quarantined");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert!(data(&story) == before, "a quarantined agent touched something");

    let (coordinator, address) = (story.site.path("coordinator"), address(&story).await);
    let approver = connect(&coordinator, &address, Who::Role(CallerRole::Approver)).await.expect("a connection");
    let approve = v1::ApproveAgentRequest { name: "web1".to_owned() };
    AgentRegistryServiceClient::new(approver).approve_agent(approve).await.expect("approved");
    story.site.stop_agent().await.expect("it ends");
    story.site.start_agent().await.expect("it is let in");
    story.advance(day(2026, 3, 3), 12, 0).await.expect("the clock moves");
    assert!(!story.site.provider.web(&story.leaver).exists(), "and does what is due");
    assert!(story.site.provider.web(&story.stayer).exists());
}

/// Ends a process that the test started, by its own handle.
struct Clone(std::process::Child);

impl Drop for Clone {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// I3: of two hosts with one identity, nothing is done any more as soon as they differ.
#[tokio::test]
async fn two_hosts_with_one_identity_are_quarantined_as_soon_as_their_journals_differ() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    story.site.stop_agent().await.expect("it ends");
    let clone = story.site.path("clone");
    copy_dir(&story.site.path("agent"), &clone);
    story.site.start_agent().await.expect("it starts");
    let log = std::fs::File::create(story.site.path("logs/clone.log")).expect("a log");
    let second =
        std::process::Command::new(gallra_cli::demo::site::programs().expect("the programs").join("gallra-agent"))
            .args(["serve", "--accept-simulated-clock", "--dir"])
            .arg(&clone)
            .arg("--config")
            .arg(story.site.path("agent.toml"))
            .stderr(log)
            .spawn();
    let _second = Clone(second.expect("the second host starts"));
    let before = data(&story);
    story.advance(day(2026, 1, 31), 15, 0).await.expect("the clock moves");
    // Whichever of the two is asked to inspect writes its journal, and from there on they differ.
    story.end().await.expect("an end");
    let seen = gallra_cli::demo::site::wait_for("the quarantine", async || {
        Some(agent(&story).await).filter(|agent| !agent.quarantined.is_empty())
    });
    seen.await.expect("quarantined");
    story.settle().await.expect("a settlement");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert!(data(&story) == before, "one of the two touched something");
}

/// A name that came free and was given to another: the new tree is not the one that was inspected (decision 10).
#[tokio::test]
async fn a_reused_name_is_not_erased() {
    let mut story = Story::begin(|options| options.backups = false).await.expect("a site");
    let request = story.end_and_settle().await.expect("a request");
    let web = story.site.provider.web(&story.leaver);
    std::fs::rename(&web, story.site.path("moved-away")).expect("the old one is moved away");
    std::fs::create_dir(&web).expect("the new one");
    std::fs::write(web.join("index.html"), "somebody else's by now").expect("a file");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the clock moves");
    story.advance(day(2026, 3, 2), 12, 0).await.expect("the clock moves");
    assert_eq!(std::fs::read_to_string(web.join("index.html")).expect("there"), "somebody else's by now");
    let stands = story.request(&request).await.expect("the request");
    assert!(stands.done.is_empty() && stands.unproven.contains(&"web1/www: instance-changed".to_owned()), "{stands:?}");
}
