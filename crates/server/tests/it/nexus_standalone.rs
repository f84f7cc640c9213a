//! Nexus operations without a workflow: started once for each id, described, polled, listed, cancelled, terminated,
//! deleted, and kept.

use std::time::Duration;

use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::{
    NexusHandlerErrorRetryBehavior as RetryBehavior, NexusOperationCancellationState as CancellationState,
    NexusOperationExecutionStatus as Status, NexusOperationIdConflictPolicy as Conflict,
    NexusOperationIdReusePolicy as Reuse, NexusOperationWaitStage as WaitStage, PendingNexusOperationState as State,
};
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::failure::v1::{Failure, NexusHandlerFailureInfo};
use stead_proto::nexus::v1::request::Variant as Asked;
use stead_proto::nexus::v1::start_operation_response::{Sync, Variant as Start};
use stead_proto::nexus::v1::{self as nexus, NexusOperationExecutionInfo};
use stead_proto::workflowservice::v1 as api;
use stead_proto::workflowservice::v1::describe_nexus_operation_execution_response::Outcome as Described;
use stead_proto::workflowservice::v1::poll_nexus_operation_execution_response::Outcome as Polled;
use stead_server::engine::{CallId, Code, Refusal, Response};

use crate::activities::failure;
use crate::call;
use crate::nexus_callbacks::callback_of;
use crate::nexus_operations::{Task, payload};
use crate::restart::{durable, restarted};
use crate::support::{NAMESPACE, Server, complete_workflow, named_queue, secs, start_request};

type Request = api::StartNexusOperationExecutionRequest;

fn start(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request {
        namespace: NAMESPACE.to_owned(),
        operation_id: "op".to_owned(),
        request_id: "first".to_owned(),
        identity: "client".to_owned(),
        endpoint: "payments".to_owned(),
        service: "billing".to_owned(),
        operation: "charge".to_owned(),
        input: payload("in"),
        ..Default::default()
    };
    change(&mut request);
    request
}

fn poll(stage: WaitStage) -> api::PollNexusOperationExecutionRequest {
    api::PollNexusOperationExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        operation_id: "op".to_owned(),
        wait_stage: stage.into(),
        ..Default::default()
    }
}

fn describe() -> api::DescribeNexusOperationExecutionRequest {
    api::DescribeNexusOperationExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        operation_id: "op".to_owned(),
        include_input: true,
        include_outcome: true,
        ..Default::default()
    }
}

fn cancel(request_id: &str) -> api::RequestCancelNexusOperationExecutionRequest {
    api::RequestCancelNexusOperationExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        operation_id: "op".to_owned(),
        request_id: request_id.to_owned(),
        reason: "enough".to_owned(),
        ..Default::default()
    }
}

fn terminate(request_id: &str) -> api::TerminateNexusOperationExecutionRequest {
    api::TerminateNexusOperationExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        operation_id: "op".to_owned(),
        request_id: request_id.to_owned(),
        reason: "enough".to_owned(),
        identity: "operator".to_owned(),
        ..Default::default()
    }
}

