use std::time::Duration;

use stead_proto::enums::v1::{RetryState, WorkflowTaskFailedCause};
use stead_proto::workflowservice::v1::TerminateWorkflowExecutionRequest;
use stead_server::engine::Config;

use crate::support::{
    NAMESPACE, Server, complete_request, continue_as_new, execution, secs, start_request, start_timer, types,
};
use crate::{call, last};

#[test]
fn a_run_that_takes_too_long_ends() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.workflow_run_timeout = secs(60);
    call!(server, StartWorkflowExecution, request);
    server.step(vec![start_timer("t", 600)]);
    server.advance(Duration::from_secs(59));
    assert!(server.events("w").ends_with("TimerStarted"));
    server.advance(Duration::from_secs(1));
    let history = server.history("w");
    assert!(types(&history).ends_with("TimerStarted WorkflowExecutionTimedOut"), "{}", types(&history));
    let timed_out = last!(history, WorkflowExecutionTimedOutEventAttributes);
    assert_eq!((timed_out.retry_state(), timed_out.new_execution_run_id.as_str()), (RetryState::RetryPolicyNotSet, ""));
}

#[test]
fn the_worker_of_a_run_that_ends_loses_its_task_and_news_is_written() {
    for terminated in [false, true] {
        let mut server = Server::new();
        let mut request = start_request("w");
        request.workflow_run_timeout = secs(1);
        call!(server, StartWorkflowExecution, request);
        let task = server.task();
        server.signal("w", "hello");
        if terminated {
            server.terminate("w");
        } else {
            server.advance(Duration::from_secs(1));
        }
        let history = server.history("w");
        let end = if terminated { "WorkflowExecutionTerminated" } else { "WorkflowExecutionTimedOut" };
        let events = format!("WorkflowTaskStarted WorkflowTaskFailed WorkflowExecutionSignaled {end}");
        assert!(types(&history).ends_with(&events), "{}", types(&history));
        let failed = last!(history, WorkflowTaskFailedEventAttributes);
        assert_eq!(failed.cause(), WorkflowTaskFailedCause::ForceCloseCommand);
        assert_eq!(failed.identity, "history-service");
        let late = server.try_call(complete_request(&task, vec![])).unwrap_err();
        assert_eq!(late.message, "Workflow task not found.");
    }
}

#[test]
fn a_termination_that_says_nothing_says_so() {
    let mut server = Server::new();
    server.start("w");
    let request = TerminateWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        ..Default::default()
    };
    call!(server, TerminateWorkflowExecution, request);
    let terminated = last!(server.history("w"), WorkflowExecutionTerminatedEventAttributes);
    assert_eq!(terminated.reason, "terminated by user via frontend");
    assert_eq!(terminated.identity, "frontend-service");
}

#[test]
fn the_execution_timeout_is_that_of_the_whole_chain() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.workflow_execution_timeout = secs(10);
    call!(server, StartWorkflowExecution, request);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(started.workflow_run_timeout, secs(10), "no run outlasts its chain");
    server.advance(Duration::from_secs(6));
    server.step(vec![continue_as_new()]);
    let next = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!(next.workflow_execution_expiration_time, started.workflow_execution_expiration_time);
    assert_eq!((next.workflow_execution_timeout, next.workflow_run_timeout), (secs(10), secs(10)));
    server.advance(Duration::from_secs(4));
    let timed_out = last!(server.history("w"), WorkflowExecutionTimedOutEventAttributes);
    assert_eq!(timed_out.retry_state(), RetryState::Timeout);
}

#[test]
fn what_is_not_limited_has_no_timeout() {
    let mut server = Server::new();
    server.start("w");
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.workflow_execution_timeout, started.workflow_run_timeout), (None, None));
    assert_eq!(started.workflow_task_timeout, secs(10));
    assert_eq!(started.workflow_execution_expiration_time, None);
}

#[test]
fn a_delayed_start_waits_and_nothing_wakes_it() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.workflow_start_delay = secs(30);
    request.workflow_run_timeout = secs(60);
    call!(server, StartWorkflowExecution, request);
    let started = last!(server.history("w"), WorkflowExecutionStartedEventAttributes);
    assert_eq!((started.first_workflow_task_backoff, started.initiator), (secs(30), 0));
    server.signal("w", "early");
    server.cancel("w");
    server.advance(Duration::from_secs(29));
    assert_eq!(
        server.events("w"),
        "WorkflowExecutionStarted WorkflowExecutionSignaled WorkflowExecutionCancelRequested"
    );
    server.advance(Duration::from_secs(1));
    assert!(server.events("w").ends_with("WorkflowTaskScheduled"), "{}", server.events("w"));
    server.advance(Duration::from_secs(59));
    assert!(!server.events("w").contains("WorkflowExecutionTimedOut"), "the delay does not count");
    server.advance(Duration::from_secs(1));
    assert!(server.events("w").ends_with("WorkflowExecutionTimedOut"), "{}", server.events("w"));
}

#[test]
fn a_history_that_grows_too_long_or_too_large_is_the_end_of_its_run() {
    let mut long = Config::default();
    long.limits.history_events = 6;
    let mut large = Config::default();
    large.limits.history_size = 700;
    for (config, reason) in
        [(long, "Workflow history count exceeds limit."), (large, "Workflow history size exceeds limit.")]
    {
        let mut server = Server::with(config);
        server.start("w");
        server.step(vec![]);
        for _ in 0..40 {
            if server.events("w").ends_with("WorkflowExecutionTerminated") {
                break;
            }
            server.signal("w", "more");
        }
        let terminated = last!(server.history("w"), WorkflowExecutionTerminatedEventAttributes);
        assert_eq!((terminated.reason.as_str(), terminated.identity.as_str()), (reason, "history-service"));
    }
}
