//! Tells the story: each line to the terminal and to `timeline.txt`. Lines carry no identifier, like everything else that
//! outlives the customer.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use gallra_model::Instant;
use gallra_model::time::stockholm;

use crate::output::line;

/// The story's teller.
pub(super) struct Story {
    timeline: File,
}

impl Story {
    pub(super) fn begin(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { timeline: File::create(dir.join("timeline.txt"))? })
    }

    /// Something happened at a simulated time.
    pub(super) fn at(&mut self, when: Instant, text: &str) -> anyhow::Result<()> {
        let local = when.to_zoned(stockholm()).strftime("%Y-%m-%d %H:%M").to_string();
        self.say(&format!("{local}  {text}"))
    }

    /// Something beside the time.
    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        line(text);
        writeln!(self.timeline, "{text}")?;
        Ok(())
    }

    /// A block of lines, indented.
    pub(super) fn block(&mut self, text: &str) -> anyhow::Result<()> {
        text.lines().try_for_each(|line| self.say(&format!("                    {line}")))
    }
}
