//! Batch operations: the same done to many executions.

use std::time::Duration;

use prost_types::FieldMask;
use stead_proto::activity::v1::ActivityOptions;
use stead_proto::batch::v1::{self as batch, batch_operation_reset_activities, batch_operation_unpause_activities};
use stead_proto::common::v1::{Execution, Priority, ResetOptions, WorkflowExecution, reset_options::Target};
use stead_proto::enums::v1::{
    BatchOperationState as State, BatchOperationType as Type, ExecutionType, PendingActivityState,
    WorkflowExecutionStatus as Status,
};
use stead_proto::workflow::v1::WorkflowExecutionOptions;
use stead_proto::workflowservice::v1::start_batch_operation_request::Operation;
use stead_proto::workflowservice::v1::{self as api, pause_activity_request};
use stead_server::engine::Code;
use stead_server::store::Table;

use crate::activities::failure;
use crate::restart::{durable, restarted};
use crate::support::{
    NAMESPACE, Server, complete_workflow, continue_as_new, execution, schedule_activity, secs, start_timer, text,
};
use crate::{call, last};

fn order(operation: Operation) -> api::StartBatchOperationRequest {
    api::StartBatchOperationRequest {
        namespace: NAMESPACE.to_owned(),
        job_id: "job".to_owned(),
        reason: "cleaning".to_owned(),
        visibility_query: "WorkflowType = 'Flow'".to_owned(),
        operation: Some(operation),
        ..Default::default()
    }
}

fn terminate() -> Operation {
    Operation::TerminationOperation(batch::BatchOperationTermination {
        details: text("why"),
        identity: "operator".to_owned(),
    })
}

fn signal() -> Operation {
    Operation::SignalOperation(batch::BatchOperationSignal {
        signal: "hurry".to_owned(),
        input: text("up"),
        identity: "operator".to_owned(),
        ..Default::default()
    })
}

fn reset(target: Target) -> Operation {
    Operation::ResetOperation(batch::BatchOperationReset {
        options: Some(ResetOptions { target: Some(target), ..Default::default() }),
        ..Default::default()
    })
}

impl Server {
    fn start_batch(&mut self, order: api::StartBatchOperationRequest) {
        call!(self, StartBatchOperation, order);
    }

    fn batch_refused(&mut self, order: api::StartBatchOperationRequest) -> String {
        let refusal = self.try_call(order).expect_err("a batch that cannot be");
        assert_eq!(refusal.code, Code::InvalidArgument, "{refusal:?}");
        refusal.message
    }

    fn batch(&mut self, id: &str) -> api::DescribeBatchOperationResponse {
        let request = api::DescribeBatchOperationRequest { namespace: NAMESPACE.to_owned(), job_id: id.to_owned() };
        call!(self, DescribeBatchOperation, request)
    }

    /// Total, well and badly, when it has completed.
    fn completed(&mut self, id: &str) -> (i64, i64, i64) {
        let batch = self.batch(id);
        assert_eq!(batch.state(), State::Completed, "{batch:?}");
        (batch.total_operation_count, batch.complete_operation_count, batch.failure_operation_count)
    }

    fn workflows(&mut self) -> Vec<(String, Status)> {
        let request = api::ListWorkflowExecutionsRequest { namespace: NAMESPACE.to_owned(), ..Default::default() };
        let listed = call!(self, ListWorkflowExecutions, request).executions;
        let mut all: Vec<_> =
            listed.into_iter().map(|it| (it.execution.clone().unwrap().workflow_id, it.status())).collect();
        all.sort();
        all
    }

    fn stop_batch(&mut self, id: &str, reason: &str) -> Result<(), (Code, String)> {
        let request = api::StopBatchOperationRequest {
            namespace: NAMESPACE.to_owned(),
            job_id: id.to_owned(),
            reason: reason.to_owned(),
            identity: "operator".to_owned(),
        };
        self.try_call(request).map(drop).map_err(|refusal| (refusal.code, refusal.message))
    }

    fn batches(&mut self) -> Vec<batch::BatchOperationInfo> {
        let request = api::ListBatchOperationsRequest { namespace: NAMESPACE.to_owned(), ..Default::default() };
        call!(self, ListBatchOperations, request).operation_info
    }
}

fn with_flows(count: usize) -> Server {
    let mut server = Server::with(durable());
    for number in 0..count {
        server.start(&format!("w{number:03}"));
    }
    server
}

