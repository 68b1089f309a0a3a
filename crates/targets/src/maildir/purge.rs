//! The rolling purge of mails: what was received before an instant goes, whoever's it is, but the mailboxes of who is held and
//! what nobody can date. Upholds I1's sibling for ages (the host's own floor binds), I5 (mails without an age keep the run from
//! being called done) and I11 (one name at a time, from an open directory).

use std::collections::{BTreeSet, HashMap};

use gallra_model::Instant;
use gallra_model::outcome::Counts;
use gallra_model::receipt::{Check, Code, Tally};

use crate::age;
use crate::driver::{Boundary, Failure, PurgeOrder, Purged};
use crate::tree::{Changed, Entry, Place, Tree, plain, remove};

use super::Maildir;
use super::age::{Fate, Line};
use super::mail::{holds_mails, is_mail};

/// Headers of mails that dovecot keeps beside them; it makes the file anew.
const CACHE: &[u8] = b"dovecot.index.cache";

/// One mailbox, or all of one service's.
struct Mailbox {
    place: Place,
    held: bool,
}

/// Mails by what becomes of them.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    goes: u64,
    bytes: u64,
    held: u64,
    undated: u64,
    /// Old, and with a name that does not go.
    linked: u64,
    stays: u64,
}

impl Sum {
    fn others(&self) -> u64 {
        self.held + self.undated + self.linked + self.stays
    }
}

pub(super) fn purge(
    Maildir { tree, youngest, received }: &Maildir,
    order: &PurgeOrder,
    now: Instant,
    boundary: &mut dyn Boundary,
) -> Result<Purged, Failure> {
    age::allowed(*youngest, order.before, now)?;
    if order.before.subsec_nanosecond() != 0 {
        let hint = "the purge's line between old and young is no whole second: nothing was touched";
        return Err(Failure::new(Code::BadSelector, hint));
    }
    let line = Line::new(*received, order.before, now);
    let boxes = boxes(tree, order)?;
    let (before, names) = agreed(tree, &boxes, line)?;
    let mut erased = 0;
    for one in boxes.iter().filter(|one| !one.held) {
        erased += empty(tree, one, line, &names, boundary)?;
    }
    let (after, again) = (look(tree, &boxes, line)?.0, look_again(tree, &boxes, line)?);
    let check = |name: &str, count, ok| Check { name: name.to_owned(), count, ok };
    let checks = vec![
        check("sentinel", 1, true),
        check("raw-walk", again, again == after.linked),
        check("hard-links-elsewhere", after.linked, after.linked == 0),
        check("held-items", after.held, true),
    ];
    if after.goes > 0 || again != after.linked {
        return Err(Failure::new(
            Code::StillThere,
            format!(
                "{} old mails are still there, the independent look finds {again}: the next attempt goes on",
                after.goes
            ),
        ));
    }
    let failed = after.undated + after.linked;
    Ok(Purged {
        counts: Counts { erased, retained: after.held, failed, ..Counts::default() },
        before: Tally { items: before.goes, bytes: before.bytes, others: before.others() },
        after: Tally { items: 0, bytes: 0, others: after.others() },
        unread: after.undated,
        undone: undone(&after),
        removed_files: erased,
        checks,
    })
}

/// Every mailbox whose name gives an id, and whether somebody's who is held.
fn boxes(tree: &Tree, order: &PurgeOrder) -> Result<Vec<Mailbox>, Failure> {
    let held: BTreeSet<Place> = order.preserve.iter().map(|held| tree.place_of_held(held)).collect::<Result<_, _>>()?;
    let mut boxes = Vec::new();
    tree.candidates(&mut |selector| {
        let place = tree.place(&selector)?;
        let held = held.contains(&place);
        boxes.push(Mailbox { place, held });
        Ok(())
    })?;
    Ok(boxes)
}

/// How many of a file's names are among the mails that are too old, by inode.
type Names = HashMap<u64, u64>;

fn is_in_mails(entry: &Entry<'_>) -> bool {
    entry.folder.is_some_and(holds_mails)
}

/// Looks at every mail, from open directory to open directory.
fn look(tree: &Tree, boxes: &[Mailbox], line: Line) -> Result<(Sum, Names), Failure> {
    let mut sum = Sum::default();
    let mut old: Vec<(u64, u64, u64)> = Vec::new();
    for one in boxes {
        tree.sweep(&one.place, &mut |entry| {
            let Some(is) = plain(entry)?.filter(|_| is_in_mails(entry)) else { return Ok(()) };
            match line.judge(entry.name.to_bytes(), is.stx_mtime.tv_sec) {
                Fate::Stays => sum.stays += 1,
                Fate::Undated => sum.undated += 1,
                Fate::Goes if one.held => sum.held += 1,
                Fate::Goes => old.push((is.stx_ino, is.stx_nlink.into(), is.stx_size)),
            }
            Ok(())
        })?;
    }
    let mut names = Names::new();
    for (inode, links, _) in &old {
        if *links > 1 {
            *names.entry(*inode).or_default() += 1;
        }
    }
    for (inode, links, bytes) in old {
        if all_names_go(tree, &names, inode, links) {
            sum.goes += 1;
            sum.bytes += bytes;
        } else {
            sum.linked += 1;
        }
    }
    Ok((sum, names))
}

