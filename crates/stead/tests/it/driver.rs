//! Drives one run of a workflow by hand: jobs in, commands out.

use std::time::{Duration, SystemTime};

use stead::data::{Arg, DataConverter, Failure, Payload};
use stead::workflow::{Definition, GuestOptions, Workflow};
use stead_activation::{
    Activation, Command, Guest, Initialize, Job, Query, QueryAnswer, SignalReceived, UpdateRequested, UpdateResponse,
};

/// A run that has started.
pub(crate) struct Run {
    guest: Box<dyn Guest>,
    /// Commands of the first activation.
    pub(crate) first: Vec<Command>,
}

impl Run {
    pub(crate) fn start<W: Workflow>(input: impl Arg<W::Input>) -> Self {
        let mut guest = Definition::of::<W>().instantiate(&std::sync::Arc::<GuestOptions>::default());
        let arguments = arguments(input, W::ARITY);
        let first = activate(&mut *guest, Job::Initialize(Box::new(initialize(W::NAME, arguments))));
        Self { guest, first }
    }

    pub(crate) fn signal<I>(&mut self, name: &str, input: impl Arg<I>, arity: usize) -> Vec<Command> {
        let input = arguments(input, arity);
        self.activate(Job::Signal(Box::new(SignalReceived { name: name.to_owned(), input, ..Default::default() })))
    }

    pub(crate) fn query<I>(&mut self, name: &str, input: impl Arg<I>, arity: usize) -> Result<Payload, Failure> {
        let arguments = arguments(input, arity);
        let query = Query { id: "q".to_owned(), name: name.to_owned(), arguments, ..Default::default() };
        match self.activate(Job::Query(Box::new(query))).pop() {
            Some(Command::AnswerQuery { answer: QueryAnswer::Succeeded(payload), .. }) => Ok(payload),
            Some(Command::AnswerQuery { answer: QueryAnswer::Failed(failure), .. }) => {
                Err(Failure::from_proto(*failure))
            }
            other => panic!("expected an answer, got {other:?}"),
        }
    }

    pub(crate) fn update<I>(&mut self, name: &str, input: impl Arg<I>, arity: usize) -> Vec<UpdateResponse> {
        let input = arguments(input, arity);
        let update = UpdateRequested { name: name.to_owned(), input, run_validator: true, ..Default::default() };
        let commands = self.activate(Job::Update(Box::new(update))).into_iter();
        commands
            .filter_map(|command| match command {
                Command::RespondUpdate { response, .. } => Some(response),
                _ => None,
            })
            .collect()
    }

    fn activate(&mut self, job: Job) -> Vec<Command> {
        activate(&mut *self.guest, job)
    }
}

/// What a completed run returned.
pub(crate) fn result<T: serde::de::DeserializeOwned>(commands: &[Command]) -> T {
    match commands {
        [Command::CompleteWorkflow { result }] => DataConverter::new().from_result(result.as_ref()).unwrap(),
        other => panic!("expected a completed workflow, got {other:?}"),
    }
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(payload: &Payload) -> T {
    DataConverter::new().from_payload(payload).unwrap()
}

fn arguments<I>(input: impl Arg<I>, arity: usize) -> Vec<Payload> {
    input.encode(&DataConverter::new(), arity).unwrap()
}

fn activate(guest: &mut dyn Guest, job: Job) -> Vec<Command> {
    let activation = Activation {
        timestamp: SystemTime::UNIX_EPOCH + Duration::from_secs(1),
        is_replaying: false,
        history_length: 3,
        history_size_bytes: 0,
        continue_as_new_suggested: false,
        target_version_changed: false,
        deployment_version: None,
        jobs: vec![job],
    };
    let issued = guest.activate(activation).expect("the task of this test succeeds");
    issued.into_iter().map(|issued| issued.command).collect()
}

fn initialize(workflow_type: &str, arguments: Vec<Payload>) -> Initialize {
    Initialize {
        namespace: "default".to_owned(),
        workflow_id: "w".to_owned(),
        run_id: "r".to_owned(),
        first_execution_run_id: "r".to_owned(),
        original_execution_run_id: "r".to_owned(),
        continued_from_run_id: None,
        workflow_type: workflow_type.to_owned(),
        task_queue: "q".to_owned(),
        arguments,
        headers: Default::default(),
        identity: String::new(),
        randomness_seed: 1,
        start_time: SystemTime::UNIX_EPOCH,
        attempt: 1,
        execution_timeout: None,
        run_timeout: None,
        task_timeout: None,
        retry_policy: None,
        cron_schedule: String::new(),
        parent: None,
        root: None,
        memo: Default::default(),
        search_attributes: Default::default(),
        last_completion_result: Vec::new(),
        last_failure: None,
        priority: None,
    }
}