#[test]
fn open_workflows_of_a_query_are_terminated_and_counted() {
    let mut server = with_flows(2);
    server.step(vec![complete_workflow()]);
    server.start("last");
    server.start_batch(order(terminate()));
    assert_eq!(server.completed("job"), (2, 2, 0), "the completed one is none of them");
    let history = server.history("last");
    let event = last!(history, WorkflowExecutionTerminatedEventAttributes);
    assert_eq!((event.reason.as_str(), event.identity.as_str()), ("cleaning", "operator"));
    assert_eq!(event.details, text("why"));
    let described = server.batch("job");
    assert_eq!(described.operation_type(), Type::TerminateWorkflow);
    assert_eq!((described.reason.as_str(), described.identity.as_str()), ("cleaning", "operator"));
    assert_eq!(described.query, "WorkflowType = 'Flow'");
    assert_eq!(
        (described.start_time, described.close_time),
        (Some(server.now.timestamp()), Some(server.now.timestamp()))
    );
    let listed = server.batches();
    assert_eq!((listed.len(), listed[0].job_id.as_str(), listed[0].state()), (1, "job", State::Completed));
    assert_eq!(listed[0].operation_type(), Type::TerminateWorkflow);
    assert_eq!(server.workflows().len(), 3, "lists of workflows do not show it");
}

#[test]
fn what_is_asked_for_is_done_to_each_workflow() {
    let mut server = with_flows(2);
    server.start_batch(order(signal()));
    let history = server.history("w000");
    let event = last!(history, WorkflowExecutionSignaledEventAttributes);
    assert_eq!((event.signal_name.as_str(), event.identity.as_str(), event.input), ("hurry", "operator", text("up")));
    let cancel =
        Operation::CancellationOperation(batch::BatchOperationCancellation { identity: "operator".to_owned() });
    server.start_batch(api::StartBatchOperationRequest { job_id: "cancel".to_owned(), ..order(cancel) });
    assert!(server.events("w001").ends_with("WorkflowExecutionCancelRequested"), "{}", server.events("w001"));
    let priority = Priority { priority_key: 1, ..Default::default() };
    let update = Operation::UpdateWorkflowOptionsOperation(batch::BatchOperationUpdateWorkflowExecutionOptions {
        identity: "operator".to_owned(),
        workflow_execution_options: Some(WorkflowExecutionOptions {
            priority: Some(priority.clone()),
            ..Default::default()
        }),
        update_mask: Some(FieldMask { paths: vec!["priority".to_owned()] }),
    });
    server.start_batch(api::StartBatchOperationRequest { job_id: "update".to_owned(), ..order(update) });
    assert_eq!(server.completed("update"), (2, 2, 0));
    assert_eq!(server.describe("w000").workflow_execution_info.unwrap().priority, Some(priority));
    let delete = Operation::DeletionOperation(batch::BatchOperationDeletion::default());
    server.start_batch(api::StartBatchOperationRequest { job_id: "delete".to_owned(), ..order(delete) });
    assert_eq!(server.completed("delete"), (2, 2, 0));
    assert_eq!(server.workflows(), []);
}

#[test]
fn listed_executions_that_are_gone_count_as_done() {
    let mut server = with_flows(1);
    let listed = ["w000", "nobody"].map(|id| Execution {
        r#type: ExecutionType::Workflow.into(),
        business_id: id.to_owned(),
        run_id: String::new(),
    });
    let list = api::StartBatchOperationRequest {
        visibility_query: String::new(),
        target_executions: listed.clone().into(),
        ..order(terminate())
    };
    server.start_batch(list.clone());
    assert_eq!(server.completed("job"), (2, 2, 0));
    assert_eq!(server.batch("job").executions, listed);
    assert_eq!(server.workflows(), [("w000".to_owned(), Status::Terminated)]);
    let older = api::StartBatchOperationRequest {
        job_id: "older".to_owned(),
        target_executions: Vec::new(),
        executions: vec![execution("w000"), execution("nobody")],
        ..list
    };
    server.start_batch(older);
    assert_eq!(server.batch("older").executions, listed, "the older list is told in the newer form");
}

