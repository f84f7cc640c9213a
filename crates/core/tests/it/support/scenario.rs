//! A run and its scripted guest, driven the way a worker drives them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use stead_activation::{
    Activation, Command, Issued, Job, Payload, QueryAnswer, ScheduleActivity, ScheduleLocalActivity, Seq, TaskFailure,
};
use stead_core::{
    Completion, CompletionOutcome, Eviction, EvictionReason, FailedTask, HistoryPage, Instant, LocalActivityAttempt,
    LocalActivityOutcome, LocalActivityStop, MismatchKind, Output, QueryReply, Run, RunOptions,
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
    /// Attempts of local activities that were to be made.
    pub(crate) attempts: Vec<LocalActivityAttempt>,
    /// Attempts of local activities that were told to stop.
    pub(crate) stops: Vec<(Seq, u32, LocalActivityStop)>,
    /// Time since the first task came.
    pub(crate) elapsed: Duration,
}

impl Scenario {
    pub(crate) fn new<const N: usize>(script: [Vec<Command>; N]) -> Self {
        Self::with_options(RunOptions::default(), script)
    }

    pub(crate) fn with_options<const N: usize>(options: RunOptions, script: [Vec<Command>; N]) -> Self {
        Self { run: Run::new("run", options), ..Self::scripted(script.into()) }
    }

    pub(crate) fn scripted(script: Vec<Vec<Command>>) -> Self {
        Self {
            run: Run::new("run", RunOptions::default()),
            script: script.into_iter().map(Ok).collect(),
            activations: Vec::new(),
            queries: Vec::new(),
            attempts: Vec::new(),
            stops: Vec::new(),
            elapsed: Duration::ZERO,
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
        self.run.handle_task(task, self.clock());
        self.drive()
    }

    pub(crate) fn page(&mut self, page: HistoryPage) -> Option<Output> {
        self.run.handle_history(page, self.clock());
        self.drive()
    }

    pub(crate) fn outcome(&mut self, outcome: CompletionOutcome) -> Option<Output> {
        self.run.handle_completed(outcome, self.clock());
        self.drive()
    }

    pub(crate) fn accepted(&mut self) -> Option<Output> {
        self.outcome(CompletionOutcome::accepted())
    }

    pub(crate) fn evict(&mut self, reason: EvictionReason) -> Option<Output> {
        self.run.handle_eviction_request(reason, self.clock());
        self.drive()
    }

    /// An attempt of a local activity ends.
    pub(crate) fn ended(&mut self, seq: Seq, attempt: u32, outcome: LocalActivityOutcome) -> Option<Output> {
        self.run.handle_local_activity(seq, attempt, outcome, self.clock());
        self.drive()
    }

    /// Time passes until the run has something to do.
    pub(crate) fn wait(&mut self) -> Option<Output> {
        let moment = self.run.poll_timeout().expect("the run waits for a moment");
        self.elapsed = moment.saturating_duration_since(Self::now());
        self.run.handle_timeout(moment);
        self.drive()
    }

    fn clock(&self) -> Instant {
        Self::now() + self.elapsed
    }

    /// Answers activations until the run asks for something else.
    pub(crate) fn drive(&mut self) -> Option<Output> {
        loop {
            match self.run.poll_output()? {
                Output::Activate(activation) => self.activate(activation),
                Output::StartLocalActivity(attempt) => self.attempts.push(*attempt),
                Output::StopLocalActivity { seq, attempt, why } => self.stops.push((seq, attempt, why)),
                output => return Some(output),
            }
        }
    }

    fn activate(&mut self, activation: Activation) {
        let is_query = activation.jobs.iter().all(|job| matches!(job, Job::Query(_)));
        let answer = if is_query { Ok(answers(&activation)) } else { self.next_step(&activation) };
        if is_query { &mut self.queries } else { &mut self.activations }.push(activation);
        let now = self.clock();
        match answer {
            Ok(commands) => {
                let issue = |command| Issued { command, at: None };
                self.run.handle_commands(commands.into_iter().map(issue).collect(), now);
            }
            Err(failure) => self.run.handle_guest_failure(failure, now),
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

/// How a history and a script that does not fit it differ.
pub(crate) fn mismatch(history: &super::HistoryBuilder, script: Vec<Vec<Command>>) -> (MismatchKind, String) {
    let mut scenario = Scenario::scripted(script);
    match scenario.task(stead_core::replay_task(history.history(), "workflow", "run")) {
        Some(Output::Fail(failed)) => {
            let mismatch = failed.mismatch.expect("it is a mismatch");
            (mismatch.kind, mismatch.to_string())
        }
        other => panic!("expected a failure, got {other:?}"),
    }
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

/// A local activity that the code calls with defaults.
pub(crate) fn local_activity(seq: Seq) -> ScheduleLocalActivity {
    ScheduleLocalActivity {
        seq,
        activity_id: seq.to_string(),
        activity_type: "look".into(),
        start_to_close_timeout: Some(Duration::from_secs(20)),
        ..ScheduleLocalActivity::default()
    }
}

pub(crate) fn local(seq: Seq) -> Command {
    Command::ScheduleLocalActivity(Box::new(local_activity(seq)))
}

pub(crate) fn complete() -> Command {
    Command::CompleteWorkflow { result: Some(payload("result")) }
}

/// Queries that come with a task.
pub(crate) fn query(ids: &[&str]) -> BTreeMap<String, WorkflowQuery> {
    let query = WorkflowQuery { query_type: "state".into(), ..WorkflowQuery::default() };
    ids.iter().map(|id| ((*id).to_owned(), query.clone())).collect()
}
