//! Child workflows.

use stead_activation::{
    ChildWorkflowCancellation, ChildWorkflowResolution, ChildWorkflowStart, Command, Failure, Job, ParentClosePolicy,
    StartChildWorkflow, StartChildWorkflowExecutionFailedCause, WorkflowIdReusePolicy,
};
use stead_core::MismatchKind;
use stead_proto::command::v1::command::Attributes;
use stead_proto::failure::v1::failure::FailureInfo;

use crate::support::{HistoryBuilder, Scenario, complete, mismatch, payload, run_to_end, timer};

fn child(cancellation: ChildWorkflowCancellation) -> Command {
    Command::StartChildWorkflow(Box::new(StartChildWorkflow {
        seq: 1,
        workflow_id: "ship-1".into(),
        workflow_type: "shipping".into(),
        cancellation,
        ..StartChildWorkflow::default()
    }))
}

fn waiting() -> Command {
    child(ChildWorkflowCancellation::WaitCancellationCompleted)
}

fn cancel() -> Command {
    Command::CancelChildWorkflow { seq: 1, reason: "too late".into() }
}

fn start(job: &Job) -> &ChildWorkflowStart {
    match job {
        Job::ResolveChildWorkflowStart { seq: 1, resolution } => resolution,
        other => panic!("not the start of the child: {other:?}"),
    }
}

fn result(job: &Job) -> &ChildWorkflowResolution {
    match job {
        Job::ResolveChildWorkflow { seq: 1, resolution } => resolution,
        other => panic!("not the end of the child: {other:?}"),
    }
}

fn failure(job: &Job) -> &Failure {
    match job {
        Job::ResolveChildWorkflowStart { resolution: ChildWorkflowStart::Cancelled(failure), .. } => failure,
        Job::ResolveChildWorkflow {
            resolution: ChildWorkflowResolution::Failed(failure) | ChildWorkflowResolution::Cancelled(failure),
            ..
        } => failure,
        other => panic!("it did not fail: {other:?}"),
    }
}

/// The child is event 5 and started by event 6.
fn initiated() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().child_initiated()
}

fn started() -> HistoryBuilder {
    initiated().child_started(5).task()
}

#[test]
fn s50_a_child_resolves_twice_when_it_starts_and_when_it_ends() {
    let history = started().task_completed().child_completed(5).task().task_completed().completed();
    let scenario = run_to_end(&history, [vec![waiting()], vec![], vec![complete()]]);
    assert_eq!(start(&scenario.jobs(1)[0]), &ChildWorkflowStart::Started { run_id: "child run".into() });
    assert_eq!(result(&scenario.jobs(2)[0]), &ChildWorkflowResolution::Completed(Some(payload("shipped"))));
}