#[test]
fn many_are_seen_to_in_steps_between_which_calls_are_served() {
    let mut server = with_flows(120);
    server.start_batch(order(terminate()));
    let begun = server.batch("job");
    assert_eq!((begun.state(), begun.total_operation_count), (State::Running, 120));
    assert!((1..120).contains(&begun.complete_operation_count), "one input does not do all the work: {begun:?}");
    let mut server = restarted(server);
    server.start("new");
    while server.engine.poll_timeout().is_some_and(|at| at <= server.now) {
        server.advance_to(server.now);
    }
    assert_eq!(server.completed("job"), (120, 120, 0), "a restart loses no step and repeats none");
    let open: Vec<_> = server.workflows().into_iter().filter(|(_, status)| *status == Status::Running).collect();
    assert_eq!(open, [("new".to_owned(), Status::Running)], "a workflow that began later is none of them");
}

#[test]
fn a_rate_spreads_them_over_time() {
    let mut server = with_flows(10);
    let slow = api::StartBatchOperationRequest { max_operations_per_second: 2.0, ..order(terminate()) };
    server.start_batch(slow);
    assert_eq!(server.batch("job").complete_operation_count, 2);
    server.advance(Duration::from_millis(999));
    assert_eq!(server.batch("job").complete_operation_count, 2);
    server.advance(Duration::from_millis(1));
    assert_eq!(server.batch("job").complete_operation_count, 4);
    server.advance(Duration::from_secs(4));
    assert_eq!(server.completed("job"), (10, 10, 0));
}

#[test]
fn a_batch_that_is_stopped_leaves_the_rest_alone() {
    let mut server = with_flows(10);
    let slow = api::StartBatchOperationRequest { max_operations_per_second: 1.0, ..order(terminate()) };
    server.start_batch(slow);
    assert_eq!(server.stop_batch("job", ""), Err((Code::InvalidArgument, "Reason is not set on request.".to_owned())));
    server.stop_batch("job", "enough").unwrap();
    server.advance(Duration::from_secs(60));
    let stopped = server.batch("job");
    assert_eq!((stopped.state(), stopped.total_operation_count), (State::Failed, 0));
    let open = server.workflows().into_iter().filter(|(_, status)| *status == Status::Running).count();
    assert_eq!(open, 9);
    let again = server.stop_batch("job", "enough");
    assert_eq!(again, Err((Code::NotFound, "workflow execution already completed".to_owned())));
    let unknown = server.stop_batch("nobody", "enough");
    assert_eq!(unknown, Err((Code::NotFound, "workflow not found for ID: nobody".to_owned())));
}

#[test]
fn one_batch_runs_at_a_time_and_no_id_is_used_twice() {
    let mut server = with_flows(10);
    let slow = api::StartBatchOperationRequest { max_operations_per_second: 1.0, ..order(terminate()) };
    server.start_batch(slow.clone());
    let other = api::StartBatchOperationRequest { job_id: "other".to_owned(), ..order(terminate()) };
    let refusal = server.try_call(other).expect_err("one runs");
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::ResourceExhausted, "Max concurrent batch operations is reached")
    );
    server.advance(Duration::from_secs(10));
    let refusal = server.try_call(slow).expect_err("the id was used");
    assert_eq!(refusal.code, Code::AlreadyExists);
    assert!(
        refusal.message.starts_with("Workflow execution already finished. WorkflowId: job, RunId: "),
        "{refusal:?}"
    );
    server.advance(Duration::from_secs(86_400));
    assert_eq!(server.batches(), [], "it is forgotten when the retention is over");
    assert!(!server.kept.keys().any(|(table, _)| *table == Table::BatchOperations));
}

