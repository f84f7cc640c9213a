//! A run and the code that goes with it, driven until nothing more is asked, or for ever, which is a fault.

use std::time::Duration;

use stead_activation::{Activation, Issued};
use stead_core::{
    Completion, CompletionOutcome, EvictionReason, HistoryPage, Instant, LocalActivityOutcome, Output, Run, RunOptions,
};
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

use crate::follower::Follower;

/// More outputs than a task needs, besides some for each event.
const MAX_OUTPUTS: usize = 2_000;
const MAX_OUTPUTS_PER_EVENT: usize = 20;

/// How a task ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Nothing was to be done but to replay.
    Quiet,
    /// It was completed.
    Completed(Box<Completion>),
    /// A query was answered.
    Answered,
    /// It failed, or the run had to go.
    Failed(String),
}

/// A run and its code.
pub(crate) struct Driver {
    run: Run,
    guest: Follower,
    /// Pages to be fetched, the next one last.
    pages: Vec<HistoryPage>,
}

impl Driver {
    pub(crate) fn new(guest: Follower) -> Self {
        Self { run: Run::new("run", RunOptions::default()), guest, pages: Vec::new() }
    }

    /// Gives the run a task, of which all but the first events come in `pages`.
    pub(crate) fn task(&mut self, task: PollWorkflowTaskQueueResponse, pages: Vec<HistoryPage>) -> Ending {
        let events = task.history.iter().map(|history| history.events.len()).sum::<usize>();
        let events = events + pages.iter().map(|page| page.events.len()).sum::<usize>();
        self.pages = pages;
        self.pages.reverse();
        self.run.handle_task(task, now());
        self.exhaust(MAX_OUTPUTS + MAX_OUTPUTS_PER_EVENT * events)
    }

    pub(crate) fn evict(&mut self) -> Ending {
        self.run.handle_eviction_request(EvictionReason::Requested, now());
        self.exhaust(MAX_OUTPUTS)
    }

    fn exhaust(&mut self, outputs: usize) -> Ending {
        let mut ending = Ending::Quiet;
        for _ in 0..outputs {
            match self.run.poll_output() {
                None => return ending,
                Some(Output::Activate(activation)) => self.activate(&activation),
                Some(Output::FetchHistory { .. }) => self.fetch(),
                Some(Output::StartLocalActivity(attempt)) => {
                    let outcome = LocalActivityOutcome::Completed(None);
                    self.run.handle_local_activity(attempt.seq, attempt.attempt, outcome, now());
                }
                Some(Output::StopLocalActivity { .. }) => {}
                Some(Output::Complete(completion)) => {
                    ending = Ending::Completed(completion);
                    self.run.handle_completed(CompletionOutcome::accepted(), now());
                }
                Some(Output::AnswerQuery(_)) => {
                    ending = Ending::Answered;
                    self.run.handle_completed(CompletionOutcome::accepted(), now());
                }
                Some(Output::Fail(failed)) => {
                    ending = Ending::Failed(failed.failure.message);
                    self.run.handle_completed(CompletionOutcome::accepted(), now());
                }
                Some(Output::Evict(eviction)) => {
                    let is_expected =
                        matches!(eviction.reason, EvictionReason::WorkflowEnded | EvictionReason::Requested);
                    return if is_expected { ending } else { Ending::Failed(eviction.message) };
                }
            }
        }
        panic!("it goes on for ever");
    }

    fn activate(&mut self, activation: &Activation) {
        let commands = self.guest.answer(activation);
        let commands = commands.into_iter().map(|command| Issued { command, at: None }).collect();
        self.run.handle_commands(commands, now());
    }

    fn fetch(&mut self) {
        match self.pages.pop() {
            Some(mut page) => {
                page.next_page_token = if self.pages.is_empty() { bytes::Bytes::new() } else { "more".into() };
                self.run.handle_history(page, now());
            }
            None => self.run.handle_history_failed("there are no more pages".into(), now()),
        }
    }
}

fn now() -> Instant {
    Instant::from_origin(Duration::from_secs(1))
}