/// Whether a mail's content goes with its old names: one that stays would let it be read there.
fn all_names_go(tree: &Tree, names: &Names, inode: u64, links: u64) -> bool {
    links <= 1 || tree.unlinks() || names.get(&inode).is_some_and(|old| *old >= links)
}

/// Counts old mails of those who are not held by plain paths, those with other names among them.
fn look_again(tree: &Tree, boxes: &[Mailbox], line: Line) -> Result<u64, Failure> {
    let mut old = 0;
    for one in boxes.iter().filter(|one| !one.held) {
        let top = tree.path(&one.place);
        tree.sweep_again(&one.place, &mut |path, is| {
            // Whoever is called `cur` has no mails right below that name.
            let in_mails = is_mail(path) && path.parent() != Some(top.as_path());
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            let changed = std::os::unix::fs::MetadataExt::mtime(is);
            old += u64::from(is.is_file() && in_mails && line.judge(name, changed) == Fate::Goes);
            Ok(())
        })?;
    }
    Ok(old)
}

/// Both looks, once more where they differ: mailboxes are in use.
fn agreed(tree: &Tree, boxes: &[Mailbox], line: Line) -> Result<(Sum, Names), Failure> {
    let mut found = 0;
    for _ in 0..2 {
        let (sum, names) = look(tree, boxes, line)?;
        found = look_again(tree, boxes, line)?;
        if found == sum.goes + sum.linked {
            return Ok((sum, names));
        }
    }
    Err(Failure::new(
        Code::CheckBlind,
        format!(
            "the independent check finds another number of old mails ({found}): nothing was erased; try again when it is quieter"
        ),
    ))
}

/// Removes the old mails of one tree, and the caches in which dovecot keeps headers of them.
fn empty(tree: &Tree, one: &Mailbox, line: Line, names: &Names, boundary: &mut dyn Boundary) -> Result<u64, Failure> {
    let goes = |entry: &Entry<'_>| -> Result<bool, Failure> {
        let Some(is) = plain(entry)?.filter(|_| is_in_mails(entry)) else { return Ok(false) };
        let old = line.judge(entry.name.to_bytes(), is.stx_mtime.tv_sec) == Fate::Goes;
        Ok(old && all_names_go(tree, names, is.stx_ino, u64::from(is.stx_nlink)))
    };
    let mut any = false;
    tree.sweep(&one.place, &mut |entry| {
        any = any || goes(entry)?;
        Ok(())
    })?;
    if !any {
        return Ok(0);
    }
    // Before, so that a crash in the middle leaves no header of a mail that is gone; and after, since dovecot may have made
    // it anew meanwhile.
    let (mut erased, mut changed) = (0, Changed::default());
    drop_caches(tree, one, boundary)?;
    tree.sweep(&one.place, &mut |entry| {
        if goes(entry)? {
            go_on(boundary)?;
            // Permission may have taken long to come: the file is looked at right before it goes.
            if goes(entry)? && remove(entry)? {
                erased += 1;
                changed.note(entry)?;
            }
        }
        Ok(())
    })?;
    changed.settle()?;
    drop_caches(tree, one, boundary)?;
    Ok(erased)
}

fn drop_caches(tree: &Tree, one: &Mailbox, boundary: &mut dyn Boundary) -> Result<(), Failure> {
    let mut changed = Changed::default();
    tree.sweep(&one.place, &mut |entry| {
        if entry.name.to_bytes() == CACHE && !is_in_mails(entry) && plain(entry)?.is_some() {
            go_on(boundary)?;
            if remove(entry)? {
                changed.note(entry)?;
            }
        }
        Ok(())
    })?;
    changed.settle()
}

fn go_on(boundary: &mut dyn Boundary) -> Result<(), Failure> {
    if boundary.may_go_on() {
        return Ok(());
    }
    Err(Failure::new(
        Code::Stopped,
        "time or a hold stopped the purge between two mails: what went is gone, and a new attempt goes on",
    ))
}

/// Mails that should perhaps go and stay, in words.
fn undone(after: &Sum) -> Option<Failure> {
    if after.undated > 0 {
        return Some(Failure::new(
            Code::Undated,
            format!(
                "{} mails have no time of receipt that can be believed, or two that contradict each other: they stay; see \
                 `received` in docs/targets/maildir.md",
                after.undated
            ),
        ));
    }
    (after.linked > 0).then(|| {
        Failure::new(
            Code::StillThere,
            format!(
                "{} old mails have another name that does not go, where their content can still be read: they stay; find \
                 it (find -samefile), or see hard_links in docs/targets/files.md",
                after.linked
            ),
        )
    })
}
