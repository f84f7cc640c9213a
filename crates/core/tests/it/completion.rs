//! What is reported about a task, and when.

use stead_activation::{Command, Issued, Job};
use stead_core::{Output, Run, RunOptions};
use stead_proto::enums::v1::CommandType;

use crate::support::{HistoryBuilder, Scenario, activity, complete, query, run_to_end, timer};

fn kinds(completion: &stead_core::Completion) -> Vec<CommandType> {
    completion.commands.iter().map(stead_proto::command::v1::Command::command_type).collect()
}

fn fail() -> Command {
    Command::FailWorkflow { failure: Box::default() }
}

#[test]
fn s18_terminal_command_moves_last() {
    let mut scenario = Scenario::new([vec![timer(1), complete(), activity(1), fail()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    let expected = [CommandType::StartTimer, CommandType::ScheduleActivityTask, CommandType::CompleteWorkflowExecution];
    assert_eq!(kinds(&completion), expected);
    assert!(completion.ends_run);
}

#[test]
fn s18_without_the_flag_what_follows_the_terminal_command_is_dropped() {
    let dropped = HistoryBuilder::first_task().flags(&[1, 2]).task_completed().timer_started(1).completed();
    run_to_end(&dropped, [vec![timer(1), complete(), activity(1)]]);
    let moved =
        HistoryBuilder::first_task().task_completed().timer_started(1).activity_scheduled("1", "charge").completed();
    run_to_end(&moved, [vec![timer(1), complete(), activity(1)]]);
}

#[test]
fn s18_a_server_without_metadata_gets_the_behaviour_without_flags() {
    let mut options = RunOptions::default();
    options.sdk_metadata = false;
    let mut scenario = Scenario::with_options(options, [vec![complete(), timer(1)]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert_eq!(kinds(&completion), [CommandType::CompleteWorkflowExecution]);
    assert_eq!(completion.sdk_metadata, None);
}

#[test]
fn s19_a_task_is_completed_once_after_replay_and_news() {
    let history = HistoryBuilder::first_task().task_completed().timer_started(1).timer_fired(5).task();
    let mut run = Run::new("run", RunOptions::default());
    run.handle_task(history.poll(), Scenario::now());
    let answer = |run: &mut Run, command| {
        run.handle_commands(vec![Issued { command, at: None }], Scenario::now());
    };
    assert!(matches!(run.poll_output(), Some(Output::Activate(told)) if told.is_replaying));
    assert!(run.poll_output().is_none());
    answer(&mut run, timer(1));
    assert!(matches!(run.poll_output(), Some(Output::Activate(told)) if !told.is_replaying));
    answer(&mut run, complete());
    assert!(matches!(run.poll_output(), Some(Output::Complete(_))));
    assert!(run.poll_output().is_none());
}

#[test]
fn s19_jobs_that_commands_bring_about_come_before_the_completion() {
    let cancel = || Command::CancelActivity { seq: 1 };
    let mut scenario = Scenario::new([vec![activity(1), cancel()], vec![complete()]]);
    let completion = scenario.completes(HistoryBuilder::first_task().poll());
    assert!(matches!(scenario.jobs(1), [Job::ResolveActivity { .. }]));
    assert_eq!(kinds(&completion), [CommandType::CompleteWorkflowExecution]);
}

#[test]
fn s19_a_task_without_news_is_completed_without_commands() {
    let mut scenario = Scenario::new([vec![timer(1)]]);
    scenario.completes(HistoryBuilder::first_task().poll());
    scenario.accepted();
    let task = HistoryBuilder::first_task().task_completed().timer_started(1).task().poll_from(4);
    let completion = scenario.completes(task);
    assert!(completion.commands.is_empty());
    assert_eq!(scenario.activations.len(), 1);
}

#[test]
fn s19_a_closed_run_reports_nothing() {
    run_to_end(&HistoryBuilder::first_task().task_completed().completed(), [vec![complete()]]);
}

#[test]
fn s19_commands_go_out_with_the_answers_to_queries() {
    let mut task = HistoryBuilder::first_task().poll();
    task.queries = query(&["a"]);
    let completion = Scenario::new([vec![timer(1)]]).completes(task);
    assert_eq!((kinds(&completion), completion.query_results.len()), (vec![CommandType::StartTimer], 1));
    assert!(!completion.force_create_new_workflow_task);
}

#[test]
fn s24_tasks_carry_their_token_and_attempt() {
    let mut task = HistoryBuilder::first_task().poll();
    task.attempt = 3;
    let completion = Scenario::new([vec![timer(1)]]).completes(task);
    assert_eq!((completion.task_token.as_ref(), completion.attempt), (&b"task 3"[..], 3));
}
