//! [`Effect`]: what a change of one run means for the world outside of it.
//!
//! Effects are carried out after the change, within the same input, so that they are kept together with it.

use super::nexus::Owner;
use super::nexus::operation::Ask;
use super::run::RunKey;
use super::start::NewRun;
use super::updates::Ended;

/// What a change of one run means for the world outside of it.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The run's workflow task waits for a worker.
    OfferWorkflowTask(RunKey),
    /// An activity, by its scheduled event, waits for a worker.
    OfferActivity(RunKey, i64),
    /// A Nexus operation wants something of its handler.
    AskHandler(Owner, Ask),
    /// The run has asked for a child, by the initiated event.
    StartChild(RunKey, i64),
    /// The run signals another workflow, by the initiated event.
    SignalExternal(RunKey, i64),
    /// The run cancels another workflow, by the initiated event.
    CancelExternal(RunKey, i64),
    /// The run has closed, and the run that follows it is to be started.
    Follow(Box<NewRun>),
    /// The run has closed.
    Closed(RunKey),
    /// The workflow has completed an update, by its id.
    UpdateCompleted(RunKey, String),
    /// The run was deleted.
    Forget(RunKey),
    /// An update, by its id, has come to an end that leaves no trace.
    UpdateEnded(RunKey, String, Ended),
}
