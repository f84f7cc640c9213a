//! Nexus operations.

use std::time::Duration;

use stead_activation::{
    Command, Job, NexusOperationCancellation, NexusOperationResolution, NexusOperationStart, ScheduleNexusOperation,
    SignalWithStart, WorkflowIdConflictPolicy,
};
use stead_core::MismatchKind;
use stead_proto::command::v1::command::Attributes;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::system;

use crate::support::{HistoryBuilder, Scenario, complete, mismatch, payload, run_to_end, timer};

fn operation(cancellation: NexusOperationCancellation) -> Command {
    Command::ScheduleNexusOperation(Box::new(ScheduleNexusOperation {
        seq: 1,
        endpoint: "billing".into(),
        service: "Billing".into(),
        operation: "charge".into(),
        input: Some(payload("5")),
        schedule_to_close_timeout: Some(Duration::from_secs(60)),
        schedule_to_start_timeout: Some(Duration::from_secs(10)),
        start_to_close_timeout: Some(Duration::from_secs(50)),
        headers: [("h".to_owned(), "v".to_owned())].into(),
        cancellation,
        summary: Some(payload("why")),
    }))
}

fn waiting() -> Command {
    operation(NexusOperationCancellation::WaitCancellationCompleted)
}

const CANCEL: Command = Command::CancelNexusOperation { seq: 1 };

fn start(job: &Job) -> &NexusOperationStart {
    match job {
        Job::ResolveNexusOperationStart { seq: 1, resolution } => resolution,
        other => panic!("not the start of the operation: {other:?}"),
    }
}

fn result(job: &Job) -> &NexusOperationResolution {
    match job {
        Job::ResolveNexusOperation { seq: 1, resolution } => resolution,
        other => panic!("not the end of the operation: {other:?}"),
    }
}

/// The operation is event 5.
fn scheduled() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().nexus_scheduled()
}

fn started() -> HistoryBuilder {
    scheduled().nexus_started(5).task()
}

