//! Why the server wants an attempt of an activity to end, how the attempt learns it, and what becomes of it.

use stead::client::proto::common::v1::WorkflowExecution;
use stead::client::proto::workflowservice::v1::{
    PauseActivityRequest, ResetActivityRequest, UnpauseActivityRequest, pause_activity_request, reset_activity_request,
    unpause_activity_request,
};
use stead::client::{CallOptions, WorkflowHandle};
use stead::prelude::*;
use stead_tests::{Env, event_types, until_history_has};
use tokio::sync::mpsc;

/// Tells of each attempt when it begins, and why it is to end.
struct Guard {
    seen: mpsc::UnboundedSender<String>,
}

#[activities]
impl Guard {
    #[activity(start_to_close = "30s", heartbeat = "30s", retry(initial_interval = "10ms"))]
    async fn watch(&self) -> activity::Result<u32> {
        let attempt = activity::info().attempt;
        self.seen.send(format!("attempt {attempt}"))?;
        let resumed = activity::heartbeat_details::<String>()?.is_some();
        if resumed {
            return Ok(attempt);
        }
        let why = loop {
            activity::heartbeat(&"watching");
            tokio::select! {
                why = activity::cancelled() => break why,
                () = tokio::time::sleep(millis(50)) => {}
            }
        };
        let why = [
            (why.not_found, "not found"),
            (why.cancel_requested, "cancel requested"),
            (why.paused, "paused"),
            (why.reset, "reset"),
            (why.timed_out, "timed out"),
            (why.worker_shutdown, "worker shutdown"),
        ];
        let why: Vec<_> = why.into_iter().filter_map(|(holds, name)| holds.then_some(name)).collect();
        self.seen.send(why.join(", "))?;
        Err(activity::Error::cancelled())
    }
}

#[derive(Default)]
struct Watched;

#[workflow]
impl Watched {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let call = workflow::activity(Guard::watch, ());
        Ok(call.cancellation(workflow::ActivityCancellation::WaitCancellationCompleted).await?)
    }
}

/// What a person does to an activity from outside of its workflow.
struct Desk<'a> {
    env: &'a Env,
    run: &'a WorkflowHandle<Watched>,
}

impl Desk<'_> {
    fn execution(&self) -> Option<WorkflowExecution> {
        Some(WorkflowExecution { workflow_id: self.run.id().to_owned(), run_id: String::new() })
    }

    async fn pause(&self) {
        let request = PauseActivityRequest {
            namespace: self.env.client.namespace().to_owned(),
            execution: self.execution(),
            activity: Some(pause_activity_request::Activity::Type("watch".to_owned())),
            ..Default::default()
        };
        self.env.client.connection().workflow_service().pause_activity(request, CallOptions::new()).await.unwrap();
    }

    async fn unpause(&self) {
        let request = UnpauseActivityRequest {
            namespace: self.env.client.namespace().to_owned(),
            execution: self.execution(),
            activity: Some(unpause_activity_request::Activity::Type("watch".to_owned())),
            ..Default::default()
        };
        self.env.client.connection().workflow_service().unpause_activity(request, CallOptions::new()).await.unwrap();
    }

    async fn reset(&self) {
        let request = ResetActivityRequest {
            namespace: self.env.client.namespace().to_owned(),
            execution: self.execution(),
            activity: Some(reset_activity_request::Activity::Type("watch".to_owned())),
            ..Default::default()
        };
        self.env.client.connection().workflow_service().reset_activity(request, CallOptions::new()).await.unwrap();
    }

    /// Waits until the server has the report of an attempt that failed, and returns its failure's message.
    async fn last_failure(&self) -> String {
        for _ in 0..1000 {
            let description = self.run.describe().await.unwrap();
            if let Some(failure) = description.raw().pending_activities.first().and_then(|it| it.last_failure.as_ref())
            {
                return failure.message.clone();
            }
            tokio::time::sleep(millis(10)).await;
        }
        panic!("no attempt has failed")
    }
}

/// Sends no heartbeats, and looks at nothing but its cancellation.
struct Deaf;

