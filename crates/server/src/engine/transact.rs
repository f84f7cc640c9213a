//! The one place where a run is changed, and what follows each change.

use std::collections::BTreeSet;

use prost::Message;

use super::effect::Effect;
use super::run::close::Termination;
use super::run::deadlines::{Deadline, Due};
use super::run::{Context, Run, RunKey};
use super::start::HISTORY_SERVICE;
use super::time::duration;
use super::{Engine, Time};

/// The runs that this input has changed.
#[derive(Debug, Default)]
pub(super) struct Touched {
    runs: BTreeSet<RunKey>,
}

impl Engine {
    /// Changes a run. A speculative workflow task becomes an ordinary one by it.
    ///
    /// `None` if there is no such run.
    pub(super) fn transact<T>(
        &mut self,
        key: RunKey,
        change: impl FnOnce(&mut Run, &mut Context<'_>) -> T,
    ) -> Option<T> {
        self.change(key, |run, cx| {
            let result = change(run, cx);
            run.commit_speculative_task(cx);
            run.limit_buffer(cx);
            run.limit_history(cx);
            result
        })
    }

    /// Changes nothing of a run that is worth an event: a speculative workflow task stays one.
    pub(super) fn transact_speculative<T>(
        &mut self,
        key: RunKey,
        change: impl FnOnce(&mut Run, &mut Context<'_>) -> T,
    ) -> Option<T> {
        self.change(key, change)
    }

    fn change<T>(&mut self, key: RunKey, change: impl FnOnce(&mut Run, &mut Context<'_>) -> T) -> Option<T> {
        let run = self.runs.get_mut(key)?;
        let namespace = self.namespaces.get(run.namespace())?;
        let mut cx = Context {
            now: run.instant(self.now),
            ids: &mut self.ids,
            config: &self.config,
            namespace: &namespace.info.name,
            namespace_id: &namespace.info.id,
            effects: &mut self.effects,
        };
        let was_open = run.is_open();
        let result = change(run, &mut cx);
        run.skip_time(&cx);
        run.history.end_batch();
        run.state.transitions += 1;
        let skipped = run.skipped();
        let timeout = run.deadlines.next().map(|at| at - skipped);
        let closed = was_open && !run.is_open();
        let busy = run.is_busy();
        self.pages.changed(run);
        self.runs.set_timeout(key, timeout);
        self.runs.set_busy(key, busy);
        if closed {
            let retention = duration(namespace.config.workflow_execution_retention_ttl.as_ref());
            self.runs.keep_until(key, self.now + retention.unwrap_or_default());
        }
        self.touched.runs.insert(key);
        Some(result)
    }

    /// Does what is due at runs.
    pub(super) fn fire_deadlines(&mut self) {
        while let Some(key) = self.runs.due(self.now) {
            self.transact(key, Run::deadlines_due);
        }
        self.fire_activity_deadlines();
        self.fire_operation_deadlines();
        self.fire_request_deadlines();
        self.fire_query_deadlines();
        while let Some(key) = self.runs.take_expired(self.now) {
            self.forget_run(key);
        }
    }

    /// Carries out what the changes of runs mean for the world, until nothing is left of it.
    pub(super) fn carry_out_effects(&mut self) {
        loop {
            if let Some(effect) = self.effects.pop_front() {
                self.carry_out(effect);
            } else if let Some(matched) = self.matching.poll_match() {
                self.deliver(matched);
            } else {
                break;
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::OfferWorkflowTask(run) => self.offer_workflow_task(run),
            Effect::OfferActivity(run, scheduled_event_id) => self.offer_activity(run, scheduled_event_id),
            Effect::Follow(mut new) => {
                self.keep_served_version(&mut new);
                self.start_run(*new);
            }
            Effect::Closed(run) => {
                self.end_updates(run);
                self.unblock_queries(run);
                self.run_closed(run);
            }
            Effect::UpdateCompleted(run, id) => self.call_back_of_update(run, &id),
            Effect::Forget(run) => self.forget_deleted(run),
            Effect::UpdateEnded(run, id, ended) => self.update_ended(run, &id, ended),
            Effect::AskHandler(owner, ask) => self.ask_handler(owner, ask),
            Effect::StartChild(run, initiated_event_id) => self.start_child(run, initiated_event_id),
            Effect::SignalExternal(run, initiated_event_id) => self.deliver_signal(run, initiated_event_id),
            Effect::CancelExternal(run, initiated_event_id) => self.deliver_cancel(run, initiated_event_id),
        }
    }

    /// What callers wait for, what lists show and what is kept, after all that this input changed.
    pub(super) fn publish_changes(&mut self) {
        for key in std::mem::take(&mut self.touched.runs) {
            self.serve_history_waits(key);
            self.serve_update_waits(key);
            self.serve_fast_forward_waits(key);
            self.list_run(key);
            self.note_closed_history(key);
            if let Some(run) = self.runs.get_mut(key) {
                run.write(&mut self.changes);
            }
        }
    }
}

impl Run {
    /// Does what is due, in one go: the workflow hears at once of all timers that fire together.
    fn deadlines_due(&mut self, cx: &mut Context<'_>) {
        let mut fired = false;
        while let Some(due) = self.deadlines.take_due(cx.now) {
            match due {
                Due::Timer(id) => {
                    fired = true;
                    self.fire_timer(cx, id);
                }
                Due::Deadline(deadline) => self.deadline(cx, deadline),
            }
        }
        if fired {
            self.wake(cx);
        }
    }

    /// A deadline has come.
    fn deadline(&mut self, cx: &mut Context<'_>, deadline: Deadline) {
        match deadline {
            // A signal-with-start or an update may have brought the first task before its time.
            Deadline::FirstTask if self.has_had_task() => {}
            Deadline::FirstTask => self.wake(cx),
            Deadline::TaskScheduleToStart => self.task_not_taken(cx),
            Deadline::TaskStartToClose => self.task_timed_out(cx),
            Deadline::Activity(id, deadline) => self.activity_due(cx, id, deadline),
            Deadline::Operation(id, deadline) => self.operation_due(cx, id, deadline),
            Deadline::FastForward => self.fast_forward_due(cx),
            Deadline::Run => self.time_out(cx, false),
            Deadline::Execution => self.time_out(cx, true),
        }
    }

    /// News that waits must not grow without a bound: the worker loses its task, and the next one has all of it.
    fn limit_buffer(&mut self, cx: &mut Context<'_>) {
        let (limits, buffered) = (&cx.config.limits, &self.state.buffered);
        let size = || buffered.iter().map(Message::encoded_len).sum::<usize>();
        if buffered.len() > limits.buffered_events || size() > limits.buffered_size {
            self.fail_task(cx, stead_proto::enums::v1::WorkflowTaskFailedCause::ForceCloseCommand, None, "");
            self.flush_buffer();
            self.wake(cx);
        }
    }
}

impl Run {
    /// A history must not grow without a bound either: the run ends.
    fn limit_history(&mut self, cx: &mut Context<'_>) {
        let limits = &cx.config.limits;
        let reason = if self.history.size() > limits.history_size {
            "Workflow history size exceeds limit."
        } else if self.history.len() > limits.history_events {
            "Workflow history count exceeds limit."
        } else {
            return;
        };
        if self.is_open() {
            self.history.end_batch();
            let identity = HISTORY_SERVICE.to_owned();
            self.terminate(cx, Termination { reason: reason.to_owned(), identity, ..Default::default() });
        }
    }
}

impl Engine {
    /// Forgets a run and everything that is kept of it.
    pub(super) fn forget_run(&mut self, key: RunKey) {
        if let Some(mut run) = self.runs.remove(key) {
            self.unlist_run(&run);
            run.erase(&mut self.changes);
            self.touched.runs.remove(&key);
            self.pages.forget_run(key);
        }
    }

    /// When the engine has something to do next: a deadline of a run, a queue that is held back, or a schedule.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        let others = [
            self.matching.poll_timeout(),
            self.schedules.next_timeout(),
            self.activities.next_timeout(),
            self.operations.next_timeout(),
            self.batches.next_timeout(),
            self.queries.next_deadline(),
            self.next_request_deadline(),
            self.next_chore(),
        ];
        self.runs.next_timeout().into_iter().chain(others.into_iter().flatten()).min()
    }
}
