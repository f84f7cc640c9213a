//! Interceptors of client, workflow and activity: a header goes all the way through.

use std::sync::{Arc, Mutex};

use stead::client::{ClientInterceptor, Next, StartError, StartWorkflowCall, StartWorkflowOutput};
use stead::data::{BoxFuture, Payload};
use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::WorkflowInterceptor;
use stead::workflow::intercepted::{Inner, Running, ScheduleActivity, UpdateRequested};
use stead_tests::{Env, server};

/// Sends the tenant along with every start.
struct Tenant(&'static str);

impl ClientInterceptor for Tenant {
    fn start_workflow<'a>(
        &'a self,
        mut call: StartWorkflowCall,
        next: Next<'a, StartWorkflowCall>,
    ) -> BoxFuture<'a, Result<StartWorkflowOutput, StartError>> {
        Box::pin(async move {
            let tenant = stead::DataConverter::new().to_payload(self.0)?;
            call.headers.insert("tenant".to_owned(), tenant);
            next.run(call).await
        })
    }
}

/// Passes it on to the activities.
struct PassOn;

impl WorkflowInterceptor for PassOn {
    fn schedule_activity(&self, activity: &mut ScheduleActivity) {
        let tenant = workflow::info().headers().get("tenant").cloned();
        activity.headers.extend(tenant.map(|tenant| ("tenant".to_owned(), tenant)));
    }
}

/// Notes what arrives there.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl activity::Interceptor for Seen {
    fn execute<'a>(&'a self, input: activity::Input, next: activity::Next) -> BoxFuture<'a, activity::Result<Payload>> {
        Box::pin(async move {
            let tenant = input.converter.from_payload(&input.headers["tenant"])?;
            self.0.lock().unwrap().push(tenant);
            next.run(input).await
        })
    }
}

#[derive(Default)]
struct Asks;

#[workflow]
impl Asks {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        Ok(workflow::activity(Office::answer, ()).start_to_close(secs(5)).await?)
    }
}

struct Office;

#[activities]
impl Office {
    #[activity]
    async fn answer(&self) -> activity::Result<u32> {
        Ok(42)
    }
}

#[tokio::test]
async fn a_header_goes_from_the_client_through_the_workflow_to_the_activity() {
    let mut env = Env::new().await;
    env.client = Client::connect(server()).interceptor(Tenant("acme")).await.unwrap();
    let seen = Seen::default();
    let worker = env
        .worker()
        .workflow::<Asks>()
        .activities(Office)
        .workflow_interceptor(PassOn)
        .activity_interceptor(seen.clone())
        .build()
        .unwrap();
    let id = env.id("asks");
    worker
        .run_while(async {
            let workflow = env.client.start_workflow(Asks::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            assert_eq!(workflow.result().await.unwrap(), 42);
            env.replays(Replayer::new().workflow::<Asks>().workflow_interceptor(PassOn), &workflow, "interceptors")
                .await;
        })
        .await
        .unwrap();
    assert_eq!(*seen.0.lock().unwrap(), ["acme"]);
}

/// Wraps all code of a workflow: refuses what has no tenant, and adds to what is returned.
struct Guards;

impl WorkflowInterceptor for Guards {
    fn around_run(&self, code: Running<Payload>) -> Running<Payload> {
        Box::pin(async move {
            workflow::sleep(std::time::Duration::from_millis(1)).await?;
            code.await.map(|total| changed(&total, |total| total + 1000))
        })
    }

    fn around_validator(
        &self,
        update: &UpdateRequested,
        validator: Inner<'_, Result<(), stead::Failure>>,
    ) -> Result<(), stead::Failure> {
        if !update.headers.contains_key("tenant") {
            return Err(stead::Failure::application("whose is it?"));
        }
        validator.call()
    }

    fn around_update(&self, _: &UpdateRequested, handler: Running<Payload>) -> Running<Payload> {
        Box::pin(async move { handler.await.map(|total| changed(&total, |total| total * 2)) })
    }
}

fn changed(number: &Payload, change: impl Fn(u32) -> u32) -> Payload {
    let converter = workflow::payload_converter();
    converter.to_payload(&change(converter.from_payload(number).unwrap())).unwrap()
}

/// Sends the tenant along with updates of every other kind.
struct TenantOfUpdates;

impl ClientInterceptor for TenantOfUpdates {
    fn start_update<'a>(
        &'a self,
        mut call: stead::client::StartUpdateCall,
        next: Next<'a, stead::client::StartUpdateCall>,
    ) -> BoxFuture<'a, Result<stead::client::StartUpdateOutput, stead::client::UpdateError>> {
        if call.update_id != "anonymous" {
            call.headers.insert("tenant".to_owned(), Payload::default());
        }
        next.run(call)
    }
}

