use std::time::Duration;

use stead_proto::command::v1::command;
use stead_proto::enums::v1::{TimeoutType, WorkflowTaskFailedCause as Cause};
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::workflowservice::v1::{
    CountWorkflowExecutionsRequest, DescribeNamespaceRequest, GetWorkflowExecutionHistoryRequest,
    RegisterNamespaceRequest, RespondActivityTaskCompletedRequest, RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
};
use stead_server::engine::{Code, Config, Limits, Response};

use crate::support::{
    NAMESPACE, Server, complete_request, complete_workflow, continue_as_new, decoded, execution, poll_request,
    schedule_activity, secs, start_request, start_timer, sticky, sticky_poll_request, text, types,
};
use crate::{call, last};

#[test]
fn a_workflow_that_completes_at_once_has_five_events() {
    let mut server = Server::new();
    let poll = server.send(poll_request());
    let run_id = server.start("w");
    let Some(Ok(Response::PollWorkflowTaskQueue(task))) = server.answer(poll) else { panic!("no task") };
    assert_eq!(task.workflow_execution.as_ref().unwrap().run_id, run_id);
    assert_eq!((task.previous_started_event_id, task.started_event_id, task.attempt), (0, 3, 1));
    let sent = decoded(task.history.clone());
    assert_eq!(types(&sent), "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted");
    server.complete(&task, vec![complete_workflow()]);
    assert_eq!(
        server.events("w"),
        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted \
         WorkflowExecutionCompleted"
    );
}

#[test]
fn the_id_of_a_run_that_is_started_says_when_and_those_of_runs_that_follow_it_do_not() {
    let version = |run_id: &str| run_id.as_bytes()[14];
    let mut server = Server::new();
    let first = server.start("w");
    server.step(vec![continue_as_new()]);
    let end = last!(server.history_of("w", &first), WorkflowExecutionContinuedAsNewEventAttributes);
    let next = end.new_execution_run_id;
    server.advance(Duration::from_secs(1));
    let later = server.start("v");
    assert_eq!([&first, &next, &later].map(|id| version(id)), *b"747");
    assert!(first < later, "{first} {later}");
}

#[test]
fn an_activity_leaves_its_events_when_it_closes() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![schedule_activity("a")]);
    let activity = server.activity();
    assert_eq!((activity.activity_id.as_str(), activity.attempt), ("a", 1));
    assert!(!server.events("w").contains("ActivityTaskStarted"), "{}", server.events("w"));
    let answer = RespondActivityTaskCompletedRequest {
        task_token: activity.task_token,
        result: text("done"),
        ..Default::default()
    };
    call!(server, RespondActivityTaskCompleted, answer.clone());
    let late = server.try_call(answer).unwrap_err();
    assert_eq!(late.code, Code::NotFound, "{late:?}");
    server.step(vec![complete_workflow()]);
    assert!(
        server.events("w").ends_with(
            "ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled \
             WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionCompleted"
        ),
        "{}",
        server.events("w")
    );
}

#[test]
fn a_timer_fires_on_time() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![start_timer("t", 3600)]);
    server.advance(Duration::from_secs(3599));
    assert!(!server.events("w").contains("TimerFired"));
    server.advance(Duration::from_secs(1));
    server.step(vec![complete_workflow()]);
    assert!(server.events("w").contains("TimerFired"), "{}", server.events("w"));
}

#[test]
fn news_during_a_task_waits_and_keeps_the_workflow_open() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    server.signal("w", "hello");
    let refusal = server.try_call(complete_request(&task, vec![complete_workflow()])).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, "UnhandledCommand"));
    assert!(
        server.events("w").ends_with("WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"),
        "{}",
        server.events("w")
    );
    server.step(vec![complete_workflow()]);
}

#[test]
fn news_during_a_task_comes_back_with_the_answer() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    server.signal("w", "hello");
    let next = server.complete(&task, vec![start_timer("t", 5)]).workflow_task.expect("a task with the answer");
    assert_eq!(
        types(&decoded(next.history.clone())),
        "WorkflowTaskCompleted TimerStarted WorkflowExecutionSignaled WorkflowTaskScheduled WorkflowTaskStarted"
    );
    assert_eq!(next.previous_started_event_id, 3);
    server.complete(&next, vec![complete_workflow()]);
}