#[activities]
impl Deaf {
    #[activity(start_to_close = "30s", heartbeat = "2s")]
    async fn listens(&self) -> activity::Result<()> {
        activity::cancelled().await;
        Err(activity::Error::cancelled())
    }

    #[activity(start_to_close = "30s", heartbeat = "2s")]
    async fn ignores(&self) -> activity::Result<()> {
        std::future::pending().await
    }
}

#[derive(Default)]
struct Hears;

#[workflow]
impl Hears {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        let cancellation = workflow::ActivityCancellation::WaitCancellationCompleted;
        let (listens, ignores) = workflow::join!(
            workflow::activity(Deaf::listens, ()).cancellation(cancellation),
            workflow::activity(Deaf::ignores, ()).cancellation(cancellation)
        );
        listens?;
        Ok(ignores?)
    }
}

#[tokio::test]
async fn a_cancellation_reaches_activities_that_send_no_heartbeats_where_the_worker_sends_them() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Hears>().activities(Deaf).automatic_heartbeats();
    let worker = worker.drop_cancelled_activities_after(millis(10)).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Hears::run, ()).id(env.id("hears")).task_queue(&env.task_queue);
        let hears = start.await.unwrap();
        until_history_has(&hears, "ACTIVITY_TASK_SCHEDULED").await;
        hears.cancel().await.unwrap();
        assert!(hears.result().await.unwrap_err().is_cancelled());
        let history = until_history_has(&hears, "ACTIVITY_TASK_CANCELED").await;
        let ends: Vec<_> = event_types(&history).into_iter().filter(|it| it.starts_with("ACTIVITY_TASK_")).collect();
        let cancelled = ends.iter().filter(|it| **it == "ACTIVITY_TASK_CANCELED").count();
        assert_eq!(cancelled, 2, "{ends:?}");
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn an_attempt_learns_why_it_is_to_end_and_the_server_what_became_of_it() {
    let env = Env::new().await;
    let (seen, mut said) = mpsc::unbounded_channel();
    // An answer comes soon, and a busy machine is no reason to give an attempt up.
    let worker = env.worker().workflow::<Watched>().max_heartbeat_throttle_interval(millis(200));
    let worker = worker.activities(Guard { seen }).build().unwrap();
    let work = async {
        let start = async |name: &str| {
            let start = env.client.start_workflow(Watched::run, ()).id(env.id(name));
            start.task_queue(&env.task_queue).await.unwrap()
        };
        let cancelled = start("cancelled").await;
        assert_eq!(said.recv().await.unwrap(), "attempt 1");
        cancelled.cancel().await.unwrap();
        assert_eq!(said.recv().await.unwrap(), "cancel requested");
        assert!(cancelled.result().await.unwrap_err().is_cancelled());
        until_history_has(&cancelled, "ACTIVITY_TASK_CANCELED").await;

        let paused = start("paused").await;
        let desk = Desk { env: &env, run: &paused };
        assert_eq!(said.recv().await.unwrap(), "attempt 1");
        desk.pause().await;
        assert_eq!(said.recv().await.unwrap(), "paused");
        assert_eq!(desk.last_failure().await, "Unhandled activity cancel error produced by activity pause");
        desk.unpause().await;
        assert_eq!(said.recv().await.unwrap(), "attempt 2");
        assert_eq!(paused.result().await.unwrap(), 2, "it goes on where the paused attempt was");

        let reset = start("reset").await;
        let desk = Desk { env: &env, run: &reset };
        assert_eq!(said.recv().await.unwrap(), "attempt 1");
        desk.reset().await;
        assert_eq!(said.recv().await.unwrap(), "reset");
        // The server counts from one again, and this attempt was the first.
        assert_eq!(said.recv().await.unwrap(), "attempt 2");
        assert_eq!(reset.result().await.unwrap(), 2);

        let terminated = start("terminated").await;
        assert_eq!(said.recv().await.unwrap(), "attempt 1");
        terminated.terminate().await.unwrap();
        assert_eq!(said.recv().await.unwrap(), "not found");
    };
    worker.run_while(work).await.unwrap();
}
