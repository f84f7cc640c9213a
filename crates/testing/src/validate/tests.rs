use stead_proto::history::v1::{
    ActivityTaskCompletedEventAttributes, ActivityTaskScheduledEventAttributes, ActivityTaskStartedEventAttributes,
    History as Events, TimerFiredEventAttributes, TimerStartedEventAttributes,
    WorkflowExecutionCompletedEventAttributes, WorkflowExecutionStartedEventAttributes,
    WorkflowTaskCompletedEventAttributes, WorkflowTaskScheduledEventAttributes, WorkflowTaskStartedEventAttributes,
};

use super::*;

fn began() -> Attributes {
    Attributes::WorkflowExecutionStartedEventAttributes(Box::<WorkflowExecutionStartedEventAttributes>::default())
}

fn task() -> Attributes {
    Attributes::WorkflowTaskScheduledEventAttributes(WorkflowTaskScheduledEventAttributes::default())
}

fn task_started(scheduled_event_id: i64) -> Attributes {
    let attributes = WorkflowTaskStartedEventAttributes { scheduled_event_id, ..Default::default() };
    Attributes::WorkflowTaskStartedEventAttributes(attributes)
}

fn task_completed(scheduled_event_id: i64, started_event_id: i64) -> Attributes {
    let attributes =
        WorkflowTaskCompletedEventAttributes { scheduled_event_id, started_event_id, ..Default::default() };
    Attributes::WorkflowTaskCompletedEventAttributes(Box::new(attributes))
}

fn activity(workflow_task_completed_event_id: i64) -> Attributes {
    let attributes = ActivityTaskScheduledEventAttributes { workflow_task_completed_event_id, ..Default::default() };
    Attributes::ActivityTaskScheduledEventAttributes(Box::new(attributes))
}

fn activity_started(scheduled_event_id: i64) -> Attributes {
    let attributes = ActivityTaskStartedEventAttributes { scheduled_event_id, ..Default::default() };
    Attributes::ActivityTaskStartedEventAttributes(Box::new(attributes))
}

fn activity_completed(scheduled_event_id: i64, started_event_id: i64) -> Attributes {
    let attributes =
        ActivityTaskCompletedEventAttributes { scheduled_event_id, started_event_id, ..Default::default() };
    Attributes::ActivityTaskCompletedEventAttributes(attributes)
}

fn timer(id: &str, workflow_task_completed_event_id: i64) -> Attributes {
    let timer_id = id.to_owned();
    let attributes = TimerStartedEventAttributes { timer_id, workflow_task_completed_event_id, ..Default::default() };
    Attributes::TimerStartedEventAttributes(attributes)
}

fn timer_fired(id: &str, started_event_id: i64) -> Attributes {
    Attributes::TimerFiredEventAttributes(TimerFiredEventAttributes { timer_id: id.to_owned(), started_event_id })
}

fn signal() -> Attributes {
    Attributes::WorkflowExecutionSignaledEventAttributes(Box::default())
}

fn completed(workflow_task_completed_event_id: i64) -> Attributes {
    let attributes =
        WorkflowExecutionCompletedEventAttributes { workflow_task_completed_event_id, ..Default::default() };
    Attributes::WorkflowExecutionCompletedEventAttributes(attributes)
}

fn history(events: impl IntoIterator<Item = Attributes>) -> History {
    let event = |(id, attributes)| HistoryEvent { event_id: id, attributes: Some(attributes), ..Default::default() };
    History(Events { events: (1..).zip(events).map(event).collect() })
}

/// The rules broken by a first completed task (events 1 to 4) and what follows it.
fn after_first_task(events: impl IntoIterator<Item = Attributes>) -> Vec<(i64, Broken)> {
    let first = [began(), task(), task_started(2), task_completed(2, 3)];
    let violations = violations(&history(first.into_iter().chain(events)));
    violations.into_iter().map(|violation| (violation.event_id, violation.rule)).collect()
}

