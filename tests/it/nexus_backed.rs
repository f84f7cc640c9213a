//! Nexus operations that go on after their handlers have returned, and requests that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stead::client::proto::history::v1::history_event::Attributes;
use stead::data::WorkflowIdConflictPolicy;
use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::NexusOperationCancellation as Cancellation;
use stead::{Failure, WorkflowHandle};
use stead_tests::{Env, event_types, until_history_has};

/// What stands behind operations.
#[derive(Default)]
struct Refund {
    approved: Cell<bool>,
}

#[workflow]
impl Refund {
    #[run]
    async fn run(&self, order: String) -> workflow::Result<String> {
        match &*order {
            "soon" => {}
            "broken" => return Err(Failure::application("no such order").type_name("NoSuchOrder").into()),
            _ => workflow::wait_until(|| self.approved.get()).await?,
        }
        Ok(format!("refunded {order}"))
    }

    #[signal]
    fn approve(&self) {
        self.approved.set(true);
    }

    #[update]
    async fn amount(&self, times: u64) -> workflow::Result<u64> {
        workflow::sleep(millis(1)).await?;
        Ok(3 * times)
    }
}

struct Clerk;

#[activities]
impl Clerk {
    #[activity(start_to_close = "30s")]
    async fn stamp(&self, paper: String) -> activity::Result<String> {
        Ok(format!("{paper}, stamped"))
    }
}

#[derive(Default)]
struct Desk {
    asked: AtomicU32,
    cancelled: AtomicU32,
}

#[nexus_service]
impl Desk {
    /// Several callers may share one refund.
    #[operation]
    async fn refund(&self, (id, order): (String, String)) -> nexus::Result<nexus::Started<String>> {
        let refund = nexus::client().start_workflow(Refund::run, order).id(id);
        nexus::start(refund.on_conflict(WorkflowIdConflictPolicy::UseExisting)).await
    }

    #[operation]
    async fn stamp(&self, paper: String) -> nexus::Result<nexus::Started<String>> {
        let request = nexus::info().start.clone().expect("it starts an operation").request_id;
        nexus::start(nexus::client().start_activity(Clerk::stamp, paper).id(format!("stamp-{request}"))).await
    }

    #[operation]
    async fn amount(&self, (id, times): (String, u64)) -> nexus::Result<nexus::Response<u64>> {
        nexus::start(nexus::client().workflow::<Refund>(id).update(Refund::amount, times)).await
    }

    /// Signals, and is done.
    #[operation]
    async fn approve(&self, id: String) -> nexus::Result<()> {
        Ok(nexus::client().workflow::<Refund>(id).signal(Refund::approve, ()).await?)
    }

    /// Two workflows cannot stand behind one operation.
    #[operation]
    async fn twice(&self, id: String) -> nexus::Result<nexus::Started<String>> {
        let start = |n: u32| nexus::client().start_workflow(Refund::run, "soon").id(format!("{id}-{n}"));
        let first = nexus::start(start(1)).await?;
        nexus::start(start(2)).await?;
        Ok(first)
    }

    #[operation(cancel = cancel_by_hand)]
    async fn by_hand(&self) -> nexus::Started<String> {
        nexus::Started::with_token("by hand")
    }

    async fn cancel_by_hand(&self, token: nexus::OperationToken) -> nexus::Result<()> {
        assert_eq!(token.as_str(), "by hand");
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Works the third time.
    #[operation]
    async fn flaky(&self) -> nexus::Result<u32> {
        match self.asked.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the printer is on fire".into()),
            1 => panic!("the printer has exploded"),
            attempts => Ok(attempts),
        }
    }

    #[operation]
    async fn slow(&self) -> nexus::Result<()> {
        std::future::pending().await
    }

    #[operation]
    async fn refuse(&self, how: String) -> nexus::Result<()> {
        Err(match &*how {
            "failed" => nexus::Error::operation_failed("the operation has failed"),
            "cancelled" => nexus::Error::operation_cancelled("the operation was cancelled"),
            "final" => Failure::application("for good").type_name("Broken").non_retryable().into(),
            // The server does not know such a workflow.
            _ => nexus::client()
                .workflow::<Refund>("there is none")
                .signal(Refund::approve, ())
                .await
                .unwrap_err()
                .into(),
        })
    }
}

#[derive(Default)]
struct Caller;

