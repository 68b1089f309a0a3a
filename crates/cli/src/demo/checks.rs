//! What the demonstration checks of itself: the other customer is untouched, and the search hits everywhere before and
//! nowhere after. A failed check ends the demonstration with an error.

use std::path::Path;

use anyhow::ensure;

use super::people::Person;
use super::places::{Place, search};
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
    for place in places.iter().filter(|place| place.name != "all other files") {
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

/// The other customer's every byte, row and mail, and what the newest snapshot holds of it.
pub(super) fn stayer_is_untouched(
    site: &Site,
    stayer: &Person,
    before: &std::collections::BTreeMap<String, String>,
) -> anyhow::Result<usize> {
    let now = site.provider.everything_of(stayer)?;
    ensure!(now == *before, "the other customer's data is not what was written for it");
    let restored = site.path("restored");
    for (place, live) in [("www", site.provider.web(stayer)), ("mail", site.provider.mail(stayer))] {
        site.routine.restore_newest(&live, &restored)?;
        let copy = restored.join(live.strip_prefix("/").unwrap_or(&live));
        let (live_files, copied) = (super::provider::files(&live)?, super::provider::files(&copy)?);
        ensure!(live_files.len() == copied.len(), "the newest snapshot lacks files of the other customer's {place}");
        for (live, copy) in live_files.iter().zip(&copied) {
            ensure!(
                std::fs::read(live)? == std::fs::read(copy)?,
                "the newest snapshot differs in the other customer's {place}"
            );
        }
    }
    Ok(now.len())
}