fn handler_failure(kind: &str) -> Failure {
    let info = NexusHandlerFailureInfo { r#type: kind.to_owned(), retry_behavior: RetryBehavior::Unspecified.into() };
    Failure {
        message: "no".to_owned(),
        failure_info: Some(FailureInfo::NexusHandlerFailureInfo(info)),
        ..Default::default()
    }
}

impl Server {
    /// An operation `op` of its own, with an endpoint for the queue `handlers`.
    fn with_standalone(change: impl FnOnce(&mut Request)) -> Self {
        let mut server = Self::with(durable());
        server.endpoint("payments", "handlers");
        assert!(call!(server, StartNexusOperationExecution, start(change)).started);
        server
    }

    fn operation_info(&mut self) -> NexusOperationExecutionInfo {
        call!(self, DescribeNexusOperationExecution, describe()).info.expect("there is")
    }

    fn standalone_fail(&mut self, task: &Task, failure: Failure) {
        let request = api::RespondNexusTaskFailedRequest {
            namespace: NAMESPACE.to_owned(),
            task_token: task.task_token.clone(),
            failure: Some(failure),
            ..Default::default()
        };
        call!(self, RespondNexusTaskFailed, request);
    }

    fn start_again(
        &mut self,
        change: impl FnOnce(&mut Request),
    ) -> Result<api::StartNexusOperationExecutionResponse, Refusal> {
        match self.try_call(start(change))? {
            Response::StartNexusOperationExecution(response) => Ok(*response),
            other => panic!("{other:?}"),
        }
    }

    fn polled(&mut self, call: CallId) -> api::PollNexusOperationExecutionResponse {
        match self.answer(call).expect("an answer").expect("no refusal") {
            Response::PollNexusOperationExecution(response) => *response,
            other => panic!("{other:?}"),
        }
    }

    fn count(&mut self, query: &str) -> api::CountNexusOperationExecutionsResponse {
        let request =
            api::CountNexusOperationExecutionsRequest { namespace: NAMESPACE.to_owned(), query: query.to_owned() };
        call!(self, CountNexusOperationExecutions, request)
    }
}

#[test]
fn a_result_at_once_is_the_outcome() {
    let mut server = Server::with_standalone(|_| {});
    let waits = server.send(poll(WaitStage::Closed));
    let info = server.operation_info();
    assert_eq!((info.status(), info.state(), info.attempt), (Status::Running, State::Scheduled, 1));
    let task = server.nexus_task();
    let Some(Asked::StartOperation(asked)) = task.request.clone().and_then(|request| request.variant) else {
        panic!("not a start")
    };
    assert_eq!((asked.payload, &asked.request_id), (payload("in"), &info.request_id));
    let link = &asked.links[0];
    assert_eq!(link.r#type, "temporal.api.common.v1.Link.NexusOperation");
    assert_eq!(link.url, format!("temporal:///namespaces/default/nexus-operations/op/{}/details", info.run_id));
    server.nexus_respond(&task, Start::SyncSuccess(Sync { payload: payload("out"), links: Vec::new() }));
    let polled = server.polled(waits);
    assert_eq!(polled.wait_stage(), WaitStage::Closed);
    assert_eq!(polled.outcome, payload("out").map(Polled::Result));
    let described = call!(server, DescribeNexusOperationExecution, describe());
    assert_eq!(described.input, payload("in"));
    assert_eq!(described.outcome, payload("out").map(Described::Result));
    let info = described.info.expect("there is");
    assert_eq!((info.status(), info.state(), info.attempt), (Status::Completed, State::Unspecified, 1));
    assert!(info.close_time.is_some(), "{info:?}");
}

#[test]
fn a_workflow_that_carries_it_out_calls_back() {
    let mut server = Server::with_standalone(|_| {});
    let started = server.send(poll(WaitStage::Started));
    let task = server.nexus_task();
    let handler = api::StartWorkflowExecutionRequest {
        completion_callbacks: vec![callback_of(&task)],
        task_queue: named_queue("h"),
        ..start_request("handler")
    };
    call!(server, StartWorkflowExecution, handler);
    server.nexus_begin(&task, "token");
    let polled = server.polled(started);
    assert_eq!((polled.wait_stage(), polled.operation_token.as_str()), (WaitStage::Started, "token"));
    assert!(polled.outcome.is_none(), "{polled:?}");
    let closed = server.send(poll(WaitStage::Unspecified));
    server.step_on("h", vec![complete_workflow()]);
    let nothing = [("encoding".to_owned(), "binary/null".into())].into();
    let nothing = Payload { metadata: nothing, ..Payload::default() };
    assert_eq!(server.polled(closed).outcome, Some(Polled::Result(nothing)));
}

#[test]
fn errors_and_timeouts_are_outcomes_as_well() {
    let mut server = Server::with_standalone(|_| {});
    let task = server.nexus_task();
    server.nexus_respond(&task, Start::Failure(failure("declined")));
    let described = call!(server, DescribeNexusOperationExecution, describe());
    assert_eq!(described.outcome, Some(Described::Failure(failure("declined"))));
    let info = described.info.expect("there is");
    assert_eq!((info.status(), info.attempt), (Status::Failed, 1));
    assert_eq!(info.last_attempt_failure, Some(failure("declined")));

    let mut server = Server::with_standalone(|_| {});
    let task = server.nexus_task();
    server.standalone_fail(&task, handler_failure("UNAVAILABLE"));
    let info = server.operation_info();
    assert_eq!((info.state(), info.attempt), (State::BackingOff, 1));
    server.advance(Duration::from_secs(1));
    let info = server.operation_info();
    assert_eq!((info.state(), info.attempt), (State::Scheduled, 2));
    let task = server.nexus_task();
    server.standalone_fail(&task, handler_failure("BAD_REQUEST"));
    assert_eq!(server.operation_info().status(), Status::Failed);

    let mut server = Server::with_standalone(|request| request.schedule_to_close_timeout = secs(5));
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    server.advance(Duration::from_secs(5));
    assert_eq!(server.operation_info().status(), Status::TimedOut);
}

#[test]
fn an_id_that_was_used_before_means_what_the_policies_say() {
    let mut server = Server::with_standalone(|_| {});
    let first = server.start_again(|_| {}).expect("it is the same request");
    assert!(!first.started, "{first:?}");
    let refusal = server.start_again(|request| request.request_id = "second".to_owned()).unwrap_err();
    assert_eq!(refusal.code, Code::AlreadyExists);
    assert_eq!(
        refusal.message,
        format!("nexus operation execution already started: request_id=first, run_id={}", first.run_id)
    );
    assert_eq!(refusal.details.len(), 1);
    let used = server.start_again(|request| {
        request.request_id = "second".to_owned();
        request.set_id_conflict_policy(Conflict::UseExisting);
    });
    assert_eq!(used, Ok(api::StartNexusOperationExecutionResponse { run_id: first.run_id.clone(), started: false }));
    let task = server.nexus_task();
    server.nexus_respond(&task, Start::SyncSuccess(Sync::default()));
    for policy in [Reuse::RejectDuplicate, Reuse::AllowDuplicateFailedOnly] {
        let refused = server.start_again(|request| {
            request.request_id = "third".to_owned();
            request.set_id_reuse_policy(policy);
        });
        assert_eq!(refused.unwrap_err().code, Code::AlreadyExists, "{policy:?}");
    }
    let again =
        server.start_again(|request| request.request_id = "third".to_owned()).expect("the id may be used again");
    assert!(again.started && again.run_id != first.run_id, "{again:?}");
}

#[test]
fn a_description_waits_for_a_change() {
    let mut server = Server::with_standalone(|_| {});
    let first = call!(server, DescribeNexusOperationExecution, describe());
    let watch = api::DescribeNexusOperationExecutionRequest {
        run_id: first.run_id.clone(),
        long_poll_token: first.long_poll_token.clone(),
        ..describe()
    };
    let nothing = server.send(watch.clone());
    let expired = server.expire(nothing).expect("it may ask again");
    assert_eq!(expired, api::DescribeNexusOperationExecutionResponse::default().into());
    let waits = server.send(watch.clone());
    assert!(server.answer(waits).is_none());
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    assert!(server.answer(waits).is_some(), "it has started");
    let refusal = server.try_call(api::DescribeNexusOperationExecutionRequest { run_id: String::new(), ..watch });
    assert_eq!(refusal.unwrap_err().message, "run_id is required when long_poll_token is provided");
}

#[test]
fn a_cancellation_reaches_the_handler_and_counts_once() {
    let mut server = Server::with_standalone(|_| {});
    call!(server, RequestCancelNexusOperationExecution, cancel("one"));
    call!(server, RequestCancelNexusOperationExecution, cancel("one"));
    let refusal = server.try_call(cancel("two")).unwrap_err();
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(refusal.message, "cancellation already requested with request ID one");
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    let cancellation = server.operation_info().cancellation_info.expect("it was requested");
    assert_eq!((cancellation.state(), cancellation.reason.as_str()), (CancellationState::Scheduled, "enough"));
    let task = server.nexus_task();
    let understood = nexus::response::Variant::CancelOperation(nexus::CancelOperationResponse {});
    server.try_nexus_respond(&task, nexus::Response { variant: Some(understood) }).expect("the task is known");
    let cancellation = server.operation_info().cancellation_info.expect("it was requested");
    assert_eq!((cancellation.state(), cancellation.attempt), (CancellationState::Succeeded, 1));
    assert_eq!(server.operation_info().status(), Status::Running, "it is the handler who ends it");
}

#[test]
fn a_terminated_operation_is_asked_for_no_more() {
    let mut server = Server::with_standalone(|_| {});
    call!(server, TerminateNexusOperationExecution, terminate("one"));
    assert!(server.no_nexus_task());
    let described = call!(server, DescribeNexusOperationExecution, describe());
    assert_eq!(described.info.expect("there is").status(), Status::Terminated);
    let Some(Described::Failure(failure)) = described.outcome else { panic!("{:?}", described.outcome) };
    assert_eq!(failure.message, "enough");
    call!(server, TerminateNexusOperationExecution, terminate("one"));
    let refusal = server.try_call(terminate("two")).unwrap_err();
    assert_eq!(refusal.message, "already terminated with request ID one");
    let mut done = Server::with_standalone(|_| {});
    let task = done.nexus_task();
    done.nexus_respond(&task, Start::SyncSuccess(Sync::default()));
    let refusal = done.try_call(terminate("one")).unwrap_err();
    assert_eq!(refusal.message, "invalid transition from Succeeded");
    let refusal = server.try_call(cancel("three")).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::FailedPrecondition, "operation already completed"));
}

