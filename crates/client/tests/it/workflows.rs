//! Operations on workflows: what is sent, and what becomes of the answers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stead_client::{
    CancelError, Client, ClientInterceptor, Code, Next, QueryError, QueryRejectCondition, ResultError, StartError,
    StartWorkflowCall, StartWorkflowOutput, UpdateError, WorkflowHandle, WorkflowStatus,
};
use stead_data::{
    Bool, BoxFuture, CodecError, DataConverter, FailureKind, Keyword, Payload, PayloadCodec, Priority, Query,
    RetryPolicy, SearchAttribute, SerializationContext, Signal, Update, WorkflowFn, WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy, WorkflowType, mins, secs,
};
use stead_proto::{
    common::v1::{Memo, Payloads, SearchAttributes, WorkflowExecution},
    enums::v1::{
        HistoryEventFilterType, UpdateWorkflowExecutionLifecycleStage as Stage, WorkflowExecutionStatus,
        WorkflowIdConflictPolicy as WireConflict, WorkflowIdReusePolicy as WireReuse,
    },
    errordetails::v1::{QueryFailedFailure, WorkflowExecutionAlreadyStartedFailure},
    failure::v1::{ApplicationFailureInfo, Failure as WireFailure, failure::FailureInfo},
    history::v1::{
        History, HistoryEvent, WorkflowExecutionCanceledEventAttributes, WorkflowExecutionCompletedEventAttributes,
        WorkflowExecutionContinuedAsNewEventAttributes, WorkflowExecutionFailedEventAttributes,
        WorkflowExecutionTerminatedEventAttributes, WorkflowExecutionTimedOutEventAttributes,
        history_event::Attributes,
    },
    query::v1::QueryRejected,
    update::v1::{Outcome, UpdateRef, outcome},
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1 as api,
};

use crate::fake::Fake;

#[derive(Debug)]
struct Order;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    number: u32,
}

impl WorkflowType for Order {
    const NAME: &'static str = "Order";
    type Input = (String, u32);
    type Output = Receipt;
}

impl Order {
    const RUN: WorkflowFn<Self, (String, u32), Receipt> = WorkflowFn::new("Order", 2);
    const PAY: Signal<Self, u32> = Signal::new("pay", 1);
    const TOTAL: Query<Self, (), u64> = Query::new("total", 0);
    const ADD: Update<Self, String, usize> = Update::new("add", 1);
}

fn json(text: &'static str) -> Payload {
    let metadata = [("encoding".to_owned(), "json/plain".into())].into();
    Payload { metadata, data: text.into(), ..Default::default() }
}

fn payloads(text: &'static str) -> Option<Payloads> {
    Some(Payloads { payloads: vec![json(text)] })
}

fn data(payloads: &Option<Payloads>) -> Vec<String> {
    let payloads = payloads.iter().flat_map(|payloads| &payloads.payloads);
    payloads.map(|payload| String::from_utf8(payload.data.to_vec()).unwrap()).collect()
}

async fn order(fake: &Fake) -> WorkflowHandle<Order> {
    fake.client().await.workflow("order-1")
}

fn input() -> (String, u32) {
    ("sku".to_owned(), 2)
}

mod start {
    use super::*;

    fn started(run_id: &str) -> api::StartWorkflowExecutionResponse {
        api::StartWorkflowExecutionResponse { run_id: run_id.to_owned(), started: true, ..Default::default() }
    }

