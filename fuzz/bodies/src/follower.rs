//! Code that follows a history: it issues the commands that the history records, so that a replay gets far.

use std::collections::BTreeMap;
use std::time::Duration;

use stead_activation::{
    Activation, ActivityCancellation, CancelExternal, Command, ContinueAsNew, Failure, Job, QueryAnswer,
    ScheduleActivity, ScheduleLocalActivity, ScheduleNexusOperation, SignalExternal, SignalTarget, StartChildWorkflow,
    UpdateResponse,
};
use stead_activation::{ExternalWorkflow, Payload, Seq};
use stead_proto::common::v1::WorkflowExecution;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{HistoryEvent, MarkerRecordedEventAttributes};

/// Commands, by the id of the event that started the task in which they were issued.
#[derive(Debug, Clone, Default)]
pub(crate) struct Follower {
    pub(crate) script: BTreeMap<u32, Vec<Command>>,
    /// Also accept and complete every update, whatever the script says.
    pub(crate) answers_updates: bool,
}

impl Follower {
    /// The code that `events` record.
    pub(crate) fn of(events: &[HistoryEvent]) -> Self {
        let mut reader = Reader::default();
        events.iter().for_each(|event| reader.read(event));
        Self { script: reader.script, answers_updates: false }
    }

    /// How many commands it issues in the task that this event started.
    pub(crate) fn count(&self, started: i64) -> usize {
        u32::try_from(started).ok().and_then(|started| self.script.get(&started)).map_or(0, Vec::len)
    }

    pub(crate) fn answer(&mut self, activation: &Activation) -> Vec<Command> {
        let queries = activation.jobs.iter().filter_map(|job| match job {
            Job::Query(query) => {
                Some(Command::AnswerQuery { id: query.id.clone(), answer: QueryAnswer::Succeeded(Payload::default()) })
            }
            _ => None,
        });
        let mut commands: Vec<_> = queries.collect();
        if commands.is_empty() {
            commands.extend(self.script.remove(&activation.history_length).unwrap_or_default());
        }
        if self.answers_updates {
            commands.extend(activation.jobs.iter().flat_map(answer_update));
        }
        commands
    }
}

fn answer_update(job: &Job) -> Vec<Command> {
    let Job::Update(update) = job else { return Vec::new() };
    let id = &update.protocol_instance_id;
    vec![respond(id, UpdateResponse::Accepted), respond(id, UpdateResponse::Completed(None))]
}

fn respond(id: &str, response: UpdateResponse) -> Command {
    Command::RespondUpdate { protocol_instance_id: id.to_owned(), response }
}

/// Reads commands out of the events that record them.
#[derive(Default)]
struct Reader {
    script: BTreeMap<u32, Vec<Command>>,
    /// Start of the task that was completed last.
    started: u32,
    /// Numbers of operations by the event that recorded them.
    seqs: BTreeMap<i64, Seq>,
    children: BTreeMap<String, Seq>,
    /// Ids of updates by the event that accepted them.
    updates: BTreeMap<i64, String>,
    activities: Seq,
    child_count: Seq,
    signals: Seq,
    cancels: Seq,
    operations: Seq,
}

impl Reader {
    fn read(&mut self, event: &HistoryEvent) {
        let Some(attributes) = &event.attributes else { return };
        if let Attributes::WorkflowTaskCompletedEventAttributes(completed) = attributes {
            self.started = u32::try_from(completed.started_event_id).unwrap_or(0);
        } else if let Some(command) = self.command(event.event_id, attributes) {
            self.script.entry(self.started).or_default().push(command);
        }
    }