#[test]
fn a_deleted_operation_is_gone_and_so_is_one_after_its_retention() {
    let deletion = || api::DeleteNexusOperationExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        operation_id: "op".to_owned(),
        ..Default::default()
    };
    let mut server = Server::with_standalone(|_| {});
    let waits = server.send(poll(WaitStage::Closed));
    call!(server, DeleteNexusOperationExecution, deletion());
    assert!(matches!(server.polled(waits).outcome, Some(Polled::Failure(_))));
    assert_eq!(server.try_call(describe()).unwrap_err().code, Code::NotFound);
    assert_eq!(server.count("").count, 0);
    assert_eq!(server.try_call(deletion()).unwrap_err().code, Code::NotFound);

    let mut server = Server::with_standalone(|_| {});
    call!(server, TerminateNexusOperationExecution, terminate("one"));
    server.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(server.try_call(describe()).unwrap_err().code, Code::NotFound);
}

#[test]
fn operations_are_listed_and_counted() {
    let mut server = Server::with_standalone(|_| {});
    server
        .start_again(|request| {
            request.operation_id = "other".to_owned();
            request.request_id = "other".to_owned();
            request.operation = "refund".to_owned();
        })
        .expect("another id");
    call!(server, TerminateNexusOperationExecution, terminate("one"));
    let request = api::ListNexusOperationExecutionsRequest {
        namespace: NAMESPACE.to_owned(),
        query: "`OperationId` = \"op\" AND Endpoint = \"payments\"".to_owned(),
        ..Default::default()
    };
    let listed = call!(server, ListNexusOperationExecutions, request).operations;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((listed[0].operation.as_str(), listed[0].status()), ("charge", Status::Terminated));
    assert_eq!(server.count("Operation = 'refund'").count, 1);
    let grouped = server.count("GROUP BY ExecutionStatus");
    assert_eq!((grouped.count, grouped.groups.len()), (2, 2));
}

