//! [`Waits`]: calls that wait for something to happen, and what they are answered when nothing does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stead_proto::workflowservice::v1 as api;

use super::nexus::{OperationKey, OperationWait};
use super::queries::{self, QueryId};
use super::run::RunKey;
use super::standalone_activities::{ActivityKey, ActivityWait};
use super::time_skipping::FastForwardWait;
use super::updates::UpdateWait;
use super::workflow_tasks::HistoryWait;
use super::{CallId, Engine, Refusal, Response, Time, raw};

/// What a call waits for.
#[derive(Debug)]
pub(crate) enum Wait {
    /// A workflow task or a query; `matching` has the poll.
    WorkflowTask,
    /// An activity task; `matching` has the poll.
    ActivityTask,
    /// A Nexus task; `matching` has the poll.
    NexusTask,
    /// Events of a run.
    History(HistoryWait),
    /// A stage of an update.
    Update(UpdateWait),
    /// The end of a fast-forward of a run.
    FastForward(Box<FastForwardWait>),
    /// Something of an activity without a workflow.
    Activity(ActivityWait),
    /// Something of a Nexus operation without a workflow.
    Operation(OperationWait),
    /// The answer to a query; `queries` has it.
    Query(QueryId),
}

/// The calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    waits: BTreeMap<CallId, Wait>,
    by_subject: HashMap<Subject, BTreeSet<CallId>>,
}

/// What calls wait for something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Run(RunKey),
    Activity(ActivityKey),
    Operation(OperationKey),
}

impl Waits {
    pub(crate) fn insert(&mut self, call: CallId, wait: Wait) {
        if let Some(subject) = wait.subject() {
            self.by_subject.entry(subject).or_default().insert(call);
        }
        self.waits.insert(call, wait);
    }

    pub(crate) fn remove(&mut self, call: CallId) -> Option<Wait> {
        let wait = self.waits.remove(&call)?;
        if let Some(subject) = wait.subject()
            && let Some(calls) = self.by_subject.get_mut(&subject)
        {
            calls.remove(&call);
            if calls.is_empty() {
                self.by_subject.remove(&subject);
            }
        }
        Some(wait)
    }

    pub(crate) fn get(&self, call: CallId) -> Option<&Wait> {
        self.waits.get(&call)
    }

    /// The calls that wait for something of a run, the oldest first.
    pub(crate) fn of_run(&self, run: RunKey) -> Vec<CallId> {
        self.of(Subject::Run(run))
    }

    /// The calls that wait for something of this, the oldest first.
    pub(crate) fn of(&self, subject: Subject) -> Vec<CallId> {
        self.by_subject.get(&subject).map(|calls| calls.iter().copied().collect()).unwrap_or_default()
    }

    /// Whether somebody waits for an outcome, not for work.
    pub(crate) fn somebody_waits(&self) -> bool {
        !self.by_subject.is_empty()
    }
}

impl Wait {
    /// What the call waits for something of.
    fn subject(&self) -> Option<Subject> {
        match self {
            Self::WorkflowTask | Self::ActivityTask | Self::NexusTask | Self::Query(_) => None,
            Self::History(wait) => Some(Subject::Run(wait.run)),
            Self::Update(wait) => Some(Subject::Run(wait.run)),
            Self::FastForward(wait) => Some(Subject::Run(wait.run)),
            Self::Activity(wait) => Some(Subject::Activity(wait.key)),
            Self::Operation(wait) => Some(Subject::Operation(wait.key)),
        }
    }
}

impl Engine {
    /// Answers a call that has waited as long as it may with what there is. Does nothing about a call that does not
    /// wait.
    pub fn handle_expired(&mut self, call: CallId, now: Time) {
        self.advance(now);
        self.answer_with_nothing_new(call);
        self.finish();
    }

    /// Answers a call that waits as if its time were up.
    pub(super) fn answer_with_nothing_new(&mut self, call: CallId) {
        if let Some(wait) = self.waits.remove(call) {
            let answer: Result<Response, Refusal> = match wait {
                Wait::WorkflowTask => {
                    self.matching.expire(call, self.now);
                    Ok(raw::PollWorkflowTaskQueueResponse::default().into())
                }
                Wait::ActivityTask => {
                    self.matching.expire(call, self.now);
                    Ok(api::PollActivityTaskQueueResponse::default().into())
                }
                Wait::NexusTask => {
                    self.matching.expire(call, self.now);
                    Ok(api::PollNexusTaskQueueResponse::default().into())
                }
                Wait::History(wait) => Ok(wait.nothing_new().into()),
                Wait::Update(wait) => Ok(self.update_response(wait)),
                Wait::FastForward(wait) => Ok(wait.nothing_new().into()),
                Wait::Activity(wait) => Ok(wait.nothing_new()),
                Wait::Operation(wait) => Ok(wait.nothing_new()),
                Wait::Query(id) => {
                    self.queries.remove(id);
                    Err(queries::answers::too_late())
                }
            };
            self.reply(call, answer);
        }
    }

    /// Forgets a call whose caller is gone.
    pub fn handle_abandoned(&mut self, call: CallId, now: Time) {
        self.advance(now);
        self.closed_histories.forget_call(call);
        match self.waits.remove(call) {
            Some(Wait::WorkflowTask | Wait::ActivityTask | Wait::NexusTask) => {
                self.matching.forget(call);
            }
            Some(Wait::Query(id)) => {
                self.queries.remove(id);
            }
            Some(
                Wait::History(_) | Wait::Update(_) | Wait::FastForward(_) | Wait::Activity(_) | Wait::Operation(_),
            )
            | None => {}
        }
        self.finish();
    }
}