#[test]
fn a_task_that_fails_again_and_again_leaves_one_event() {
    let mut server = Server::new();
    server.start("w");
    for attempt in 1..=4 {
        let task = server.task();
        assert_eq!(task.attempt, attempt);
        assert_eq!(task.started_event_id, if attempt == 1 { 3 } else { 6 });
        if attempt > 1 {
            let sent = types(&decoded(task.history.clone()));
            assert!(sent.ends_with("WorkflowTaskFailed WorkflowTaskScheduled WorkflowTaskStarted"), "{sent}");
        }
        let failed = RespondWorkflowTaskFailedRequest {
            task_token: task.task_token,
            cause: Cause::NonDeterministicError.into(),
            ..Default::default()
        };
        call!(server, RespondWorkflowTaskFailed, failed);
    }
    server.step(vec![complete_workflow()]);
    let history = server.history("w");
    assert_eq!(
        types(&history),
        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskFailed WorkflowTaskScheduled \
         WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionCompleted"
    );
    let Some(Attributes::WorkflowTaskScheduledEventAttributes(scheduled)) = &history[4].attributes else { panic!() };
    assert_eq!(scheduled.attempt, 5);
}

#[test]
fn news_makes_a_later_attempt_a_first_one() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let failed = RespondWorkflowTaskFailedRequest { task_token: task.task_token, ..Default::default() };
    call!(server, RespondWorkflowTaskFailed, failed);
    server.signal("w", "hello");
    let task = server.task();
    assert_eq!(task.attempt, 1);
    assert!(
        types(&decoded(task.history.clone()))
            .ends_with("WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled WorkflowTaskStarted")
    );
    server.complete(&task, vec![complete_workflow()]);
}

#[test]
fn a_worker_that_is_gone_loses_the_sticky_task() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let request = RespondWorkflowTaskCompletedRequest {
        sticky_attributes: sticky(),
        ..complete_request(&task, vec![start_timer("t", 60)])
    };
    let poll = server.send(sticky_poll_request());
    call!(server, RespondWorkflowTaskCompleted, request);
    server.expire(poll).unwrap();
    server.signal("w", "hello");
    server.advance(Duration::from_secs(5));
    let task = server.task();
    let history = decoded(task.history.clone());
    assert!(
        types(&history).ends_with(
            "WorkflowExecutionSignaled WorkflowTaskScheduled WorkflowTaskTimedOut WorkflowTaskScheduled \
             WorkflowTaskStarted"
        ),
        "{}",
        types(&history)
    );
    let Some(Attributes::WorkflowTaskTimedOutEventAttributes(timed_out)) = &history[history.len() - 3].attributes
    else {
        panic!("{history:?}")
    };
    assert_eq!(timed_out.timeout_type(), TimeoutType::ScheduleToStart);
    assert_eq!(history[0].event_id, 1, "another worker needs all of the history");
}

#[test]
fn a_task_that_had_to_go_to_another_worker_at_once_is_late_like_any_sticky_one() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let request =
        RespondWorkflowTaskCompletedRequest { sticky_attributes: sticky(), ..complete_request(&task, vec![]) };
    call!(server, RespondWorkflowTaskCompleted, request);
    server.signal("w", "hello");
    server.advance(Duration::from_secs(5));
    let events = server.events("w");
    assert!(
        events.ends_with("WorkflowExecutionSignaled WorkflowTaskScheduled WorkflowTaskTimedOut WorkflowTaskScheduled"),
        "{events}"
    );
    assert_eq!(server.task().attempt, 1);
}

#[test]
fn news_that_wait_for_a_worker_are_bounded_by_their_number_and_their_size() {
    let mut few = Limits::default();
    few.buffered_events = 2;
    let mut small = Limits::default();
    small.buffered_size = 50;
    for limits in [few, small] {
        let mut config = Config::default();
        config.limits = limits;
        let mut server = Server::with(config);
        server.start("w");
        let task = server.task();
        for _ in 0..3 {
            server.signal("w", "hello");
        }
        let failed = last!(server.history("w"), WorkflowTaskFailedEventAttributes);
        assert_eq!(failed.cause(), Cause::ForceCloseCommand);
        let refusal = server.try_call(complete_request(&task, vec![])).unwrap_err();
        assert_eq!(refusal.code, Code::NotFound, "the task is not with this worker any more");
        let (heard, events) = (server.task(), "WorkflowExecutionSignaled");
        assert!(types(&decoded(heard.history)).matches(events).count() > 1, "the next task has the news");
    }
}

