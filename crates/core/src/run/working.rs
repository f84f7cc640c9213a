//! What a run does with a task that it has taken on, up to what is reported about it.

use stead_activation::Issued;

use super::queries::Answered;
use super::{Completion, CompletionOutcome, Eviction, EvictionReason, Output, Reason, Reported, Run, State, Task};
use crate::MismatchKind;
use crate::fault::{Fault, Problem};
use crate::history::Next;

/// What is left to do about a task.
enum Verdict {
    /// It waits for its completion.
    Complete,
    /// Nothing: its history was replayed for its own sake, or the run is closed.
    Nothing,
}

impl Run {
    /// Goes on with a task until something from outside is needed.
    pub(super) fn work(&mut self, mut task: Box<Task>) {
        while !self.machines.has_jobs() {
            let applied = match task.history.next() {
                Next::Sequence(sequence) => self.machines.apply(sequence, task.previous_started_event_id),
                Next::Page(page_token) => {
                    let (workflow_id, run_id) = (self.workflow_id().to_owned(), self.run_id().to_owned());
                    let output = Output::FetchHistory { workflow_id, run_id, page_token };
                    return self.respond(output, State::Fetching(task));
                }
                Next::End => {
                    self.catch_up(&task);
                    match self.machines.has_jobs() {
                        true => break,
                        false => return self.conclude(task),
                    }
                }
            };
            if let Err(fault) = applied {
                return self.fail_by(task.ticket, fault);
            }
        }
        let activation = self.machines.take_activation();
        self.respond(Output::Activate(activation), State::Activating(task));
    }

    /// The code has answered an activation.
    pub(super) fn take_commands(&mut self, mut task: Box<Task>, mut commands: Vec<Issued>) {
        let answered = task.queries.take_answers(&task.ticket.token, &mut commands);
        let handled = match (&answered, commands.first()) {
            (Answered::Nothing, _) => self.machines.handle_commands(commands),
            (Answered::WithTask | Answered::Alone(_), None) => Ok(()),
            (Answered::WithTask | Answered::Alone(_), Some(command)) => {
                Err(self.machines.misuse(MismatchKind::InQuery, command.at))
            }
        };
        match (handled, answered) {
            (Err(fault), _) => self.fail_by(task.ticket, fault),
            (Ok(()), Answered::Alone(reply)) => {
                self.respond(Output::AnswerQuery(reply), State::Completing(Reported::Query));
            }
            (Ok(()), Answered::Nothing | Answered::WithTask) => self.work(task),
        }
    }

    /// History is over: waits for local activities, asks what is left to ask, then reports.
    fn conclude(&mut self, mut task: Box<Task>) {
        if self.has_to_hold(&task) {
            self.state = State::Holding(task);
            return;
        }
        let queries = task.queries.ask();
        if !queries.is_empty() {
            let activation = self.machines.query_activation(queries);
            return self.respond(Output::Activate(activation), State::Activating(task));
        }
        match self.judge(&task) {
            Ok(Verdict::Complete) => self.complete(*task),
            Ok(Verdict::Nothing) => self.go_on(),
            Err(fault) => self.fail_by(task.ticket, fault),
        }
    }

    fn judge(&self, task: &Task) -> Result<Verdict, Fault> {
        let progress = self.machines.progress();
        let is_open = progress.last_started == task.started_event_id && progress.last_event == progress.last_started;
        if progress.is_closed || task.is_replay() {
            Ok(Verdict::Nothing)
        } else if is_open {
            Ok(Verdict::Complete)
        } else {
            Err(Fault::task(Problem::TooShort { last: progress.last_event, started: task.started_event_id }))
        }
    }

    fn complete(&mut self, task: Task) {
        let (commands, messages) = match self.machines.take_outgoing() {
            Ok(outgoing) => outgoing,
            Err(fault) => return self.fail_by(task.ticket, fault),
        };
        let ends_run = self.machines.progress().is_ended;
        let completion = Completion {
            task_token: task.ticket.token.clone(),
            attempt: task.ticket.attempt,
            commands,
            messages,
            query_results: task.queries.into_results(),
            force_create_new_workflow_task: !ends_run && self.machines.has_running_local_activities(),
            later_local_activity_attempts: self.machines.count_later_attempts(),
            lists_too_many_patches: self.machines.take_too_many_patches(),
            sdk_metadata: self.machines.take_metadata(),
            ends_run,
            versioning: self.settings.versioning,
        };
        let reported = Reported::Task { ticket: task.ticket, ends_run };
        self.respond(Output::Complete(Box::new(completion)), State::Completing(reported));
    }

    /// What was reported has arrived, or has not.
    pub(super) fn finish(&mut self, reported: Reported, outcome: CompletionOutcome) {
        // A query that nobody waits for any more is no reason to forget the run.
        let Reported::Task { ticket, ends_run } = reported else { return self.go_on() };
        match outcome {
            CompletionOutcome::Accepted { next_task, reset_history_event_id } => {
                if reset_history_event_id > 0 {
                    self.machines.discard_task(reset_history_event_id);
                }
                if let Some(next) = next_task {
                    self.waiting.supersede(next);
                }
                if ends_run {
                    self.leaving = Some(EvictionReason::WorkflowEnded);
                }
                self.go_on();
            }
            CompletionOutcome::UnhandledCommand => {
                self.leave(EvictionReason::UnhandledCommand, "there is news that the run should see before it ends");
            }
            CompletionOutcome::TaskNotFound => {
                self.leave(EvictionReason::TaskNotFound, "the server no longer knows the task");
            }
            CompletionOutcome::TooLarge { cause, message } => self.fail(ticket, Reason::too_large(cause, message)),
            CompletionOutcome::Failed(message) => self.leave(EvictionReason::CompletionFailed, &message),
        }
    }

    /// Nothing is outstanding: leaves if it should, or takes the next task.
    pub(super) fn go_on(&mut self) {
        self.state = State::Idle;
        if let Some(reason) = self.leaving {
            self.leave(reason, reason.as_str());
        } else if let Some(task) = self.waiting.next() {
            self.start(task);
        }
    }

    fn leave(&mut self, reason: EvictionReason, message: &str) {
        self.evict(Eviction { reason, message: message.to_owned(), mismatch: None, next_tasks: Vec::new() });
    }

    pub(super) fn evict(&mut self, mut eviction: Eviction) {
        self.machines.stop_local_activities();
        eviction.next_tasks.extend(self.waiting.drain());
        self.respond(Output::Evict(eviction), State::Evicted);
    }

    /// Asks for something, and waits for the answer.
    pub(super) fn respond(&mut self, output: Output, state: State) {
        debug_assert!(self.output.is_none(), "one output at a time");
        self.output = Some(output);
        self.state = state;
    }
}