#[test]
fn starts_that_cannot_be_are_refused() {
    type Change = fn(&mut Request);
    let cases: [(Change, &str); 8] = [
        (|request| request.operation_id.clear(), "operation_id is required"),
        (|request| request.endpoint.clear(), "endpoint is required"),
        (|request| request.service.clear(), "service is required"),
        (|request| request.operation.clear(), "operation is required"),
        (|request| request.service = "x".repeat(1_001), "service exceeds length limit. Length=1001 Limit=1000"),
        (
            |request| request.schedule_to_close_timeout = secs(-1),
            "schedule_to_close_timeout is invalid: negative duration",
        ),
        (
            |request| request.nexus_header = [("Caller-Name".to_owned(), "me".to_owned())].into(),
            "nexus_header contains a disallowed key: \"Caller-Name\"",
        ),
        (|request| request.endpoint = "nope".to_owned(), "could not find Nexus endpoint by name: nope"),
    ];
    for (change, message) in cases {
        let mut server = Server::new();
        server.endpoint("payments", "handlers");
        assert_eq!(server.start_again(change).unwrap_err().message, message);
    }
}

#[test]
fn operations_are_known_after_a_restart() {
    let mut server = restarted(Server::with_standalone(|_| {}));
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    call!(server, RequestCancelNexusOperationExecution, cancel("one"));
    let mut server = restarted(server);
    assert_eq!(server.operation_info().operation_token, "token");
    assert!(!server.no_nexus_task(), "the handler is asked to cancel");
    call!(server, TerminateNexusOperationExecution, terminate("one"));
    let mut server = restarted(server);
    assert_eq!(server.operation_info().status(), Status::Terminated);
    assert_eq!(server.count("ExecutionStatus = 'Terminated'").count, 1);
}

#[test]
fn time_is_not_skipped_while_the_handler_is_asked() {
    let mut server = Server::with_standalone(|_| {});
    assert!(!server.engine.is_idle());
    let task = server.nexus_task();
    server.nexus_begin(&task, "token");
    assert!(server.engine.is_idle());
}