#[workflow]
impl Caller {
    #[run]
    async fn run(&self, endpoint: String, story: String, id: String) -> workflow::Result<String> {
        let desk = workflow::nexus::<Desk>(endpoint);
        let refund = |order: &str| desk.call(Desk::refund, (id.clone(), order.to_owned()));
        Ok(match &*story {
            "soon" | "wait" | "broken" => {
                let refund = refund(&story).start().await?;
                let token = refund.operation_token().expect("it goes on").to_owned();
                let backing = nexus::OperationToken::new(token).backing();
                assert!(matches!(backing, Ok(nexus::Backing::Workflow { workflow_id, .. }) if workflow_id == id));
                refund.result().await?
            }
            "stamp" => desk.call(Desk::stamp, "form 7").await?,
            "amount" => desk.call(Desk::amount, (id.clone(), 4)).await?.to_string(),
            "approve" => {
                let refund = refund("wait").start().await?;
                desk.call(Desk::approve, id.clone()).await?;
                refund.result().await?
            }
            "flaky" => desk.call(Desk::flaky, ()).await?.to_string(),
            "slow" => {
                let error = desk.call(Desk::slow, ()).schedule_to_close(secs(2)).await.unwrap_err();
                format!("timed out: {}", error.is_timeout())
            }
            "by hand" => {
                let by_hand = desk.call(Desk::by_hand, ()).cancellation(Cancellation::WaitCancellationRequested);
                let by_hand = by_hand.start().await?;
                by_hand.cancel();
                let error = by_hand.result().await.unwrap_err();
                format!("cancelled: {}", error.is_cancelled())
            }
            "dropped" => {
                let refund = refund("wait");
                workflow::select! {
                    result = refund => result?,
                    slept = workflow::sleep(millis(200)) => { slept?; "dropped".to_owned() }
                }
            }
            "twice" => desk.call(Desk::twice, id.clone()).await?,
            story if story.starts_with("cancel ") => {
                let kind = match story {
                    "cancel abandon" => Cancellation::Abandon,
                    "cancel try" => Cancellation::TryCancel,
                    "cancel requested" => Cancellation::WaitCancellationRequested,
                    _ => Cancellation::WaitCancellationCompleted,
                };
                let refund = refund("wait").cancellation(kind).start().await?;
                refund.cancel();
                let error = refund.result().await.unwrap_err();
                assert!(error.is_cancelled(), "{error:?}");
                "cancelled".to_owned()
            }
            how => {
                desk.call(Desk::refuse, how).await?;
                String::new()
            }
        })
    }
}

struct Setup {
    env: Env,
    endpoint: String,
    desk: Arc<Desk>,
}

impl Setup {
    async fn run(story: impl AsyncFnOnce(&Self)) {
        let env = Env::new().await;
        let desk = Arc::<Desk>::default();
        let worker = env.worker().workflow::<Caller>().workflow::<Refund>().activities(Clerk);
        let worker = worker.nexus_service_shared(Arc::clone(&desk)).build().unwrap();
        let work = async {
            let endpoint = env.nexus_endpoint().await;
            story(&Self { env, endpoint, desk }).await;
        };
        tokio::time::timeout(secs(60), worker.run_until(work)).await.expect("the story ends").unwrap();
    }

    async fn start(&self, story: &str, id: &str) -> WorkflowHandle<Caller> {
        let input = (self.endpoint.clone(), story.to_owned(), id.to_owned());
        let start = self.env.client.start_workflow(Caller::run, input).id(self.env.id("caller"));
        start.task_queue(&self.env.task_queue).await.unwrap()
    }

    /// What becomes of a story.
    async fn tell(&self, story: &str) -> Result<String, stead::Error> {
        Ok(self.start(story, &self.env.id("refund")).await.result().await?)
    }
}

#[tokio::test]
async fn nx_2_a_workflow_goes_on_in_place_of_an_operation_and_each_finds_the_other_by_links() {
    Setup::run(async |it| {
        let id = it.env.id("refund");
        let caller = it.start("soon", &id).await;
        assert_eq!(caller.result().await.unwrap(), "refunded soon");
        let history = it.env.replays(Replayer::new().workflow::<Caller>(), &caller, "nexus-backed").await;
        let refund = it.env.client.workflow::<Refund>(&id);
        let began = refund.history().await.unwrap().0.events.swap_remove(0);
        let Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) = &began.attributes else {
            panic!("a run begins with its start: {began:?}")
        };
        assert_eq!(started.completion_callbacks.len(), 1);
        let links = format!("{:?} {:?}", began.links, started.completion_callbacks);
        assert!(links.contains(caller.id()), "the refund is linked with its caller: {links}");
        let started =
            history.0.events.iter().find(|event| event.event_type().as_str_name().ends_with("NEXUS_OPERATION_STARTED"));
        let links = format!("{:?}", started.expect("the operation has started").links);
        assert!(links.contains(&id), "the caller is linked with the refund: {links}");
    })
    .await;
}

