use std::time::Duration;

use stead_proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use stead_proto::workflowservice::v1::RespondActivityTaskCompletedRequest;
use stead_server::engine::{Config, Engine};
use stead_server::store::{Row, Table};

use crate::call;
use crate::support::{Server, complete_request, complete_workflow, schedule_activity, start_timer};
use crate::updates::{accept, answer, reject, respond, update_request};

pub(crate) fn durable() -> Config {
    let mut config = Config::default();
    config.durable = true;
    // Whatever has closed has to be read again.
    config.limits.closed_histories = 0;
    config
}

/// A server that knows what the old one wrote and nothing else.
pub(crate) fn restarted(old: Server) -> Server {
    let rows = old.kept.iter().map(|((table, key), value)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    });
    let engine = Engine::restore(durable(), rows.collect::<Vec<_>>(), old.now).expect("rows that can be read");
    Server { engine, answers: Vec::new(), ..old }
}

#[test]
fn what_a_run_waits_for_is_known_after_a_restart() {
    let mut server = Server::with(durable());
    server.start("w");
    server.step(vec![start_timer("t", 60), schedule_activity("a")]);
    let before = server.history("w");
    let mut server = restarted(server);
    assert_eq!(server.history("w"), before);
    let activity = server.activity();
    let answer = RespondActivityTaskCompletedRequest { task_token: activity.task_token, ..Default::default() };
    call!(server, RespondActivityTaskCompleted, answer);
    let task = server.task();
    let mut server = restarted(server);
    server.advance(Duration::from_secs(5));
    call!(server, RespondWorkflowTaskCompleted, complete_request(&task, vec![]));
    server.advance(Duration::from_secs(55));
    server.step(vec![complete_workflow()]);
    assert!(server.events("w").contains("TimerFired"), "{}", server.events("w"));
}

#[test]
fn an_accepted_update_is_known_after_a_restart() {
    let mut server = Server::with(durable());
    server.start("w");
    server.step(Vec::new());
    server.send(update_request("w", "u", Stage::Completed));
    server.send(update_request("w", "lost", Stage::Completed));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), reject("lost")]));
    server.send(update_request("w", "lost", Stage::Completed));
    let mut server = restarted(server);
    let update = server.send(update_request("w", "u", Stage::Completed));
    server.signal("w", "go on");
    let task = server.task();
    assert!(task.messages.is_empty(), "what nobody decided about is sent again by its caller: {:?}", task.messages);
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![respond("u")]));
    assert!(server.answer(update).is_some(), "the update is completed");
    let mut server = restarted(server);
    call!(server, UpdateWorkflowExecution, update_request("w", "u", Stage::Completed));
}

#[test]
fn run_ids_are_not_given_out_again() {
    let mut server = Server::with(durable());
    let first = server.start("one");
    let mut server = restarted(server);
    assert_ne!(server.start("two"), first);
}

#[test]
fn a_damaged_row_is_named() {
    let mut server = Server::with(durable());
    server.start("w");
    let damaged = server.kept.iter_mut().find(|((table, _), _)| *table == Table::Runs).expect("a row of the run");
    *damaged.1 = vec![0xff].into();
    let rows = std::mem::take(&mut server.kept).into_iter();
    let rows: Vec<_> = rows.map(|((table, key), value)| Row { table, key, value: Some(value) }).collect();
    let error = Engine::restore(durable(), rows, server.now).unwrap_err();
    assert_eq!(error.table, Table::Runs);
    assert!(error.to_string().starts_with("a row of Runs cannot be read (key 0000000000000001)"), "{error}");
}

#[test]
fn a_forgotten_run_leaves_no_row() {
    let mut server = Server::with(durable());
    let rows =
        |server: &Server| server.kept.keys().filter(|(table, _)| *table != Table::Meta).cloned().collect::<Vec<_>>();
    let before = rows(&server);
    server.start("w");
    server.step(vec![start_timer("t", 60), schedule_activity("a")]);
    server.signal("w", "hello");
    server.step(vec![complete_workflow()]);
    server.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(rows(&server), before);
}
