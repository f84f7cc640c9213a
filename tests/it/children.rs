//! Child workflows.

use stead::client::ResultError;
use stead::data::ParentClosePolicy;
use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::ChildWorkflowCancellation;
use stead_tests::{Env, event_types, until_history_has};

#[derive(Default)]
struct Shipping {
    held: Cell<bool>,
}

#[workflow]
impl Shipping {
    #[run]
    async fn run(&self, order: String) -> workflow::Result<String> {
        if order == "lost" {
            return Err(stead::Failure::application("lost at sea").type_name("Lost").into());
        }
        if order == "slow" {
            workflow::wait_until(|| self.held.get()).await?;
        }
        Ok(format!("{order} shipped, held: {}", self.held.get()))
    }

    #[signal]
    fn hold(&self) {
        self.held.set(true);
    }
}

#[derive(Default)]
struct Parent;

#[workflow]
impl Parent {
    #[run]
    async fn run(&self, id: String) -> workflow::Result<Vec<String>> {
        let quick = workflow::child(Shipping::run, "book").summary("the book").details("of the *order*").await?;
        let slow = workflow::child(Shipping::run, "slow").id(format!("{id}-slow")).start().await?;
        let again = workflow::child(Shipping::run, "x").id(slow.id()).start().await.unwrap_err();
        assert!(again.is_already_started(), "{again}");
        slow.signal(Shipping::hold, ()).await?;
        let lost = workflow::child(Shipping::run, "lost").await.unwrap_err();
        Ok(vec![quick, slow.result().await?, lost.failure().find_application().unwrap().1.type_name.clone()])
    }
}

#[tokio::test]
async fn children_are_started_signalled_and_awaited() {
    for cached in [1000, 0] {
        let env = Env::new().await;
        let worker = env.worker().max_cached_workflows(cached).workflow::<Parent>().workflow::<Shipping>();
        let work = async {
            let id = env.id("parent");
            let start = env.client.start_workflow(Parent::run, &id).id(&id).task_queue(&env.task_queue);
            let parent = start.await.unwrap();
            let results = parent.result().await.unwrap();
            assert_eq!(results, ["book shipped, held: false", "slow shipped, held: true", "Lost"]);
            env.replays(Replayer::new().workflow::<Parent>(), &parent, "children").await;
        };
        worker.build().unwrap().run_while(work).await.unwrap();
    }
}

#[derive(Default)]
struct Canceller;

#[workflow]
impl Canceller {
    /// How a child that was cancelled in this way ended, and whether the parent waited for that.
    #[run]
    async fn run(&self, kind: String) -> workflow::Result<String> {
        let cancellation = match kind.as_str() {
            "abandon" => ChildWorkflowCancellation::Abandon,
            "try" => ChildWorkflowCancellation::TryCancel,
            "requested" => ChildWorkflowCancellation::WaitCancellationRequested,
            _ => ChildWorkflowCancellation::WaitCancellationCompleted,
        };
        let child = workflow::child(Shipping::run, "slow")
            .id(format!("{}-child", workflow::info().workflow_id()))
            .parent_close_policy(ParentClosePolicy::Abandon)
            .cancellation(cancellation)
            .start()
            .await?;
        child.cancel("changed my mind");
        let error = child.result().await.unwrap_err();
        assert!(error.is_cancelled(), "{error}");
        // A request of a workflow that closes at once may not be delivered.
        workflow::sleep(millis(100)).await?;
        Ok(error.failure().message.clone())
    }
}

#[tokio::test]
async fn children_are_cancelled_in_each_way() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Canceller>().workflow::<Shipping>().build().unwrap();
    let work = async {
        for kind in ["abandon", "try", "requested", "completed"] {
            let id = env.id(kind);
            let start = env.client.start_workflow(Canceller::run, kind).id(&id).task_queue(&env.task_queue);
            let parent = start.await.unwrap();
            assert_eq!(parent.result().await.unwrap(), "Child Workflow execution cancelled", "{kind}");
            let replayer = Replayer::new().workflow::<Canceller>();
            let history = env.replays(replayer, &parent, &format!("child-cancel-{kind}")).await;
            let asked = "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED";
            assert_eq!(event_types(&history).contains(&asked), kind != "abandon", "{kind}");
            let child = env.client.workflow::<Shipping>(format!("{id}-child"));
            if kind == "abandon" {
                child.signal(Shipping::hold, ()).await.unwrap();
                assert_eq!(child.result().await.unwrap(), "slow shipped, held: true");
            } else {
                assert!(child.result().await.unwrap_err().is_cancelled(), "{kind}");
                let history = child.history().await.unwrap();
                let reasons = history.to_json().unwrap();
                assert!(reasons.contains("changed my mind"), "the reason reaches the child");
            }
        }
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Waits;

#[workflow]
impl Waits {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        let child = workflow::child(Shipping::run, "slow")
            .id(format!("{}-child", workflow::info().workflow_id()))
            .memo("note", "fragile")
            .run_timeout(secs(60))
            .task_timeout(secs(7));
        Ok(child.await?)
    }
}

#[tokio::test]
async fn cancelling_the_parent_cancels_the_child_it_waits_for() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Waits>().workflow::<Shipping>().build().unwrap();
    let work = async {
        let id = env.id("waits");
        let parent = env.client.start_workflow(Waits::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
        until_history_has(&parent, "CHILD_WORKFLOW_EXECUTION_STARTED").await;
        let child = env.client.workflow::<Shipping>(format!("{id}-child"));
        parent.cancel().reason("closed").await.unwrap();
        assert!(parent.result().await.unwrap_err().is_cancelled());
        assert!(child.result().await.unwrap_err().is_cancelled());
        env.replays(Replayer::new().workflow::<Waits>(), &parent, "child-cancelled-with-parent").await;
        let started = child.history().await.unwrap().to_json().unwrap();
        assert!(
            started.contains("\"workflowRunTimeout\": \"60s\"") || started.contains("\"workflowRunTimeout\":\"60s\"")
        );
        assert!(started.contains("note"), "the memo reaches the child");
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Leaves;

#[workflow]
impl Leaves {
    /// Starts a child and goes.
    #[run]
    async fn run(&self, policy: String) -> workflow::Result<()> {
        let policy = match policy.as_str() {
            "terminate" => ParentClosePolicy::Terminate,
            "request-cancel" => ParentClosePolicy::RequestCancel,
            _ => ParentClosePolicy::Abandon,
        };
        let id = format!("{}-child", workflow::info().workflow_id());
        let _ = workflow::child(Shipping::run, "slow").id(id).parent_close_policy(policy).start().await?;
        Ok(())
    }
}

#[tokio::test]
async fn the_policy_decides_what_becomes_of_a_child_whose_parent_closes() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Leaves>().workflow::<Shipping>().build().unwrap();
    let work = async {
        for policy in ["terminate", "request-cancel", "abandon"] {
            let id = env.id(policy);
            let start = env.client.execute_workflow(Leaves::run, policy).id(&id).task_queue(&env.task_queue);
            start.await.unwrap();
            let child = env.client.workflow::<Shipping>(format!("{id}-child"));
            if policy == "abandon" {
                child.signal(Shipping::hold, ()).await.unwrap();
            }
            let ended = child.result().await;
            match policy {
                "terminate" => assert!(matches!(ended, Err(ResultError::Terminated { .. })), "{ended:?}"),
                "request-cancel" => assert!(matches!(ended, Err(ResultError::Cancelled { .. })), "{ended:?}"),
                _ => assert_eq!(ended.unwrap(), "slow shipped, held: true"),
            }
        }
    };
    worker.run_while(work).await.unwrap();
}
