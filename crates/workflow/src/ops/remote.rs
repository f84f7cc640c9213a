//! The books of what a run asks of other workflows, and of local activities.

use stead_activation::{CallSite, ChildWorkflowResolution, ChildWorkflowStart, Command, Failure, Seq, TaskFailure};

use super::Pending;
use super::local::LocalActivities;
use super::pending::NeverIssued;
use crate::error;
use crate::run_local::RunLocals;
use crate::scope::Scope;

/// Books that most runs never open.
pub(crate) struct Remote {
    pub(crate) local: LocalActivities,
    /// Children have the same numbers in both tables.
    pub(crate) child_starts: Pending<ChildWorkflowStart>,
    pub(crate) children: Pending<ChildWorkflowResolution>,
    pub(crate) signals: Pending<Option<Box<Failure>>>,
    pub(crate) cancels: Pending<Option<Box<Failure>>>,
    /// What shared code keeps here of this run.
    pub(crate) locals: RunLocals,
}

impl Default for Remote {
    fn default() -> Self {
        Self {
            local: LocalActivities::default(),
            child_starts: Pending::new(),
            children: Pending::new(),
            signals: Pending::new(),
            cancels: Pending::new(),
            locals: RunLocals::new(),
        }
    }
}

impl Remote {
    /// Gives out the next number of a child.
    pub(crate) fn open_child(&mut self, scope: Scope, at: CallSite) -> Seq {
        self.child_starts.open(scope.clone(), at);
        self.children.open(scope, at)
    }

    /// What has not ended, and the lines that asked for it.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&'static str, Seq, CallSite)> {
        let children = self.children.waiting().map(|(seq, at)| ("child workflow", seq, at));
        let signals = self.signals.waiting().map(|(seq, at)| ("signal to another workflow", seq, at));
        let cancels = self.cancels.waiting().map(|(seq, at)| ("request to cancel another workflow", seq, at));
        children.chain(signals).chain(cancels)
    }

    /// Notes that cancellation was asked for, for all that is pending in scopes that are `reached`, and returns what
    /// cancels it.
    pub(crate) fn request_cancel_all(&mut self, reached: impl Fn(&Scope) -> bool, reason: &str) -> Vec<Command> {
        let children = self.children.request_cancel_all(&reached).into_iter();
        let signals = self.signals.request_cancel_all(&reached).into_iter();
        children
            .map(|seq| Command::CancelChildWorkflow { seq, reason: reason.to_owned() })
            .chain(signals.map(|seq| Command::CancelSignalExternal { seq }))
            .collect()
    }

    pub(crate) fn resolve_child_start(&mut self, seq: Seq, start: ChildWorkflowStart) -> Result<(), TaskFailure> {
        if !matches!(start, ChildWorkflowStart::Started { .. }) {
            // There is no end to wait for.
            self.children.abandon(seq);
        }
        issued(self.child_starts.resolve(seq, start), "child workflow", seq)
    }

    pub(crate) fn resolve_child(&mut self, seq: Seq, end: ChildWorkflowResolution) -> Result<(), TaskFailure> {
        issued(self.children.resolve(seq, end), "child workflow", seq)
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
