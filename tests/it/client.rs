//! The client on its own: starting, describing, and the errors a user meets first.

use stead::client::{Client, QueryError, QueryRejectCondition, StartError, WorkflowStatus};
use stead::data::{Keyword, SearchAttribute, VersioningOverride, WorkflowIdConflictPolicy, WorkflowIdReusePolicy};
use stead::prelude::*;
use stead_tests::{Env, event_types, server};

#[tokio::test]
async fn a_second_start_under_a_running_id_says_so() {
    let env = Env::new().await;
    let id = env.id("twice");
    let start = || env.client.start_workflow_named("Nobody", ()).id(&id).task_queue(&env.task_queue);
    let first = start().await.unwrap();
    let error = start().await.unwrap_err();
    assert!(matches!(error, StartError::AlreadyStarted { .. }), "{error}");
    assert!(error.to_string().contains(&id), "{error}");
    let same = start().on_conflict(WorkflowIdConflictPolicy::UseExisting).await.unwrap();
    assert_eq!(same.run_id(), first.run_id());

    let description = first.describe().await.unwrap();
    assert_eq!(description.workflow_type(), "Nobody");
    assert_eq!(description.task_queue(), env.task_queue);
    first.terminate().reason("done").await.unwrap();
}

#[tokio::test]
async fn a_workflow_that_is_not_there_is_named() {
    let env = Env::new().await;
    let id = env.id("ghost");
    let error = env.client.workflow_named(&id).describe().await.unwrap_err();
    assert!(error.to_string().contains(&id), "{error}");
}

#[tokio::test]
async fn a_wrong_namespace_is_named() {
    let client = Client::connect(server()).namespace("nowhere").await.unwrap();
    let error = client.start_workflow_named("Nobody", ()).id("w").task_queue("q").await.unwrap_err();
    let text = format!("{:?}", stead::Error::from(error));
    assert!(text.contains("namespace `nowhere`"), "{text}");
    let worker = Worker::builder(&client, "q").workflow::<stead_tests::ferry::Ferry>().build().unwrap();
    let error = worker.run().await.unwrap_err();
    let text = format!("{:?}", stead::Error::from(error));
    assert!(text.contains("`nowhere`"), "{text}");
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let error = Client::connect("127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn an_api_key_over_plain_text_is_refused_and_not_shown() {
    let error = Client::connect("temporal.example.com:7233").api_key("sesame-123").tls(false).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("plain text") && !text.contains("sesame-123"), "{text}");
}

#[tokio::test]
async fn options_of_a_start_reach_the_server() {
    let env = Env::new().await;
    let workflow = env
        .client
        .start_workflow_named("Nobody", ("a", 1))
        .id(env.id("options"))
        .task_queue(&env.task_queue)
        .run_timeout(hours(1))
        .memo("note", "keep me")
        .retry(RetryPolicy::default().max_attempts(2))
        .static_summary("a workflow for a test")
        .await
        .unwrap();
    let description = workflow.describe().await.unwrap();
    assert_eq!(description.memo::<String>("note").unwrap().as_deref(), Some("keep me"));
    assert_eq!(description.static_summary().unwrap().as_deref(), Some("a workflow for a test"));
    let json = workflow.history().await.unwrap().to_json().unwrap();
    assert!(json.contains("\"3600s\""), "{json}");
    workflow.terminate().await.unwrap();
}

#[tokio::test]
async fn the_policies_decide_what_a_used_id_means() {
    let env = Env::new().await;
    let id = env.id("reused");
    let start = || env.client.start_workflow_named("Nobody", ()).id(&id).task_queue(&env.task_queue);
    let first = start().await.unwrap();
    let second = start().on_conflict(WorkflowIdConflictPolicy::TerminateExisting).await.unwrap();
    assert_ne!(first.run_id(), second.run_id());
    let replaced = env.client.workflow_named(&id).with_run_id(first.run_id().unwrap());
    assert_eq!(replaced.describe().await.unwrap().status(), WorkflowStatus::Terminated);

    second.terminate().await.unwrap();
    let refused = start().id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate).await.unwrap_err();
    assert!(matches!(refused, StartError::AlreadyStarted { .. }), "{refused}");
    let third = start().id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicateFailedOnly).await.unwrap();
    assert_ne!(third.run_id(), second.run_id());
    third.terminate().await.unwrap();
    start().await.unwrap().terminate().await.unwrap();
}

