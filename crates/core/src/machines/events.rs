//! What each event does.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;
use stead_activation::{Job, Seq, SignalReceived};
use stead_proto::enums::v1::WorkflowTaskFailedCause;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    HistoryEvent, WorkflowExecutionSignaledEventAttributes, WorkflowExecutionUpdateAdmittedEventAttributes,
    WorkflowTaskFailedEventAttributes, WorkflowTaskStartedEventAttributes,
};

use super::apply::{After, Surroundings};
use super::update::Update;
use super::{Index, Machines, Step, Table};
use crate::MismatchKind;
use crate::fault::{Fault, Problem};
use crate::history::event::{Kind, kind};
use crate::protocol::Incoming;
use crate::time::system_time;

impl Machines {
    /// Handles an event that is next in line.
    pub(super) fn handle_event(
        &mut self,
        event: &mut HistoryEvent,
        surroundings: &Surroundings<'_>,
    ) -> Result<After, Fault> {
        match kind(event) {
            Kind::Command => return self.record(event, surroundings.next),
            Kind::ClosedByCommand => {
                let after = self.record(event, surroundings.next)?;
                self.progress.is_closed = true;
                return Ok(after);
            }
            Kind::ClosedFromOutside if surroundings.next.is_some() || !surroundings.is_last_sequence => {
                return Err(Fault::event(event, Problem::Misplaced));
            }
            Kind::ClosedFromOutside => self.progress.is_closed = true,
            Kind::Started => self.handle_started(event)?,
            Kind::TaskScheduled => self.handle_task_scheduled(event)?,
            Kind::TaskStarted => self.handle_task_started(event, surroundings.next)?,
            Kind::TaskCompleted => self.handle_task_completed(event)?,
            Kind::TaskLost => self.handle_task_lost(event)?,
            Kind::Other => self.handle_other(event)?,
        }
        Ok(After::Next)
    }

    fn handle_task_scheduled(&mut self, event: &HistoryEvent) -> Result<(), Fault> {
        self.settle(event.event_id)?;
        self.progress.last_scheduled = event.event_id;
        let step = self.task.scheduled();
        in_order(step, event)
    }

    fn handle_task_started(&mut self, event: &HistoryEvent, next: Option<&HistoryEvent>) -> Result<(), Fault> {
        let step = self.task.started();
        in_order(step, event)?;
        let Some(Attributes::WorkflowTaskStartedEventAttributes(started)) = &event.attributes else { return Ok(()) };
        // The code was given the task at the end of a sequence, and those that it completed on the way there.
        if next.is_none_or(|next| kind(next) == Kind::TaskCompleted) {
            self.give_task(event, started);
        }
        Ok(())
    }

    fn give_task(&mut self, event: &HistoryEvent, started: &WorkflowTaskStartedEventAttributes) {
        let progress = &mut self.progress;
        progress.last_started = event.event_id;
        progress.history_size_bytes = u64::try_from(started.history_size_bytes).unwrap_or(0);
        progress.continue_as_new_suggested = started.suggest_continue_as_new;
        progress.target_version_changed = started.target_worker_deployment_version_changed;
        if let Some(time) = &event.event_time {
            progress.time = progress.time.max(system_time(time));
        }
    }

    fn handle_task_completed(&mut self, event: &HistoryEvent) -> Result<(), Fault> {
        let step = self.task.completed();
        in_order(step, event)?;
        match &event.attributes {
            Some(Attributes::WorkflowTaskCompletedEventAttributes(completed)) => {
                self.notice_completed(event, completed)
            }
            _ => Ok(()),
        }
    }

    fn handle_task_lost(&mut self, event: &mut HistoryEvent) -> Result<(), Fault> {
        let step = match &mut event.attributes {
            Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => {
                self.handle_reset(failed);
                self.task.failed()
            }
            _ => self.task.timed_out(),
        };
        in_order(step, event)
    }

    /// A reset makes a new run from an old history: from here on it draws other random numbers.
    fn handle_reset(&mut self, failed: &WorkflowTaskFailedEventAttributes) {
        if failed.cause() == WorkflowTaskFailedCause::ResetWorkflow {
            self.jobs.push(Job::UpdateRandomSeed(randomness_seed(&failed.new_run_id)));
        }
    }

