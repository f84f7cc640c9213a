//! The client on its own: starting, describing, and the errors a user meets first.

use stead::client::{Client, StartError};
use stead::data::WorkflowIdConflictPolicy;
use stead::prelude::*;
use stead_tests::{Env, server};

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
    let json = workflow.history().await.unwrap().to_json().unwrap();
    assert!(json.contains("\"3600s\""), "{json}");
    workflow.terminate().await.unwrap();
}