#[test]
fn queues_of_the_servers_own_workers_are_not_for_others() {
    const INTERNAL: &str = "temporal-sys-per-ns-tq";
    let mut server = Server::new();
    let mut request = start_request("w");
    request.task_queue.as_mut().unwrap().name = INTERNAL.to_owned();
    let refusal = server.try_call(request).unwrap_err();
    assert_eq!(refusal.message, format!("cannot use internal per-namespace task queue:{INTERNAL}"));
    server.start("w");
    let task = server.task();
    let mut command = schedule_activity("a");
    let Some(command::Attributes::ScheduleActivityTaskCommandAttributes(attributes)) = &mut command.attributes else {
        panic!("{command:?}")
    };
    attributes.task_queue.get_or_insert_default().name = INTERNAL.to_owned();
    let refusal = server.try_call(complete_request(&task, vec![command])).unwrap_err();
    assert!(
        refusal.message.contains(&format!("queue:{INTERNAL} (in parent component task queue: q)")),
        "{}",
        refusal.message
    );
}

#[test]
fn the_rest_of_a_history_is_not_for_another_namespace() {
    let mut server = Server::new();
    let other = RegisterNamespaceRequest {
        namespace: "other".to_owned(),
        workflow_execution_retention_period: secs(7200),
        ..Default::default()
    };
    call!(server, RegisterNamespace, other);
    server.start("w");
    server.step(vec![start_timer("t", 60)]);
    let request = GetWorkflowExecutionHistoryRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        maximum_page_size: 1,
        ..Default::default()
    };
    let next_page_token = call!(server, GetWorkflowExecutionHistory, request.clone()).next_page_token;
    let rest = GetWorkflowExecutionHistoryRequest { next_page_token, ..request };
    let elsewhere = GetWorkflowExecutionHistoryRequest { namespace: "other".to_owned(), ..rest.clone() };
    assert_eq!(server.try_call(elsewhere).unwrap_err().code, Code::NotFound);
    call!(server, GetWorkflowExecutionHistory, rest);
}

#[test]
fn a_sticky_worker_is_sent_what_it_has_not_seen() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let poll = server.send(sticky_poll_request());
    let request = RespondWorkflowTaskCompletedRequest {
        sticky_attributes: sticky(),
        ..complete_request(&task, vec![start_timer("t", 60)])
    };
    call!(server, RespondWorkflowTaskCompleted, request);
    server.signal("w", "hello");
    let Some(Ok(Response::PollWorkflowTaskQueue(task))) = server.answer(poll) else { panic!("no sticky task") };
    assert_eq!(
        types(&decoded(task.history)),
        "WorkflowTaskCompleted TimerStarted WorkflowExecutionSignaled WorkflowTaskScheduled WorkflowTaskStarted"
    );
}

#[test]
fn a_bad_command_fails_the_task_and_changes_nothing_else() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let commands = vec![start_timer("t", 5), start_timer("t", 5)];
    let refusal = server.try_call(complete_request(&task, commands)).unwrap_err();
    assert!(refusal.message.starts_with("StartTimerDuplicateId: "), "{refusal:?}");
    assert!(server.events("w").ends_with("WorkflowTaskStarted WorkflowTaskFailed"), "{}", server.events("w"));
}

#[test]
fn a_close_command_must_come_last() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let refusal = server.try_call(complete_request(&task, vec![complete_workflow(), start_timer("t", 5)])).unwrap_err();
    assert_eq!(
        refusal.message,
        "invalid command sequence: [CompleteWorkflowExecution, StartTimer], command CompleteWorkflowExecution must be \
         the last command."
    );
    server.complete(&task, vec![complete_workflow()]);
}

#[test]
fn an_eager_start_brings_the_first_task() {
    let mut server = Server::new();
    let mut request = start_request("w");
    request.request_eager_execution = true;
    let started = call!(server, StartWorkflowExecution, request);
    let task = started.eager_workflow_task.expect("a task");
    assert_eq!(decoded(task.history.clone()).len(), 3);
    server.complete(&task, vec![complete_workflow()]);
}

