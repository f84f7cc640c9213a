//! `faults ADDRESS`: what the official SDK does where `docs/regressions.md` says that it errs. One line for each case.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, UntypedSignal, WorkflowGetResultOptions, WorkflowHandle,
    WorkflowSignalOptions, WorkflowStartOptions, WorkflowTerminateOptions,
};
use temporalio_common::data_converters::{PayloadConverter, RawValue};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use temporalio_sdk::{
    ActivityCancellationType, ActivityOptions, ChildWorkflowOptions, Runtime, SyncWorkflowContext, Worker,
    WorkerOptions, WorkflowCancellationToken, WorkflowContext, WorkflowResult,
};
use tokio::task::LocalSet;
use url::Url;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const PATIENCE: Duration = Duration::from_secs(5);

#[workflow]
#[derive(Default)]
pub struct Listens {
    heard: u32,
}

#[workflow_methods]
impl Listens {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, _: u32) -> WorkflowResult<u32> {
        ctx.wait_condition(|state| state.heard > 0).await?;
        Ok(1)
    }

    #[signal]
    pub fn hear(&mut self, _ctx: &mut SyncWorkflowContext<Self>, n: u32) {
        self.heard += n;
    }
}

#[workflow]
#[derive(Default)]
pub struct Abandons;

#[workflow_methods]
impl Abandons {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, _: u32) -> WorkflowResult<u32> {
        let token = WorkflowCancellationToken::new();
        let options = ActivityOptions::with_start_to_close_timeout(Duration::from_secs(1))
            .cancellation_type(ActivityCancellationType::Abandon)
            .cancellation_token(token.clone())
            .build();
        let abandoned = ctx.execute_activity(Fails::fail, 1u32, options);
        ctx.timer(Duration::from_millis(200)).await;
        token.cancel();
        let _ = abandoned.await;
        ctx.timer(Duration::from_secs(2)).await;
        Ok(1)
    }
}

pub struct Fails;

#[activities]
impl Fails {
    #[activity]
    pub async fn fail(_ctx: ActivityContext, _: u32) -> Result<u32, ActivityError> {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Err(temporalio_common::error::ApplicationFailure::non_retryable("it failed").into())
    }
}

#[workflow]
#[derive(Default)]
pub struct Lingers;

#[workflow_methods]
impl Lingers {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, _: u32) -> WorkflowResult<u32> {
        ctx.cancelled().await;
        let options = temporalio_sdk::TimerOptions::builder(Duration::from_secs(3));
        ctx.timer(options.cancellation_token(WorkflowCancellationToken::new()).build()).await;
        Ok(1)
    }
}

#[workflow]
#[derive(Default)]
pub struct Parent;

#[workflow_methods]
impl Parent {
    /// Milliseconds from the cancellation of the child to its end, as the parent sees it.
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>, id: String) -> WorkflowResult<u64> {
        let options = ChildWorkflowOptions::builder()
            .workflow_id(id)
            .cancel_type(temporalio_sdk::ChildWorkflowCancellationType::WaitCancellationRequested)
            .build();
        let child = ctx.start_child_workflow(Lingers::run, 1u32, options).await?;
        let before = ctx.workflow_time();
        child.cancel("enough".to_owned());
        let _ = child.result().await;
        let waited = before.zip(ctx.workflow_time()).and_then(|(before, now)| now.duration_since(before).ok());
        Ok(waited.map_or(0, |it| it.as_millis() as u64))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).ok_or("usage: faults ADDRESS")?;
    let connection = Connection::connect(ConnectionOptions::new(Url::parse(&format!("http://{address}"))?).build());
    let client = Client::new(connection.await?, ClientOptions::new("default").build())?;
    let queue = format!("faults-{}", std::process::id());
    let runtime = Runtime::from_current_tokio(Default::default())?;
    let options = WorkerOptions::new(queue.as_str())
        .register_workflow::<Listens>()?
        .register_workflow::<Abandons>()?
        .register_workflow::<Lingers>()?
        .register_workflow::<Parent>()?
        .register_activities(Fails)
        .build();
    let mut worker = Worker::new(&runtime, client.clone(), options)?;
    LocalSet::new()
        .run_until(async move {
            tokio::task::spawn_local(async move { worker.run().await.map_err(|error| error.to_string()) });
            cases(&client, &queue).await
        })
        .await?;
    // A worker that a stuck workflow keeps busy need not drain.
    std::process::exit(0)
}

async fn cases(client: &Client, queue: &str) -> Result<()> {
    let options = |name: &str| WorkflowStartOptions::new(queue.to_owned(), format!("{queue}-{name}")).build();
    let json = PayloadConverter::serde_json();

    let unheard = client.start_workflow(Listens::run, 1u32, options("b4")).await?;
    unheard.signal(UntypedSignal::new("whisper"), RawValue::from_value(&1u32, &json), Default::default()).await?;
    unheard.signal(Listens::hear, 1u32, WorkflowSignalOptions::default()).await?;
    report("B4, a signal without a handler", &unheard).await;

    let garbled = client.start_workflow(Listens::run, 1u32, options("b5")).await?;
    let text = RawValue::from_value(&"a lot".to_owned(), &json);
    garbled.signal(UntypedSignal::new("hear"), text, Default::default()).await?;
    garbled.signal(Listens::hear, 1u32, WorkflowSignalOptions::default()).await?;
    report("B5, a signal that cannot be decoded", &garbled).await;

    let abandons = client.start_workflow(Abandons::run, 1u32, options("b9")).await?;
    report("B9, an abandoned activity that fails", &abandons).await;

    let parent = client.start_workflow(Parent::run, format!("{queue}-child"), options("b11")).await?;
    report("B11, a child cancelled with WaitCancellationRequested (ms waited for it)", &parent).await;
    Ok(())
}

/// How a workflow ended within the time that it is given, and how many of its tasks failed.
async fn report<W>(case: &str, workflow: &WorkflowHandle<Client, W>)
where
    W: temporalio_common::HasWorkflowDefinition,
    W::Output: std::fmt::Display,
{
    let started = Instant::now();
    let result = tokio::time::timeout(PATIENCE, workflow.get_result(WorkflowGetResultOptions::default())).await;
    let result = match result {
        Ok(Ok(result)) => format!("completed with {result} after {:.1} s", started.elapsed().as_secs_f64()),
        Ok(Err(error)) => format!("{error}"),
        Err(_) => format!("still open after {} s", PATIENCE.as_secs()),
    };
    let events: Vec<_> = workflow.fetch_history(Default::default()).collect().await;
    let failures = events.into_iter().flatten().filter_map(|event| match event.attributes {
        Some(Attributes::WorkflowTaskFailedEventAttributes(failed)) => failed.failure.map(|it| it.message),
        _ => None,
    });
    let failures: Vec<_> = failures.collect();
    println!("{case}: {result}; tasks failed: {} {failures:?}", failures.len());
    let _ = workflow.terminate(WorkflowTerminateOptions::default()).await;
}