#[derive(Default)]
struct Sums {
    total: workflow::State<u32>,
}

#[workflow]
impl Sums {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::wait_until(|| self.total.get() > 0).await?;
        Ok(self.total.get())
    }

    #[update]
    async fn add(&self, n: u32) -> workflow::Result<u32> {
        self.total.set(self.total.get() + n);
        Ok(self.total.get())
    }
}

#[tokio::test]
async fn wrapped_workflow_code_waits_as_workflows_do_and_its_results_are_the_interceptors() {
    let mut env = Env::new().await;
    env.client = Client::connect(server()).interceptor(TenantOfUpdates).await.unwrap();
    let worker = env.worker().workflow::<Sums>().workflow_interceptor(Guards).build().unwrap();
    let id = env.id("sums");
    worker
        .run_while(async {
            let sums = env.client.start_workflow(Sums::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            let refused = sums.update(Sums::add, 7).id("anonymous").await.unwrap_err();
            assert_eq!(refused.failure().map(|failure| &*failure.message), Some("whose is it?"));
            assert_eq!(sums.update(Sums::add, 7).await.unwrap(), 14);
            assert_eq!(sums.result().await.unwrap(), 1007);
            env.replays(Replayer::new().workflow::<Sums>().workflow_interceptor(Guards), &sums, "interceptors_wrap")
                .await;
        })
        .await
        .unwrap();
}

/// Changes what an activity sees of itself, and what it says.
struct Disguises;

impl activity::Interceptor for Disguises {
    fn info(&self, info: &mut activity::Info) {
        info.activity_type = "disguised".to_owned();
        info.task_token = Default::default();
    }

    fn heartbeat(&self, _: Vec<Payload>, next: &dyn activity::HeartbeatSink) {
        next.heartbeat(vec![stead::DataConverter::new().to_payload("changed").unwrap()]);
    }
}

struct Reports;

#[activities]
impl Reports {
    #[activity]
    async fn report(&self) -> activity::Result<(String, String)> {
        match activity::heartbeat_details::<String>()? {
            Some(details) => Ok((activity::info().activity_type.clone(), details)),
            None => {
                activity::heartbeat("plain");
                Err("once more".into())
            }
        }
    }
}

#[derive(Default)]
struct AsksForReport;

#[workflow]
impl AsksForReport {
    #[run]
    async fn run(&self) -> workflow::Result<(String, String)> {
        Ok(workflow::activity(Reports::report, ()).start_to_close(secs(5)).await?)
    }
}

#[tokio::test]
async fn an_activity_sees_and_says_what_its_interceptor_lets_through() {
    let env = Env::new().await;
    let worker =
        env.worker().workflow::<AsksForReport>().activities(Reports).activity_interceptor(Disguises).build().unwrap();
    let id = env.id("report");
    worker
        .run_while(async {
            let start = env.client.start_workflow(AsksForReport::run, ()).id(&id).task_queue(&env.task_queue);
            let seen = start.await.unwrap().result().await.unwrap();
            assert_eq!(seen, ("disguised".to_owned(), "changed".to_owned()));
        })
        .await
        .unwrap();
}
