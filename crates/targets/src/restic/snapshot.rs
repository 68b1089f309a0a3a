//! Snapshots as `restic snapshots --json` lists them: their groups, and which paths of a customer each was made of.
//! Pure. Upholds decision 10: paths are compared name by name, so that `anna` is neither `anna2` nor `anna.example`.

use std::collections::BTreeMap;

use serde::Deserialize;

use gallra_model::copy::Expected;
use gallra_model::selector::Selector;
use gallra_model::{Instant, receipt::Code};

use super::expect::Routine;
use super::keep::Moment;
use super::place::is_id;
use crate::driver::Failure;
use crate::template;

/// By what restic's `forget` groups snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    /// The host's name.
    Host,
    /// The list of paths that it was made of.
    Paths,
    /// Its tags.
    Tags,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    tree: String,
    time: String,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    paths: Option<Vec<String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// One snapshot. Its paths can name people: no `Debug`.
pub(crate) struct Snapshot {
    /// Its id.
    pub(crate) id: String,
    /// Its root tree's id: what is in it.
    pub(crate) tree: String,
    /// When its making began.
    pub(crate) moment: Moment,
    hostname: String,
    paths: Vec<String>,
    tags: Vec<String>,
}

/// Reads the whole list, oldest first; `None` if any of it is not understood.
pub(crate) fn parse(listed: impl std::io::Read) -> Option<Vec<Snapshot>> {
    let listed: Option<Vec<Listed>> = serde_json::from_reader(listed).ok()?;
    let mut snapshots: Vec<Snapshot> =
        listed.unwrap_or_default().into_iter().map(Snapshot::new).collect::<Option<_>>()?;
    snapshots.sort_by_key(|snapshot| snapshot.moment.instant());
    Some(snapshots)
}

impl Snapshot {
    fn new(listed: Listed) -> Option<Self> {
        let Listed { id, tree, time, hostname, paths, tags } = listed;
        let sorted = |list: Option<Vec<String>>| {
            let mut list = list.unwrap_or_default();
            list.sort();
            list
        };
        let moment = Moment::parse(&time)?;
        (is_id(&id) && is_id(&tree)).then(|| Self {
            id,
            tree,
            moment,
            hostname,
            paths: sorted(paths),
            tags: sorted(tags),
        })
    }

    fn group(&self, by: &[GroupBy]) -> (&str, &[String], &[String]) {
        (
            if by.contains(&GroupBy::Host) { &self.hostname } else { "" },
            if by.contains(&GroupBy::Paths) { &self.paths } else { &[] },
            if by.contains(&GroupBy::Tags) { &self.tags } else { &[] },
        )
    }
}

/// What to expect of each snapshot, in their order (oldest first).
pub(crate) fn expectations(
    snapshots: &[Snapshot],
    by: &[GroupBy],
    routine: &Routine,
    now: Instant,
    keeps_oldest: bool,
) -> Vec<Expected> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (place, snapshot) in snapshots.iter().enumerate().rev() {
        groups.entry(snapshot.group(by)).or_default().push(place);
    }
    let mut expected = vec![Expected::Unknown; snapshots.len()];
    let Some(newest) = snapshots.last().map(|snapshot| snapshot.moment.instant()) else { return expected };
    for places in groups.into_values() {
        let moments: Vec<Moment> =
            places.iter().filter_map(|place| snapshots.get(*place)).map(|s| s.moment.clone()).collect();
        for (place, what) in places.iter().zip(routine.expect(&moments, newest, now, keeps_oldest)) {
            if let Some(slot) = expected.get_mut(*place) {
                *slot = what;
            }
        }
    }
    expected
}

/// The paths of one customer, filled in. Personal data: no `Debug`.
pub(crate) struct Wanted {
    /// Paths that hold every customer's data.
    everybodys: Vec<String>,
    /// Paths that are the customer's own.
    pub(crate) own: Vec<String>,
}