#[test]
fn whoever_waits_for_the_end_gets_the_last_event() {
    let mut server = Server::new();
    let run_id = server.start("w");
    let mut request = GetWorkflowExecutionHistoryRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        wait_new_event: true,
        ..Default::default()
    };
    request.execution.as_mut().unwrap().run_id = run_id;
    request.set_history_event_filter_type(stead_proto::enums::v1::HistoryEventFilterType::CloseEvent);
    let wait = server.send(request.clone());
    let Ok(Response::GetWorkflowExecutionHistory(empty)) = server.expire(wait) else { panic!() };
    assert!(!empty.next_page_token.is_empty(), "the caller asks again with the token");
    request.next_page_token = empty.next_page_token;
    let wait = server.send(request);
    server.step(vec![complete_workflow()]);
    let Some(Ok(Response::GetWorkflowExecutionHistory(response))) = server.answer(wait) else { panic!("no answer") };
    assert_eq!(types(&decoded(response.history)), "WorkflowExecutionCompleted");
    assert!(response.next_page_token.is_empty());
}

#[test]
fn timers_that_are_due_together_fire_in_one_go_in_the_order_of_their_starts() {
    let mut server = Server::new();
    server.start("w");
    let timers = (8..=11).map(|number| start_timer(&number.to_string(), 60));
    server.step(timers.collect());
    server.advance(Duration::from_secs(60));
    let history = server.history("w");
    assert!(
        types(&history).ends_with("TimerFired TimerFired TimerFired TimerFired WorkflowTaskScheduled"),
        "{}",
        types(&history)
    );
    let fired = history.iter().filter_map(|event| match &event.attributes {
        Some(Attributes::TimerFiredEventAttributes(fired)) => Some(fired.timer_id.as_str()),
        _ => None,
    });
    assert_eq!(fired.collect::<Vec<_>>(), ["8", "9", "10", "11"]);
}

#[test]
fn lists_show_which_workflows_fail_their_tasks_over_and_over() {
    let mut server = Server::new();
    server.start("w");
    let stuck = |server: &mut Server| {
        let request = CountWorkflowExecutionsRequest {
            namespace: NAMESPACE.to_owned(),
            query: "TemporalReportedProblems IN ('category=WorkflowTaskFailed') AND TemporalReportedProblems = \
                    'cause=WorkflowTaskFailedCauseNonDeterministicError'"
                .to_owned(),
        };
        call!(server, CountWorkflowExecutions, request).count
    };
    for failures in 1..=5 {
        assert_eq!(stuck(&mut server), 0, "after {} failures", failures - 1);
        let task = server.task();
        let request = RespondWorkflowTaskFailedRequest {
            namespace: NAMESPACE.to_owned(),
            task_token: task.task_token,
            cause: Cause::NonDeterministicError.into(),
            ..Default::default()
        };
        call!(server, RespondWorkflowTaskFailed, request);
    }
    assert_eq!(stuck(&mut server), 1);
    server.step(Vec::new());
    assert_eq!(stuck(&mut server), 0, "a task has completed");

    let request = DescribeNamespaceRequest { namespace: NAMESPACE.to_owned(), ..Default::default() };
    let info = call!(server, DescribeNamespace, request).namespace_info.expect("what there is to know");
    assert!(info.capabilities.expect("there are").reported_problems_search_attribute, "clients may count on it");
}

#[test]
fn readers_of_a_history_see_the_task_that_is_not_written_yet_and_people_at_a_terminal_do_not() {
    let mut server = Server::new();
    server.start("w");
    let failed = |task: stead_server::engine::raw::PollWorkflowTaskQueueResponse| RespondWorkflowTaskFailedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: task.task_token,
        ..Default::default()
    };
    let task = server.task();
    call!(server, RespondWorkflowTaskFailed, failed(task));
    let read = |server: &mut Server, wait_new_event: bool| {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution("w")),
            wait_new_event,
            ..Default::default()
        };
        decoded(call!(server, GetWorkflowExecutionHistory, request).history)
    };
    let written = "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskFailed";
    for live in [false, true] {
        assert_eq!(types(&read(&mut server, live)), format!("{written} WorkflowTaskScheduled"));
    }
    server.task();
    let events = read(&mut server, false);
    assert_eq!(types(&events), format!("{written} WorkflowTaskScheduled WorkflowTaskStarted"));
    assert_eq!(events.iter().map(|event| event.event_id).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(server.events("w"), written);
}