#[test]
fn a_query_that_asks_for_what_there_is_not_fails_the_batch() {
    let mut server = with_flows(1);
    let bad =
        |query: &str| api::StartBatchOperationRequest { visibility_query: query.to_owned(), ..order(terminate()) };
    server.start_batch(bad("Nonsense = 1"));
    assert_eq!(server.batch("job").state(), State::Failed);
    let message = server.batch_refused(bad("WorkflowType = "));
    assert!(message.starts_with("invalid visibility query: syntax error at position"), "{message}");
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    use batch_operation_reset_activities::Activity as ResetOf;
    use batch_operation_unpause_activities::Activity as UnpauseOf;
    let required = "must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR Executions OR \
                    TargetExecutions)";
    let neither = "Either activity type must be set, or match all should be set to true";
    let good = || order(terminate());
    let activity = Execution { r#type: ExecutionType::Activity.into(), ..Default::default() };
    let unpause = |activity| {
        order(Operation::UnpauseActivitiesOperation(batch::BatchOperationUnpauseActivities {
            activity,
            ..Default::default()
        }))
    };
    let reset_activities = |activity| {
        order(Operation::ResetActivitiesOperation(batch::BatchOperationResetActivities {
            activity,
            ..Default::default()
        }))
    };
    let mut server = Server::new();
    for (order, message) in [
        (api::StartBatchOperationRequest { operation: None, ..good() }, required),
        (api::StartBatchOperationRequest { reason: String::new(), ..good() }, required),
        (api::StartBatchOperationRequest { visibility_query: String::new(), ..good() }, required),
        (api::StartBatchOperationRequest { job_id: String::new(), ..good() }, "JobId is not set on request."),
        (
            api::StartBatchOperationRequest { executions: vec![WorkflowExecution::default()], ..good() },
            "visibility query, executions, and target executions are mutually exclusive",
        ),
        (
            api::StartBatchOperationRequest {
                visibility_query: String::new(),
                target_executions: vec![activity],
                ..good()
            },
            "target_executions[0] has type Activity, but operation \
             *workflowservice.StartBatchOperationRequest_TerminationOperation requires Workflow",
        ),
        (order(Operation::SignalOperation(Default::default())), "must provide signal name"),
        (order(Operation::UpdateWorkflowOptionsOperation(Default::default())), "must provide UpdateOptions"),
        (order(Operation::ResetOperation(Default::default())), "unknown batch reset type Unspecified"),
        (
            order(Operation::ResetOperation(batch::BatchOperationReset {
                options: Some(ResetOptions::default()),
                ..Default::default()
            })),
            "batch reset missing target",
        ),
        (unpause(None), "activity filter must be set"),
        (unpause(Some(UnpauseOf::MatchAll(false))), neither),
        (reset_activities(None), "must provide ActivityType or MatchAll"),
        (reset_activities(Some(ResetOf::Type(String::new()))), neither),
        (
            order(Operation::UpdateActivityOptionsOperation(Default::default())),
            "Either activity type must be set, or restore original should be set to true",
        ),
    ] {
        assert_eq!(server.batch_refused(order), message);
    }
}

#[test]
fn runs_are_reset_to_their_first_or_last_task() {
    let mut server = Server::with(durable());
    for id in ["a", "b"] {
        server.start(id);
        server.step(vec![start_timer("t", 60)]);
        server.signal(id, "go on");
        server.step(vec![]);
    }
    let before = server.workflows().len();
    server.start_batch(order(reset(Target::FirstWorkflowTask(()))));
    assert_eq!(server.completed("job"), (2, 2, 0));
    assert_eq!(server.workflows().len(), before + 2);
    let events = server.events("a");
    assert!(
        events.starts_with("WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskFailed"),
        "{events}"
    );
    let last = reset(Target::LastWorkflowTask(()));
    let one = api::StartBatchOperationRequest {
        job_id: "last".to_owned(),
        visibility_query: "WorkflowId = 'b' AND ExecutionStatus = 'Running'".to_owned(),
        ..order(last)
    };
    server.start_batch(one);
    assert_eq!(server.completed("last"), (1, 1, 0));
    let events = server.events("b");
    assert!(
        events.contains("WorkflowTaskFailed"),
        "no task was completed, so it is reset to the one there is: {events}"
    );
}

#[test]
fn closed_runs_are_reset_when_their_histories_have_been_read() {
    let mut server = Server::with(durable());
    for id in ["a", "b"] {
        server.start(id);
        server.step(vec![continue_as_new()]);
        server.advance(Duration::from_secs(2));
        server.step(vec![complete_workflow()]);
    }
    let first = api::StartBatchOperationRequest {
        visibility_query: "ExecutionStatus = 'ContinuedAsNew'".to_owned(),
        ..order(reset(Target::FirstWorkflowTask(())))
    };
    server.start_batch(first);
    while server.engine.poll_timeout().is_some_and(|at| at <= server.now) {
        server.advance_to(server.now);
    }
    assert_eq!(server.completed("job"), (2, 2, 0));
    for id in ["a", "b"] {
        assert!(server.events(id).contains("WorkflowTaskFailed"), "{}", server.events(id));
    }
}

#[test]
fn a_run_that_cannot_be_reset_is_counted_as_failed() {
    let mut server = with_flows(1);
    server.start_batch(order(reset(Target::BuildId("1.0".to_owned()))));
    assert_eq!(server.completed("job"), (1, 0, 1));
}

#[test]
fn activities_of_workflows_are_unpaused_reset_and_changed() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![schedule_activity("a")]);
    let pause = api::PauseActivityRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        activity: Some(pause_activity_request::Activity::Id("a".to_owned())),
        ..Default::default()
    };
    call!(server, PauseActivity, pause);
    let unpause = |job_id: &str, name: &str| api::StartBatchOperationRequest {
        job_id: job_id.to_owned(),
        ..order(Operation::UnpauseActivitiesOperation(batch::BatchOperationUnpauseActivities {
            activity: Some(batch_operation_unpause_activities::Activity::Type(name.to_owned())),
            ..Default::default()
        }))
    };
    server.start_batch(unpause("others", "other"));
    assert_eq!(server.completed("others"), (0, 0, 0), "no paused activity is of this type");
    let state = |server: &mut Server| server.describe("w").pending_activities[0].state();
    assert_eq!(state(&mut server), PendingActivityState::Paused);
    server.start_batch(unpause("unpause", "charge"));
    assert_eq!(state(&mut server), PendingActivityState::Scheduled);

    let task = server.activity();
    server.fail(&task, failure("once"));
    server.advance(Duration::from_secs(1));
    assert_eq!(server.describe("w").pending_activities[0].attempt, 2);
    let reset = Operation::ResetActivitiesOperation(batch::BatchOperationResetActivities {
        activity: Some(batch_operation_reset_activities::Activity::MatchAll(true)),
        ..Default::default()
    });
    server.start_batch(api::StartBatchOperationRequest { job_id: "reset".to_owned(), ..order(reset) });
    assert_eq!(server.describe("w").pending_activities[0].attempt, 1);

    let update = Operation::UpdateActivityOptionsOperation(batch::BatchOperationUpdateActivityOptions {
        activity: Some(batch::batch_operation_update_activity_options::Activity::MatchAll(true)),
        activity_options: Some(ActivityOptions { heartbeat_timeout: secs(3), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["heartbeat_timeout".to_owned()] }),
        ..Default::default()
    });
    server.start_batch(api::StartBatchOperationRequest { job_id: "update".to_owned(), ..order(update) });
    assert_eq!(server.completed("update"), (1, 1, 0));
    assert_eq!(server.activity().heartbeat_timeout, secs(3));
}

