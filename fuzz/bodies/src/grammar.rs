//! Histories that a server could have written: what may follow what is drawn from the input.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use stead_proto::common::v1::{ActivityType, Payload, Payloads, SearchAttributes, WorkflowExecution, WorkflowType};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::*;
use stead_proto::update::v1::{Input, Meta, Request};

use crate::writer::{Writer, all_flags};

const MAX_EVENTS: usize = 300;

/// Draws a history.
pub(crate) fn history(input: &mut Unstructured<'_>) -> Result<Vec<HistoryEvent>> {
    let mut grammar = Grammar { input, writer: Writer::new(), tells: true, is_closed: false, open: Open::default() };
    grammar.write()?;
    Ok(grammar.writer.events)
}

struct Grammar<'a, 'b> {
    input: &'a mut Unstructured<'b>,
    writer: Writer,
    /// Whether the next task has something to tell the code. Without, the code does nothing.
    tells: bool,
    is_closed: bool,
    open: Open,
}

/// What has not ended, and how much there was.
#[derive(Default)]
struct Open {
    timers: Vec<i64>,
    activities: Vec<Activity>,
    children: Vec<Child>,
    signals: Vec<i64>,
    updates: Vec<(String, i64)>,
    timer_count: u32,
    activity_count: u32,
    count: u32,
}

struct Activity {
    scheduled: i64,
    is_started: bool,
    is_cancelled: bool,
}

struct Child {
    initiated: i64,
    is_started: bool,
}

impl Grammar<'_, '_> {
    fn write(&mut self) -> Result<()> {
        let mut metadata = all_flags();
        loop {
            self.writer.task();
            if self.writer.events.len() > MAX_EVENTS || self.input.is_empty() {
                return Ok(());
            }
            if self.input.ratio(1, 8)? {
                self.lose_task()?;
                continue;
            }
            self.writer.task_completed(std::mem::take(&mut metadata));
            self.traces()?;
            if self.is_closed || self.input.ratio(1, 32)? {
                return Ok(());
            }
            self.tells = false;
            for _ in 0..self.input.int_in_range(0..=3)? {
                self.news()?;
            }
        }
    }

    fn lose_task(&mut self) -> Result<()> {
        let (scheduled_event_id, started_event_id) = (self.writer.scheduled, self.writer.started);
        let lost = if self.input.arbitrary()? {
            Attributes::WorkflowTaskTimedOutEventAttributes(WorkflowTaskTimedOutEventAttributes {
                scheduled_event_id,
                started_event_id,
                ..WorkflowTaskTimedOutEventAttributes::default()
            })
        } else {
            Attributes::WorkflowTaskFailedEventAttributes(Box::new(WorkflowTaskFailedEventAttributes {
                scheduled_event_id,
                started_event_id,
                ..WorkflowTaskFailedEventAttributes::default()
            }))
        };
        self.writer.push(lost);
        Ok(())
    }

    /// What the commands of a task left in history. Markers of local activities come last, as the code hears of their
    /// ends when it has issued its other commands.
    fn traces(&mut self) -> Result<()> {
        let update = self.input.ratio(1, 4)?;
        if update {
            self.update()?;
        }
        if !self.tells && !update {
            return Ok(());
        }
        for _ in 0..self.input.int_in_range(0..=3)? {
            self.trace()?;
        }
        match self.input.int_in_range(0..=19)? {
            0 => self.end()?,
            1 | 2 => self.local_activity(),
            _ => {}
        }
        Ok(())
    }

    fn trace(&mut self) -> Result<()> {
        match self.input.int_in_range(0..=9)? {
            0 => self.timer(),
            1 => self.cancel_timer()?,
            2 => self.activity(),
            3 => self.cancel_activity()?,
            4 => self.patch()?,
            5 => self.child(),
            6 => self.signal(),
            7 => self.complete_update()?,
            8 => {
                let indexed_fields = BTreeMap::from([("Stage".to_owned(), Payload::default())]);
                self.upsert(indexed_fields);
            }
            _ => {
                let modified = WorkflowPropertiesModifiedEventAttributes::default();
                self.writer.push(Attributes::WorkflowPropertiesModifiedEventAttributes(modified));
            }
        }
        Ok(())
    }

