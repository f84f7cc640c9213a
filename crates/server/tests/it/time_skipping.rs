//! Runs that skip time for themselves, each on a clock of its own.

use std::time::Duration;

use stead_proto::command::v1::command::Attributes as Command;
use stead_proto::command::v1::{
    ScheduleActivityTaskCommandAttributes, StartChildWorkflowExecutionCommandAttributes as StartChild,
};
use stead_proto::common::v1::{ActivityType, FastForwardConfig, TimeSkippingConfig, WorkflowType};
use stead_proto::enums::v1::FastForwardPollingResult as Polled;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::history::v1::{
    HistoryEvent, WorkflowExecutionStartedEventAttributes,
    WorkflowExecutionTimeSkippingTransitionedEventAttributes as Transitioned,
};
use stead_proto::workflow::v1::WorkflowExecutionOptions;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Config, Engine, Response, Time};
use stead_server::store::Row;

use crate::call;
use crate::support::{
    NAMESPACE, Server, command, complete_workflow, continue_as_new, execution, queue, secs, start_request, start_timer,
    types,
};

const DAY: i64 = 24 * 60 * 60;

fn enabled() -> TimeSkippingConfig {
    TimeSkippingConfig { enabled: true, ..Default::default() }
}

fn fast_forward(id: &str, seconds: i64) -> TimeSkippingConfig {
    TimeSkippingConfig {
        fast_forward_config: Some(FastForwardConfig { id: id.to_owned(), duration: secs(seconds) }),
        ..enabled()
    }
}

fn start(server: &mut Server, config: TimeSkippingConfig) {
    let request = api::StartWorkflowExecutionRequest { time_skipping_config: Some(config), ..start_request("w") };
    call!(server, StartWorkflowExecution, request);
}

fn configure(server: &mut Server, config: Option<TimeSkippingConfig>) {
    call!(server, UpdateWorkflowExecutionOptions, configure_request(config, "time_skipping_config"));
}

fn configure_request(config: Option<TimeSkippingConfig>, mask: &str) -> api::UpdateWorkflowExecutionOptionsRequest {
    api::UpdateWorkflowExecutionOptionsRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        workflow_execution_options: Some(WorkflowExecutionOptions {
            time_skipping_config: config,
            ..Default::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec![mask.to_owned()] }),
        identity: String::new(),
    }
}

fn poll(id: &str) -> api::PollWorkflowExecutionTimeSkippingRequest {
    api::PollWorkflowExecutionTimeSkippingRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        fast_forward_id: id.to_owned(),
    }
}

fn polled(answer: Response) -> (Polled, String) {
    let Response::PollWorkflowExecutionTimeSkipping(response) = answer else { panic!("another answer: {answer:?}") };
    (response.fast_forward_polling_result(), response.failed_reason)
}

fn transitions(history: &[HistoryEvent]) -> Vec<Transitioned> {
    let of = |event: &HistoryEvent| match event.attributes {
        Some(Attributes::WorkflowExecutionTimeSkippingTransitionedEventAttributes(it)) => Some(it),
        _ => None,
    };
    history.iter().filter_map(of).collect()
}

fn started(history: &[HistoryEvent]) -> &WorkflowExecutionStartedEventAttributes {
    match &history[0].attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => started,
        other => panic!("the first event is {other:?}"),
    }
}

/// Seconds between the server's clock and that of the run.
fn ahead(server: &mut Server) -> i64 {
    let info = server.describe("w").workflow_extended_info.unwrap().time_skipping_info.unwrap();
    info.current_time.unwrap().seconds - server.now.timestamp().seconds
}