#[test]
fn the_command_says_everything_about_the_child() {
    let mut options = StartChildWorkflow {
        seq: 1,
        workflow_id: "ship-1".into(),
        workflow_type: "shipping".into(),
        arguments: vec![payload("order")],
        run_timeout: Some(std::time::Duration::from_secs(60)),
        parent_close_policy: ParentClosePolicy::Abandon,
        id_reuse_policy: WorkflowIdReusePolicy::RejectDuplicate,
        cron_schedule: "@daily".into(),
        summary: Some(payload("summary")),
        details: Some(payload("details")),
        ..StartChildWorkflow::default()
    };
    options.memo.insert("m".into(), payload("memo"));
    options.search_attributes.insert("s".into(), payload("attribute"));
    options.headers.insert("h".into(), payload("header"));
    let mut scenario = Scenario::new([vec![Command::StartChildWorkflow(Box::new(options))]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let Some(Attributes::StartChildWorkflowExecutionCommandAttributes(it)) = &completion.commands[0].attributes else {
        panic!("not a child")
    };
    assert_eq!((&*it.workflow_id, &*it.cron_schedule), ("ship-1", "@daily"));
    assert_eq!(it.task_queue.as_ref().map(|queue| &*queue.name), Some("queue"));
    #[expect(deprecated, reason = "the server still reads it")]
    let namespace = &it.namespace;
    assert_eq!(namespace, "default");
    assert_eq!(it.workflow_run_timeout.as_ref().map(|timeout| timeout.seconds), Some(60));
    assert_eq!(
        (it.parent_close_policy(), it.workflow_id_reuse_policy()),
        (ParentClosePolicy::Abandon, WorkflowIdReusePolicy::RejectDuplicate)
    );
    assert_eq!(it.memo.as_ref().map(|memo| &memo.fields["m"]), Some(&payload("memo")));
    assert_eq!(it.search_attributes.as_ref().map(|it| &it.indexed_fields["s"]), Some(&payload("attribute")));
    assert_eq!(it.header.as_ref().map(|header| &header.fields["h"]), Some(&payload("header")));
    let metadata = completion.commands[0].user_metadata.as_ref().expect("there is metadata");
    assert_eq!((&metadata.summary, &metadata.details), (&Some(payload("summary")), &Some(payload("details"))));
}

#[test]
fn s50_a_child_that_cannot_be_started_says_why() {
    let history = initiated().child_start_failed(5).task().task_completed().completed();
    let scenario = run_to_end(&history, [vec![waiting()], vec![complete()]]);
    assert_eq!(
        start(&scenario.jobs(1)[0]),
        &ChildWorkflowStart::Failed {
            workflow_id: "ship-1".into(),
            workflow_type: "shipping".into(),
            cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
        }
    );
}

#[test]
fn s49_ends_other_than_completion_are_wrapped() {
    type Event = fn(HistoryBuilder, i64) -> HistoryBuilder;
    let cases: [(Event, &str); 4] = [
        (HistoryBuilder::child_failed, "Child Workflow execution failed"),
        (HistoryBuilder::child_timed_out, "Child Workflow execution timed out"),
        (HistoryBuilder::child_terminated, "Child Workflow execution terminated"),
        (HistoryBuilder::child_cancelled, "Child Workflow execution cancelled"),
    ];
    for (event, message) in cases {
        let history = event(started().task_completed(), 5).task().task_completed().completed();
        let scenario = run_to_end(&history, [vec![waiting()], vec![], vec![complete()]]);
        let failure = failure(&scenario.jobs(2)[0]);
        assert_eq!(failure.message, message);
        let Some(FailureInfo::ChildWorkflowExecutionFailureInfo(info)) = &failure.failure_info else {
            panic!("not a child's: {failure:?}")
        };
        assert_eq!((info.initiated_event_id, info.started_event_id), (5, 6));
        assert_eq!(info.workflow_execution.as_ref().map(|it| &*it.run_id), Some("child run"));
        assert!(failure.cause.is_some(), "{message}");
    }
}

#[test]
fn s49_a_child_cancelled_before_it_was_sent_leaves_no_trace() {
    let mut scenario = Scenario::new([vec![waiting(), cancel()], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(completion.commands.len(), 1, "only the end");
    assert_eq!(failure(&scenario.jobs(1)[0]).message, "Child Workflow Execution cancelled before scheduled: too late");
}

#[test]
fn s49_a_started_child_is_asked_to_cancel_itself() {
    use ChildWorkflowCancellation::{Abandon, TryCancel, WaitCancellationCompleted, WaitCancellationRequested};
    for (kind, is_asked, is_resolved) in [
        (Abandon, false, true),
        (TryCancel, true, true),
        (WaitCancellationCompleted, true, false),
        (WaitCancellationRequested, true, false),
    ] {
        let mut scenario = Scenario::new([vec![child(kind)], vec![cancel()], vec![]]);
        let completion = scenario.completes(started().poll());
        assert_eq!(completion.commands.len(), usize::from(is_asked), "{kind:?}");
        assert_eq!(scenario.activations.len(), if is_resolved { 3 } else { 2 }, "{kind:?}");
        if !is_asked {
            continue;
        }
        let Some(Attributes::RequestCancelExternalWorkflowExecutionCommandAttributes(it)) =
            &completion.commands[0].attributes
        else {
            panic!("not a cancellation")
        };
        assert!(it.child_workflow_only);
        assert_eq!((&*it.workflow_id, &*it.run_id, &*it.reason), ("ship-1", "child run", "too late"));
    }
}

fn cancelled_by_signal(kind: ChildWorkflowCancellation, history: &HistoryBuilder, steps: usize) -> Scenario {
    let mut script = vec![vec![child(kind)], vec![], vec![cancel()]];
    script.resize(3 + steps, vec![]);
    let mut scenario = Scenario::scripted(script);
    let output = scenario.task(stead_core::replay_task(history.history(), "workflow", "run"));
    assert!(output.is_none(), "the replay asks for {output:?}");
    scenario.assert_idle();
    scenario
}

#[test]
fn b11_waiting_for_the_request_resolves_when_it_was_delivered() {
    let history = started().task_completed().signalled("stop").task().task_completed();
    let history = history.external_cancel_initiated("ship-1");
    let request = history.last_id();
    let delivered = history.external_cancel_delivered(request).task().task_completed();
    let kind = ChildWorkflowCancellation::WaitCancellationRequested;
    let scenario = cancelled_by_signal(kind, &delivered, 1);
    assert!(matches!(result(&scenario.jobs(3)[0]), ChildWorkflowResolution::Cancelled(_)));
    // The other kind goes on waiting.
    let kind = ChildWorkflowCancellation::WaitCancellationCompleted;
    let scenario = cancelled_by_signal(kind, &delivered.child_cancelled(5).task().task_completed(), 1);
    assert!(matches!(result(&scenario.jobs(3)[0]), ChildWorkflowResolution::Cancelled(_)));
}

#[test]
fn b11_cancelling_again_and_after_the_end_is_nothing() {
    type Event = fn(HistoryBuilder, i64) -> HistoryBuilder;
    let ends: [Event; 5] = [
        HistoryBuilder::child_terminated,
        HistoryBuilder::child_completed,
        HistoryBuilder::child_failed,
        HistoryBuilder::child_timed_out,
        HistoryBuilder::child_cancelled,
    ];
    for end in ends {
        let history = end(started().task_completed(), 5).task();
        let mut scenario = Scenario::new([vec![waiting()], vec![], vec![cancel(), cancel()]]);
        let completion = scenario.completes(history.poll());
        assert_eq!(completion.commands, []);
    }
}

#[test]
fn b11_a_child_that_nobody_waits_for_may_end_in_any_way() {
    type Event = fn(HistoryBuilder, i64) -> HistoryBuilder;
    let ends: [Event; 5] = [
        HistoryBuilder::child_terminated,
        HistoryBuilder::child_completed,
        HistoryBuilder::child_failed,
        HistoryBuilder::child_timed_out,
        HistoryBuilder::child_cancelled,
    ];
    for end in ends {
        let history = started().task_completed().signalled("stop").task().task_completed();
        let request = history.last_id() + 1;
        let tried = history.clone().external_cancel_initiated("ship-1").external_cancel_delivered(request);
        let tried = end(tried, 5).signalled("on").task().task_completed();
        cancelled_by_signal(ChildWorkflowCancellation::TryCancel, &tried, 2);
        let abandoned = end(history.timer_started(1), 5).signalled("on").task().task_completed();
        let mut script = vec![vec![child(ChildWorkflowCancellation::Abandon)], vec![], vec![cancel(), timer(1)]];
        script.extend([vec![], vec![]]);
        let mut scenario = Scenario::scripted(script);
        assert!(scenario.task(stead_core::replay_task(abandoned.history(), "workflow", "run")).is_none());
        scenario.assert_idle();
    }
}

#[test]
fn a_child_that_was_gone_when_it_was_to_be_cancelled_ends_as_history_tells() {
    let history = started().task_completed().signalled("stop").task().task_completed();
    let request = history.last_id() + 1;
    let history = history.external_cancel_initiated("ship-1").child_completed(5).external_cancel_failed(request);
    let scenario =
        cancelled_by_signal(ChildWorkflowCancellation::WaitCancellationCompleted, &history.task().task_completed(), 1);
    assert!(matches!(result(&scenario.jobs(3)[0]), ChildWorkflowResolution::Completed(_)));
}

#[test]
fn s49_cancelled_while_it_is_about_to_start_it_may_start_nonetheless() {
    use ChildWorkflowCancellation::{TryCancel, WaitCancellationCompleted};
    let history = initiated().signalled("stop").task().task_completed().external_cancel_initiated("ship-1");
    let history = history.child_started(5).child_cancelled(5).task().task_completed();
    let scenario = run_to_end(&history, [vec![child(TryCancel)], vec![cancel()], vec![]]);
    assert!(matches!(start(&scenario.jobs(2)[0]), ChildWorkflowStart::Cancelled(_)));
    let scenario = run_to_end(&history, [vec![child(WaitCancellationCompleted)], vec![cancel()], vec![]]);
    assert!(matches!(start(&scenario.jobs(2)[0]), ChildWorkflowStart::Started { .. }));
    assert!(matches!(result(&scenario.jobs(2)[1]), ChildWorkflowResolution::Cancelled(_)));
}

#[test]
fn another_child_than_history_records_is_a_mismatch() {
    for (id, kind) in [("ship-2", "shipping"), ("ship-1", "billing")] {
        let history = HistoryBuilder::first_task().task_completed().child_initiated_as(id, kind).completed();
        let (found, text) = mismatch(&history, vec![vec![waiting(), complete()]]);
        assert_eq!(found, MismatchKind::Different);
        assert!(text.contains(&format!("start child workflow `{kind}` with id {id}")), "{text}");
        assert!(text.contains("start child workflow `shipping` with id ship-1"), "{text}");
    }
    let history = initiated().completed();
    assert_eq!(mismatch(&history, vec![vec![complete()]]).0, MismatchKind::Different);
    let history = HistoryBuilder::first_task().task_completed().completed();
    assert_eq!(mismatch(&history, vec![vec![waiting(), complete()]]).0, MismatchKind::Different);
}

#[test]
fn flag_1_decides_whether_ids_and_types_are_compared() {
    let history = HistoryBuilder::first_task().flags(&[]).task_completed();
    let history = history.child_initiated_as("other", "other").completed();
    run_to_end(&history, [vec![waiting(), complete()]]);
}

#[test]
fn an_event_of_a_child_that_never_was_is_a_mismatch() {
    let history = HistoryBuilder::first_task().task_completed().child_completed(3).task();
    let (kind, _) = mismatch_of_task(&history);
    assert_eq!(kind, MismatchKind::UnknownOperation);
}

fn mismatch_of_task(history: &HistoryBuilder) -> (MismatchKind, String) {
    let failed = Scenario::new([vec![]]).fails(history.poll());
    let mismatch = failed.mismatch.expect("it is a mismatch");
    (mismatch.kind, mismatch.to_string())
}
