//! The same operations on a real server, where `STEAD_TEST_SERVER=host:port` names one.

use stead_client::{CancelError, Client, Code, ResultError, SignalError, StartError, WorkflowStatus};

/// `None`, and a note, where there is no server.
async fn client() -> Option<Client> {
    let Ok(address) = std::env::var("STEAD_TEST_SERVER") else {
        #[expect(clippy::print_stderr, reason = "who runs the tests should know that this one did nothing")]
        {
            eprintln!("skipped: STEAD_TEST_SERVER names no server");
        }
        return None;
    };
    Some(Client::connect(address).await.unwrap())
}

fn id(test: &str) -> String {
    format!("client-{test}-{:x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), test))
}

#[tokio::test]
async fn a_workflow_is_started_described_signalled_and_terminated() {
    let Some(client) = client().await else { return };
    let start = client.start_workflow_named("Order", ("sku", 2)).id(id("life")).task_queue("nobody-polls");
    let order = start.memo("count", 0).static_summary("a summary").await.unwrap();

    let description = order.describe().await.unwrap();
    assert_eq!((description.id(), description.workflow_type()), (order.id(), "Order"));
    assert_eq!(Some(description.run_id()), order.run_id());
    assert_eq!(description.status(), WorkflowStatus::Running);
    assert_eq!(description.memo::<u8>("count").unwrap(), Some(0));
    assert_eq!(description.static_summary().unwrap().as_deref(), Some("a summary"));

    order.signal_named("pay", 3).await.unwrap();
    order.cancel().reason("customer left").await.unwrap();
    order.terminate().reason("enough").await.unwrap();
    let error = order.result().await.unwrap_err();
    assert!(matches!(error, ResultError::Terminated { .. }), "{error:?}");
    assert_eq!(error.failure().unwrap().message, "enough");
    assert_eq!(order.describe().await.unwrap().status(), WorkflowStatus::Terminated);

    let events = order.history().page_size(2).await.unwrap().0.events;
    assert_eq!(events.len(), 5, "{events:#?}");
    assert!(matches!(order.signal_named("pay", 3).await.unwrap_err(), SignalError::NotFound { .. }));
}

#[tokio::test]
async fn an_id_that_is_taken_is_refused() {
    let Some(client) = client().await else { return };
    let id = id("twice");
    let start = |id: &str| client.start_workflow_named("Order", ()).id(id).task_queue("nobody-polls");
    let first = start(&id).await.unwrap();
    let error = start(&id).await.unwrap_err();
    let StartError::AlreadyStarted { run_id, .. } = &error else { panic!("{error:?}") };
    assert_eq!(Some(run_id.as_str()), first.run_id());

    let again = start(&id).with_signal_named("pay", 3).await.unwrap();
    assert_eq!(again.run_id(), first.run_id());
    first.terminate().await.unwrap();
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let Some(client) = client().await else { return };
    let missing = client.workflow_named(id("missing"));
    assert!(matches!(missing.cancel().await.unwrap_err(), CancelError::NotFound { .. }));
    let error = missing.result().await.unwrap_err();
    assert!(matches!(error, ResultError::NotFound { .. }), "{error:?}");

    let elsewhere = client.with_namespace("no-such-namespace");
    let error = elsewhere.workflow_named("w").describe().await.unwrap_err();
    let rpc = error.rpc().unwrap();
    assert!(rpc.is_namespace_not_found(), "{error:?}");
    assert!(error.to_string().contains("no namespace `no-such-namespace`"), "{error}");
}

#[tokio::test]
async fn a_query_without_a_worker_ends_at_its_deadline() {
    let Some(client) = client().await else { return };
    let order = client.start_workflow_named("Order", ()).id(id("query")).task_queue("nobody-polls").await.unwrap();
    let query = order.query_named::<u8>("total", ()).rpc_timeout(std::time::Duration::from_secs(1));
    let error = query.await.unwrap_err();
    assert!(error.is_timeout() || error.rpc().is_some_and(|rpc| rpc.code() == Code::FailedPrecondition), "{error:?}");
    order.terminate().await.unwrap();
}