    fn command(&mut self, id: i64, attributes: &Attributes) -> Option<Command> {
        Some(match attributes {
            Attributes::TimerStartedEventAttributes(timer) => {
                let seq = timer.timer_id.parse().unwrap_or(1);
                self.seqs.insert(id, seq);
                Command::StartTimer { seq, duration: Duration::from_secs(5), summary: None }
            }
            Attributes::TimerCanceledEventAttributes(timer) => {
                Command::CancelTimer { seq: self.seq(timer.started_event_id) }
            }
            Attributes::ActivityTaskScheduledEventAttributes(activity) => {
                self.activities = next(self.activities, &activity.activity_id);
                let seq = self.activities;
                self.seqs.insert(id, seq);
                Command::ScheduleActivity(Box::new(ScheduleActivity {
                    seq,
                    activity_id: activity.activity_id.clone(),
                    activity_type: activity.activity_type.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
                    cancellation: ActivityCancellation::WaitCancellationCompleted,
                    ..ScheduleActivity::default()
                }))
            }
            Attributes::ActivityTaskCancelRequestedEventAttributes(request) => {
                Command::CancelActivity { seq: self.seq(request.scheduled_event_id) }
            }
            Attributes::MarkerRecordedEventAttributes(marker) => return self.marker(marker),
            Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted) => {
                self.updates.insert(id, accepted.protocol_instance_id.clone());
                respond(&accepted.protocol_instance_id, UpdateResponse::Accepted)
            }
            Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed) => {
                let instance = self.updates.get(&completed.accepted_event_id).map_or("", String::as_str);
                respond(instance, UpdateResponse::Completed(None))
            }
            Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert) => {
                let fields = upsert.search_attributes.as_ref().map(|it| it.indexed_fields.clone()).unwrap_or_default();
                if fields.contains_key("TemporalChangeVersion") {
                    return None;
                }
                Command::UpsertSearchAttributes(fields)
            }
            Attributes::WorkflowPropertiesModifiedEventAttributes(modified) => {
                Command::UpsertMemo(modified.upserted_memo.as_ref().map(|memo| memo.fields.clone()).unwrap_or_default())
            }
            _ => return self.remote(id, attributes).or_else(|| end(attributes)),
        })
    }

    fn remote(&mut self, id: i64, attributes: &Attributes) -> Option<Command> {
        Some(match attributes {
            Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(child) => {
                self.child_count += 1;
                let seq = self.child_count;
                self.seqs.insert(id, seq);
                self.children.insert(child.workflow_id.clone(), seq);
                Command::StartChildWorkflow(Box::new(StartChildWorkflow {
                    seq,
                    workflow_id: child.workflow_id.clone(),
                    workflow_type: child.workflow_type.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
                    ..StartChildWorkflow::default()
                }))
            }
            Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(signal) => {
                self.signals += 1;
                let workflow_id = workflow_id(signal.workflow_execution.as_ref());
                let target = match signal.child_workflow_only {
                    true => SignalTarget::Child { workflow_id },
                    false => SignalTarget::External(ExternalWorkflow { workflow_id, ..ExternalWorkflow::default() }),
                };
                Command::SignalExternal(Box::new(SignalExternal {
                    seq: self.signals,
                    target,
                    signal_name: signal.signal_name.clone(),
                    arguments: Vec::new(),
                    headers: BTreeMap::new(),
                    summary: None,
                }))
            }
            Attributes::RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(cancel) => {
                let workflow_id = workflow_id(cancel.workflow_execution.as_ref());
                if let Some(seq) = self.children.get(&workflow_id) {
                    return Some(Command::CancelChildWorkflow { seq: *seq, reason: cancel.reason.clone() });
                }
                self.cancels += 1;
                Command::CancelExternal(Box::new(CancelExternal {
                    seq: self.cancels,
                    target: ExternalWorkflow { workflow_id, ..ExternalWorkflow::default() },
                    reason: String::new(),
                }))
            }
            Attributes::NexusOperationScheduledEventAttributes(operation) => {
                self.operations += 1;
                self.seqs.insert(id, self.operations);
                Command::ScheduleNexusOperation(Box::new(ScheduleNexusOperation {
                    seq: self.operations,
                    endpoint: operation.endpoint.clone(),
                    service: operation.service.clone(),
                    operation: operation.operation.clone(),
                    ..ScheduleNexusOperation::default()
                }))
            }
            Attributes::NexusOperationCancelRequestedEventAttributes(request) => {
                Command::CancelNexusOperation { seq: self.seq(request.scheduled_event_id) }
            }
            _ => return None,
        })
    }

    fn marker(&mut self, marker: &MarkerRecordedEventAttributes) -> Option<Command> {
        let detail = |name| marker.details.get(name).and_then(|payloads| payloads.payloads.first());
        let json = |name| serde_json::from_slice::<serde_json::Value>(&detail(name)?.data).ok();
        match marker.marker_name.as_str() {
            "core_patch" => {
                let patch = json("patch-data")?;
                let id = patch.get("id")?.as_str()?.to_owned();
                let deprecated = patch.get("deprecated").and_then(serde_json::Value::as_bool).unwrap_or_default();
                Some(Command::SetPatch { id, deprecated })
            }
            "core_local_activity" => {
                let data = json("data")?;
                let text = |name| data.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
                let seq = data.get("seq")?.as_u64().and_then(|seq| Seq::try_from(seq).ok())?;
                self.activities = self.activities.max(seq);
                Some(Command::ScheduleLocalActivity(Box::new(ScheduleLocalActivity {
                    seq,
                    activity_id: text("activity_id"),
                    activity_type: text("activity_type"),
                    attempt: 1,
                    start_to_close_timeout: Some(Duration::from_secs(5)),
                    ..ScheduleLocalActivity::default()
                })))
            }
            _ => None,
        }
    }

    fn seq(&self, event_id: i64) -> Seq {
        self.seqs.get(&event_id).copied().unwrap_or(0)
    }
}

/// The number of an operation that follows `last`; that of its id, if its id is one.
fn next(last: Seq, id: &str) -> Seq {
    id.parse().ok().filter(|seq| *seq > last).unwrap_or_else(|| last.saturating_add(1))
}

fn workflow_id(execution: Option<&WorkflowExecution>) -> String {
    execution.map(|execution| execution.workflow_id.clone()).unwrap_or_default()
}

fn end(attributes: &Attributes) -> Option<Command> {
    Some(match attributes {
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => Command::CompleteWorkflow { result: None },
        Attributes::WorkflowExecutionFailedEventAttributes(_) => {
            Command::FailWorkflow { failure: Box::new(Failure::default()) }
        }
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => Command::CancelWorkflow,
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(next) => {
            Command::ContinueAsNew(Box::new(ContinueAsNew {
                workflow_type: next.workflow_type.as_ref().map(|it| it.name.clone()).unwrap_or_default(),
                ..ContinueAsNew::default()
            }))
        }
        _ => return None,
    })
}