    fn handle_other(&mut self, event: &mut HistoryEvent) -> Result<(), Fault> {
        let id = event.event_id;
        let outcome = match &mut event.attributes {
            Some(Attributes::TimerFiredEventAttributes(fired)) => {
                step(&mut self.timers, &mut self.jobs, fired.started_event_id, |timer, seq| timer.fired(seq))
            }
            Some(Attributes::ActivityTaskStartedEventAttributes(started)) => {
                step(&mut self.activities, &mut self.jobs, started.scheduled_event_id, |activity, _| {
                    activity.started(id)
                })
            }
            Some(Attributes::ActivityTaskCompletedEventAttributes(completed)) => {
                step(&mut self.activities, &mut self.jobs, completed.scheduled_event_id, |activity, seq| {
                    activity.completed(seq, completed)
                })
            }
            Some(Attributes::ActivityTaskFailedEventAttributes(failed)) => {
                step(&mut self.activities, &mut self.jobs, failed.scheduled_event_id, |activity, seq| {
                    activity.failed(seq, failed)
                })
            }
            Some(Attributes::ActivityTaskTimedOutEventAttributes(timed_out)) => {
                step(&mut self.activities, &mut self.jobs, timed_out.scheduled_event_id, |activity, seq| {
                    activity.timed_out(seq, timed_out)
                })
            }
            Some(Attributes::ActivityTaskCanceledEventAttributes(cancelled)) => {
                step(&mut self.activities, &mut self.jobs, cancelled.scheduled_event_id, |activity, seq| {
                    activity.cancelled(seq, cancelled)
                })
            }
            Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) => {
                self.jobs.push(signal_job(signal));
                Ok(())
            }
            Some(Attributes::WorkflowExecutionCancelRequestedEventAttributes(request)) => {
                self.jobs.push(Job::CancelWorkflow { reason: std::mem::take(&mut request.cause) });
                Ok(())
            }
            Some(Attributes::WorkflowExecutionUpdateAdmittedEventAttributes(admitted)) => {
                self.admit_update(id, admitted);
                Ok(())
            }
            Some(attributes) => match self.handle_remote(id, attributes) {
                Some(outcome) => outcome,
                None if event.worker_may_ignore => Ok(()),
                None => return Err(Fault::event(event, Problem::Unsupported(""))),
            },
            None if event.worker_may_ignore => Ok(()),
            None => return Err(Fault::event(event, Problem::Unsupported(""))),
        };
        outcome.map_err(|kind| Fault::unexpected(event, kind))
    }

    /// History holds a request for an update. While replaying it only matters if it was accepted: those that were
    /// rejected left no trace and must not run again.
    fn admit_update(&mut self, event_id: i64, admitted: &mut WorkflowExecutionUpdateAdmittedEventAttributes) {
        let update = Incoming::from_admitted(event_id, admitted.request.take().unwrap_or_default());
        match self.incoming.iter_mut().find(|accepted| accepted.instance_id == update.instance_id) {
            Some(accepted) => *accepted = Incoming { is_accepted: accepted.is_accepted, ..update },
            None if self.progress.is_replaying => {}
            None => self.incoming.push(update),
        }
    }

    /// Asks the code for an update.
    pub(super) fn request_update(&mut self, incoming: Incoming) -> Result<(), Fault> {
        if incoming.request.input.is_none() {
            return Err(Fault::task(Problem::Task("an update request has no input")));
        }
        let (update, job) = Update::new(incoming);
        self.updates.append(update);
        self.jobs.push(job);
        Ok(())
    }
}

/// Finds the machine that an event is about, and steps it.
pub(super) fn step<M>(
    table: &mut Table<M>,
    jobs: &mut Vec<Job>,
    initiating_event: i64,
    transition: impl FnOnce(&mut M, Seq) -> Step,
) -> Result<(), MismatchKind> {
    let index = table.by_event(initiating_event).ok_or(MismatchKind::UnknownOperation)?;
    step_at(table, jobs, index, transition)
}

/// The one place where events reach machines: makes the step, and drops the machine if that was its last.
pub(super) fn step_at<M>(
    table: &mut Table<M>,
    jobs: &mut Vec<Job>,
    index: Index,
    transition: impl FnOnce(&mut M, Seq) -> Step,
) -> Result<(), MismatchKind> {
    let seq = table.seq(index);
    let machine = table.get_mut(index).ok_or(MismatchKind::UnknownOperation)?;
    match transition(machine, seq) {
        Step::Going => {}
        Step::Told(job) => jobs.push(job),
        Step::Ended(job) => {
            table.remove(index);
            jobs.extend(job);
        }
        Step::StartedAndEnded(start, end) => {
            table.remove(index);
            jobs.extend([start, end]);
        }
        Step::Illegal => return Err(MismatchKind::OutOfOrder),
    }
    Ok(())
}

fn in_order(step: Step, event: &HistoryEvent) -> Result<(), Fault> {
    match step {
        Step::Illegal => Err(Fault::event(event, Problem::Misplaced)),
        _ => Ok(()),
    }
}

fn signal_job(signal: &mut WorkflowExecutionSignaledEventAttributes) -> Job {
    Job::Signal(Box::new(SignalReceived {
        name: std::mem::take(&mut signal.signal_name),
        input: signal.input.take().map(|input| input.payloads).unwrap_or_default(),
        headers: signal.header.take().map(|header| header.fields).unwrap_or_default(),
        identity: std::mem::take(&mut signal.identity),
    }))
}

/// The seed of everything random in a run.
///
/// The function is fixed for ever: runs that were started with another SDK on this protocol must go on drawing the
/// same numbers.
pub(super) fn randomness_seed(run_id: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    run_id.hash(&mut hasher);
    hasher.finish()
}