#[tokio::test]
async fn nx_2_several_callers_share_one_workflow_and_all_get_its_result() {
    Setup::run(async |it| {
        let id = it.env.id("refund");
        let callers = [it.start("wait", &id).await, it.start("wait", &id).await];
        for caller in &callers {
            until_history_has(caller, "NEXUS_OPERATION_STARTED").await;
        }
        it.env.client.workflow::<Refund>(&id).signal(Refund::approve, ()).await.unwrap();
        for caller in &callers {
            assert_eq!(caller.result().await.unwrap(), "refunded wait");
        }
    })
    .await;
}

#[tokio::test]
async fn nx_3_activities_updates_and_signals_carry_operations_out_and_only_one_goes_on_in_place_of_one() {
    Setup::run(async |it| {
        assert_eq!(it.tell("approve").await.unwrap(), "refunded wait");
        assert_eq!(it.tell("stamp").await.unwrap(), "form 7, stamped");
        let id = it.env.id("refund");
        let start = it.env.client.start_workflow(Refund::run, "wait").id(&id);
        start.task_queue(&it.env.task_queue).await.unwrap();
        assert_eq!(it.start("amount", &id).await.result().await.unwrap(), "12");
        let error = it.tell("twice").await.unwrap_err();
        let failure = format!("{error:?}");
        assert!(failure.contains("there can be one such thing only"), "{failure}");
    })
    .await;
}

#[tokio::test]
async fn wo_20_operations_are_cancelled_in_each_way() {
    Setup::run(async |it| {
        let requested = "NEXUS_OPERATION_CANCEL_REQUESTED";
        let (taken, cancelled) = ("NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED", "NEXUS_OPERATION_CANCELED");
        let cases: [(&str, &[&str]); 4] = [
            ("cancel abandon", &[]),
            ("cancel try", &[requested]),
            ("cancel requested", &[requested, taken]),
            ("cancel completed", &[requested, cancelled]),
        ];
        for (story, expected) in cases {
            let caller = it.start(story, &it.env.id("refund")).await;
            assert_eq!(caller.result().await.unwrap(), "cancelled", "{story}");
            let history = caller.history().await.unwrap();
            Replayer::new().workflow::<Caller>().replay(history.clone()).unwrap();
            let events = event_types(&history);
            for event in expected {
                // What goes on in place of the operation may end before its handler has answered.
                let is_over = *event == taken && events.contains(&cancelled);
                assert!(events.contains(event) || is_over, "{story}: {events:?}");
            }
            assert_eq!(events.contains(&requested), expected.contains(&requested), "{story}");
        }
        let dropped = it.start("dropped", &it.env.id("refund")).await;
        assert_eq!(dropped.result().await.unwrap(), "dropped");
        assert!(event_types(&dropped.history().await.unwrap()).contains(&requested));
        assert_eq!(it.tell("by hand").await.unwrap(), "cancelled: true");
        assert_eq!(it.desk.cancelled.load(Ordering::SeqCst), 1, "the handler's own code cancels it");
    })
    .await;
}

#[tokio::test]
async fn wo_21_callers_see_why_an_operation_failed() {
    Setup::run(async |it| {
        let failure = async |story: &str| {
            let caller = it.start(story, &it.env.id("refund")).await;
            let error = caller.result().await.unwrap_err();
            error.failure().cloned().unwrap_or_else(|| panic!("{story}: {error:?}"))
        };
        let causes = async |story: &str| {
            let failure = failure(story).await;
            failure.chain().map(ToString::to_string).collect::<Vec<_>>().join(" <- ")
        };
        let broken = causes("broken").await;
        assert!(broken.contains("NoSuchOrder: no such order"), "{broken}");
        let failed = causes("failed").await;
        assert!(failed.contains("OperationError: the operation has failed"), "{failed}");
        let cancelled = failure("cancelled").await;
        assert!(
            cancelled.is_cancelled() && format!("{cancelled:?}").contains("the operation was cancelled"),
            "{cancelled:?}"
        );
        let broken = causes("final").await;
        assert!(broken.contains("Internal handler error <- Broken: for good"), "{broken}");
        let missing = format!("{:?}", failure("missing").await);
        assert!(missing.contains("NOT_FOUND") && missing.contains("there is none"), "{missing}");
    })
    .await;
}

#[tokio::test]
async fn nx_8_nx_10_requests_that_fail_are_repeated_and_those_that_take_too_long_given_up() {
    Setup::run(async |it| {
        assert_eq!(it.tell("flaky").await.unwrap(), "2");
        assert_eq!(it.tell("slow").await.unwrap(), "timed out: true");
    })
    .await;
}
