//! Tasks that arrive while another is outstanding, and tasks that the server drops.

use stead_activation::Job;
use stead_core::{CompletionOutcome, EvictionReason, Output};

use crate::support::{HistoryBuilder, Scenario, complete, completion, eviction, timer};

fn idle() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().timer_started(1)
}

#[test]
fn s16_a_dropped_speculative_task_is_forgotten() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    // A task without news, whose only purpose was an update that was rejected.
    scenario.completes(idle().task().poll_from(4));
    let dropped = CompletionOutcome::Accepted { next_task: None, reset_history_event_id: 3 };
    assert!(scenario.outcome(dropped).is_none());
    // The ids of the dropped events are used again.
    scenario.completes(idle().timer_fired(5).task().poll_from(4));
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
}

#[test]
fn s17_a_task_waits_for_the_one_before_it() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.run.handle_task(HistoryBuilder::first_task().poll(), Scenario::now());
    assert!(matches!(scenario.run.poll_output(), Some(Output::Activate(_))));
    scenario.run.handle_task(idle().timer_fired(5).task().poll_from(4), Scenario::now());
    assert!(scenario.run.poll_output().is_none());
    assert!(!scenario.run.is_idle());
    let commands = vec![stead_activation::Issued { command: timer(1), at: None }];
    scenario.run.handle_commands(commands, Scenario::now());
    completion(scenario.drive());
    let _ = scenario.run.poll_output();
}

/// Nothing but a local activity keeps a task open, so without one the run asks for no moment at which to heartbeat it.
#[test]
fn s20_without_a_local_activity_no_heartbeat_is_due() {
    let mut scenario = Scenario::new([]);
    scenario.run.handle_task(HistoryBuilder::first_task().poll(), Scenario::now());
    assert!(matches!(scenario.run.poll_output(), Some(Output::Activate(_))));
    assert_eq!(scenario.run.poll_timeout(), None, "while the code runs");
    let commands = vec![stead_activation::Issued { command: timer(1), at: None }];
    scenario.run.handle_commands(commands, Scenario::now());
    assert!(!completion(scenario.drive()).force_create_new_workflow_task);
    assert_eq!(scenario.run.poll_timeout(), None, "while the completion is under way");
    assert!(scenario.accepted().is_none());
    assert_eq!(scenario.run.poll_timeout(), None, "while it waits for its timer");
}

#[test]
fn s17_the_task_that_waited_comes_next_and_a_newer_one_replaces_it() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    let stale = idle().signalled("stale").task();
    scenario.run.handle_task(stale.poll_from(4), Scenario::now());
    scenario.run.handle_task(stale.task_completed().poll_query(4), Scenario::now());
    scenario.run.handle_task(idle().timer_fired(5).task().poll_from(4), Scenario::now());
    let next = completion(scenario.accepted());
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
    assert!(next.ends_run);
    assert!(scenario.queries.is_empty(), "a query of a replaced task was asked");
}

#[test]
fn s17_queries_come_before_the_news_they_were_asked_before() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.run.handle_task(idle().poll_query(4), Scenario::now());
    scenario.run.handle_task(idle().timer_fired(5).task().poll_from(4), Scenario::now());
    assert!(matches!(scenario.accepted(), Some(Output::AnswerQuery(_))));
    assert!(matches!(scenario.accepted(), Some(Output::Complete(_))));
}

#[test]
fn s17_queries_about_the_news_come_after_it() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![timer(2)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    let news = idle().timer_fired(5).task();
    scenario.run.handle_task(news.poll_from(4), Scenario::now());
    scenario.run.handle_task(news.task_completed().timer_started(2).poll_query(9), Scenario::now());
    assert!(matches!(scenario.accepted(), Some(Output::Complete(_))));
    assert!(matches!(scenario.accepted(), Some(Output::AnswerQuery(_))));
}

#[test]
fn a_query_about_a_state_that_another_worker_brought_about_starts_over() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    let mut task = idle().timer_fired(5).task().task_completed().poll_query(4);
    task.history = None;
    assert_eq!(eviction(scenario.task(task)).reason, EvictionReason::HistoryChanged);
}

#[test]
fn s17_the_task_in_the_response_supersedes_the_one_that_waits() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.run.handle_task(idle().signalled("stale").task().poll_from(4), Scenario::now());
    let next_task = Some(Box::new(idle().timer_fired(5).task().poll_from(4)));
    completion(scenario.outcome(CompletionOutcome::Accepted { next_task, reset_history_event_id: 0 }));
    assert_eq!(scenario.jobs(1), [Job::FireTimer { seq: 1 }]);
}

#[test]
fn s17_an_eviction_gives_back_what_waited() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.run.handle_task(idle().poll_query(4), Scenario::now());
    scenario.run.handle_task(idle().timer_fired(5).task().poll_from(4), Scenario::now());
    assert!(scenario.evict(EvictionReason::Requested).is_none(), "it left while a completion was outstanding");
    let evicted = eviction(scenario.accepted());
    assert_eq!(evicted.reason, EvictionReason::Requested);
    assert_eq!(evicted.next_tasks.len(), 2);
    // A task for a run that is gone comes back.
    let late = idle().timer_fired(5).task().poll_from(4);
    assert_eq!(eviction(scenario.task(late)).next_tasks.len(), 1);
}

#[test]
fn an_idle_run_leaves_at_once() {
    let mut scenario = Scenario::new([]);
    assert_eq!(eviction(scenario.evict(EvictionReason::CacheFull)).reason, EvictionReason::CacheFull);
}

#[test]
fn s21_a_task_in_the_response_needs_only_the_news() {
    let mut scenario = Scenario::new([vec![timer(1)], vec![complete()]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    let next_task = Some(Box::new(idle().timer_fired(5).task().poll_from(4)));
    let output = scenario.outcome(CompletionOutcome::Accepted { next_task, reset_history_event_id: 0 });
    assert!(matches!(output, Some(Output::Complete(_))), "{output:?}");
}

#[test]
fn answers_that_nothing_asked_for_are_ignored() {
    let mut scenario = Scenario::new([]);
    scenario.run.handle_commands(Vec::new(), Scenario::now());
    scenario.run.handle_completed(CompletionOutcome::accepted(), Scenario::now());
    scenario.run.handle_history(stead_core::HistoryPage::default(), Scenario::now());
    scenario.run.handle_history_failed(String::new(), Scenario::now());
    scenario.run.handle_timeout(Scenario::now());
    assert_eq!(scenario.run.poll_timeout(), None);
    scenario.assert_idle();
}