#[test]
fn the_command_says_everything_about_the_operation() {
    let mut scenario = Scenario::new([vec![waiting()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::ScheduleNexusOperationCommandAttributes(it)) = &completion.commands[0].attributes else {
        panic!("not an operation")
    };
    assert_eq!((&*it.endpoint, &*it.service, &*it.operation), ("billing", "Billing", "charge"));
    assert_eq!(it.input, Some(payload("5")));
    let seconds = |timeout: &Option<prost_types::Duration>| timeout.as_ref().map(|timeout| timeout.seconds);
    assert_eq!(seconds(&it.schedule_to_close_timeout), Some(60));
    assert_eq!(seconds(&it.schedule_to_start_timeout), Some(10));
    assert_eq!(seconds(&it.start_to_close_timeout), Some(50));
    assert_eq!(it.nexus_header["h"], "v");
    assert!(completion.commands[0].user_metadata.is_some());
}

#[test]
fn an_operation_resolves_twice_when_it_starts_and_when_it_ends() {
    let history = started().task_completed().nexus_completed(5).task().task_completed().completed();
    let scenario = run_to_end(&history, [vec![waiting()], vec![], vec![complete()]]);
    assert_eq!(start(&scenario.jobs(1)[0]), &NexusOperationStart::Started { operation_token: "token".into() });
    assert_eq!(result(&scenario.jobs(2)[0]), &NexusOperationResolution::Completed(Some(payload("charged"))));
}

#[test]
fn s54_an_operation_that_is_over_at_once_resolves_both() {
    let history = scheduled().nexus_completed(5).task().task_completed().completed();
    let scenario = run_to_end(&history, [vec![waiting()], vec![complete()]]);
    assert_eq!(start(&scenario.jobs(1)[0]), &NexusOperationStart::StartedSync);
    assert!(matches!(result(&scenario.jobs(1)[1]), NexusOperationResolution::Completed(Some(_))));
}

#[test]
fn s54_a_failure_before_the_start_is_the_start_s() {
    type Event = fn(HistoryBuilder, i64) -> HistoryBuilder;
    let ends: [Event; 3] =
        [HistoryBuilder::nexus_failed, HistoryBuilder::nexus_cancelled, HistoryBuilder::nexus_timed_out];
    for end in ends {
        let history = end(scheduled(), 5).task().task_completed().completed();
        let scenario = run_to_end(&history, [vec![waiting()], vec![complete()]]);
        assert!(matches!(start(&scenario.jobs(1)[0]), NexusOperationStart::Failed(_)));
    }
}

#[test]
fn an_operation_cancelled_before_it_was_sent_leaves_no_trace() {
    let mut scenario = Scenario::new([vec![waiting(), CANCEL], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(completion.commands.len(), 1, "only the end");
    let NexusOperationStart::Failed(failure) = start(&scenario.jobs(1)[0]) else { panic!("it was cancelled") };
    assert_eq!(failure.message, "Nexus Operation cancelled before scheduled");
    let Some(FailureInfo::NexusOperationExecutionFailureInfo(info)) = &failure.failure_info else {
        panic!("not an operation's: {failure:?}")
    };
    assert_eq!((&*info.service, &*info.operation), ("Billing", "charge"));
}

#[test]
fn s54_a_started_operation_is_asked_to_stop_once() {
    use NexusOperationCancellation::{Abandon, TryCancel, WaitCancellationCompleted, WaitCancellationRequested};
    for (kind, is_asked, is_resolved) in [
        (Abandon, false, true),
        (TryCancel, true, true),
        (WaitCancellationCompleted, true, false),
        (WaitCancellationRequested, true, false),
    ] {
        let mut scenario = Scenario::new([vec![operation(kind)], vec![CANCEL, CANCEL], vec![]]);
        let completion = scenario.completes(started().poll());
        assert_eq!(completion.commands.len(), usize::from(is_asked), "{kind:?}");
        assert_eq!(scenario.activations.len(), if is_resolved { 3 } else { 2 }, "{kind:?}");
    }
}

/// The code cancels a started operation when it is signalled; then follows what `rest` adds.
fn after_cancel(
    kind: NexusOperationCancellation,
    steps: usize,
    rest: impl FnOnce(HistoryBuilder) -> HistoryBuilder,
) -> Scenario {
    let history = started().task_completed().signalled("stop").task().task_completed();
    let is_asked = kind != NexusOperationCancellation::Abandon;
    let history = if is_asked { history.nexus_cancel_requested(5) } else { history.timer_started(1) };
    let history = rest(history).task().task_completed();
    let cancel = if is_asked { vec![CANCEL] } else { vec![CANCEL, timer(1)] };
    let mut script = vec![vec![operation(kind)], vec![], cancel];
    script.resize(3 + steps, vec![]);
    let mut scenario = Scenario::scripted(script);
    let output = scenario.task(stead_core::replay_task(history.history(), "workflow", "run"));
    assert!(output.is_none(), "the replay asks for {output:?}");
    scenario.assert_idle();
    scenario
}

#[test]
fn s54_waiting_for_the_request_resolves_when_it_was_taken_or_refused() {
    let kind = NexusOperationCancellation::WaitCancellationRequested;
    let scenario = after_cancel(kind, 1, |history| history.nexus_cancel_taken(5).nexus_cancelled(5));
    assert!(matches!(result(&scenario.jobs(3)[0]), NexusOperationResolution::Cancelled(_)));
    let scenario = after_cancel(kind, 1, |history| history.nexus_cancel_refused(5).nexus_completed(5));
    let NexusOperationResolution::Failed(failure) = result(&scenario.jobs(3)[0]) else { panic!("it was refused") };
    assert_eq!(failure.message, "Nexus operation cancellation request failed");
}

#[test]
fn waiting_for_the_end_resolves_with_the_end() {
    let kind = NexusOperationCancellation::WaitCancellationCompleted;
    let scenario = after_cancel(kind, 1, |history| history.nexus_cancel_taken(5).nexus_completed(5));
    assert!(matches!(result(&scenario.jobs(3)[0]), NexusOperationResolution::Completed(_)));
    let scenario = after_cancel(kind, 1, |history| history.nexus_timed_out(5).nexus_cancel_refused(5));
    assert!(matches!(result(&scenario.jobs(3)[0]), NexusOperationResolution::TimedOut(_)));
}

#[test]
fn b10_an_operation_that_nobody_waits_for_may_end_in_any_way() {
    type Event = fn(HistoryBuilder, i64) -> HistoryBuilder;
    let ends: [Event; 4] = [
        HistoryBuilder::nexus_completed,
        HistoryBuilder::nexus_failed,
        HistoryBuilder::nexus_timed_out,
        HistoryBuilder::nexus_cancelled,
    ];
    for end in ends {
        after_cancel(NexusOperationCancellation::Abandon, 2, |history| end(history, 5).signalled("on"));
        let try_cancel = NexusOperationCancellation::TryCancel;
        after_cancel(try_cancel, 2, |history| end(history.nexus_cancel_taken(5), 5).signalled("on"));
        after_cancel(try_cancel, 2, |history| end(history, 5).nexus_cancel_refused(5).signalled("on"));
    }
}

#[test]
fn another_operation_than_history_records_is_a_mismatch() {
    let history = scheduled().completed();
    let Command::ScheduleNexusOperation(other) = waiting() else { unreachable!("it schedules an operation") };
    let other = ScheduleNexusOperation { operation: "refund".into(), ..*other };
    let (kind, text) = mismatch(&history, vec![vec![Command::ScheduleNexusOperation(Box::new(other)), complete()]]);
    assert_eq!(kind, MismatchKind::Different);
    assert!(text.contains("`charge`") && text.contains("`refund`"), "{text}");
}

fn signal_with_start() -> Command {
    Command::SignalWithStart(Box::new(SignalWithStart {
        seq: 1,
        workflow_id: "order-1".into(),
        workflow_type: "Order".into(),
        arguments: vec![payload("input")],
        signal_name: "pay".into(),
        signal_arguments: vec![payload("5")],
        headers: [("h".to_owned(), payload("v"))].into(),
        start_delay: Some(Duration::from_secs(3)),
        id_conflict_policy: WorkflowIdConflictPolicy::UseExisting,
        memo: [("m".to_owned(), payload("memo"))].into(),
        summary: Some(payload("why")),
        ..SignalWithStart::default()
    }))
}

#[test]
fn a_signal_with_a_start_is_an_operation_of_the_server_with_the_call_as_its_input() {
    let mut scenario = Scenario::new([vec![signal_with_start()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::ScheduleNexusOperationCommandAttributes(it)) = &completion.commands[0].attributes else {
        panic!("not an operation")
    };
    let service = "temporal.api.workflowservice.v1.WorkflowService";
    let operation = "SignalWithStartWorkflowExecution";
    assert_eq!((&*it.endpoint, &*it.service, &*it.operation), ("__temporal_system", service, operation));
    assert!(it.nexus_header.is_empty(), "the server takes none");
    let request =
        system::signal_with_start(&it.endpoint, &it.operation, it.input.as_ref()).expect("the server reads it");
    assert_eq!((&*request.workflow_id, &*request.signal_name), ("order-1", "pay"));
    assert_eq!(request.workflow_id_conflict_policy(), WorkflowIdConflictPolicy::UseExisting);
    assert_eq!(request.input.map(|it| it.payloads), Some(vec![payload("input")]));
    assert_eq!(request.signal_input.map(|it| it.payloads), Some(vec![payload("5")]));
    assert_eq!(request.task_queue.map(|queue| queue.name).as_deref(), Some("queue"), "that of the caller");
    assert_eq!(request.header.map(|header| header.fields.len()), Some(1));
    assert_eq!(request.memo.map(|memo| memo.fields.len()), Some(1));
    assert_eq!(request.workflow_start_delay.map(|delay| delay.seconds), Some(3));
    assert_eq!(request.user_metadata.and_then(|metadata| metadata.summary), Some(payload("why")));
    assert_eq!((&*request.namespace, &*request.request_id), ("", ""), "the server says these");
}

#[test]
fn a_signal_with_a_start_does_not_replay_another_operation() {
    let (kind, text) = mismatch(&scheduled().completed(), vec![vec![signal_with_start(), complete()]]);
    assert_eq!(kind, MismatchKind::Different);
    assert!(text.contains("`charge`") && text.contains("`SignalWithStartWorkflowExecution`"), "{text}");
}
