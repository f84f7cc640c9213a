//! [`Record`]: what was sent, and what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message;
use stead_proto::common::v1::{Payloads, WorkflowExecution};
use stead_proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use stead_proto::update::v1::{Outcome, UpdateRef, outcome};
use stead_proto::workflowservice::v1::{
    PollActivityTaskQueueResponse, PollWorkflowExecutionUpdateResponse, RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse, SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse, SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse, UpdateWorkflowExecutionResponse,
};

/// What was sent, and what was acknowledged. Calls that it does not know are not checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// Request ids of starts by workflow id.
    pub(super) starts_sent: BTreeMap<String, BTreeSet<String>>,
    /// Workflow id and run id of starts that were acknowledged.
    pub(super) starts: BTreeSet<(String, String)>,
    pub(super) signals: BTreeMap<SignalKey, Sent>,
    /// By workflow id and update id: whether it is known to have completed with a result.
    pub(super) updates: BTreeMap<(String, String), bool>,
    /// Which activity a task token is of.
    tokens: BTreeMap<Bytes, ActivityKey>,
    /// Results that were acknowledged.
    pub(super) activities: BTreeMap<ActivityKey, Option<Payloads>>,
}

/// What tells signals apart in histories, which do not have their request ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SignalKey {
    pub(super) workflow_id: String,
    pub(super) name: String,
    pub(super) input: Vec<u8>,
}

/// Request ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) sent: BTreeSet<String>,
    pub(super) acknowledged: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ActivityKey {
    pub(super) workflow_id: String,
    pub(super) run_id: String,
    pub(super) activity_id: String,
}

impl SignalKey {
    pub(super) fn new(workflow_id: &str, name: &str, input: Option<&Payloads>) -> Self {
        let input = input.map(Message::encode_to_vec).unwrap_or_default();
        Self { workflow_id: workflow_id.to_owned(), name: name.to_owned(), input }
    }
}

impl Record {
    /// A process has sent a request.
    pub(super) fn sent(&mut self, method: &str, request: &Bytes) {
        match method {
            "StartWorkflowExecution" => {
                let start: StartWorkflowExecutionRequest = read(request);
                self.starts_sent.entry(start.workflow_id).or_default().insert(start.request_id);
            }
            "SignalWorkflowExecution" => {
                let signal: SignalWorkflowExecutionRequest = read(request);
                self.signals.entry(signal_key(&signal)).or_default().sent.insert(signal.request_id);
            }
            "SignalWithStartWorkflowExecution" => {
                let signal: SignalWithStartWorkflowExecutionRequest = read(request);
                let key = SignalKey::new(&signal.workflow_id, &signal.signal_name, signal.signal_input.as_ref());
                self.signals.entry(key).or_default().sent.insert(signal.request_id.clone());
                self.starts_sent.entry(signal.workflow_id).or_default().insert(signal.request_id);
            }
            _ => {}
        }
    }

    /// The server has answered, whether or not the answer arrives.
    pub(super) fn answered(&mut self, method: &str, answer: &Bytes) {
        match method {
            "PollActivityTaskQueue" => self.handed_out(read(answer)),
            "RespondWorkflowTaskCompleted" => {
                let completed: RespondWorkflowTaskCompletedResponse = read(answer);
                completed.activity_tasks.into_iter().for_each(|task| self.handed_out(task));
            }
            _ => {}
        }
    }

    fn handed_out(&mut self, task: PollActivityTaskQueueResponse) {
        // Without a workflow there is no history to look at.
        if let Some(WorkflowExecution { workflow_id, run_id }) = task.workflow_execution {
            let activity = ActivityKey { workflow_id, run_id, activity_id: task.activity_id };
            self.tokens.insert(task.task_token, activity);
        }
    }

    /// A process has received the answer.
    pub(super) fn acknowledged(&mut self, method: &str, request: &Bytes, answer: &Bytes) {
        match method {
            "StartWorkflowExecution" => {
                let start: StartWorkflowExecutionRequest = read(request);
                let answer: StartWorkflowExecutionResponse = read(answer);
                self.starts.insert((start.workflow_id, answer.run_id));
            }
            "SignalWorkflowExecution" => {
                let signal: SignalWorkflowExecutionRequest = read(request);
                self.signals.entry(signal_key(&signal)).or_default().acknowledged.insert(signal.request_id);
            }
            "SignalWithStartWorkflowExecution" => {
                let signal: SignalWithStartWorkflowExecutionRequest = read(request);
                let answer: SignalWithStartWorkflowExecutionResponse = read(answer);
                let key = SignalKey::new(&signal.workflow_id, &signal.signal_name, signal.signal_input.as_ref());
                self.signals.entry(key).or_default().acknowledged.insert(signal.request_id);
                self.starts.insert((signal.workflow_id, answer.run_id));
            }
            "UpdateWorkflowExecution" => {
                let answer: UpdateWorkflowExecutionResponse = read(answer);
                self.updated(answer.update_ref, answer.stage, answer.outcome);
            }
            "PollWorkflowExecutionUpdate" => {
                let answer: PollWorkflowExecutionUpdateResponse = read(answer);
                self.updated(answer.update_ref, answer.stage, answer.outcome);
            }
            "RespondActivityTaskCompleted" => {
                let completed: RespondActivityTaskCompletedRequest = read(request);
                if let Some(activity) = self.tokens.get(&completed.task_token) {
                    self.activities.insert(activity.clone(), completed.result);
                }
            }
            _ => {}
        }
    }

    fn updated(&mut self, update: Option<UpdateRef>, stage: i32, outcome: Option<Outcome>) {
        let succeeded = match outcome.and_then(|outcome| outcome.value) {
            Some(outcome::Value::Success(_)) => true,
            // It may have been rejected, which leaves no trace.
            Some(outcome::Value::Failure(_)) => return,
            None if stage >= Stage::Accepted.into() => false,
            None => return,
        };
        let Some(UpdateRef { workflow_execution: Some(execution), update_id }) = update else { return };
        *self.updates.entry((execution.workflow_id, update_id)).or_default() |= succeeded;
    }
}

fn signal_key(signal: &SignalWorkflowExecutionRequest) -> SignalKey {
    let workflow_id = signal.workflow_execution.as_ref().map_or("", |execution| execution.workflow_id.as_str());
    SignalKey::new(workflow_id, &signal.signal_name, signal.input.as_ref())
}

/// What was sent by our client or server can be read; what cannot is as if it said nothing.
fn read<M: Message + Default>(bytes: &Bytes) -> M {
    M::decode(bytes.clone()).unwrap_or_default()
}