    fn timer(&mut self) {
        self.open.timer_count += 1;
        let id = self.writer.push(Attributes::TimerStartedEventAttributes(TimerStartedEventAttributes {
            timer_id: self.open.timer_count.to_string(),
            ..TimerStartedEventAttributes::default()
        }));
        self.open.timers.push(id);
    }

    fn cancel_timer(&mut self) -> Result<()> {
        let before_task = |id: &i64| *id < self.writer.scheduled;
        if let Some(index) = self.pick(self.open.timers.iter().take_while(|id| before_task(id)).count())? {
            let started_event_id = self.open.timers.remove(index);
            let cancelled =
                TimerCanceledEventAttributes { started_event_id, ..TimerCanceledEventAttributes::default() };
            self.writer.push(Attributes::TimerCanceledEventAttributes(cancelled));
        }
        Ok(())
    }

    fn activity(&mut self) {
        self.open.activity_count += 1;
        let scheduled = ActivityTaskScheduledEventAttributes {
            activity_id: self.open.activity_count.to_string(),
            activity_type: Some(ActivityType { name: "charge".into() }),
            ..ActivityTaskScheduledEventAttributes::default()
        };
        let scheduled = self.writer.push(Attributes::ActivityTaskScheduledEventAttributes(Box::new(scheduled)));
        self.open.activities.push(Activity { scheduled, is_started: false, is_cancelled: false });
    }

    fn cancel_activity(&mut self) -> Result<()> {
        let before_task = |activity: &&Activity| activity.scheduled < self.writer.scheduled;
        let Some(index) = self.pick(self.open.activities.iter().take_while(before_task).count())? else {
            return Ok(());
        };
        let activity = &mut self.open.activities[index];
        if !std::mem::replace(&mut activity.is_cancelled, true) {
            let requested = ActivityTaskCancelRequestedEventAttributes {
                scheduled_event_id: activity.scheduled,
                ..ActivityTaskCancelRequestedEventAttributes::default()
            };
            self.writer.push(Attributes::ActivityTaskCancelRequestedEventAttributes(requested));
        }
        Ok(())
    }

