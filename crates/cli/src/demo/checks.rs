//! What the demonstration checks of itself: the other customer is untouched, and the search hits everywhere before and
//! nowhere after. A failed check ends the demonstration with an error.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::ensure;

use super::people::Person;
use super::places::{Place, search};
use super::provider::Provider;
use super::site::Site;
use super::story::Story;

/// The search before the erasure: it must hit in every place, or its silence later would prove nothing.
pub(super) async fn hits_everywhere(
    story: &mut Story,
    dir: &Path,
    site: &mut Site,
    leaver: &Person,
) -> anyhow::Result<()> {
    let places = searched(dir, site, leaver).await?;
    report(story, "search for the hosted address and the canary, before:", &places)?;
    for place in places.iter().filter(|place| !place.is_elsewhere()) {
        ensure!(
            place.hits > 0,
            "the search finds nothing in {} before the erasure: it could not be trusted after",
            place.name
        );
    }
    Ok(())
}

/// The search after the end: nothing anywhere.
pub(super) async fn hits_nowhere(
    story: &mut Story,
    dir: &Path,
    site: &mut Site,
    leaver: &Person,
) -> anyhow::Result<()> {
    let places = searched(dir, site, leaver).await?;
    report(story, "the same search, after the end:", &places)?;
    for place in &places {
        ensure!(place.hits == 0, "{} still holds the leaver's address or canary ({} hits)", place.name, place.hits);
    }
    Ok(())
}

/// The store can be searched only while the coordinator is down, which also shows that it comes back.
async fn searched(dir: &Path, site: &mut Site, leaver: &Person) -> anyhow::Result<Vec<Place>> {
    site.stop_coordinator().await?;
    let places = search(dir, &site.path(""), &leaver.needles());
    site.start_coordinator().await?;
    site.wait_connected().await?;
    places
}

fn report(story: &mut Story, title: &str, places: &[Place]) -> anyhow::Result<()> {
    story.say(&format!("                    {title}"))?;
    for place in places {
        story.block(&format!("  {:22} {:5} looked at, {:4} hits", place.name, place.looked, place.hits))?;
    }
    Ok(())
}

/// The other customer's every byte, row and mail, live and as the newest snapshot holds them, are what was written.
pub(super) fn stayer_is_untouched(
    site: &Site,
    stayer: &Person,
    written: &BTreeMap<String, String>,
) -> anyhow::Result<usize> {
    ensure!(
        site.provider.everything_of(stayer)? == *written,
        "the other customer's data is not what was written for it"
    );
    let restored = site.path("restored");
    for path in [site.provider.web(stayer), site.provider.mail(stayer), site.provider.register()] {
        site.routine.restore_newest(&path, &restored)?;
    }
    let root = restored.join(site.provider.root.strip_prefix("/").unwrap_or(&site.provider.root));
    let in_snapshot = Provider { root }.everything_of(stayer)?;
    ensure!(in_snapshot == *written, "the newest snapshot does not hold what was written for the other customer");
    Ok(written.len())
}
