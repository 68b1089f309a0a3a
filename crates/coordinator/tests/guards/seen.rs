//! What somebody sees who looks at everything: log lines of this thread, and the store with all keys that are there. And a
//! request that is carried out to its end, so that there is something to look at.

use std::io::Write;
use std::sync::{Arc, Mutex};

use gallra_coordinator::leader;
use gallra_model::RequestId;
use gallra_model::receipt::Verdict;
use gallra_model::request::JobState;
use gallra_store::Keyring;
use gallra_store::search::{Needles, Report, search};

use crate::site::{Site, agent};

/// What is logged on this thread.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    /// Begins, and goes on while the guard lives.
    pub(crate) fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let logged = Self::default();
        let writer = logged.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (logged, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("text")
    }
}

/// Carries out all that a request asks of the agent, until it is done.
pub(crate) async fn carry_out(site: &Site, request: &RequestId) {
    assert!(goes_on(site, request).await, "not done: {:?}", site.view(request).await.request);
}

/// Carries out what a request asks of the agent, for some weeks; says whether it is done then.
pub(crate) async fn goes_on(site: &Site, request: &RequestId) -> bool {
    for _ in 0..16 {
        leader::run_due(&site.core).await.expect("moved");
        let view = site.view(request).await;
        if view.request.done.is_some() {
            return true;
        }
        for job in site.core.ready_jobs(&agent()).await.expect("reads") {
            if view.job(job).is_some_and(|record| record.state == JobState::Ready) && site.ask(&job).await.is_ok() {
                site.report(request, &job, Verdict::Done, None).await;
            }
        }
        let later = site.core.time.now().checked_add(jiff::SignedDuration::from_hours(24)).expect("a later day");
        site.core.time.advance(later).expect("forward");
    }
    false
}

/// Where the words can be read in the store with the keys that are there, by family.
pub(crate) async fn seen(site: Site, words: &[&str]) -> (Site, Report) {
    let needles = Needles::new(words.iter().copied());
    let search_in = |folder: &std::path::Path| {
        let keyring = Keyring::open(&folder.join("keys")).expect("opens");
        search(&folder.join("store"), &keyring, &needles).expect("searches")
    };
    site.looked_into(search_in).await
}
