//! Contract ends accepted and planned a second.

use std::sync::{Arc, Mutex, PoisonError};

use gallra_coordinator::contracts::End;

use crate::counted::written_again;
use crate::figures::{Outcome, at_once, bench, computed, load, now, say, spread};
use crate::host::Host;

/// Waits for what the coordinator's loops do.
pub(crate) async fn until(what: &str, so: impl AsyncFn() -> bool) -> Outcome<()> {
    let began = now();
    let mut look = tokio::time::interval(std::time::Duration::from_millis(2));
    while !so().await {
        look.tick().await;
        if began.elapsed().as_secs() > 120 {
            return Err(format!("not within two minutes: {what}").into());
        }
    }
    Ok(())
}

/// Sold beforehand, so that only ends are measured.
pub(crate) async fn sold(host: &Arc<Host>, prefix: &str, many: usize) -> Outcome<Vec<End>> {
    let (selling, name) = (Arc::clone(host), prefix.to_owned());
    let sell = move |n: usize| {
        let (host, name) = (Arc::clone(&selling), name.clone());
        async move { host.sells(&format!("{name}-{n}")).await }
    };
    at_once(many, 64, sell).await?;
    (0..many).map(|n| host.end(&format!("{prefix}-{n}"))).collect()
}

/// Ends that are told once each.
pub(crate) type Waiting = Arc<[Mutex<Option<End>>]>;

pub(crate) fn waiting(ends: Vec<End>) -> Waiting {
    ends.into_iter().map(|end| Mutex::new(Some(end))).collect()
}

pub(crate) fn taken(ends: &Waiting, n: usize) -> Outcome<End> {
    let end = ends.get(n).ok_or("no such end")?;
    end.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(|| "told already".into())
}

pub(crate) async fn measure(host: &Arc<Host>, engine: &str, callers: usize, many: usize) -> Outcome<()> {
    let ends = waiting(sold(host, &format!("end{callers}"), many).await?);
    until("nothing is left to do", async || host.core.ledger.checkpoint().is_some()).await?;
    host.counted.taken();
    let (began, cpu) = (now(), computed());
    let theirs = Arc::clone(host);
    let told = at_once(many, callers, move |n| {
        let (host, ends) = (Arc::clone(&theirs), Arc::clone(&ends));
        async move {
            let began = now();
            let request = host.ends(taken(&ends, n)?).await?;
            Outcome::Ok((request, began, now()))
        }
    });
    let told = told.await?;
    let accepted = began.elapsed();
    until("all are planned", async || host.counted.planned() >= many).await?;
    let took = began.elapsed();
    let computing = computed() - cpu;
    let (seen, reads, conflicts) = host.counted.taken();
    let acknowledged: Vec<_> = told.iter().map(|(_, began, ended)| *ended - *began).collect();
    let planned: Vec<_> = told
        .iter()
        .filter_map(|(request, began, _)| seen.planned.get(&request.to_string()).map(|at| *at - *began))
        .collect();
    let (txns, bytes) = (seen.txns.len(), seen.txns.iter().map(gallra_store::Txn::bytes).sum::<usize>());
    let most = seen.most_read(many);
    let (peer, raw) = written_again(&host.peer, seen.txns, callers).await?;
    let name = format!("{engine}/ends-{callers}-callers");
    bench(&name, "ends", many, (took, peer));
    say(&format!(
        "  {name}: acknowledged {}; planned {}; one raw transaction {}; accepted alone {:.1}/s; for each end {:.1} transactions, {} bytes, {:.1} reads ({most}), \
         {:.2} conflicts, {:.2} ms of computing; load {}",
        spread(&acknowledged),
        spread(&planned),
        spread(&raw),
        many as f64 / accepted.as_secs_f64(),
        txns as f64 / many as f64,
        bytes / many,
        reads as f64 / many as f64,
        conflicts as f64 / many as f64,
        computing.as_secs_f64() * 1e3 / many as f64,
        load(),
    ));
    Ok(())
}
