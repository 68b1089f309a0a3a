//! What an agent says of restores on its stream, and the answer to each: that it is durable, or that it never will be.

use gallra_model::envelope::Envelope;
use gallra_model::message::ToAgent;
use tonic::Status;

use super::Session;
use crate::error::CoreError;

impl Session<'_> {
    pub(super) async fn hear_restore(&self, envelope: &Envelope) -> Result<(), Status> {
        self.core.check_key_of(self.agent).await?;
        match self.core.take_restore(self.agent, envelope).await {
            Ok((statement, taken)) => {
                let refused = taken.err().map(|refusal| refusal.to_string());
                self.say(&ToAgent::RestoreHeard { statement, refused }).await
            }
            Err(error @ (CoreError::Store(_) | CoreError::Busy)) => Err(error.into()),
            // Something is wrong here, and not with the agent: it keeps it for its next stream, and its other work goes on.
            Err(error) => {
                tracing::error!(agent = %self.agent, %error, "a restore cannot be taken now");
                Ok(())
            }
        }
    }
}
