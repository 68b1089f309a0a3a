//! What a stream says of its agent's suppression list: every line that the agent does not have, in order, and then that this
//! was all. Signs at the moment of saying, so that each line names the one that this agent was told before it.

use gallra_model::message::ToAgent;
use gallra_model::suppression::Item;
use gallra_wire::details;
use tonic::Status;

use super::Session;

/// How long a stream says nothing about a list that does not change, in minutes: a list must not age while it is right.
const SAY_AGAIN_MINUTES: u32 = 60;

impl Session<'_> {
    /// The agent says how far its list goes.
    pub(super) async fn begin_suppressions(&mut self, through: u64) -> Result<(), Status> {
        if self.suppressed.is_some() {
            return Err(details::invalid_text("suppression: said once on a stream"));
        }
        self.core.adopt_suppressions(self.agent, through).await?;
        self.suppressed = Some(through);
        self.core.follow_suppressions(self.agent).await?;
        self.tell_suppressions(true).await
    }

    /// Looks again at what covers the list's entries, and tells what changed.
    pub(super) async fn follow_suppressions(&mut self) -> Result<(), Status> {
        if self.suppressed.is_some() && self.core.follow_suppressions(self.agent).await? {
            self.tell_suppressions(false).await?;
        }
        Ok(())
    }

    /// Counts a minute; from time to time drops what is needed no longer, and says that the list is complete.
    pub(super) async fn list_minute(&mut self) -> Result<(), Status> {
        self.list_minutes += 1;
        if self.list_minutes < SAY_AGAIN_MINUTES || self.suppressed.is_none() {
            return Ok(());
        }
        self.core.follow_suppressions(self.agent).await?;
        self.tell_suppressions(true).await
    }

    /// Says the lines that the agent was not told; `always` also says that there was nothing more.
    pub(super) async fn tell_suppressions(&mut self, always: bool) -> Result<(), Status> {
        let Some(mut told) = self.suppressed else { return Ok(()) };
        let before = told;
        loop {
            let lines = self.core.suppressions_after(self.agent, told).await?;
            if lines.is_empty() {
                break;
            }
            for (sequence, item) in lines {
                let (line, key) = self.core.suppression_line(self.agent, (sequence, told), item)?;
                self.say(&ToAgent::Suppression { line, key }).await?;
                told = sequence;
            }
            self.suppressed = Some(told);
        }
        if always || told != before {
            let complete = Item::Complete { at: self.core.time.now(), clock: self.core.time.kind() };
            let (line, key) = self.core.suppression_line(self.agent, (told, told), complete)?;
            self.say(&ToAgent::Suppression { line, key }).await?;
            self.list_minutes = 0;
        }
        Ok(())
    }
}
