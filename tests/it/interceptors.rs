//! Interceptors of client, workflow and activity: a header goes all the way through.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use stead::client::proto::history::v1::history_event::Attributes;
use stead::client::{self, ClientInterceptor, Next, StartError, StartWorkflowCall, StartWorkflowOutput};
use stead::data::{BoxFuture, CodecError, HeaderCodec, Headers, Payload, PayloadCodec, SerializationContext};
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

/// Seals what it encodes, and opens what is sealed.
struct Wax;

const SEAL: &str = "seal";

impl PayloadCodec for Wax {
    fn encode<'a>(
        &'a self,
        mut payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        payloads.iter_mut().for_each(|it| drop(it.metadata.insert(SEAL.to_owned(), "wax".into())));
        Box::pin(async { Ok(payloads) })
    }

    fn decode<'a>(
        &'a self,
        mut payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        payloads.iter_mut().for_each(|it| drop(it.metadata.remove(SEAL)));
        Box::pin(async { Ok(payloads) })
    }
}

fn is_sealed(headers: &Headers) -> bool {
    headers["tenant"].metadata.contains_key(SEAL)
}

/// Notes whether what arrives there is sealed.
#[derive(Clone, Default)]
struct Sealed(Arc<Mutex<Vec<bool>>>);

impl activity::Interceptor for Sealed {
    fn execute<'a>(&'a self, input: activity::Input, next: activity::Next) -> BoxFuture<'a, activity::Result<Payload>> {
        self.0.lock().unwrap().push(is_sealed(&input.headers));
        Box::pin(next.run(input))
    }
}

/// Passes on what it has got if that is open, and nothing else.
struct PassOnOpen;

impl WorkflowInterceptor for PassOnOpen {
    fn schedule_activity(&self, activity: &mut ScheduleActivity) {
        assert!(!is_sealed(workflow::info().headers()), "a workflow sees what was meant");
        PassOn.schedule_activity(activity);
    }
}

#[tokio::test]
async fn headers_go_through_the_codec_where_that_is_asked_for() {
    // As the client sent it, as the workflow sent it, as the activity got it.
    let cases = [
        (HeaderCodec::Never, [false, false, false]),
        (HeaderCodec::InWorkflows, [false, true, true]),
        (HeaderCodec::Always, [true, true, false]),
    ];
    for (headers, expected) in cases {
        let mut env = Env::new().await;
        let converter = stead::DataConverter::new().with_codec(Arc::new(Wax)).with_header_codec(headers);
        env.client = Client::connect(server()).interceptor(Tenant("acme")).data_converter(converter).await.unwrap();
        let sealed = Sealed::default();
        let worker = env.worker().workflow::<Asks>().activities(Office).workflow_interceptor(PassOnOpen);
        let worker = worker.activity_interceptor(sealed.clone()).build().unwrap();
        let id = env.id("asks");
        let found = worker.run_while(async {
            let workflow = env.client.start_workflow(Asks::run, ()).id(&id).task_queue(&env.task_queue).await.unwrap();
            assert_eq!(workflow.result().await.unwrap(), 42);
            let history = workflow.history().await.unwrap();
            let headers = history.0.events.iter().filter_map(|event| match event.attributes.as_ref()? {
                Attributes::WorkflowExecutionStartedEventAttributes(it) => it.header.clone(),
                Attributes::ActivityTaskScheduledEventAttributes(it) => it.header.clone(),
                _ => None,
            });
            headers.map(|header| is_sealed(&header.fields)).collect::<Vec<_>>()
        });
        let mut found = found.await.unwrap();
        found.extend(sealed.0.lock().unwrap().iter());
        assert_eq!(found, expected, "{headers:?}");
    }
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
        mut call: client::StartUpdateCall,
        next: Next<'a, client::StartUpdateCall>,
    ) -> BoxFuture<'a, Result<client::StartUpdateOutput, client::UpdateError>> {
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

/// Writes down which operations pass it by, and changes the note of a pause.
#[derive(Clone, Default)]
struct Operations(Arc<Mutex<BTreeSet<&'static str>>>);

macro_rules! operations {
    ($($method:ident($call:ty)),* $(,)?) => {
        const OPERATIONS: &[&str] = &[$(stringify!($method)),*, "pause_schedule"];

        impl ClientInterceptor for Operations {
            $(
                fn $method<'a>(&'a self, call: $call, next: Next<'a, $call>) -> client::Answer<'a, $call> {
                    self.0.lock().unwrap().insert(stringify!($method));
                    next.run(call)
                }
            )*

            fn pause_schedule<'a>(
                &'a self,
                mut call: client::PauseScheduleCall,
                next: Next<'a, client::PauseScheduleCall>,
            ) -> client::Answer<'a, client::PauseScheduleCall> {
                self.0.lock().unwrap().insert("pause_schedule");
                call.note += ", says the interceptor";
                next.run(call)
            }
        }
    };
}

