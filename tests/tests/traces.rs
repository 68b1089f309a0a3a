//! What a collector is sent of one whole erasure by real processes: one trace from the event to the proof that is fetched months
//! later, another trace for the agent, and no identifier anywhere (decisions 12 and 13, 0037).
//!
//! The collector is one written here. With `GALLRA_ROTEL` another program hears the same: the long run gives it one from the registries.

mod collector;

use std::collections::BTreeSet;

use collector::{Collector, Rotel, Seen, id_of};
use gallra_store::search::Needles;
use gallra_testkit::{Story, day};
use gallra_wire::v1::Stage;

/// Everything that names the two customers, save the customers' numbers: four digits are in every id of a span. What values may
/// look like is checked beside.
fn needles(story: &Story) -> Needles {
    let of = |person: &gallra_cli::demo::people::Person| {
        [&person.service, &person.hosted, &person.billing, &person.name, &person.canary].map(Clone::clone)
    };
    let texts: Vec<String> = [of(&story.leaver), of(&story.stayer)].concat();
    Needles::new(texts.iter().map(String::as_str))
}

/// A site whose processes send to a collector, and one erasure. Returns the request.
async fn erased(endpoint: &str) -> (Story, String) {
    let telemetry = format!("[telemetry]\notlp = \"{endpoint}\"\n");
    let mut story = Story::begin(|options| {
        options.more = format!("{}\n{telemetry}", options.more);
        options.coordinator = telemetry;
        options.backups = false;
    })
    .await
    .expect("a site");
    let request = story.end_and_settle().await.expect("ended and settled");
    story.advance(day(2026, 2, 28), 22, 30).await.expect("the day of its erasure");
    // Months later somebody fetches the proof, from a coordinator that remembers nothing but its store.
    story.site.stop_coordinator().await.expect("ends");
    story.site.start_coordinator().await.expect("starts");
    story.site.wait_connected().await.expect("connected again");
    story.advance(day(2026, 8, 28), 12, 0).await.expect("months later");
    let (_, _, stage) = story.newest_proof(&request).await.expect("a proof");
    assert_eq!(stage, Stage::Final);
    (story, request)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_erasure_is_one_trace_that_names_nobody() {
    let collector = Collector::start().await;
    let (mut story, request) = erased(&collector.endpoint()).await;
    let needles = needles(&story);
    // The ends of the processes hand over what waits.
    story.site.stop_agent().await.expect("ends");
    story.site.stop_coordinator().await.expect("ends");
    let seen = collector.seen();
    names_nobody(&seen, &needles);

    let steps = |trace: [u8; 16]| -> BTreeSet<String> { seen.of(trace).map(|span| span.name.clone()).collect() };
    let trace = id_of(&request);
    let all = ["request", "plan", "offer", "permit", "receipt", "log entry", "proof", "proof fetched"];
    let missing: Vec<_> = all.into_iter().filter(|name| !steps(trace).contains(*name)).collect();
    assert!(missing.is_empty(), "missing in the request's trace: {missing:?} of {:?}", steps(trace));
    assert!(!steps(trace).contains("act"), "an agent learnt the request's id");

    // Every span hangs from the request's first one, however many months lie between.
    let root = seen.of(trace).find(|span| span.name == "request").expect("a first span");
    assert!(root.parent_span_id.is_empty());
    let stray = seen.of(trace).filter(|span| span.name != "request" && span.parent_span_id != root.span_id);
    assert_eq!(stray.count(), 0);

    // The agent's trace is another one, which only the coordinator links to the request's.
    let offer = seen.of(trace).find(|span| span.name == "offer").expect("an offer");
    let link = offer.links.first().expect("an offer links to the agent's trace");
    let theirs: [u8; 16] = link.trace_id.as_slice().try_into().expect("sixteen bytes");
    assert_ne!(theirs, trace);
    assert!(steps(theirs).is_superset(&["job", "offer", "act"].map(str::to_owned).into()), "{:?}", steps(theirs));
    let said_by_agents = seen.by("gallra-agent");
    assert!(said_by_agents.iter().any(|span| span.name == "act"));
    for span in said_by_agents {
        assert_ne!(span.trace_id, trace, "{}", span.name);
        assert!(span.links.is_empty(), "an agent's span says what it belongs to: {}", span.name);
    }
    let proof = seen.of(trace).find(|span| span.name == "proof").expect("a proof");
    assert!(proof.links.iter().any(|link| link.trace_id == theirs), "a proof links to the jobs that it speaks of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_that_collects_hears_of_nobody() {
    let Some(program) = std::env::var_os("GALLRA_ROTEL") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let rotel = Rotel::start(program, folder.path().join("heard")).await;
    let (mut story, request) = erased(&rotel.endpoint()).await;
    let needles = needles(&story);
    story.site.stop_agent().await.expect("ends");
    story.site.stop_coordinator().await.expect("ends");
    let heard = rotel.heard().await;
    let text = String::from_utf8_lossy(&heard);
    for said in [request.as_str(), "proof fetched", "gallra.verdict", "gallra-agent", "gallra-coordinator"] {
        assert!(text.contains(said), "it did not hear {said}: {text}");
    }
    assert!(!needles.in_bytes(&heard) && !needles.in_value(&heard), "an identifier reached the collector");
}

/// Neither a needle in any encoding, nor a key or a form of a value that is not on the list.
fn names_nobody(seen: &Seen, needles: &Needles) {
    let names: Vec<_> = seen.spans().map(|span| span.name.as_str()).collect();
    assert!(names.len() > 20, "too little was received to say anything: {names:?}");
    for bytes in seen.bytes() {
        assert!(!needles.in_bytes(bytes) && !needles.in_value(bytes), "an identifier reached the collector");
    }
    for (key, value) in seen.said() {
        let is_id = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_word = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let is_name = value == "web1" || is_word || ["web", "mail", "register", "backup"].contains(&value.as_str());
        let fits = match key.as_str() {
            "gallra.job" => is_id,
            "gallra.agent" | "gallra.target" => is_name,
            "gallra.kind" | "gallra.action" | "gallra.verdict" | "gallra.denied" | "gallra.stage" => is_word,
            "gallra.permitted" => value == "true" || value == "false",
            "gallra.number" => value.parse::<u32>().is_ok_and(|number| number < 1_000),
            "service.name" => ["gallra-coordinator", "gallra-agent"].contains(&value.as_str()),
            "service.version" => value == env!("CARGO_PKG_VERSION"),
            _ => false,
        };
        assert!(fits, "{key} = {value}");
    }
}
