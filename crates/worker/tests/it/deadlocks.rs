//! Workflow code that does not come back.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use stead_data::Failure;
use stead_proto::workflowservice::v1::{
    GetWorkflowExecutionHistoryRequest, GetWorkflowExecutionHistoryResponse, PollWorkflowTaskQueueResponse,
    RespondQueryTaskCompletedRequest, RespondWorkflowTaskFailedRequest,
};
use stead_worker::WorkerBuilder;
use stead_workflow::{Handler, LocalBoxFuture, Workflow};
use tokio::sync::mpsc;

use crate::activities;
use crate::server::Server;
use crate::workflow_tasks::{FAILED, completed, hello, nap, nap_is_over, result_of, starts_timer, task, with_worker};
use crate::workflows::Events;

/// The doors that workflows wait at, with their threads.
static OPEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static OPENED: Condvar = Condvar::new();

fn open(door: &str) {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).insert(door.to_owned());
    OPENED.notify_all();
}

fn wait_at(door: &str) {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    drop(OPENED.wait_while(open, |open| !open.contains(door)).unwrap_or_else(PoisonError::into_inner));
}

/// The line of the only operation of [`Blocks`].
static LINE: AtomicU32 = AtomicU32::new(0);

/// Starts an activity and waits at a door, in the wrong way.
struct Blocks;

impl Workflow for Blocks {
    const NAME: &'static str = "Blocks";
    const ARITY: usize = 1;
    type Input = String;
    type Output = String;
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &String) -> Self {
        Self
    }

    fn run(self: Rc<Self>, door: String) -> LocalBoxFuture<'static, stead_workflow::Result<String>> {
        Box::pin(async move {
            let (call, line) = (stead_workflow::activity_named::<()>("any", ()), line!());
            LINE.store(line, Ordering::SeqCst);
            let _started = call.start_to_close(Duration::from_secs(1)).start();
            wait_at(&door);
            Ok(door)
        })
    }
}

/// Runs a local activity.
struct Locally;

impl Workflow for Locally {
    const NAME: &'static str = "Locally";
    const ARITY: usize = 0;
    type Input = ();
    type Output = ();
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &()) -> Self {
        Self
    }

    fn run(self: Rc<Self>, _input: ()) -> LocalBoxFuture<'static, stead_workflow::Result<()>> {
        Box::pin(async move {
            stead_workflow::local_activity_named::<()>("waits", ()).start_to_close(Duration::from_secs(60)).await?;
            Ok(())
        })
    }
}

fn blocks(run_id: &str, door: &str) -> PollWorkflowTaskQueueResponse {
    task(run_id, "Blocks", Events::started("Blocks", &door).history())
}

fn watched(builder: WorkerBuilder) -> WorkerBuilder {
    builder.workflow::<Blocks>().shards(1).deadlock_timeout(Duration::from_millis(200))
}

async fn failure(server: &Server) -> (RespondWorkflowTaskFailedRequest, Failure) {
    let mut request: RespondWorkflowTaskFailedRequest = server.call(FAILED).await;
    let failure = request.failure.take().expect("a failed task says why");
    (request, Failure::from_proto(failure))
}