#[test]
fn a_run_that_only_waits_skips_to_its_next_timer() {
    let mut server = Server::new();
    start(&mut server, enabled());
    server.step(vec![start_timer("later", 2 * DAY), start_timer("sooner", DAY)]);
    assert_eq!(ahead(&mut server), DAY, "and no further: the workflow has something to do");
    server.step(vec![]);
    server.step(vec![complete_workflow()]);
    let history = server.history("w");
    assert_eq!(
        types(&history),
        "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted TimerStarted \
         TimerStarted WorkflowExecutionTimeSkippingTransitioned TimerFired WorkflowTaskScheduled WorkflowTaskStarted \
         WorkflowTaskCompleted WorkflowExecutionTimeSkippingTransitioned TimerFired WorkflowTaskScheduled \
         WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionCompleted"
    );
    let skipped = &history[6];
    assert!(skipped.worker_may_ignore, "workers that do not know the event go on without it");
    assert_eq!(transitions(&history)[0].target_time, history[7].event_time);
    assert_eq!(skipped.event_time, Some(server.now.timestamp()), "no time has passed for the server");
    let seconds = |at: &HistoryEvent| at.event_time.unwrap().seconds - server.now.timestamp().seconds;
    assert_eq!((seconds(&history[7]), seconds(&history[12])), (DAY, 2 * DAY));
    assert_eq!(started(&history).time_skipping_config.as_ref().unwrap().max_session_skip_count, 200);
}

#[test]
fn another_run_does_not_skip() {
    let mut server = Server::new();
    start(&mut server, enabled());
    server.step(vec![start_timer("t", DAY)]);
    server.step(vec![complete_workflow()]);
    server.start("other");
    server.step(vec![start_timer("t", DAY)]);
    assert_eq!(transitions(&server.history("other")), []);
    server.advance(Duration::from_secs(3600));
    assert_eq!(server.history("other").last().unwrap().event_id, 5, "its timer runs");
    assert!(server.describe("other").workflow_extended_info.unwrap().time_skipping_info.is_none());
}

#[test]
fn an_activity_holds_time_until_it_waits_to_be_tried_again() {
    let mut server = Server::new();
    start(&mut server, enabled());
    let activity = ScheduleActivityTaskCommandAttributes {
        activity_id: "a".to_owned(),
        activity_type: Some(ActivityType { name: "Act".to_owned() }),
        task_queue: Some(queue()),
        start_to_close_timeout: secs(60),
        retry_policy: Some(stead_proto::common::v1::RetryPolicy {
            initial_interval: secs(3600),
            maximum_interval: secs(3600),
            ..Default::default()
        }),
        ..Default::default()
    };
    server
        .step(vec![command(Command::ScheduleActivityTaskCommandAttributes(Box::new(activity))), start_timer("t", DAY)]);
    assert_eq!(ahead(&mut server), 0, "it is offered to workers");
    let task = server.activity();
    assert_eq!(ahead(&mut server), 0, "a worker has it");
    let failed = api::RespondActivityTaskFailedRequest {
        namespace: NAMESPACE.to_owned(),
        task_token: task.task_token,
        ..Default::default()
    };
    call!(server, RespondActivityTaskFailed, failed);
    assert_eq!(ahead(&mut server), 3600, "its backoff is over at once");
    assert_eq!(server.activity().attempt, 2);
}

#[test]
fn a_start_delay_and_a_run_timeout_are_skipped() {
    let mut server = Server::new();
    let request = api::StartWorkflowExecutionRequest {
        time_skipping_config: Some(enabled()),
        workflow_start_delay: secs(DAY),
        workflow_run_timeout: secs(3600),
        ..start_request("w")
    };
    call!(server, StartWorkflowExecution, request);
    assert_eq!(ahead(&mut server), DAY);
    server.step(vec![]);
    assert_eq!(
        server.events("w"),
        "WorkflowExecutionStarted WorkflowExecutionTimeSkippingTransitioned WorkflowTaskScheduled WorkflowTaskStarted \
         WorkflowTaskCompleted WorkflowExecutionTimeSkippingTransitioned WorkflowExecutionTimedOut"
    );
    assert_eq!(ahead(&mut server), DAY + 3600);
}

#[test]
fn a_fast_forward_ends_where_it_should_and_its_polls_hear_of_it() {
    let mut server = Server::new();
    start(&mut server, fast_forward("ff", DAY + 1));
    let waiting = server.send(poll("ff"));
    server.step(vec![start_timer("before", DAY)]);
    assert!(server.answer(waiting).is_none(), "a second is left");
    server.step(vec![start_timer("after", DAY)]);
    let answer = server.answer(waiting).expect("it has ended").unwrap();
    assert_eq!(polled(answer), (Polled::FastForwardCompleted, String::new()));
    assert_eq!(ahead(&mut server), DAY + 1);
    let history = server.history("w");
    let skipped = transitions(&history);
    assert_eq!(skipped.iter().map(|it| it.disabled_after_fast_forward).collect::<Vec<_>>(), [false, true]);
    let info = server.describe("w").workflow_extended_info.unwrap().time_skipping_info.unwrap();
    assert!(!info.effective_config.unwrap().enabled, "time goes on at its own pace");
    server.advance(Duration::from_secs(3600));
    assert_eq!(server.history("w"), history);
    assert_eq!(polled(server.try_call(poll("ff")).unwrap()).0, Polled::FastForwardCompleted);
}

