//! Code that is run twice.

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use stead_data::Failure;
use stead_proto::enums::v1::WorkflowTaskFailedCause;
use stead_proto::workflowservice::v1::RespondWorkflowTaskFailedRequest;
use stead_workflow::{Handler, LocalBoxFuture, Workflow};

use crate::server::Server;
use crate::workflow_tasks::{FAILED, completed, nap, starts_timer, task, with_worker};
use crate::workflows::Events;

static COUNTED: AtomicU64 = AtomicU64::new(1);

/// Sleeps longer each time.
struct Counted;

impl Workflow for Counted {
    const NAME: &'static str = "Counted";
    const ARITY: usize = 0;
    type Input = ();
    type Output = ();
    const HANDLERS: &'static [Handler<Self>] = &[];

    fn init(_input: &()) -> Self {
        Self
    }

    fn run(self: Rc<Self>, _input: ()) -> LocalBoxFuture<'static, stead_workflow::Result<()>> {
        Box::pin(async move {
            stead_workflow::sleep(stead_data::secs(COUNTED.fetch_add(1, Ordering::SeqCst))).await?;
            Ok(())
        })
    }
}

fn counted(run_id: &str) -> stead_proto::workflowservice::v1::PollWorkflowTaskQueueResponse {
    task(run_id, "Counted", Events::started("Counted", &()).history())
}

#[tokio::test]
async fn code_that_does_something_else_the_second_time_fails_its_task() {
    let server = Server::default();
    with_worker(&server, |it| it.workflow::<Counted>().shadow_replay(), async {
        server.workflow_task(counted("r"));
        let request: RespondWorkflowTaskFailedRequest = server.call(FAILED).await;
        assert_eq!(request.cause(), WorkflowTaskFailedCause::NonDeterministicError);
        let failure = Failure::from_proto(request.failure.expect("a failed task says why"));
        assert!(failure.message.contains("(shadow replay)"), "{}", failure.message);
        server.workflow_task(nap("good"));
        assert!(starts_timer(&completed(&server).await));
    })
    .await;
}

#[tokio::test]
async fn a_sample_of_none_runs_nothing_twice() {
    let server = Server::default();
    with_worker(&server, |it| it.workflow::<Counted>().shadow_sample(0.0), async {
        server.workflow_task(counted("r"));
        assert!(starts_timer(&completed(&server).await));
    })
    .await;
}