#[tokio::test]
async fn wo_17_a_workflow_that_does_not_yield_fails_its_task_and_the_others_go_on() {
    let server = Server::default();
    with_worker(&server, watched, async {
        server.workflow_task(nap("other"));
        assert!(starts_timer(&completed(&server).await));
        server.workflow_task(blocks("stuck", "never"));
        server.workflow_task(hello("queued", "behind it"));
        let (request, failure) = failure(&server).await;
        assert_eq!(request.task_token.as_ref(), b"token of stuck");
        let begin = "[TMPRL1101] Potential deadlock detected: workflow didn't yield within 0.2 second(s). Workflow \
                     Blocks (w, run stuck) does not come back from its code; its last operation was at ";
        assert!(failure.message.starts_with(begin), "{}", failure.message);
        assert!(
            failure.message.contains(&format!("deadlocks.rs:{}:", LINE.load(Ordering::SeqCst))),
            "{}",
            failure.message
        );
        assert_eq!(result_of(&completed(&server).await).as_deref(), Some("hello, behind it"));
        let whole =
            Events::started("Nap", &60_u64).task_completed().timer_started("1", 60).timer_fired("1").task_started();
        let page = GetWorkflowExecutionHistoryResponse { history: Some(whole.history()), ..Default::default() };
        server.answers("GetWorkflowExecutionHistory", page).workflow_task(nap_is_over("other"));
        let fetched: GetWorkflowExecutionHistoryRequest = server.call("GetWorkflowExecutionHistory").await;
        assert_eq!(fetched.execution.map(|it| it.run_id).as_deref(), Some("other"), "it is rebuilt");
        assert!(!starts_timer(&completed(&server).await));
        assert_eq!(server.count(FAILED), 1);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_still_stuck_takes_no_second_thread_and_goes_on_when_it_comes_back() {
    let server = Server::default();
    with_worker(&server, watched, async {
        server.workflow_task(blocks("stuck", "later"));
        failure(&server).await;
        server.workflow_task(blocks("stuck", "later"));
        let (_, again) = failure(&server).await;
        assert!(again.message.contains("run stuck still has not come back"), "{}", again.message);
        open("later");
        // The thread ends some time after its code has come back.
        let done = loop {
            server.workflow_task(blocks("stuck", "later"));
            tokio::select! {
                done = completed(&server) => break done,
                _ = failure(&server) => {}
            }
        };
        assert_eq!(result_of(&done).as_deref(), Some("later"));
        assert_eq!(server.count("RespondWorkflowTaskCompleted"), 1, "the thread that was given up answers nothing");
    })
    .await;
}

#[tokio::test]
async fn what_other_runs_had_under_way_is_given_back_to_the_server() {
    let server = Server::default();
    let (told, mut events) = mpsc::unbounded_channel();
    let waits = activities::asynchronous("waits", move |_| {
        let told = told.clone();
        Box::pin(async move {
            told.send("started").expect("the test listens");
            stead_activity::cancelled().await;
            told.send("cancelled").expect("the test listens");
            Err(stead_activity::Error::cancelled())
        })
    });
    with_worker(&server, |it| watched(it).workflow::<Locally>().activities(waits), async {
        server.workflow_task(task("busy", "Locally", Events::started("Locally", &()).history()));
        assert_eq!(events.recv().await, Some("started"));
        server.workflow_task(blocks("stuck", "never"));
        let mut failures = [failure(&server).await, failure(&server).await];
        failures.sort_by_key(|(request, _)| request.task_token.clone());
        assert_eq!(failures[0].0.task_token.as_ref(), b"token of busy");
        assert!(failures[0].1.message.contains("the task is tried again"), "{}", failures[0].1.message);
        assert_eq!(failures[1].0.task_token.as_ref(), b"token of stuck");
        assert_eq!(events.recv().await, Some("cancelled"), "nobody waits for the local activity");
    })
    .await;
}

#[tokio::test]
async fn a_query_that_a_stuck_run_cannot_answer_fails() {
    let server = Server::default();
    with_worker(&server, watched, async {
        let query = Some(stead_proto::query::v1::WorkflowQuery { query_type: "any".to_owned(), ..Default::default() });
        server.workflow_task(PollWorkflowTaskQueueResponse { query, ..blocks("stuck", "never") });
        let request: RespondQueryTaskCompletedRequest = server.call("RespondQueryTaskCompleted").await;
        assert!(request.error_message.starts_with("[TMPRL1101]"), "{}", request.error_message);
        assert_eq!(server.count(FAILED), 0);
    })
    .await;
}

#[tokio::test]
async fn wk_24_in_debug_mode_nobody_watches() {
    let server = Server::default();
    with_worker(&server, |it| watched(it).debug_mode(), async {
        server.workflow_task(blocks("slow", "in a second"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        open("in a second");
        assert_eq!(result_of(&completed(&server).await).as_deref(), Some("in a second"));
        assert_eq!(server.count(FAILED), 0);
    })
    .await;
}
