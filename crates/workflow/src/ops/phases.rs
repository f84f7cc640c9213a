//! The books of operations that are started first and end later.

use std::task::{Context, Poll};

use stead_activation::{CallSite, Seq};

use super::Pending;
use super::pending::NeverIssued;
use crate::scope::Scope;

/// Operations of one kind, which have the same numbers in both tables.
pub(crate) struct Phases<S, E> {
    starts: Pending<S>,
    ends: Pending<E>,
}

impl<S, E> Phases<S, E> {
    pub(crate) const fn new() -> Self {
        Self { starts: Pending::new(), ends: Pending::new() }
    }

    /// Gives out the next number.
    pub(crate) fn open(&mut self, scope: Scope, at: CallSite) -> Seq {
        self.starts.open(scope.clone(), at);
        self.ends.open(scope, at)
    }

    /// What has not ended, and the lines that asked for it.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (Seq, CallSite)> {
        self.ends.waiting()
    }

    pub(crate) fn poll_start(&mut self, seq: Seq, cx: &Context<'_>) -> Poll<S> {
        self.starts.poll(seq, cx)
    }

    pub(crate) fn poll_end(&mut self, seq: Seq, cx: &Context<'_>) -> Poll<E> {
        self.ends.poll(seq, cx)
    }

    /// Whoever waits is gone. Returns whether the operation now has to be cancelled.
    pub(crate) fn abandon(&mut self, seq: Seq) -> bool {
        self.starts.abandon(seq);
        self.ends.abandon(seq)
    }

    /// Nobody will ask how it ends.
    pub(crate) fn forget(&mut self, seq: Seq) {
        self.ends.forget(seq);
    }

    /// Notes that cancellation was asked for. Returns whether it is news to an operation that has not ended.
    pub(crate) fn request_cancel(&mut self, seq: Seq) -> bool {
        self.ends.request_cancel(seq)
    }

    /// The same for all in scopes that are `reached`. Returns their numbers.
    pub(crate) fn request_cancel_all(&mut self, reached: impl Fn(&Scope) -> bool) -> Vec<Seq> {
        self.ends.request_cancel_all(reached)
    }

    /// How the start went; `lives` unless there is no end to wait for.
    pub(crate) fn resolve_start(&mut self, seq: Seq, start: S, lives: bool) -> Result<(), NeverIssued> {
        if !lives {
            self.ends.abandon(seq);
        }
        self.starts.resolve(seq, start)
    }

    pub(crate) fn resolve_end(&mut self, seq: Seq, end: E) -> Result<(), NeverIssued> {
        self.ends.resolve(seq, end)
    }
}