operations! {
    start_workflow(StartWorkflowCall),
    signal_workflow(client::SignalWorkflowCall),
    query_workflow(client::QueryWorkflowCall),
    start_update(client::StartUpdateCall),
    start_with_update(client::StartWithUpdateCall),
    cancel_workflow(client::CancelWorkflowCall),
    terminate_workflow(client::TerminateWorkflowCall),
    set_time_skipping(client::SetTimeSkippingCall),
    describe_workflow(client::DescribeWorkflowCall),
    fetch_history(client::FetchHistoryCall),
    list_workflows(client::ListCall<client::ListedWorkflow>),
    count_workflows(client::CountCall<client::ListedWorkflow>),
    start_activity(client::StartActivityCall),
    cancel_activity(client::CancelActivityCall),
    terminate_activity(client::TerminateActivityCall),
    describe_activity(client::DescribeActivityCall),
    pause_activity(client::PauseActivityCall),
    unpause_activity(client::UnpauseActivityCall),
    reset_activity(client::ResetActivityCall),
    update_activity_options(client::UpdateActivityOptionsCall),
    list_activities(client::ListCall<client::ListedActivity>),
    count_activities(client::CountCall<client::ListedActivity>),
    heartbeat_async_activity(client::HeartbeatAsyncActivityCall),
    complete_async_activity(client::CompleteAsyncActivityCall),
    fail_async_activity(client::FailAsyncActivityCall),
    report_cancelled_activity(client::ReportCancelledActivityCall),
    create_schedule(client::CreateScheduleCall),
    describe_schedule(client::DescribeScheduleCall),
    update_schedule(client::UpdateScheduleCall),
    unpause_schedule(client::UnpauseScheduleCall),
    trigger_schedule(client::TriggerScheduleCall),
    backfill_schedule(client::BackfillScheduleCall),
    delete_schedule(client::DeleteScheduleCall),
    list_schedules(client::ListCall<client::ListedSchedule>),
    count_schedules(client::CountCall<client::ListedSchedule>),
}

#[tokio::test]
async fn an_interceptor_sees_every_operation_of_a_client() {
    let env = Env::new().await;
    let operations = Operations::default();
    let client = Client::connect(server()).interceptor(operations.clone()).await.unwrap();
    let (id, queue) = (env.id("operations"), &env.task_queue);

    // What no server would do is an error, and has passed the interceptor all the same.
    let soon = std::time::Duration::from_millis(200);
    let workflow = client.start_workflow_named("Nobody", ()).id(&id).task_queue(queue).await.unwrap();
    workflow.signal_named("go", ()).await.unwrap();
    workflow.query_named::<u32>("how", ()).rpc_timeout(soon).await.unwrap_err();
    workflow.update_named::<u32>("add", ()).rpc_timeout(soon).await.unwrap_err();
    let again = client.start_workflow_named("Nobody", ()).id(&id).task_queue(queue);
    again.rpc_timeout(soon).with_update_named::<u32>("add", ()).await.unwrap_err();
    workflow.describe().await.unwrap();
    workflow.set_time_skipping(client::TimeSkipping::off()).await.ok();
    workflow.cancel().await.unwrap();
    workflow.terminate().await.unwrap();
    workflow.history().await.unwrap();
    drop(client.list_workflows("WorkflowType = 'None'").next().await);
    client.count_workflows("WorkflowType = 'None'").await.unwrap();

    let activity = client.start_activity_named::<()>("nobody", ()).id(&id).task_queue(queue).start_to_close(secs(9));
    let activity = activity.await.unwrap();
    activity.describe().await.unwrap();
    activity.pause().await.ok();
    activity.unpause().await.ok();
    activity.reset().await.ok();
    activity.update_options().start_to_close(secs(8)).await.ok();
    activity.cancel().await.unwrap();
    activity.terminate().await.ok();
    drop(client.list_activities("ActivityType = 'none'").next().await);
    client.count_activities("ActivityType = 'none'").await.unwrap();

    let elsewhere = client.activity_by_id(env.id("none"), "none");
    elsewhere.heartbeat(&1).await.unwrap_err();
    elsewhere.complete(&1).await.unwrap_err();
    elsewhere.fail(stead::Failure::application("no")).await.unwrap_err();
    elsewhere.report_cancelled(&1).await.unwrap_err();

    let schedule = client.create_schedule(&id).paused();
    let schedule = schedule.start_workflow_named("Nobody", (), |it| it.id(&id).task_queue(queue)).await.unwrap();
    schedule.update(|schedule| schedule.state.note = "changed".to_owned()).await.unwrap();
    schedule.unpause().await.unwrap();
    schedule.pause().note("enough").await.unwrap();
    assert_eq!(schedule.describe().await.unwrap().schedule().state.note, "enough, says the interceptor");
    schedule.trigger().await.unwrap();
    let then = std::time::UNIX_EPOCH;
    schedule.backfill(client::ScheduleBackfill::new(then, then + secs(1))).await.unwrap();
    schedule.delete().await.unwrap();
    drop(client.list_schedules("").next().await);
    client.count_schedules("").await.ok();

    assert_eq!(*operations.0.lock().unwrap(), OPERATIONS.iter().copied().collect::<BTreeSet<_>>());
}