#[test]
fn a_fast_forward_also_ends_by_the_clock() {
    let mut server = Server::new();
    start(&mut server, fast_forward("ff", 60));
    let task = server.task();
    server.advance(Duration::from_secs(2));
    server.complete(&task, vec![]);
    assert_eq!(ahead(&mut server), 58);
    configure(&mut server, Some(fast_forward("again", 3)));
    assert_eq!(ahead(&mut server), 61);
    server.signal("w", "wakes it");
    configure(&mut server, Some(fast_forward("by-the-clock", 1)));
    assert_eq!(ahead(&mut server), 61, "a workflow task holds time");
    server.advance(Duration::from_secs(1));
    let last = *transitions(&server.history("w")).last().unwrap();
    assert_eq!((last.target_time, last.disabled_after_fast_forward), (None, true));
    assert_eq!(ahead(&mut server), 61);
}

#[test]
fn a_poll_is_told_why_its_fast_forward_will_not_end() {
    for (reason, what) in [
        (
            "the requested fast_forward_id does not match the execution's current fast-forward",
            &(|server: &mut Server| configure(server, Some(fast_forward("other", 5)))) as &dyn Fn(&mut Server),
        ),
        ("the fast-forward was reset", &|server| configure(server, Some(fast_forward("ff", 2 * DAY)))),
        ("the execution ended before the fast-forward completed", &|server| server.terminate("w")),
    ] {
        let mut server = Server::new();
        start(&mut server, fast_forward("ff", DAY));
        let waiting = server.send(poll("ff"));
        what(&mut server);
        let answer = server.answer(waiting).expect(reason).unwrap();
        assert_eq!(polled(answer), (Polled::FastForwardFailed, reason.to_owned()));
    }
    let mut server = Server::new();
    start(&mut server, fast_forward("ff", DAY));
    let waiting = server.send(poll("ff"));
    let Ok(answer) = server.expire(waiting) else { panic!("a poll is not refused when its time is up") };
    assert_eq!(polled(answer).0, Polled::PollTimeout);
}

#[test]
fn the_next_run_goes_on_where_this_one_ends_and_a_poll_follows() {
    let mut server = Server::new();
    start(&mut server, fast_forward("ff", 2 * DAY));
    let waiting = server.send(poll("ff"));
    server.step(vec![start_timer("t", DAY)]);
    server.step(vec![continue_as_new()]);
    let history = server.history("w");
    let propagated = started(&history).time_skipping_state_propagation.unwrap();
    assert_eq!(propagated.initial_skipped_duration, secs(DAY));
    assert_eq!(propagated.fast_forward_target_time.unwrap().seconds, server.now.timestamp().seconds + 2 * DAY);
    // The second that a run has to last at least is skipped as well.
    assert_eq!(propagated.initial_skip_count, 1);
    assert!(server.answer(waiting).is_none());
    server.step(vec![]);
    assert_eq!(ahead(&mut server), 2 * DAY);
    assert_eq!(polled(server.answer(waiting).expect("it has ended").unwrap()).0, Polled::FastForwardCompleted);
}

#[test]
fn a_child_shares_the_clock_of_its_parent_and_not_its_fast_forward() {
    let mut server = Server::new();
    start(&mut server, fast_forward("ff", 10 * DAY));
    server.step(vec![start_timer("t", DAY)]);
    let child = StartChild {
        workflow_id: "child".to_owned(),
        workflow_type: Some(WorkflowType { name: "Flow".to_owned() }),
        task_queue: Some(queue()),
        ..Default::default()
    };
    server.step(vec![
        command(Command::StartChildWorkflowExecutionCommandAttributes(Box::new(child))),
        start_timer("u", DAY),
    ]);
    let history = server.history("child");
    assert_eq!(
        started(&history).time_skipping_config,
        Some(TimeSkippingConfig { max_session_skip_count: 200, ..enabled() })
    );
    assert_eq!(history[0].event_time.unwrap().seconds, server.now.timestamp().seconds + DAY);
    assert_eq!(ahead(&mut server), DAY, "the child holds the time of its parent");
    let tasks = [server.task(), server.task()];
    for task in tasks {
        let is_child = task.workflow_execution.as_ref().unwrap().workflow_id == "child";
        server.complete(&task, if is_child { vec![start_timer("t", 3600)] } else { vec![] });
    }
    assert_eq!(transitions(&server.history("child")).len(), 1, "it skips for itself");
}

