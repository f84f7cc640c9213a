//! Interceptors of client, workflow and activity: a header goes all the way through.

use std::sync::{Arc, Mutex};

use stead::client::{ClientInterceptor, Next, StartError, StartWorkflowCall, StartWorkflowOutput};
use stead::data::{BoxFuture, Payload};
use stead::prelude::*;
use stead::testing::Replayer;
use stead::workflow::WorkflowInterceptor;
use stead::workflow::intercepted::ScheduleActivity;
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
