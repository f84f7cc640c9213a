//! A run and its code, driven the way a worker drives them.

use std::time::Duration;

use stead_activation::Guest;
use stead_core::{Completion, CompletionOutcome, Instant, Output, Run, RunOptions, replay_task};
use stead_proto::history::v1::History;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

/// Replays a closed run.
pub fn replay(history: History, guest: &mut dyn Guest) {
    let mut run = Run::new("run", RunOptions::default());
    run.handle_task(replay_task(history, "workflow", "run"), now());
    if let Some(output) = drive(&mut run, guest) {
        panic!("a closed run replays without a word: {output:?}");
    }
}

/// A run whose tasks are live.
pub struct Live {
    run: Run,
    guest: Box<dyn Guest>,
}

impl Live {
    pub fn new(guest: Box<dyn Guest>) -> Self {
        Self { run: Run::new("run", RunOptions::default()), guest }
    }

    /// From a task to its completion, which the server accepts.
    pub fn complete(&mut self, task: PollWorkflowTaskQueueResponse) -> Box<Completion> {
        self.run.handle_task(task, now());
        let Some(Output::Complete(completion)) = drive(&mut self.run, &mut *self.guest) else {
            panic!("the task is completed");
        };
        self.run.handle_completed(CompletionOutcome::accepted(), now());
        completion
    }
}

/// Answers activations until the run asks for something else.
fn drive(run: &mut Run, guest: &mut dyn Guest) -> Option<Output> {
    loop {
        match run.poll_output()? {
            Output::Activate(activation) => {
                let commands = guest.activate(activation).expect("the guest follows");
                run.handle_commands(commands, now());
            }
            output => return Some(output),
        }
    }
}

fn now() -> Instant {
    Instant::from_origin(Duration::from_secs(1))
}