/// Whether a snapshot can hold the customer's data, as far as its list of paths tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// It was made of paths that are the customer's, or everybody's.
    Yes,
    /// It was made of a directory above: only its tree tells.
    Perhaps,
    /// It was made of other paths.
    No,
}

impl Wanted {
    /// Fills the templates in.
    ///
    /// # Errors
    /// [`Code::BadSelector`] when the job does not carry what a template asks for: leaving that path out would overlook
    /// copies.
    pub(crate) fn fill(templates: &[String], selector: &Selector) -> Result<Self, Failure> {
        let mut wanted = Self { everybodys: Vec::new(), own: Vec::new() };
        for text in templates {
            let path = template::fill(text, selector, false)?;
            if path == *text { wanted.everybodys.push(path) } else { wanted.own.push(path) }
        }
        if wanted.everybodys.is_empty() && wanted.own.is_empty() {
            return Err(Failure::new(
                Code::BadSelector,
                "`paths` of this target is empty: no copy could hold anything",
            ));
        }
        Ok(wanted)
    }

    /// What the paths that a snapshot was made of say.
    pub(crate) fn held_by(&self, snapshot: &Snapshot) -> Holds {
        let made_of = |test: &dyn Fn(&str) -> bool| snapshot.paths.iter().any(|path| test(path));
        let everybodys = |path: &str| self.everybodys.iter().any(|file| is_within(file, path) || is_within(path, file));
        if made_of(&everybodys) || made_of(&|path| self.own.iter().any(|own| is_within(path, own))) {
            Holds::Yes
        } else if made_of(&|path| self.own.iter().any(|own| is_within(own, path))) {
            Holds::Perhaps
        } else {
            Holds::No
        }
    }
}

/// Whether a path is `above` or lies beneath it.
pub(crate) fn is_within(path: &str, above: &str) -> bool {
    let above = above.trim_end_matches('/');
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a template is a path as restic writes it: absolute, without empty, `.` or `..` names.
pub(crate) fn is_plain_path(text: &str) -> bool {
    text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|name| !["", ".", ".."].contains(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::service;

    fn made_of(paths: &[&str]) -> Snapshot {
        Snapshot {
            id: String::new(),
            tree: String::new(),
            moment: Moment::parse("2026-01-01T03:00:00Z").expect("a literal"),
            hostname: String::new(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            tags: Vec::new(),
        }
    }

    #[test]
    fn paths_are_compared_name_by_name() {
        let templates = ["/srv/www/{service}".to_owned(), "/srv/register.db".to_owned()];
        let anna = Wanted::fill(&templates, &service("anna")).expect("fills");
        for (paths, holds) in [
            (&["/srv/www/anna"][..], Holds::Yes),
            (&["/srv/www/anna/htdocs"], Holds::Yes),
            (&["/srv/register.db"], Holds::Yes),
            (&["/srv/www"], Holds::Perhaps),
            (&["/etc", "/srv"], Holds::Yes),
            (&["/"], Holds::Yes),
            (&["/srv/www/anna2", "/srv/www/anna.example", "/srv/ww", "/srv/register.db2"], Holds::No),
            (&[], Holds::No),
        ] {
            assert_eq!(anna.held_by(&made_of(paths)), holds, "{paths:?}");
        }
    }

    #[test]
    fn a_template_must_be_a_plain_absolute_path() {
        assert!(is_plain_path("/srv/www/{service}"));
        for bad in ["", "/", "srv", "/srv/", "/srv//www", "/srv/./x", "/srv/../x"] {
            assert!(!is_plain_path(bad), "{bad}");
        }
    }

    #[test]
    fn a_list_that_is_not_understood_is_not_an_empty_one() {
        for bad in ["", "{}", "[{}]", r#"[{"id":"1","tree":"2","time":"2026-01-01T03:00:00Z"}]"#] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(parse(&b"[]\n"[..]).is_some_and(|list| list.is_empty()));
        assert!(parse(&b"null"[..]).is_some_and(|list| list.is_empty()), "restic's empty list in some versions");
    }
}