    #[tokio::test]
    async fn sends_type_id_queue_and_an_argument_for_each_element() {
        let fake = Fake::new();
        fake.answers(started("run-1"));
        let client = fake.client().await;
        let handle = client.start_workflow(Order::RUN, input()).id("order-1").task_queue("orders").await.unwrap();
        assert_eq!((handle.id(), handle.run_id()), ("order-1", Some("run-1")));

        let request: api::StartWorkflowExecutionRequest = fake.call().request();
        assert_eq!((request.namespace.as_str(), request.identity.as_str()), ("shop", "tester"));
        assert_eq!(request.workflow_id_reuse_policy(), WireReuse::AllowDuplicate);
        assert_eq!(request.workflow_id_conflict_policy(), WireConflict::Unspecified);
        assert_eq!(request.workflow_type.unwrap().name, "Order");
        assert_eq!(request.task_queue.unwrap().name, "orders");
        assert_eq!(data(&request.input), [r#""sku""#, "2"]);
        assert_eq!(request.request_id.len(), 36);
        assert_eq!((request.memo, request.header, request.user_metadata), (None, None, None));
    }

    #[tokio::test]
    async fn sends_every_option() {
        const STATUS: SearchAttribute<Keyword> = SearchAttribute::new("Status");
        let fake = Fake::new();
        fake.answers(started("run-1"));
        let start = fake.client().await.start_workflow(Order::RUN, input()).task_queue("orders").id("order-1");
        let start = start.execution_timeout(mins(3)).run_timeout(mins(2)).task_timeout(secs(1)).start_delay(secs(5));
        let start = start.id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate);
        let start = start.on_conflict(WorkflowIdConflictPolicy::UseExisting);
        let start = start.retry(RetryPolicy::default().max_attempts(3)).cron_schedule("@daily");
        let start = start.memo("nothing", None::<u8>).memo("count", 0).search_attributes([STATUS.set("new")]);
        let start = start.static_summary("short").static_details("long").priority(Priority::default().key(1));
        start.request_id("request-1").rpc_timeout(secs(2)).await.unwrap();

        let call = fake.call();
        assert_eq!(call.timeout().as_secs_f64().round(), 2.0);
        let request: api::StartWorkflowExecutionRequest = call.request();
        assert_eq!(request.workflow_id_reuse_policy(), WireReuse::RejectDuplicate);
        assert_eq!(request.workflow_id_conflict_policy(), WireConflict::UseExisting);
        assert_eq!(request.workflow_execution_timeout.unwrap().seconds, 180);
        assert_eq!(request.workflow_run_timeout.unwrap().seconds, 120);
        assert_eq!(request.workflow_task_timeout.unwrap().seconds, 1);
        assert_eq!(request.workflow_start_delay.unwrap().seconds, 5);
        assert_eq!(request.retry_policy.unwrap().maximum_attempts, 3);
        assert_eq!(request.cron_schedule, "@daily");
        assert_eq!(request.memo.unwrap().fields.into_keys().collect::<Vec<_>>(), ["count", "nothing"]);
        assert_eq!(request.search_attributes.unwrap().indexed_fields["Status"].data, r#""new""#);
        let metadata = request.user_metadata.unwrap();
        assert_eq!(
            (metadata.summary.unwrap().data, metadata.details.unwrap().data),
            (r#""short""#.into(), r#""long""#.into())
        );
        assert_eq!(request.priority.unwrap().priority_key, 1);
        assert_eq!(request.request_id, "request-1");
    }

    #[tokio::test]
    async fn by_name_takes_any_arguments() {
        let fake = Fake::new();
        fake.answers(started("run-1"));
        fake.client().await.start_workflow_named("Legacy", ("a", 1)).id("l").task_queue("q").await.unwrap();
        let request: api::StartWorkflowExecutionRequest = fake.call().request();
        assert_eq!(request.workflow_type.unwrap().name, "Legacy");
        assert_eq!(data(&request.input), [r#""a""#, "1"]);
    }

    #[tokio::test]
    async fn with_a_signal_sends_both_in_one_call() {
        let fake = Fake::new();
        fake.answers(api::SignalWithStartWorkflowExecutionResponse { run_id: "run-1".into(), ..Default::default() });
        let start = fake.client().await.start_workflow(Order::RUN, input()).id("order-1").task_queue("orders");
        let handle = start.with_signal(Order::PAY, 3).memo("count", 1).await.unwrap();
        assert_eq!(handle.run_id(), Some("run-1"));
        let request: api::SignalWithStartWorkflowExecutionRequest = fake.call().request();
        assert_eq!((request.signal_name.as_str(), data(&request.signal_input)), ("pay", vec!["3".to_owned()]));
        assert_eq!(data(&request.input), [r#""sku""#, "2"]);
        assert_eq!(request.memo.unwrap().fields.len(), 1);
    }

    #[tokio::test]
    async fn a_workflow_that_exists_is_an_error_that_names_its_run() {
        let fake = Fake::new();
        let detail = WorkflowExecutionAlreadyStartedFailure { run_id: "run-0".into(), ..Default::default() };
        fake.fails_with(Code::AlreadyExists, "Workflow execution is already running.", &detail);
        let client = fake.client().await;
        let error = client.start_workflow(Order::RUN, input()).id("order-1").task_queue("orders").await.unwrap_err();
        assert!(matches!(&error, StartError::AlreadyStarted { run_id, .. } if run_id == "run-0"), "{error:?}");
        assert_eq!(error.to_string(), "workflow `order-1` (Order) was started already, in run `run-0`");
    }

    #[tokio::test]
    async fn other_conflicts_stay_errors_of_the_call() {
        let fake = Fake::new();
        fake.fails(Code::AlreadyExists, "something else");
        let client = fake.client().await;
        let error = client.start_workflow(Order::RUN, input()).id("order-1").task_queue("orders").await.unwrap_err();
        assert_eq!(error.rpc().unwrap().message(), "something else");
    }

    #[tokio::test]
    async fn values_that_cannot_be_converted_come_out_at_the_await() {
        struct Refuses;
        impl Serialize for Refuses {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no"))
            }
        }
        let fake = Fake::new();
        let start = fake.client().await.start_workflow(Order::RUN, input()).memo("bad", Refuses);
        let error = start.id("order-1").task_queue("orders").await.unwrap_err();
        assert!(matches!(error, StartError::Conversion(_)), "{error:?}");
        assert_eq!(fake.calls().len(), 0);
    }

    #[tokio::test]
    async fn execute_waits_for_the_result_of_the_started_run() {
        let fake = Fake::new();
        fake.answers(started("run-1")).answers(history(completed(r#"{"number":7}"#, "")));
        let client = fake.client().await;
        let receipt = client.execute_workflow(Order::RUN, input()).id("order-1").task_queue("orders").await.unwrap();
        assert_eq!(receipt, Receipt { number: 7 });
        let request: api::GetWorkflowExecutionHistoryRequest = fake.calls()[1].request();
        assert_eq!(request.execution.unwrap().run_id, "run-1");
    }

    #[tokio::test]
    async fn a_started_handle_reaches_its_chain_of_runs_only() {
        let fake = Fake::new();
        fake.answers(started("run-1"));
        fake.answers(api::RequestCancelWorkflowExecutionResponse {});
        fake.answers(api::TerminateWorkflowExecutionResponse {});
        fake.answers(api::SignalWorkflowExecutionResponse { ..Default::default() });
        let client = fake.client().await;
        let handle = client.start_workflow(Order::RUN, input()).id("order-1").task_queue("orders").await.unwrap();
        handle.cancel().reason("customer left").await.unwrap();
        handle.terminate().reason("enough").details(("a", 1)).await.unwrap();
        handle.signal(Order::PAY, 3).await.unwrap();

        let calls = fake.calls();
        let cancel: api::RequestCancelWorkflowExecutionRequest = calls[1].request();
        assert_eq!((cancel.first_execution_run_id.as_str(), cancel.reason.as_str()), ("run-1", "customer left"));
        assert_eq!(cancel.workflow_execution.unwrap().run_id, "");
        let terminate: api::TerminateWorkflowExecutionRequest = calls[2].request();
        assert_eq!((terminate.first_execution_run_id.as_str(), terminate.reason.as_str()), ("run-1", "enough"));
        assert_eq!(data(&terminate.details), [r#""a""#, "1"]);
        let signal: api::SignalWorkflowExecutionRequest = calls[3].request();
        assert_eq!(signal.workflow_execution.unwrap().run_id, "");
    }
}

mod signals_and_queries {
    use super::*;

    #[tokio::test]
    async fn a_signal_is_sent_with_its_argument() {
        let fake = Fake::new();
        fake.answers(api::SignalWorkflowExecutionResponse::default());
        order(&fake).await.with_run_id("run-1").signal(Order::PAY, 3).await.unwrap();
        let request: api::SignalWorkflowExecutionRequest = fake.call().request();
        assert_eq!((request.signal_name.as_str(), data(&request.input)), ("pay", vec!["3".to_owned()]));
        let execution = WorkflowExecution { workflow_id: "order-1".into(), run_id: "run-1".into() };
        assert_eq!(request.workflow_execution, Some(execution));
    }

    #[tokio::test]
    async fn retries_of_a_signal_are_the_same_request() {
        let fake = Fake::new();
        fake.breaks().answers(api::SignalWorkflowExecutionResponse::default());
        order(&fake).await.signal_named("pay", 3).await.unwrap();
        let requests: Vec<api::SignalWorkflowExecutionRequest> =
            fake.calls().iter().map(|call| call.request()).collect();
        assert_eq!(requests[0], requests[1]);
    }

    #[tokio::test]
    async fn a_workflow_that_does_not_exist_is_named() {
        let fake = Fake::new();
        fake.fails(Code::NotFound, "workflow not found for ID: order-1").fails(Code::NotFound, "gone");
        let order = order(&fake).await;
        let error = order.signal(Order::PAY, 3).await.unwrap_err();
        assert_eq!(error.to_string(), "signal `pay`: workflow `order-1` does not exist or has closed");
        assert!(matches!(order.cancel().await.unwrap_err(), CancelError::NotFound { .. }));
    }

    #[tokio::test]
    async fn a_query_gives_its_typed_answer() {
        let fake = Fake::new();
        fake.answers(api::QueryWorkflowResponse { query_result: payloads("41"), ..Default::default() });
        let total: u64 = order(&fake).await.query(Order::TOTAL, ()).await.unwrap();
        assert_eq!(total, 41);
        let request: api::QueryWorkflowRequest = fake.call().request();
        let query = request.query.unwrap();
        assert_eq!((query.query_type.as_str(), query.query_args), ("total", None));
    }

    #[tokio::test]
    async fn a_rejected_query_says_in_which_state_the_workflow_is() {
        let fake = Fake::new();
        let rejected = QueryRejected { status: WorkflowExecutionStatus::Completed.into() };
        fake.answers(api::QueryWorkflowResponse { query_rejected: Some(rejected), ..Default::default() });
        let query = order(&fake).await.query(Order::TOTAL, ()).reject_if(QueryRejectCondition::NotOpen);
        let error = query.await.unwrap_err();
        assert!(matches!(error, QueryError::Rejected { status: WorkflowStatus::Completed, .. }), "{error:?}");
        let request: api::QueryWorkflowRequest = fake.call().request();
        assert_eq!(request.query_reject_condition, 2);
    }

    #[tokio::test]
    async fn a_failed_query_gives_the_handlers_error() {
        let fake = Fake::new();
        let detail = QueryFailedFailure { failure: Some(application("Unpaid", "not paid")) };
        fake.fails_with(Code::InvalidArgument, "not paid", &detail).fails(Code::InvalidArgument, "unknown query");
        let order = order(&fake).await;
        let error = order.query(Order::TOTAL, ()).await.unwrap_err();
        assert_eq!(error.to_string(), "query `total` of workflow `order-1` failed: not paid");
        assert_eq!(error.failure().unwrap().find_application().unwrap().1.type_name, "Unpaid");
        let error = order.query_named::<u64>("unknown", ()).await.unwrap_err();
        assert!(matches!(error, QueryError::Failed { failure: None, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_answer_of_another_type_is_an_error() {
        let fake = Fake::new();
        fake.answers(api::QueryWorkflowResponse { query_result: payloads(r#""many""#), ..Default::default() });
        let error = order(&fake).await.query(Order::TOTAL, ()).await.unwrap_err();
        assert!(matches!(error, QueryError::Conversion(_)), "{error:?}");
    }
}

mod updates {
    use super::*;

    fn at(stage: Stage, outcome: Option<outcome::Value>) -> api::UpdateWorkflowExecutionResponse {
        let execution = WorkflowExecution { workflow_id: "order-1".into(), run_id: "run-1".into() };
        api::UpdateWorkflowExecutionResponse {
            update_ref: Some(UpdateRef { workflow_execution: Some(execution), update_id: "update-1".into() }),
            outcome: outcome.map(|value| Outcome { value: Some(value) }),
            stage: stage.into(),
            ..Default::default()
        }
    }

    fn polled(outcome: Option<outcome::Value>) -> api::PollWorkflowExecutionUpdateResponse {
        let outcome = outcome.map(|value| Outcome { value: Some(value) });
        api::PollWorkflowExecutionUpdateResponse { outcome, ..Default::default() }
    }

    fn success() -> Option<outcome::Value> {
        payloads("3").map(outcome::Value::Success)
    }

    #[tokio::test]
    async fn an_update_that_completes_at_once_takes_one_call() {
        let fake = Fake::new();
        fake.answers(at(Stage::Completed, success()));
        let count: usize = order(&fake).await.update(Order::ADD, "sku").id("update-1").await.unwrap();
        assert_eq!(count, 3);
        let request: api::UpdateWorkflowExecutionRequest = fake.call().request();
        assert_eq!(request.wait_policy.unwrap().lifecycle_stage(), Stage::Completed);
        let update = request.request.unwrap();
        assert_eq!(update.meta.unwrap().update_id, "update-1");
        assert_eq!(data(&update.input.unwrap().args), [r#""sku""#]);
    }

    #[tokio::test]
    async fn s59_an_update_is_sent_until_accepted_and_then_polled_until_completed() {
        let fake = Fake::new();
        fake.answers(at(Stage::Admitted, None)).answers(at(Stage::Admitted, None)).answers(at(Stage::Accepted, None));
        fake.answers(polled(None)).answers(polled(success()));
        let count = order(&fake).await.update(Order::ADD, "sku").await.unwrap();
        assert_eq!(count, 3);
        let calls = fake.calls();
        let sent: Vec<api::UpdateWorkflowExecutionRequest> = calls[..3].iter().map(|call| call.request()).collect();
        assert!(sent.iter().all(|request| request == &sent[0]), "the same update, not another");
        let poll: api::PollWorkflowExecutionUpdateRequest = calls[4].request();
        assert_eq!(poll.update_ref.unwrap().workflow_execution.unwrap().run_id, "run-1");
        assert!(calls[4].timeout() > secs(60));
    }

    #[tokio::test]
    async fn a_started_update_waits_for_acceptance_only() {
        let fake = Fake::new();
        fake.answers(at(Stage::Accepted, None)).answers(polled(success()));
        let handle = order(&fake).await.update(Order::ADD, "sku").id("update-1").start().await.unwrap();
        assert_eq!((handle.id(), handle.workflow_run_id()), ("update-1", Some("run-1")));
        assert_eq!(handle.result().await.unwrap(), 3);
        let request: api::UpdateWorkflowExecutionRequest = fake.calls()[0].request();
        assert_eq!(request.wait_policy.unwrap().lifecycle_stage(), Stage::Accepted);
    }

    #[tokio::test]
    async fn a_known_outcome_is_not_asked_for_again() {
        let fake = Fake::new();
        fake.answers(at(Stage::Completed, success()));
        let handle = order(&fake).await.update(Order::ADD, "sku").start().await.unwrap();
        assert_eq!((handle.result().await.unwrap(), handle.result().await.unwrap()), (3, 3));
        fake.call();
    }

    #[tokio::test]
    async fn a_rejected_update_is_an_error_of_the_result_and_not_of_the_start() {
        let fake = Fake::new();
        let failure = outcome::Value::Failure(application("UnknownItem", "no such item"));
        fake.answers(at(Stage::Completed, Some(failure)));
        let handle = order(&fake).await.update(Order::ADD, "sku").id("update-1").start().await.unwrap();
        let error = handle.result().await.unwrap_err();
        assert_eq!(error.to_string(), "update `add` (update-1) of workflow `order-1` failed");
        assert_eq!(error.failure().unwrap().message, "no such item");
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_in_time_says_so() {
        let fake = Fake::new();
        fake.hangs();
        let error = order(&fake).await.update(Order::ADD, "sku").rpc_timeout(secs(1)).await.unwrap_err();
        assert!(matches!(error, UpdateError::TimedOut { .. }), "{error:?}");
        assert!(fake.call().timeout() <= secs(1));
    }

    #[tokio::test]
    async fn an_update_of_a_closed_workflow_is_not_found() {
        let fake = Fake::new();
        fake.fails(Code::NotFound, "workflow execution already completed");
        let error = order(&fake).await.update(Order::ADD, "sku").await.unwrap_err();
        assert!(matches!(error, UpdateError::NotFound { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn an_earlier_update_can_be_asked_for_by_its_id() {
        let fake = Fake::new();
        fake.answers(polled(success()));
        assert_eq!(order(&fake).await.update_handle::<usize>("update-1").result().await.unwrap(), 3);
        let request: api::PollWorkflowExecutionUpdateRequest = fake.call().request();
        assert_eq!(request.update_ref.unwrap().update_id, "update-1");
    }
}

fn history(attributes: Attributes) -> api::GetWorkflowExecutionHistoryResponse {
    let event = HistoryEvent { event_id: 9, attributes: Some(attributes), ..Default::default() };
    api::GetWorkflowExecutionHistoryResponse { history: Some(History { events: vec![event] }), ..Default::default() }
}

fn completed(result: &'static str, next: &str) -> Attributes {
    Attributes::WorkflowExecutionCompletedEventAttributes(WorkflowExecutionCompletedEventAttributes {
        result: payloads(result),
        new_execution_run_id: next.to_owned(),
        ..Default::default()
    })
}

fn failed(next: &str) -> Attributes {
    Attributes::WorkflowExecutionFailedEventAttributes(Box::new(WorkflowExecutionFailedEventAttributes {
        failure: Some(application("Unpaid", "not paid")),
        new_execution_run_id: next.to_owned(),
        ..Default::default()
    }))
}

fn application(type_name: &str, message: &str) -> WireFailure {
    let info = ApplicationFailureInfo { r#type: type_name.to_owned(), ..Default::default() };
    WireFailure {
        message: message.to_owned(),
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Default::default()
    }
}

mod results {
    use super::*;

    fn page(token: &'static str) -> api::GetWorkflowExecutionHistoryResponse {
        api::GetWorkflowExecutionHistoryResponse { next_page_token: token.into(), ..Default::default() }
    }

    #[tokio::test]
    async fn s60_the_close_event_is_waited_for() {
        let fake = Fake::new();
        fake.answers(page("more")).answers(page("")).answers(history(completed(r#"{"number":7}"#, "")));
        assert_eq!(order(&fake).await.result().await.unwrap(), Receipt { number: 7 });

        let requests: Vec<api::GetWorkflowExecutionHistoryRequest> =
            fake.calls().iter().map(|call| call.request()).collect();
        assert!(requests.iter().all(|request| request.wait_new_event && request.skip_archival));
        assert_eq!(requests[0].history_event_filter_type(), HistoryEventFilterType::CloseEvent);
        let tokens: Vec<_> = requests.iter().map(|request| &request.next_page_token[..]).collect();
        assert_eq!(tokens, [&b""[..], b"more", b""]);
        assert!(fake.calls()[0].timeout() > secs(60));
    }

    #[tokio::test]
    async fn s60_runs_are_followed_through_continuations_retries_and_cron() {
        let fake = Fake::new();
        let continued = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: "run-2".to_owned(),
            ..Default::default()
        };
        fake.answers(history(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(Box::new(continued))));
        fake.answers(history(failed("run-3"))).answers(history(completed("null", "run-4")));
        let timed_out =
            WorkflowExecutionTimedOutEventAttributes { new_execution_run_id: "run-5".to_owned(), ..Default::default() };
        fake.answers(history(Attributes::WorkflowExecutionTimedOutEventAttributes(timed_out)));
        fake.answers(history(completed(r#"{"number":5}"#, "")));

        assert_eq!(order(&fake).await.result().await.unwrap(), Receipt { number: 5 });
        let runs: Vec<_> = fake
            .calls()
            .iter()
            .map(|call| call.request::<api::GetWorkflowExecutionHistoryRequest>().execution.unwrap().run_id)
            .collect();
        assert_eq!(runs, ["", "run-2", "run-3", "run-4", "run-5"]);
    }

    #[tokio::test]
    async fn s60_runs_are_not_followed_when_told_so() {
        let fake = Fake::new();
        fake.answers(history(failed("run-2")));
        let continued = WorkflowExecutionContinuedAsNewEventAttributes {
            new_execution_run_id: "run-2".to_owned(),
            ..Default::default()
        };
        fake.answers(history(Attributes::WorkflowExecutionContinuedAsNewEventAttributes(Box::new(continued))));
        let order = order(&fake).await;
        let error = order.result().follow_runs(false).await.unwrap_err();
        assert!(matches!(error, ResultError::Failed { .. }), "{error:?}");
        let error = order.result().follow_runs(false).await.unwrap_err();
        assert_eq!(error.to_string(), "workflow `order-1` continued as new, in run `run-2`");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_for_a_result_have_the_deadline_they_are_given_and_pause_when_the_server_does_not_wait() {
        let fake = Fake::new();
        fake.answers(api::GetWorkflowExecutionHistoryResponse::default());
        fake.hangs();
        let order = order(&fake).await;
        let error = order.result().rpc_timeout(secs(3)).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let calls = fake.calls();
        assert_eq!(calls[1].at - calls[0].at, std::time::Duration::from_millis(100));
        assert!(calls.iter().all(|call| call.timeout() <= secs(3)));

        fake.hangs();
        let error = order.history().rpc_timeout(secs(2)).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    }

    #[tokio::test]
    async fn each_way_to_close_is_an_error_of_its_own() {
        let fake = Fake::new();
        let cancelled = WorkflowExecutionCanceledEventAttributes { details: payloads("1"), ..Default::default() };
        let terminated = WorkflowExecutionTerminatedEventAttributes { reason: "enough".into(), ..Default::default() };
        fake.answers(history(failed("")));
        fake.answers(history(Attributes::WorkflowExecutionCanceledEventAttributes(cancelled)));
        fake.answers(history(Attributes::WorkflowExecutionTerminatedEventAttributes(terminated)));
        fake.answers(history(Attributes::WorkflowExecutionTimedOutEventAttributes(Default::default())));
        fake.answers(history(Attributes::TimerFiredEventAttributes(Default::default())));
        let order = order(&fake).await;

        let error = order.result().await.unwrap_err();
        assert_eq!(error.to_string(), "workflow `order-1` failed");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "Unpaid: not paid");
        let error = order.result().await.unwrap_err();
        assert!(matches!(error, ResultError::Cancelled { .. }) && error.is_cancelled(), "{error:?}");
        let error = order.result().await.unwrap_err();
        assert!(matches!(error, ResultError::Terminated { .. }), "{error:?}");
        assert_eq!(error.failure().unwrap().message, "enough");
        let error = order.result().await.unwrap_err();
        assert!(matches!(error, ResultError::TimedOut { .. }) && error.is_timeout(), "{error:?}");
        assert!(matches!(error.failure().unwrap().kind, FailureKind::Timeout { .. }), "{error:?}");
        let error = order.result().await.unwrap_err();
        assert!(matches!(error, ResultError::UnexpectedEvent { event_id: 9, .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_result_of_another_type_is_an_error() {
        let fake = Fake::new();
        fake.answers(history(completed("[]", "")));
        let error = order(&fake).await.result().await.unwrap_err();
        assert!(matches!(error, ResultError::Conversion(_)), "{error:?}");
    }

    #[tokio::test]
    async fn an_untyped_result_is_read_as_what_the_caller_says() {
        let fake = Fake::new();
        fake.answers(history(completed(r#"{"number":7}"#, "")));
        let handle = fake.client().await.workflow_named("order-1");
        assert_eq!(handle.result_as::<Receipt>().await.unwrap(), Receipt { number: 7 });
    }

    #[tokio::test]
    async fn a_missing_workflow_is_named_and_a_missing_namespace_is_not_taken_for_one() {
        let fake = Fake::new();
        fake.fails(Code::NotFound, "workflow not found");
        let namespace = stead_proto::errordetails::v1::NamespaceNotFoundFailure { namespace: "shop".into() };
        fake.fails_with(Code::NotFound, "Namespace shop is not found.", &namespace);
        let order = order(&fake).await;
        let error = order.result().await.unwrap_err();
        assert_eq!(error.to_string(), "workflow `order-1` does not exist");
        let error = order.result().await.unwrap_err();
        assert!(error.rpc().unwrap().is_namespace_not_found(), "{error:?}");
    }

    #[tokio::test]
    async fn a_history_is_asked_for_with_its_options() {
        let fake = Fake::new();
        fake.answers(history(completed("1", "")));
        let history =
            order(&fake).await.history().close_event_only().wait_for_new_events().skip_archival().page_size(5);
        assert_eq!(history.await.unwrap().0.events.len(), 1);
        let request: api::GetWorkflowExecutionHistoryRequest = fake.call().request();
        assert_eq!(request.history_event_filter_type(), HistoryEventFilterType::CloseEvent);
        assert!(request.wait_new_event && request.skip_archival);
        assert_eq!(request.maximum_page_size, 5);
    }

    #[tokio::test]
    async fn a_history_is_read_page_by_page() {
        let two = |token: &'static str| api::GetWorkflowExecutionHistoryResponse {
            history: Some(History { events: vec![HistoryEvent::default(); 2] }),
            next_page_token: token.into(),
            ..Default::default()
        };
        let fake = Fake::new();
        fake.answers(two("more")).answers(two(""));
        assert_eq!(order(&fake).await.history().page_size(2).await.unwrap().0.events.len(), 4);

        let fake = Fake::new();
        fake.answers(two("more")).fails(Code::NotFound, "deleted meanwhile").answers(two(""));
        let mut events = order(&fake).await.history().events();
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event.is_ok());
        }
        assert_eq!(seen, [true, true, false, true, true]);
    }
}

#[tokio::test]
async fn a_description_is_typed() {
    let info = WorkflowExecutionInfo {
        execution: Some(WorkflowExecution { workflow_id: "order-1".into(), run_id: "run-1".into() }),
        status: WorkflowExecutionStatus::ContinuedAsNew.into(),
        start_time: Some(prost_types::Timestamp { seconds: 5, nanos: 0 }),
        history_length: 11,
        task_queue: "orders".into(),
        memo: Some(Memo { fields: [("count".to_owned(), json("0"))].into() }),
        search_attributes: Some(SearchAttributes { indexed_fields: [("Open".to_owned(), json("true"))].into() }),
        ..Default::default()
    };
    let fake = Fake::new();
    fake.answers(api::DescribeWorkflowExecutionResponse { workflow_execution_info: Some(info), ..Default::default() });
    let description = order(&fake).await.describe().await.unwrap();
    assert_eq!((description.id(), description.run_id(), description.task_queue()), ("order-1", "run-1", "orders"));
    assert_eq!(description.status(), WorkflowStatus::ContinuedAsNew);
    assert_eq!(description.start_time(), Some(std::time::UNIX_EPOCH + Duration::from_secs(5)));
    assert_eq!((description.close_time(), description.history_length()), (None, 11));
    assert_eq!(description.memo::<u8>("count").unwrap(), Some(0));
    assert_eq!(description.memo::<u8>("other").unwrap(), None);
    assert_eq!(description.search_attributes().get(SearchAttribute::<Bool>::new("Open")).unwrap(), Some(true));
}

/// Reverses the bytes of every payload.
struct Reverse;

impl PayloadCodec for Reverse {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let reverse = |payload: Payload| Payload { data: payload.data.iter().rev().copied().collect(), ..payload };
        Box::pin(async move { Ok(payloads.into_iter().map(reverse).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        self.encode(payloads, context)
    }
}

async fn encoded(fake: &Fake) -> Client {
    fake.connect().data_converter(DataConverter::new().with_codec(Arc::new(Reverse))).await.unwrap()
}

#[tokio::test]
async fn payloads_pass_through_the_codec_both_ways() {
    let fake = Fake::new();
    fake.answers(api::StartWorkflowExecutionResponse::default());
    fake.answers(history(completed(r#"}7:"rebmun"{"#, "")));
    let start = encoded(&fake).await.execute_workflow(Order::RUN, input()).id("order-1").task_queue("orders");
    let receipt = start.memo("count", 12).static_summary("ab").await.unwrap();
    assert_eq!(receipt, Receipt { number: 7 });
    let request: api::StartWorkflowExecutionRequest = fake.calls()[0].request();
    assert_eq!(data(&request.input), [r#""uks""#, "2"]);
    assert_eq!(request.memo.unwrap().fields["count"].data, "21");
    assert_eq!(request.user_metadata.unwrap().summary.unwrap().data, r#""ba""#);
}

#[tokio::test]
async fn the_details_of_failures_and_of_their_causes_pass_through_the_codec() {
    let fake = Fake::new();
    let mut failure = application("Inner", "inner");
    if let Some(FailureInfo::ApplicationFailureInfo(info)) = &mut failure.failure_info {
        info.details = payloads("21");
    }
    let failure = WireFailure { message: "outer".into(), cause: Some(Box::new(failure)), ..Default::default() };
    let attributes = WorkflowExecutionFailedEventAttributes { failure: Some(failure), ..Default::default() };
    fake.answers(history(Attributes::WorkflowExecutionFailedEventAttributes(Box::new(attributes))));
    let error = encoded(&fake).await.workflow::<Order>("order-1").result().await.unwrap_err();
    let (_, application) = error.failure().unwrap().find_application().unwrap();
    assert_eq!(application.details[0].data, "12");
}

/// Writes down what it sees, and adds a header.
#[derive(Clone)]
struct Witness(&'static str, Arc<Mutex<Vec<String>>>);

impl ClientInterceptor for Witness {
    fn start_workflow<'a>(
        &'a self,
        mut call: StartWorkflowCall,
        next: Next<'a, StartWorkflowCall>,
    ) -> BoxFuture<'a, Result<StartWorkflowOutput, StartError>> {
        Box::pin(async move {
            self.1.lock().unwrap().push(format!("{} starts {}", self.0, call.workflow_id));
            call.headers.insert(self.0.to_owned(), json("1"));
            let output = next.run(call).await?;
            self.1.lock().unwrap().push(format!("{} started {}", self.0, output.run_id));
            Ok(output)
        })
    }
}

#[tokio::test]
async fn interceptors_wrap_operations_in_the_order_they_were_added() {
    let fake = Fake::new();
    fake.answers(api::StartWorkflowExecutionResponse { run_id: "run-1".into(), ..Default::default() });
    fake.answers(api::SignalWorkflowExecutionResponse::default());
    let seen = Arc::default();
    let connect = fake.connect().interceptor(Witness("outer", Arc::clone(&seen)));
    let client = connect.interceptor(Witness("inner", Arc::clone(&seen))).await.unwrap();
    let handle = client.start_workflow(Order::RUN, input()).id("order-1").task_queue("orders").await.unwrap();
    handle.signal(Order::PAY, 3).await.unwrap();

    let expected = ["outer starts order-1", "inner starts order-1", "inner started run-1", "outer started run-1"];
    assert_eq!(*seen.lock().unwrap(), expected);
    let request: api::StartWorkflowExecutionRequest = fake.calls()[0].request();
    assert_eq!(request.header.unwrap().fields.into_keys().collect::<Vec<_>>(), ["inner", "outer"]);
}