#[test]
fn a_history_as_servers_write_it_is_well_formed() {
    let events = [
        activity(4),
        timer("1", 4),
        signal(),
        task(),
        task_started(8),
        task_completed(8, 9),
        activity_started(5),
        activity_completed(5, 11),
        timer_fired("1", 6),
        task(),
        task_started(14),
        task_completed(14, 15),
        completed(16),
    ];
    assert_eq!(after_first_task(events), []);
}

#[test]
fn ids_have_no_holes_and_the_beginning_comes_first_and_once() {
    let mut holed = history([began(), task(), task_started(2)]);
    holed.0.events.remove(1);
    let found = violations(&holed);
    assert_eq!(found[0], Violation::new(3, Broken::IdExpected(2)));
    let (rootless, twice) = (history([task()]), history([began(), began()]));
    assert_eq!(violations(&rootless), [Violation::new(1, Broken::Beginning)]);
    assert_eq!(violations(&twice), [Violation::new(2, Broken::Beginning)]);
}

#[test]
fn nothing_comes_after_the_end() {
    assert_eq!(after_first_task([completed(4), signal()]), [(6, Broken::AfterTheEnd)]);
}

#[test]
fn a_task_is_scheduled_started_and_closed_one_at_a_time() {
    let found = after_first_task([task(), task()]);
    assert!(matches!(found[..], [(6, Broken::WorkflowTask(_))]), "{found:?}");
    let found = after_first_task([task(), task_started(2)]);
    assert!(matches!(found[..], [(6, Broken::WorkflowTask(_))]), "{found:?}");
    let found = after_first_task([task_completed(2, 3)]);
    assert!(matches!(found[..], [(5, Broken::WorkflowTask(_))]), "{found:?}");
}

#[test]
fn events_wait_until_a_started_task_is_over() {
    let found = after_first_task([task(), task_started(5), signal(), task_completed(5, 6)]);
    assert_eq!(found, [(7, Broken::WithinWorkflowTask)]);
}

#[test]
fn a_command_belongs_to_the_task_that_was_completed_last() {
    assert_eq!(after_first_task([timer("1", 3)]), [(5, Broken::CommandOf { named: 3, completed: 4 })]);
    assert_eq!(after_first_task([task(), timer("1", 4)]), [(6, Broken::CommandOf { named: 4, completed: 0 })]);
}

#[test]
fn an_event_refers_to_what_goes_on_and_is_of_its_kind() {
    let missing = Broken::NotOpened { subject: Subject::Activity, opened: 5 };
    assert_eq!(after_first_task([timer("1", 4), activity_started(5)]), [(6, missing)]);
    let events = [activity(4), activity_started(5), activity_completed(5, 6), activity_completed(5, 6)];
    let closed = Broken::Closed { subject: Subject::Activity, opened: 5 };
    assert_eq!(after_first_task(events), [(8, closed)]);
    let events = [activity(4), activity_started(5), activity_started(5)];
    assert_eq!(after_first_task(events), [(7, Broken::Twice(Subject::Activity))]);
    let events = [activity(4), activity_completed(5, 6)];
    assert_eq!(after_first_task(events), [(6, Broken::StartedBy { named: 6, started: 0 })]);
}

#[test]
fn a_timers_id_is_its_own_while_it_goes_on() {
    assert_eq!(after_first_task([timer("1", 4), timer("1", 4)]), [(6, Broken::TimerId("1".to_owned()))]);
    assert_eq!(after_first_task([timer("1", 4), timer_fired("2", 5)]), [(6, Broken::TimerId("2".to_owned()))]);
    assert_eq!(after_first_task([timer("1", 4), timer_fired("1", 5)]), []);
}

#[test]
fn time_does_not_go_back() {
    let mut events = history([began(), task(), task_started(2)]);
    for (event, seconds) in events.0.events.iter_mut().zip([10, 20, 15]) {
        event.event_time = Some(prost_types::Timestamp { seconds, nanos: 0 });
    }
    assert_eq!(violations(&events), [Violation::new(3, Broken::Time)]);
}
