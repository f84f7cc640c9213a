//! A driver for one run, and a short way to write a workflow without the macros.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::{
    Activation, ActivityResolution, Command, Guest, Initialize, Issued, Job, Payload, Query, QueryAnswer,
    SignalReceived, TaskFailure, UpdateRequested, UpdateResponse,
};
use stead_data::{Activity, DataConverter, Failure};
use stead_workflow::{Definition, GuestOptions, State, Workflow};

/// The state that the workflows of these tests share with their handlers.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) flag: Cell<bool>,
    pub(crate) count: Cell<u32>,
    pub(crate) log: State<Vec<String>>,
}

impl Board {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.log.update(|log| log.push(line.into()));
    }
}

/// `workflow!(Name, |board, input: Input| -> Output { code })`, optionally followed by `, [handlers]`.
macro_rules! workflow {
    ($name:ident, |$board:ident, $input:ident: $in:ty| -> $out:ty $body:block $(, [$($handler:expr),* $(,)?])?) => {
        #[derive(Default)]
        struct $name($crate::support::Board);

        impl std::ops::Deref for $name {
            type Target = $crate::support::Board;

            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl stead_workflow::Workflow for $name {
            const NAME: &'static str = stringify!($name);
            const ARITY: usize = 1;
            type Input = $in;
            type Output = $out;
            const HANDLERS: &'static [stead_workflow::Handler<Self>] = &[$($($handler),*)?];

            fn init(_: &$in) -> Self {
                Self::default()
            }

            #[allow(unused_variables, unreachable_code)]
            fn run(
                self: std::rc::Rc<Self>,
                $input: $in,
            ) -> stead_workflow::LocalBoxFuture<'static, stead_workflow::Result<$out>> {
                let $board = self;
                Box::pin(async move $body)
            }
        }
    };
}

/// `signal!("name", |board, input: Input| { code })`
macro_rules! signal {
    ($name:literal, |$board:ident, $input:ident: $in:ty| $body:block) => {
        stead_workflow::Handler::Signal {
            name: Some($name),
            options: stead_workflow::HandlerOptions::NONE,
            call: |$board, arguments| {
                let $input: $in = arguments.decode(1)?;
                Ok(Box::pin(async move { $body }))
            },
        }
    };
}

/// `query!("name", |board, input: Input| value)`
macro_rules! query {
    ($name:literal, |$board:ident, $input:ident: $in:ty| $body:expr) => {
        stead_workflow::Handler::Query {
            name: Some($name),
            options: stead_workflow::HandlerOptions::NONE,
            call: |$board, arguments| {
                let $input: $in = arguments.decode(1)?;
                let answer = || arguments.encode(&$body);
                Ok(answer())
            },
        }
    };
}

/// `update!("name", [validator,] |board, input: Input| { code })`
macro_rules! update {
    ($name:literal, |$board:ident, $input:ident: $in:ty| $body:block) => {
        update!(@with $name, None, $board, $input, $in, $body)
    };
    ($name:literal, |$vboard:ident, $vinput:ident: $vin:ty| $verdict:expr, |$board:ident, $input:ident: $in:ty| $body:block) => {
        update!(
            @with $name,
            Some(|$vboard, arguments| {
                let $vinput: $vin = arguments.decode(1)?;
                let verdict = || $verdict;
                Ok(verdict())
            }),
            $board, $input, $in, $body
        )
    };
    (@with $name:literal, $validate:expr, $board:ident, $input:ident, $in:ty, $body:block) => {
        stead_workflow::Handler::Update {
            name: Some($name),
            options: stead_workflow::HandlerOptions::NONE,
            validate: $validate,
            call: |$board, arguments| {
                let $input: $in = arguments.decode(1)?;
                let converter = arguments.converter();
                Ok(Box::pin(async move {
                    let value: stead_workflow::Result<_> = async move { $body }.await;
                    stead_workflow::__private::encode_with(&converter, &value?)
                }))
            },
        }
    };
}

pub(crate) struct Remote;

/// An activity of one string that gives a number.
pub(crate) const CHARGE: Activity<Remote, String, u32> = Activity::new("charge", 1);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A call of [`CHARGE`] that only has to be awaited or started.
#[track_caller]
pub(crate) fn charge(card: &str) -> stead_workflow::ActivityCall<u32, stead_workflow::Bounded> {
    stead_workflow::activity(CHARGE, card).start_to_close(SECOND)
}

/// Drives one run.
pub(crate) struct Driver {
    guest: Box<dyn Guest>,
    seconds: u64,
    pub(crate) is_replaying: bool,
}

pub(crate) type Commands = Result<Vec<Issued>, TaskFailure>;

impl Driver {
    pub(crate) fn new<W: Workflow>() -> Self {
        Self::with_options::<W>(GuestOptions::default())
    }

    pub(crate) fn with_options<W: Workflow>(options: GuestOptions) -> Self {
        Self { guest: Definition::of::<W>().instantiate(&options.into()), seconds: 0, is_replaying: false }
    }

