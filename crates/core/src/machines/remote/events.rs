//! What becomes of what a run asked of others.

use stead_proto::history::v1::history_event::Attributes;

use super::nexus::NexusOperation;
use super::{child, external, nexus};
use crate::MismatchKind;
use crate::machines::events::{step, step_at};
use crate::machines::{Machines, Table};

impl Machines {
    /// Handles an event about one of them. `None` if it is about something else.
    pub(in crate::machines) fn handle_remote(
        &mut self,
        id: i64,
        event: &mut Attributes,
    ) -> Option<Result<(), MismatchKind>> {
        let Self { remote, jobs, .. } = self;
        let remote = remote.get_or_insert_default();
        Some(match event {
            Attributes::ChildWorkflowExecutionStartedEventAttributes(it) => {
                let execution = it.workflow_execution.take();
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.started(seq, id, execution))
            }
            Attributes::StartChildWorkflowExecutionFailedEventAttributes(it) => {
                let cause = it.cause();
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.start_failed(seq, cause))
            }
            Attributes::ChildWorkflowExecutionCompletedEventAttributes(it) => {
                let end = child::End::Completed(it.result.take());
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.ended(seq, end))
            }
            Attributes::ChildWorkflowExecutionFailedEventAttributes(it) => {
                let end = child::End::Failed(it.failure.take().map(Box::new), it.retry_state);
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.ended(seq, end))
            }
            Attributes::ChildWorkflowExecutionTimedOutEventAttributes(it) => {
                let end = child::End::TimedOut(it.retry_state);
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.ended(seq, end))
            }
            Attributes::ChildWorkflowExecutionCanceledEventAttributes(it) => {
                let end = child::End::Cancelled(it.details.take());
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.ended(seq, end))
            }
            Attributes::ChildWorkflowExecutionTerminatedEventAttributes(it) => {
                let end = child::End::Terminated;
                step(&mut remote.children, jobs, it.initiated_event_id, |child, seq| child.ended(seq, end))
            }
            Attributes::ExternalWorkflowExecutionSignaledEventAttributes(it) => {
                step(&mut remote.signals, jobs, it.initiated_event_id, |signal, seq| {
                    signal.ended(Some(external::signalled(seq, None)))
                })
            }
            Attributes::SignalExternalWorkflowExecutionFailedEventAttributes(it) => {
                let failure = external::signal_failure(it.cause());
                step(&mut remote.signals, jobs, it.initiated_event_id, |signal, seq| {
                    signal.ended(Some(external::signalled(seq, Some(failure))))
                })
            }
            Attributes::ExternalWorkflowExecutionCancelRequestedEventAttributes(it) => {
                self.cancel_delivered(it.initiated_event_id)
            }
            Attributes::RequestCancelExternalWorkflowExecutionFailedEventAttributes(it) => {
                let failure = external::cancel_failure(it.cause());
                let initiated = it.initiated_event_id;
                if remote.child_cancels.by_event(initiated).is_some() {
                    // The child is gone, and history will tell how.
                    step(&mut remote.child_cancels, jobs, initiated, |cancel, _| cancel.request.ended(None))
                } else {
                    step(&mut remote.cancels, jobs, initiated, |cancel, seq| {
                        cancel.ended(Some(external::cancelled(seq, Some(failure))))
                    })
                }
            }
            _ => return self.handle_nexus(event),
        })
    }

    fn cancel_delivered(&mut self, initiated: i64) -> Result<(), MismatchKind> {
        let Self { remote, jobs, .. } = self;
        let remote = remote.get_or_insert_default();
        let Some(index) = remote.child_cancels.by_event(initiated) else {
            return step(&mut remote.cancels, jobs, initiated, |cancel, seq| {
                cancel.ended(Some(external::cancelled(seq, None)))
            });
        };
        let child = remote.child_cancels.get(index).map(|cancel| cancel.child);
        step(&mut remote.child_cancels, jobs, initiated, |cancel, _| cancel.request.ended(None))?;
        let child = child.and_then(|seq| remote.children.by_seq(seq));
        child.map_or(Ok(()), |index| {
            step_at(&mut remote.children, jobs, index, |child, seq| child.cancel_delivered(seq))
        })
    }

    fn handle_nexus(&mut self, event: &mut Attributes) -> Option<Result<(), MismatchKind>> {
        let Self { remote, jobs, .. } = self;
        let nexus = &mut remote.get_or_insert_default().nexus;
        let mut end = |scheduled, end| step(nexus, jobs, scheduled, |operation, seq| operation.ended(seq, end));
        Some(match event {
            Attributes::NexusOperationCompletedEventAttributes(it) => {
                end(it.scheduled_event_id, nexus::End::Completed(it.result.take()))
            }
            Attributes::NexusOperationFailedEventAttributes(it) => {
                end(it.scheduled_event_id, nexus::End::Failed(it.failure.take()))
            }
            Attributes::NexusOperationCanceledEventAttributes(it) => {
                end(it.scheduled_event_id, nexus::End::Cancelled(it.failure.take()))
            }
            Attributes::NexusOperationTimedOutEventAttributes(it) => {
                end(it.scheduled_event_id, nexus::End::TimedOut(it.failure.take()))
            }
            Attributes::NexusOperationStartedEventAttributes(it) => {
                let token = std::mem::take(&mut it.operation_token);
                step(nexus, jobs, it.scheduled_event_id, |operation, seq| operation.started(seq, token))
            }
            Attributes::NexusOperationCancelRequestCompletedEventAttributes(it) => {
                if_open(nexus, it.scheduled_event_id, |nexus| {
                    step(nexus, jobs, it.scheduled_event_id, NexusOperation::cancel_taken)
                })
            }
            Attributes::NexusOperationCancelRequestFailedEventAttributes(it) => {
                let failure = it.failure.take();
                if_open(nexus, it.scheduled_event_id, |nexus| {
                    step(nexus, jobs, it.scheduled_event_id, |operation, seq| operation.cancel_refused(seq, failure))
                })
            }
            _ => return None,
        })
    }
}

/// What the request to cancel an operation came to may arrive after the operation has ended.
fn if_open<M>(
    table: &mut Table<M>,
    event_id: i64,
    step: impl FnOnce(&mut Table<M>) -> Result<(), MismatchKind>,
) -> Result<(), MismatchKind> {
    if table.by_event(event_id).is_some() { step(table) } else { Ok(()) }
}
