//! The books of what a run asks of other workflows, of Nexus operations, and of local activities.

use stead_activation::{
    CallSite, ChildWorkflowResolution, ChildWorkflowStart, Command, Failure, NexusOperationResolution,
    NexusOperationStart, Seq, TaskFailure,
};

use super::local::LocalActivities;
use super::pending::NeverIssued;
use super::{Pending, Phases};
use crate::error;
use crate::run_local::RunLocals;
use crate::scope::Scope;

/// Books that most runs never open.
pub(crate) struct Remote {
    pub(crate) local: LocalActivities,
    pub(crate) children: Phases<ChildWorkflowStart, ChildWorkflowResolution>,
    pub(crate) nexus: Phases<NexusOperationStart, NexusOperationResolution>,
    pub(crate) signals: Pending<Option<Box<Failure>>>,
    pub(crate) cancels: Pending<Option<Box<Failure>>>,
    /// What shared code keeps here of this run.
    pub(crate) locals: RunLocals,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            local: LocalActivities::default(),
            children: Phases::new(),
            nexus: Phases::new(),
            signals: Pending::new(),
            cancels: Pending::new(),
            locals: RunLocals::new(),
        }
    }
}

impl Remote {
    /// What has not ended, and the lines that asked for it.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&'static str, Seq, CallSite)> {
        let children = self.children.waiting().map(|(seq, at)| ("child workflow", seq, at));
        let signals = self.signals.waiting().map(|(seq, at)| ("signal to another workflow", seq, at));
        let cancels = self.cancels.waiting().map(|(seq, at)| ("request to cancel another workflow", seq, at));
        let nexus = self.nexus.waiting().map(|(seq, at)| ("Nexus operation", seq, at));
        children.chain(signals).chain(cancels).chain(nexus)
    }

    /// Notes that cancellation was asked for, for all that is pending in scopes that are `reached`, and returns what
    /// cancels it.
    pub(crate) fn request_cancel_all(&mut self, reached: impl Fn(&Scope) -> bool, reason: &str) -> Vec<Command> {
        let children = self.children.request_cancel_all(&reached).into_iter();
        let signals = self.signals.request_cancel_all(&reached).into_iter();
        let nexus = self.nexus.request_cancel_all(&reached).into_iter();
        children
            .map(|seq| Command::CancelChildWorkflow { seq, reason: reason.to_owned() })
            .chain(signals.map(|seq| Command::CancelSignalExternal { seq }))
            .chain(nexus.map(|seq| Command::CancelNexusOperation { seq }))
            .collect()
    }

    pub(crate) fn resolve_child_start(&mut self, seq: Seq, start: ChildWorkflowStart) -> Result<(), TaskFailure> {
        let lives = matches!(start, ChildWorkflowStart::Started { .. });
        issued(self.children.resolve_start(seq, start, lives), "child workflow", seq)
    }

    pub(crate) fn resolve_child(&mut self, seq: Seq, end: ChildWorkflowResolution) -> Result<(), TaskFailure> {
        issued(self.children.resolve_end(seq, end), "child workflow", seq)
    }

    pub(crate) fn resolve_nexus_start(&mut self, seq: Seq, start: NexusOperationStart) -> Result<(), TaskFailure> {
        let lives = !matches!(start, NexusOperationStart::Failed(_));
        issued(self.nexus.resolve_start(seq, start, lives), "Nexus operation", seq)
    }

    pub(crate) fn resolve_nexus(&mut self, seq: Seq, end: NexusOperationResolution) -> Result<(), TaskFailure> {
        issued(self.nexus.resolve_end(seq, end), "Nexus operation", seq)
    }

    pub(crate) fn resolve_signal(&mut self, seq: Seq, failure: Option<Box<Failure>>) -> Result<(), TaskFailure> {
        issued(self.signals.resolve(seq, failure), "signal to another workflow", seq)
    }

    pub(crate) fn resolve_cancel(&mut self, seq: Seq, failure: Option<Box<Failure>>) -> Result<(), TaskFailure> {
        issued(self.cancels.resolve(seq, failure), "request to cancel another workflow", seq)
    }
}

fn issued(resolved: Result<(), NeverIssued>, what: &str, seq: Seq) -> Result<(), TaskFailure> {
    resolved.map_err(|NeverIssued| {
        error::nondeterminism(format!("{what} {seq} was resolved, but the workflow never asked for it"))
    })
}