    fn patch(&mut self) -> Result<()> {
        self.open.count += 1;
        let data = format!(r#"{{"id":"p{}","deprecated":{}}}"#, self.open.count, self.input.arbitrary::<bool>()?);
        self.marker("core_patch", "patch-data", data);
        self.upsert(BTreeMap::from([("TemporalChangeVersion".to_owned(), Payload::default())]));
        Ok(())
    }

    fn local_activity(&mut self) {
        self.open.activity_count += 1;
        let seq = self.open.activity_count;
        let data = format!(r#"{{"seq":{seq},"attempt":1,"activity_id":"{seq}","activity_type":"look"}}"#);
        self.marker("core_local_activity", "data", data);
    }

    fn marker(&mut self, name: &str, detail: &str, data: String) {
        let payload = Payload { data: Bytes::from(data), ..Payload::default() };
        let marker = MarkerRecordedEventAttributes {
            marker_name: name.into(),
            details: BTreeMap::from([(detail.to_owned(), Payloads { payloads: vec![payload] })]),
            ..MarkerRecordedEventAttributes::default()
        };
        self.writer.push(Attributes::MarkerRecordedEventAttributes(Box::new(marker)));
    }

    fn upsert(&mut self, indexed_fields: BTreeMap<String, Payload>) {
        let upsert = UpsertWorkflowSearchAttributesEventAttributes {
            search_attributes: Some(SearchAttributes { indexed_fields }),
            ..UpsertWorkflowSearchAttributesEventAttributes::default()
        };
        self.writer.push(Attributes::UpsertWorkflowSearchAttributesEventAttributes(upsert));
    }

    fn child(&mut self) {
        self.open.count += 1;
        let initiated = StartChildWorkflowExecutionInitiatedEventAttributes {
            workflow_id: format!("child-{}", self.open.count),
            workflow_type: Some(WorkflowType { name: "shipping".into() }),
            ..StartChildWorkflowExecutionInitiatedEventAttributes::default()
        };
        let initiated = Attributes::StartChildWorkflowExecutionInitiatedEventAttributes(initiated.into());
        let initiated = self.writer.push(initiated);
        self.open.children.push(Child { initiated, is_started: false });
    }

    fn signal(&mut self) {
        let initiated = SignalExternalWorkflowExecutionInitiatedEventAttributes {
            workflow_execution: Some(WorkflowExecution { workflow_id: "other".into(), run_id: String::new() }),
            signal_name: "go".into(),
            ..SignalExternalWorkflowExecutionInitiatedEventAttributes::default()
        };
        let initiated = Attributes::SignalExternalWorkflowExecutionInitiatedEventAttributes(Box::new(initiated));
        let initiated = self.writer.push(initiated);
        self.open.signals.push(initiated);
    }

    /// An update that came with the task and was accepted.
    fn update(&mut self) -> Result<()> {
        self.open.count += 1;
        let id = format!("u{}", self.open.count);
        let request = Request {
            meta: Some(Meta { update_id: id.clone(), ..Meta::default() }),
            input: Some(Input { name: "change".into(), ..Input::default() }),
            ..Request::default()
        };
        let accepted = WorkflowExecutionUpdateAcceptedEventAttributes {
            protocol_instance_id: id.clone(),
            accepted_request_message_id: format!("{id}/request"),
            accepted_request_sequencing_event_id: self.writer.scheduled,
            accepted_request: Some(request),
        };
        let accepted = self.writer.push(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(Box::new(accepted)));
        self.open.updates.push((id, accepted));
        Ok(())
    }

    fn complete_update(&mut self) -> Result<()> {
        if let Some(index) = self.pick(self.open.updates.len())? {
            let (id, accepted_event_id) = self.open.updates.remove(index);
            let completed = WorkflowExecutionUpdateCompletedEventAttributes {
                meta: Some(Meta { update_id: id, ..Meta::default() }),
                accepted_event_id,
                ..WorkflowExecutionUpdateCompletedEventAttributes::default()
            };
            self.writer.push(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(Box::new(completed)));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.is_closed = true;
        let end = match self.input.int_in_range(0..=3)? {
            0 => Attributes::WorkflowExecutionFailedEventAttributes(Box::default()),
            1 => {
                Attributes::WorkflowExecutionCanceledEventAttributes(WorkflowExecutionCanceledEventAttributes::default())
            }
            2 => Attributes::WorkflowExecutionContinuedAsNewEventAttributes(
                WorkflowExecutionContinuedAsNewEventAttributes {
                    workflow_type: Some(WorkflowType { name: "order".into() }),
                    ..WorkflowExecutionContinuedAsNewEventAttributes::default()
                }
                .into(),
            ),
            _ => Attributes::WorkflowExecutionCompletedEventAttributes(
                WorkflowExecutionCompletedEventAttributes::default(),
            ),
        };
        self.writer.push(end);
        Ok(())
    }

    /// One of `count` things, if there is one.
    fn pick(&mut self, count: usize) -> Result<Option<usize>> {
        if count == 0 { Ok(None) } else { self.input.choose_index(count).map(Some) }
    }
}

/// What happens by itself.
impl Grammar<'_, '_> {
    fn news(&mut self) -> Result<()> {
        match self.input.int_in_range(0..=5)? {
            0 => self.fire_timer(),
            1 | 2 => self.move_activity(),
            3 => self.move_child(),
            4 => self.deliver_signal(),
            _ => self.knock(),
        }
    }

    fn fire_timer(&mut self) -> Result<()> {
        if let Some(index) = self.pick(self.open.timers.len())? {
            let started_event_id = self.open.timers.remove(index);
            let fired = TimerFiredEventAttributes { started_event_id, ..TimerFiredEventAttributes::default() };
            self.writer.push(Attributes::TimerFiredEventAttributes(fired));
            self.tells = true;
        }
        Ok(())
    }

    fn move_activity(&mut self) -> Result<()> {
        let Some(index) = self.pick(self.open.activities.len())? else { return Ok(()) };
        let Activity { scheduled: scheduled_event_id, is_started, is_cancelled } = self.open.activities[index];
        let attributes = match self.input.int_in_range(0..=3)? {
            _ if !is_started => {
                self.open.activities[index].is_started = true;
                self.writer.push(Attributes::ActivityTaskStartedEventAttributes(Box::new(
                    ActivityTaskStartedEventAttributes {
                        scheduled_event_id,
                        ..ActivityTaskStartedEventAttributes::default()
                    },
                )));
                return Ok(());
            }
            0 => Attributes::ActivityTaskFailedEventAttributes(Box::new(ActivityTaskFailedEventAttributes {
                scheduled_event_id,
                ..ActivityTaskFailedEventAttributes::default()
            })),
            1 => Attributes::ActivityTaskTimedOutEventAttributes(Box::new(ActivityTaskTimedOutEventAttributes {
                scheduled_event_id,
                ..ActivityTaskTimedOutEventAttributes::default()
            })),
            2 if is_cancelled => Attributes::ActivityTaskCanceledEventAttributes(ActivityTaskCanceledEventAttributes {
                scheduled_event_id,
                ..ActivityTaskCanceledEventAttributes::default()
            }),
            _ => Attributes::ActivityTaskCompletedEventAttributes(ActivityTaskCompletedEventAttributes {
                scheduled_event_id,
                ..ActivityTaskCompletedEventAttributes::default()
            }),
        };
        self.open.activities.remove(index);
        self.writer.push(attributes);
        self.tells = true;
        Ok(())
    }

    fn move_child(&mut self) -> Result<()> {
        let Some(index) = self.pick(self.open.children.len())? else { return Ok(()) };
        let initiated_event_id = self.open.children[index].initiated;
        let attributes = if self.open.children[index].is_started {
            self.open.children.remove(index);
            Attributes::ChildWorkflowExecutionCompletedEventAttributes(ChildWorkflowExecutionCompletedEventAttributes {
                initiated_event_id,
                ..ChildWorkflowExecutionCompletedEventAttributes::default()
            })
        } else if self.input.ratio(1, 4)? {
            self.open.children.remove(index);
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(
                StartChildWorkflowExecutionFailedEventAttributes {
                    initiated_event_id,
                    ..StartChildWorkflowExecutionFailedEventAttributes::default()
                },
            )
        } else {
            self.open.children[index].is_started = true;
            Attributes::ChildWorkflowExecutionStartedEventAttributes(ChildWorkflowExecutionStartedEventAttributes {
                initiated_event_id,
                ..ChildWorkflowExecutionStartedEventAttributes::default()
            })
        };
        self.writer.push(attributes);
        self.tells = true;
        Ok(())
    }

    fn deliver_signal(&mut self) -> Result<()> {
        let Some(index) = self.pick(self.open.signals.len())? else { return Ok(()) };
        let initiated_event_id = self.open.signals.remove(index);
        let attributes = if self.input.arbitrary()? {
            Attributes::ExternalWorkflowExecutionSignaledEventAttributes(
                ExternalWorkflowExecutionSignaledEventAttributes {
                    initiated_event_id,
                    ..ExternalWorkflowExecutionSignaledEventAttributes::default()
                },
            )
        } else {
            Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(
                SignalExternalWorkflowExecutionFailedEventAttributes {
                    initiated_event_id,
                    ..SignalExternalWorkflowExecutionFailedEventAttributes::default()
                },
            )
        };
        self.writer.push(attributes);
        self.tells = true;
        Ok(())
    }

    /// A signal, or a request to cancel the run.
    fn knock(&mut self) -> Result<()> {
        let attributes = if self.input.ratio(7, 8)? {
            Attributes::WorkflowExecutionSignaledEventAttributes(Box::default())
        } else {
            Attributes::WorkflowExecutionCancelRequestedEventAttributes(
                WorkflowExecutionCancelRequestedEventAttributes::default(),
            )
        };
        self.writer.push(attributes);
        self.tells = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Bytes that differ from one `seed` to the next.
    fn bytes(seed: u32) -> Vec<u8> {
        let mut state = u64::from(seed);
        let mut next = || {
            state = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
            state.to_be_bytes()[1]
        };
        (0..400).map(|_| next()).collect()
    }

    /// If the grammar wrote little, that it is replayed would say little.
    #[test]
    fn histories_are_long_and_hold_everything() {
        let mut kinds = BTreeSet::new();
        let (mut events, count) = (0, 500);
        for seed in 0..count {
            let written = history(&mut Unstructured::new(&bytes(seed))).expect("there is always a history");
            events += written.len();
            for attributes in written.iter().filter_map(|event| event.attributes.as_ref()) {
                let text = format!("{attributes:?}");
                kinds.insert(text.split('(').next().unwrap_or_default().to_owned());
            }
        }
        assert!(events > 50 * count as usize, "{} events in a history", events / count as usize);
        assert_eq!(kinds.len(), 34, "{kinds:#?}");
    }
}
