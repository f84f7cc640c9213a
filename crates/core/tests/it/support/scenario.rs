//! A run and its scripted guest, driven the way a worker drives them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use stead_activation::{Activation, Command, Issued, Job, Payload, QueryAnswer, ScheduleActivity, Seq, TaskFailure};
use stead_core::{
    Completion, CompletionOutcome, Eviction, EvictionReason, FailedTask, HistoryPage, Instant, Output, QueryReply, Run,
    RunOptions,
};
use stead_proto::query::v1::WorkflowQuery;
use stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse;

/// A run, a guest that answers each activation with the next step of its script, and what has happened.
pub(crate) struct Scenario {
    pub(crate) run: Run,
    script: VecDeque<Result<Vec<Command>, TaskFailure>>,
    /// What the guest was told, queries left out.
    pub(crate) activations: Vec<Activation>,
    /// What the guest was asked.
    pub(crate) queries: Vec<Activation>,
}

impl Scenario {
    pub(crate) fn new<const N: usize>(script: [Vec<Command>; N]) -> Self {
        Self::with_options(RunOptions::default(), script)
    }

    pub(crate) fn with_options<const N: usize>(options: RunOptions, script: [Vec<Command>; N]) -> Self {
        Self {
            run: Run::new("run", options),
            script: script.into_iter().map(Ok).collect(),
            activations: Vec::new(),
            queries: Vec::new(),
        }
    }

    /// The guest fails after its script.
    pub(crate) fn then_fails(mut self, failure: TaskFailure) -> Self {
        self.script.push_back(Err(failure));
        self
    }

    pub(crate) fn now() -> Instant {
        Instant::from_origin(Duration::from_secs(1))
    }

    /// Gives the run a task and drives it until it needs something other than its guest.
    pub(crate) fn task(&mut self, task: PollWorkflowTaskQueueResponse) -> Option<Output> {
        self.run.handle_task(task, Self::now());
        self.drive()
    }

    pub(crate) fn page(&mut self, page: HistoryPage) -> Option<Output> {
        self.run.handle_history(page, Self::now());
        self.drive()
    }

    pub(crate) fn outcome(&mut self, outcome: CompletionOutcome) -> Option<Output> {
        self.run.handle_completed(outcome, Self::now());
        self.drive()
    }

    pub(crate) fn accepted(&mut self) -> Option<Output> {
        self.outcome(CompletionOutcome::accepted())
    }

    pub(crate) fn evict(&mut self, reason: EvictionReason) -> Option<Output> {
        self.run.handle_eviction_request(reason, Self::now());
        self.drive()
    }

    /// Answers activations until the run asks for something else.
    pub(crate) fn drive(&mut self) -> Option<Output> {
        loop {
            match self.run.poll_output()? {
                Output::Activate(activation) => self.activate(activation),
                output => return Some(output),
            }
        }
    }

    fn activate(&mut self, activation: Activation) {
        let is_query = activation.jobs.iter().all(|job| matches!(job, Job::Query(_)));
        let answer = if is_query { Ok(answers(&activation)) } else { self.next_step(&activation) };
        if is_query { &mut self.queries } else { &mut self.activations }.push(activation);
        match answer {
            Ok(commands) => {
                let issue = |command| Issued { command, at: None };
                self.run.handle_commands(commands.into_iter().map(issue).collect(), Self::now());
            }
            Err(failure) => self.run.handle_guest_failure(failure, Self::now()),
        }
    }

    fn next_step(&mut self, activation: &Activation) -> Result<Vec<Command>, TaskFailure> {
        self.script.pop_front().unwrap_or_else(|| panic!("the script does not expect {:?}", activation.jobs))
    }

    /// A task that must end in a completion.
    pub(crate) fn completes(&mut self, task: PollWorkflowTaskQueueResponse) -> Completion {
        completion(self.task(task))
    }

    /// A task that must fail.
    pub(crate) fn fails(&mut self, task: PollWorkflowTaskQueueResponse) -> FailedTask {
        match self.task(task) {
            Some(Output::Fail(failed)) => *failed,
            other => panic!("expected a failure, got {other:?}"),
        }
    }

    /// A task that must end in the answer to a query.
    pub(crate) fn answers(&mut self, task: PollWorkflowTaskQueueResponse) -> QueryReply {
        match self.task(task) {
            Some(Output::AnswerQuery(reply)) => *reply,
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    /// The jobs of an activation.
    pub(crate) fn jobs(&self, activation: usize) -> &[Job] {
        &self.activations[activation].jobs
    }

    /// Nothing is left to be done.
    pub(crate) fn assert_idle(&mut self) {
        assert!(self.run.poll_output().is_none(), "an output is left");
        assert!(self.run.is_idle(), "something is outstanding");
        assert!(self.script.is_empty(), "the script goes on: {:?}", self.script);
    }
}

/// The completion that an output must be.
pub(crate) fn completion(output: Option<Output>) -> Completion {
    match output {
        Some(Output::Complete(completion)) => *completion,
        other => panic!("expected a completion, got {other:?}"),
    }
}

/// The eviction that an output must be.
pub(crate) fn eviction(output: Option<Output>) -> Eviction {
    match output {
        Some(Output::Evict(eviction)) => eviction,
        other => panic!("expected an eviction, got {other:?}"),
    }
}

/// Replays a whole history with a script that must fit it.
pub(crate) fn run_to_end<const N: usize>(history: &super::HistoryBuilder, script: [Vec<Command>; N]) -> Scenario {
    let mut scenario = Scenario::new(script);
    let output = scenario.task(stead_core::replay_task(history.history(), "workflow", "run"));
    assert!(output.is_none(), "the replay asks for {output:?}");
    scenario.assert_idle();
    scenario
}

fn answers(activation: &Activation) -> Vec<Command> {
    let answer = |job: &Job| match job {
        Job::Query(query) => Command::AnswerQuery {
            id: query.id.clone(),
            answer: QueryAnswer::Succeeded(payload(&format!("answer to {}", query.name))),
        },
        other => panic!("not a query: {other:?}"),
    };
    activation.jobs.iter().map(answer).collect()
}

pub(crate) fn payload(data: &str) -> Payload {
    Payload { data: Bytes::copy_from_slice(data.as_bytes()), ..Payload::default() }
}

pub(crate) fn timer(seq: Seq) -> Command {
    Command::StartTimer { seq, duration: Duration::from_secs(5), summary: None }
}

pub(crate) fn activity(seq: Seq) -> Command {
    Command::ScheduleActivity(Box::new(ScheduleActivity {
        seq,
        activity_id: seq.to_string(),
        activity_type: "charge".into(),
        start_to_close_timeout: Some(Duration::from_secs(1)),
        ..ScheduleActivity::default()
    }))
}

pub(crate) fn complete() -> Command {
    Command::CompleteWorkflow { result: Some(payload("result")) }
}

/// Queries that come with a task.
pub(crate) fn query(ids: &[&str]) -> BTreeMap<String, WorkflowQuery> {
    let query = WorkflowQuery { query_type: "state".into(), ..WorkflowQuery::default() };
    ids.iter().map(|id| ((*id).to_owned(), query.clone())).collect()
}
