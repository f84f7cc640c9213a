//! The code of the runs: commands without a workflow, to see the core alone, and workflows as users write them.

use std::sync::Arc;
use std::time::Duration;

use stead::prelude::*;
use stead::workflow::{Definition, GuestOptions};
use stead_activation::{
    Activation, Command, Guest, Issued, Job, ScheduleActivity, Settings, TaskFailure, UpdateResponse,
};

use super::Kind;
use super::history::payload;

/// Issues the commands of a workflow and is none.
pub struct Trivial {
    kind: Kind,
    /// How many operations to wait for before the end.
    left: u32,
    seq: u32,
}

impl Trivial {
    pub fn new(kind: Kind, operations: u32) -> Self {
        Self { kind, left: operations, seq: 0 }
    }

    fn react(&mut self, job: Job, commands: &mut Vec<Issued>) {
        let mut issue = |command| commands.push(Issued { command, at: None });
        if let Job::Update(update) = job {
            for response in [UpdateResponse::Accepted, UpdateResponse::Completed(Some(payload(b"1")))] {
                let protocol_instance_id = update.protocol_instance_id.clone();
                issue(Command::RespondUpdate { protocol_instance_id, response });
            }
        } else if let Some(command) = self.next() {
            issue(command);
        }
    }

    fn next(&mut self) -> Option<Command> {
        if self.left == 0 {
            return Some(Command::CompleteWorkflow { result: Some(payload(b"0")) });
        }
        self.left -= 1;
        self.seq += 1;
        let seq = self.seq;
        match self.kind {
            Kind::Timer => Some(Command::StartTimer { seq, duration: Duration::from_secs(5), summary: None }),
            Kind::Activity => Some(Command::ScheduleActivity(Box::new(ScheduleActivity {
                seq,
                activity_id: seq.to_string(),
                activity_type: "echo".to_owned(),
                arguments: vec![payload(b"0")],
                start_to_close_timeout: Some(Duration::from_secs(30)),
                ..ScheduleActivity::default()
            }))),
            Kind::Update => None,
        }
    }
}

impl Guest for Trivial {
    fn activate(&mut self, activation: Activation) -> Result<Vec<Issued>, TaskFailure> {
        let mut commands = Vec::with_capacity(2);
        activation.jobs.into_iter().for_each(|job| self.react(job, &mut commands));
        Ok(commands)
    }

    fn settings(&self) -> Settings {
        Settings::default()
    }
}

/// A workflow that does the same.
pub fn real(kind: Kind) -> Box<dyn Guest> {
    let definition = match kind {
        Kind::Timer => Definition::of::<Timers>(),
        Kind::Activity => Definition::of::<Acts>(),
        Kind::Update => Definition::of::<Updates>(),
    };
    definition.instantiate(&Arc::<GuestOptions>::default())
}

#[derive(Default)]
struct Timers;

#[workflow]
impl Timers {
    #[run]
    async fn run(&self, n: u32) -> workflow::Result<u32> {
        for _ in 0..n {
            workflow::sleep(secs(5)).await?;
        }
        Ok(n)
    }
}

#[derive(Default)]
pub struct Acts;

#[workflow]
impl Acts {
    #[run]
    pub async fn run(&self, n: u32) -> workflow::Result<u32> {
        let mut sum = 0u32;
        for i in 0..n {
            let echo = workflow::activity_named::<u32>("echo", i);
            sum = sum.wrapping_add(echo.start_to_close(secs(30)).await?);
        }
        Ok(sum)
    }
}

#[derive(Default)]
struct Updates {
    count: Cell<u32>,
}

#[workflow]
impl Updates {
    #[run]
    async fn run(&self, n: u32) -> workflow::Result<u32> {
        workflow::wait_until(|| self.count.get() > n).await?;
        Ok(n)
    }

    #[update]
    fn change(&self, by: u32) -> workflow::Result<u32> {
        self.count.set(self.count.get() + by);
        Ok(self.count.get())
    }
}