#[tokio::test]
async fn a_start_may_signal_wait_and_carry_search_attributes() {
    const KEYWORD: SearchAttribute<Keyword> = SearchAttribute::new("StdKeyword");
    let env = Env::new().await;
    let start = env.client.start_workflow_named("Nobody", ()).id(env.id("signalled")).task_queue(&env.task_queue);
    let workflow = start
        .with_signal_named("wake", ("up", 1))
        .start_delay(hours(1))
        .search_attributes([KEYWORD.set("early")])
        .await
        .unwrap();
    let history = workflow.history().await.unwrap();
    assert_eq!(event_types(&history)[..2], ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED"]);
    assert!(!event_types(&history).contains(&"WORKFLOW_TASK_SCHEDULED"), "its first task waits an hour");
    let description = workflow.describe().await.unwrap();
    assert_eq!(description.search_attributes().get(KEYWORD).unwrap().as_deref(), Some("early"));
    workflow.terminate().reason("seen").details(("so", "be it")).await.unwrap();
    let error = workflow.result_as::<()>().await.unwrap_err();
    assert!(format!("{:?}", stead::Error::from(error)).contains("seen"));
}

#[tokio::test]
async fn the_versioning_override_of_a_start_is_in_its_description() {
    let env = Env::new().await;
    let start = env.client.start_workflow_named("Nobody", ()).id(env.id("versioned")).task_queue(&env.task_queue);
    let workflow = start.versioning_override(VersioningOverride::AutoUpgrade).await.unwrap();
    let description = workflow.describe().await.unwrap();
    let info = description.raw().workflow_execution_info.as_ref().unwrap().versioning_info.as_ref().unwrap();
    let expected = VersioningOverride::AutoUpgrade.into_proto().r#override;
    assert_eq!(info.versioning_override.as_ref().unwrap().r#override, expected);
    workflow.terminate().await.unwrap();
}

#[tokio::test]
async fn queries_are_rejected_as_the_client_says_unless_the_query_does() {
    let env = Env::new().await;
    let client = Client::connect(server()).reject_queries_if(QueryRejectCondition::NotOpen).await.unwrap();
    let start = client.start_workflow_named("Nobody", ()).id(env.id("closed")).task_queue(&env.task_queue);
    let workflow = start.await.unwrap();
    workflow.terminate().await.unwrap();
    let error = workflow.query_named::<()>("anything", ()).await.unwrap_err();
    assert!(matches!(error, QueryError::Rejected { status: WorkflowStatus::Terminated, .. }), "{error}");
    let asked = workflow.query_named::<()>("anything", ()).reject_if(QueryRejectCondition::Never);
    let error = asked.rpc_timeout(millis(500)).await.unwrap_err();
    assert!(!matches!(error, QueryError::Rejected { .. }), "{error}");
}

/// Returns what it is told first.
#[derive(Default)]
struct Told {
    number: Cell<Option<u32>>,
}

#[workflow]
impl Told {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        workflow::wait_until(|| self.number.get().is_some()).await?;
        Ok(self.number.get().unwrap_or_default())
    }

    #[signal]
    fn tell(&self, number: u32) {
        if self.number.get().is_none() {
            self.number.set(Some(number));
        }
    }
}

#[tokio::test]
async fn a_reset_workflow_goes_on_from_a_task_in_another_run() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Told>().build().unwrap();
    let work = async {
        let told =
            env.client.start_workflow(Told::run, ()).id(env.id("told")).task_queue(&env.task_queue).await.unwrap();
        let history = stead_tests::until_history_has(&told, "WORKFLOW_TASK_COMPLETED").await;
        let task =
            history.0.events.iter().find(|it| it.event_type().as_str_name().ends_with("WORKFLOW_TASK_COMPLETED"));
        let task = task.unwrap().event_id;
        told.signal(Told::tell, 1).await.unwrap();
        assert_eq!(told.result().await.unwrap(), 1);

        let again = told.with_run_id(told.reset_to(task).reason("a test").await.unwrap());
        assert_eq!(again.result().await.unwrap(), 1, "the signal came again");
        let anew = told.with_run_id(told.reset_to(task).without_signals().await.unwrap());
        anew.signal(Told::tell, 2).await.unwrap();
        assert_eq!(anew.result().await.unwrap(), 2);

        let error = told.reset_to(1).await.unwrap_err();
        assert!(matches!(error, stead::client::ResetError::InvalidEvent { event_id: 1, .. }), "{error:?}");
        let error = env.client.workflow::<Told>(env.id("ghost")).reset_to(4).await.unwrap_err();
        assert!(matches!(error, stead::client::ResetError::NotFound { .. }), "{error:?}");
    };
    worker.run_while(work).await.unwrap();
}