#[test]
fn time_is_not_skipped_more_often_than_it_may() {
    let mut server = Server::new();
    start(&mut server, TimeSkippingConfig { max_session_skip_count: 1, ..enabled() });
    server.step(vec![start_timer("t", DAY)]);
    server.step(vec![start_timer("u", DAY)]);
    assert_eq!(transitions(&server.history("w")).len(), 1);
    configure(&mut server, Some(enabled()));
    assert_eq!(transitions(&server.history("w")).len(), 2, "it begins to count anew");
    server.step(vec![]);
    configure(&mut server, None);
    let extended = server.describe("w").workflow_extended_info.unwrap();
    assert_eq!(extended.time_skipping_info.unwrap().effective_config, None);
}

#[test]
fn what_was_skipped_survives_a_restart() {
    let mut server = Server::with({
        let mut config = Config::default();
        config.durable = true;
        config
    });
    start(&mut server, enabled());
    server.step(vec![start_timer("t", DAY)]);
    server.step(vec![]);
    configure(&mut server, Some(TimeSkippingConfig::default()));
    let task = start_timer("u", 60);
    server.signal("w", "wakes it");
    server.step(vec![task]);
    let rows = server.kept.iter().map(|((table, key), value)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    });
    let mut config = Config::default();
    config.durable = true;
    server.engine = Engine::restore(config, rows.collect::<Vec<_>>(), server.now).unwrap();
    assert_eq!(ahead(&mut server), DAY);
    assert_eq!(server.engine.poll_timeout(), Some(server.now + Duration::from_secs(60)), "on the server's clock");
}

#[test]
fn a_run_begun_anew_has_skipped_what_its_history_says() {
    let mut server = Server::new();
    start(&mut server, enabled());
    server.step(vec![start_timer("t", DAY)]);
    server.step(vec![complete_workflow()]);
    let reset = api::ResetWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution("w")),
        workflow_task_finish_event_id: 10,
        request_id: "reset".to_owned(),
        ..Default::default()
    };
    call!(server, ResetWorkflowExecution, reset);
    assert_eq!(ahead(&mut server), DAY);
}

#[test]
fn what_cannot_be_is_refused() {
    let mut server = Server::new();
    let off = TimeSkippingConfig { enabled: false, ..fast_forward("ff", 1) };
    for (config, message) in [
        (fast_forward("ff", 0), "Time skipping config invalid: fast_forward duration must be positive"),
        (fast_forward(" ", 1), "Time skipping config invalid: fast_forward_id must be set"),
        (off, "time_skipping_config: cannot set fast_forward when enabled is false"),
    ] {
        let request = api::StartWorkflowExecutionRequest { time_skipping_config: Some(config), ..start_request("w") };
        let refusal = server.try_call(request).expect_err(message);
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, message));
    }
    server.start("w");
    let refusal = server.try_call(poll("")).expect_err("no id");
    assert_eq!(refusal.message, "Time skipping config invalid: fast_forward_id must be set");
    assert_eq!(polled(server.try_call(poll("ff")).unwrap()).0, Polled::FastForwardFailed);
    let refusal =
        server.try_call(configure_request(Some(enabled()), "time_skipping_config.enabled")).expect_err("part");
    assert!(refusal.message.ends_with("time_skipping_config doesn't support partial update"), "{}", refusal.message);
    let years = Time::from_unix_nanos(i64::MAX);
    configure(&mut server, Some(fast_forward("for ever", i64::MAX / 2)));
    server.step(vec![]);
    assert_eq!(ahead(&mut server), years.timestamp().seconds - server.now.timestamp().seconds);
}
