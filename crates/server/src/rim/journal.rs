//! [`Journal`]: the order between what is kept and what is answered.

use super::waiting::Reply;
use crate::engine::{Refusal, Response};
use crate::store::Batch;

/// Takes batches and answers in the order in which the engine gives them out; an answer leaves when every batch before
/// it is kept.
#[derive(Debug)]
pub(crate) enum Journal {
    /// Nothing is kept, so nothing waits.
    Nothing,
}

impl Journal {
    pub(super) fn write(&mut self, _batch: Batch) {
        match self {
            // The engine of such a server gives no batches out.
            Self::Nothing => {}
        }
    }

    pub(super) fn answer(&mut self, reply: Reply, answer: Result<Response, Refusal>) {
        match self {
            // Whoever has gone away does not miss it.
            Self::Nothing => drop(reply.send(answer)),
        }
    }
}