    /// A run of `W` that has had its first activation, and what it commanded.
    #[track_caller]
    pub(crate) fn start<W: Workflow>(input: impl Serialize) -> (Self, Vec<Command>) {
        keep_logs_on();
        Self::start_with::<W>(input, vec![])
    }

    #[track_caller]
    pub(crate) fn start_with<W: Workflow>(input: impl Serialize, jobs: Vec<Job>) -> (Self, Vec<Command>) {
        let mut driver = Self::new::<W>();
        let mut all = vec![initialize(&input)];
        all.extend(jobs);
        let commands = driver.activate(all);
        (driver, commands)
    }

    pub(crate) fn try_activate(&mut self, jobs: Vec<Job>) -> Commands {
        self.seconds += 1;
        self.guest.activate(Activation {
            timestamp: SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds),
            is_replaying: self.is_replaying,
            history_length: 3,
            history_size_bytes: 99,
            continue_as_new_suggested: self.seconds > 1,
            target_version_changed: self.seconds > 1,
            deployment_version: None,
            jobs,
        })
    }

    #[track_caller]
    pub(crate) fn activate(&mut self, jobs: Vec<Job>) -> Vec<Command> {
        match self.try_activate(jobs) {
            Ok(issued) => issued.into_iter().map(|issued| issued.command).collect(),
            Err(failure) => panic!("the task failed: {failure:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn query(&mut self, name: &str, argument: impl Serialize) -> QueryAnswer {
        let commands = self.activate(vec![query(name, argument)]);
        match <[Command; 1]>::try_from(commands) {
            Ok([Command::AnswerQuery { id, answer }]) => {
                assert_eq!(id, "q");
                answer
            }
            other => panic!("not one answer: {other:?}"),
        }
    }
}

/// What the task failed with, as text.
#[track_caller]
pub(crate) fn task_failure(commands: Commands) -> (stead_activation::TaskFailureCause, String) {
    let failure = commands.expect_err("the task should have failed");
    (failure.cause, failure.failure.message)
}

pub(crate) fn initialize(input: &impl Serialize) -> Job {
    initialize_with(vec![payload(input)])
}

pub(crate) fn initialize_with(arguments: Vec<Payload>) -> Job {
    Job::Initialize(Box::new(initialization(arguments)))
}

pub(crate) fn initialization(arguments: Vec<Payload>) -> Initialize {
    Initialize {
        namespace: "default".into(),
        workflow_id: "order-1".into(),
        run_id: "0190c2f4-0000-7000-8000-000000000001".into(),
        first_execution_run_id: "0190c2f4-0000-7000-8000-000000000001".into(),
        original_execution_run_id: "0190c2f4-0000-7000-8000-000000000001".into(),
        continued_from_run_id: None,
        workflow_type: "Order".into(),
        task_queue: "orders".into(),
        arguments,
        headers: Default::default(),
        identity: "1@host".into(),
        randomness_seed: 42,
        start_time: SystemTime::UNIX_EPOCH,
        attempt: 1,
        execution_timeout: None,
        run_timeout: None,
        task_timeout: Some(Duration::from_secs(10)),
        retry_policy: None,
        cron_schedule: String::new(),
        parent: None,
        root: None,
        memo: Default::default(),
        search_attributes: Default::default(),
        last_completion_result: vec![],
        last_failure: None,
        priority: None,
    }
}

pub(crate) fn signal(name: &str, argument: impl Serialize) -> Job {
    Job::Signal(Box::new(SignalReceived {
        name: name.into(),
        input: vec![payload(&argument)],
        ..SignalReceived::default()
    }))
}

pub(crate) fn update(id: &str, name: &str, argument: impl Serialize) -> Job {
    Job::Update(Box::new(UpdateRequested {
        protocol_instance_id: id.into(),
        id: id.into(),
        name: name.into(),
        input: vec![payload(&argument)],
        run_validator: true,
        ..UpdateRequested::default()
    }))
}

pub(crate) fn query(name: &str, argument: impl Serialize) -> Job {
    Job::Query(Box::new(Query {
        id: "q".into(),
        name: name.into(),
        arguments: vec![payload(&argument)],
        ..Query::default()
    }))
}

pub(crate) fn fire(seq: u32) -> Job {
    Job::FireTimer { seq }
}

pub(crate) fn cancel() -> Job {
    Job::CancelWorkflow { reason: "enough".into() }
}

pub(crate) fn completed(seq: u32, result: impl Serialize) -> Job {
    Job::ResolveActivity { seq, resolution: ActivityResolution::Completed(Some(payload(&result))) }
}

pub(crate) fn failed(seq: u32, failure: Failure) -> Job {
    Job::ResolveActivity { seq, resolution: ActivityResolution::Failed(Box::new(failure.into_proto())) }
}

pub(crate) fn activity_cancelled(seq: u32) -> Job {
    let failure = Failure::cancelled("Activity cancelled").into_proto();
    Job::ResolveActivity { seq, resolution: ActivityResolution::Cancelled(Box::new(failure)) }
}

pub(crate) fn payload(value: &(impl Serialize + ?Sized)) -> Payload {
    DataConverter::new().to_payload(value).expect("test values can be encoded")
}

pub(crate) fn value<T: DeserializeOwned>(payload: &Payload) -> T {
    DataConverter::new().from_payload(payload).expect("the payload should hold what the test expects")
}

/// A payload that is not JSON at all.
pub(crate) fn garbage() -> Payload {
    Payload { data: "}".into(), ..payload("") }
}

/// Commands by kind and number, which is most of what tests look at.
pub(crate) fn outline(commands: &[Command]) -> Vec<String> {
    commands.iter().map(line).collect()
}

fn line(command: &Command) -> String {
    match command {
        Command::StartTimer { seq, duration, .. } => {
            format!("start timer {seq} {}s", duration.as_secs())
        }
        Command::CancelTimer { seq } => format!("cancel timer {seq}"),
        Command::ScheduleActivity(request) => {
            format!("schedule {} {}", request.activity_type, request.seq)
        }
        Command::CancelActivity { seq } => format!("cancel activity {seq}"),
        Command::ScheduleLocalActivity(request) => {
            format!("run {} {} attempt {}", request.activity_type, request.seq, request.attempt)
        }
        Command::CancelLocalActivity { seq } => format!("cancel local activity {seq}"),
        Command::StartChildWorkflow(child) => format!("start child {} {}", child.workflow_type, child.seq),
        Command::CancelChildWorkflow { seq, reason } => format!("cancel child {seq}: {reason}"),
        Command::SignalExternal(signal) => format!("signal {} {}", signal.signal_name, signal.seq),
        Command::CancelSignalExternal { seq } => format!("take back signal {seq}"),
        Command::CancelExternal(cancel) => format!("cancel {} {}", cancel.target.workflow_id, cancel.seq),
        Command::UpsertSearchAttributes(attributes) => {
            format!("upsert attributes {}", attributes.keys().cloned().collect::<Vec<_>>().join(" "))
        }
        Command::UpsertMemo(fields) => {
            format!("upsert memo {}", fields.keys().cloned().collect::<Vec<_>>().join(" "))
        }
        Command::ScheduleNexusOperation(operation) => format!("schedule {}", operation.operation),
        Command::SignalWithStart(request) => format!("signal {} or start {}", request.signal_name, request.seq),
        Command::CancelNexusOperation { seq } => format!("cancel operation {seq}"),
        Command::SetEventGroups(groups) => format!("in {} groups", groups.len()),
        Command::SetPatch { id, deprecated } => format!("patch {id} {deprecated}"),
        Command::RespondUpdate { protocol_instance_id, response } => match response {
            UpdateResponse::Accepted => format!("accept {protocol_instance_id}"),
            UpdateResponse::Rejected(failure) => {
                format!("reject {protocol_instance_id}: {}", failure.message)
            }
            UpdateResponse::Completed(result) => {
                format!("complete {protocol_instance_id}: {}", text(result))
            }
        },
        Command::AnswerQuery { id, .. } => format!("answer {id}"),
        Command::CompleteWorkflow { result } => format!("complete workflow: {}", text(result)),
        Command::FailWorkflow { failure } => format!("fail workflow: {}", failure.message),
        Command::CancelWorkflow => "cancel workflow".into(),
        Command::ContinueAsNew(next) => format!("continue as new {}", next.workflow_type),
    }
}

fn text(result: &Option<Payload>) -> String {
    result.as_ref().map(|payload| String::from_utf8_lossy(&payload.data).into_owned()).unwrap_or_default()
}

/// Keeps every log statement switched on. Without a subscriber that stays, the first thread to reach a statement may
/// switch it off for the whole process while another thread has just begun to listen.
pub(crate) fn keep_logs_on() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Log::default()).expect("the only global subscriber"));
}

/// What `f` logs on this thread, a line an event.
pub(crate) fn capture(f: impl FnOnce()) -> Vec<String> {
    keep_logs_on();
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), f);
    log.take()
}

#[derive(Clone, Default)]
pub(crate) struct Log {
    events: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
    spans: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Log {
    /// The events, a line each.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.events.lock().expect("nothing panics while it logs"))
    }

    /// The spans, each by its name and the workflow's id if it says that.
    pub(crate) fn spans(&self) -> Vec<String> {
        self.spans.lock().expect("nothing panics while it logs").clone()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        let mut line = Line(String::new());
        span.record(&mut line);
        let id = line.0.split(' ').find(|field| field.starts_with("workflow_id"));
        let text = [span.metadata().name()].into_iter().chain(id).collect::<Vec<_>>().join(" ");
        self.spans.lock().expect("nothing panics while it logs").push(text);
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.events.lock().expect("nothing panics while it logs").push(line.0);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

struct Line(String);

impl tracing::field::Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.push_str(&format!(" {}={value}", field.name()));
    }
}