#[test]
fn activities_without_a_workflow_are_cancelled_terminated_and_deleted() {
    let mut server = Server::new();
    for id in ["a", "b"] {
        server.start_activity(id, |_| {});
    }
    let of_one = |job_id: &str, id: &str, operation| api::StartBatchOperationRequest {
        job_id: job_id.to_owned(),
        visibility_query: format!("ActivityId = '{id}'"),
        ..order(operation)
    };
    let identity = || "operator".to_owned();
    let reason = || "cleaning".to_owned();
    server.start_batch(of_one(
        "cancel",
        "a",
        Operation::CancelActivitiesOperation(batch::BatchOperationCancelActivities {
            identity: identity(),
            reason: reason(),
        }),
    ));
    assert_eq!(server.completed("cancel"), (1, 1, 0));
    server.start_batch(of_one(
        "terminate",
        "b",
        Operation::TerminateActivitiesOperation(batch::BatchOperationTerminateActivities {
            identity: identity(),
            reason: reason(),
        }),
    ));
    assert_eq!(server.completed("terminate"), (1, 1, 0));
    let count = |server: &mut Server, query: &str| {
        let request = api::CountActivityExecutionsRequest { namespace: NAMESPACE.to_owned(), query: query.to_owned() };
        call!(server, CountActivityExecutions, request).count
    };
    assert_eq!(count(&mut server, "ExecutionStatus = 'Canceled'"), 1);
    assert_eq!(count(&mut server, "ExecutionStatus = 'Terminated'"), 1);
    let all = Operation::DeleteActivitiesOperation(batch::BatchOperationDeleteActivities {});
    let all = api::StartBatchOperationRequest {
        job_id: "delete".to_owned(),
        visibility_query: "ExecutionStatus IS NOT NULL".to_owned(),
        ..order(all)
    };
    server.start_batch(all);
    assert_eq!(server.completed("delete"), (2, 2, 0));
    assert_eq!(count(&mut server, ""), 0);
}

#[test]
fn a_namespace_takes_its_batches_with_it() {
    let mut server = with_flows(1);
    server.start_batch(order(terminate()));
    let request = stead_proto::operatorservice::v1::DeleteNamespaceRequest {
        namespace: NAMESPACE.to_owned(),
        ..Default::default()
    };
    call!(server, DeleteNamespace, request);
    server.advance(Duration::from_secs(1));
    assert!(!server.kept.keys().any(|(table, _)| *table == Table::BatchOperations));
}
