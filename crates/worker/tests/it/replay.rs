//! Replay: histories against code, without a server.

use stead_data::history::History;
use stead_worker::replay::{ReplayError, ReplayManyError, Replayer};

use crate::workflows::{Events, Hello, Nap};

fn replayer() -> Replayer {
    Replayer::new().workflow::<Hello>().workflow::<Nap>()
}

fn napped() -> Events {
    Events::started("Nap", &60_u64).task_completed().timer_started("1", 60).timer_fired("1").task_started()
}

fn replay(events: Events) -> Result<(), ReplayError> {
    replayer().replay(History(events.history()))
}

#[test]
fn a_closed_workflow_replays() {
    replay(napped().task_completed().workflow_completed()).expect("the code did this");
}

#[test]
fn an_open_workflow_replays_before_its_first_task_is_done_and_between_tasks_and_within_one() {
    replay(Events::started("Nap", &60_u64)).expect("its first task is under way");
    replay(Events::started("Nap", &60_u64).task_completed().timer_started("1", 60)).expect("it sleeps");
    replay(napped()).expect("its last task is under way");
}

#[test]
fn a_difference_names_event_and_command_and_source_line() {
    let closed_at_once = Events::started("Nap", &60_u64).task_completed().workflow_completed();
    let error = replay(closed_at_once).expect_err("the code sleeps");
    let mismatch = error.mismatch().expect("history and code differ");
    assert_eq!(mismatch.event_id, 5);
    assert!(mismatch.found.is_some() && mismatch.expected.is_some(), "{mismatch:?}");
    let line = mismatch.at.expect("the line that sleeps");
    assert!(line.file().ends_with("workflows.rs"), "{line}");
    let text = error.to_string();
    assert!(text.starts_with("workflow `w` of type `Nap` does not replay: [TMPRL1100]"), "{text}");
    assert!(text.contains("workflows.rs"), "{text}");
}

#[test]
fn an_unregistered_type_and_a_panic_are_told_apart_from_a_difference() {
    let error = replay(Events::started("Refund", &()).task_completed()).expect_err("nobody knows it");
    assert!(matches!(&error, ReplayError::Failed { .. }), "{error:?}");
    assert!(error.to_string().contains("available workflows: Hello, Nap"), "{error}");
    let error = replay(Events::started("Hello", &"").task_completed().workflow_completed()).expect_err("it panics");
    assert!(error.to_string().contains("nobody to greet"), "{error}");
}

#[test]
fn an_empty_history_is_an_error() {
    let error = replayer().replay(History::default()).expect_err("there is nothing");
    assert!(matches!(&error, ReplayError::BadHistory { .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_of_json_files_replays_and_each_failure_is_named() {
    let directory = std::env::temp_dir().join(format!("stead-replay-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("more")).expect("a temporary folder");
    let good = History(napped().task_completed().workflow_completed().history()).to_json().expect("plain events");
    std::fs::write(directory.join("good.json"), good).expect("a file");
    let replayed = replayer().replay_dir(&directory).await.expect("one good history");
    assert_eq!(replayed, [directory.join("good.json").display().to_string()]);

    std::fs::write(directory.join("more/bad.json"), "[]").expect("a file");
    let error = replayer().replay_dir(&directory).await.expect_err("one is no history");
    let ReplayManyError::Failed { histories, failures, .. } = &error else { panic!("{error:?}") };
    assert_eq!((*histories, failures.len()), (2, 1));
    assert!(error.to_string().contains("bad.json"), "{error}");
    std::fs::remove_dir_all(&directory).expect("the folder is ours");

    let error = replayer().replay_dir(&directory).await.expect_err("it is gone");
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn many_histories_replay_side_by_side_with_progress_to_the_end_or_to_the_first_failure() {
    let directory = std::env::temp_dir().join(format!("stead-replay-many-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a temporary folder");
    let json = |events: Events| History(events.history()).to_json().expect("plain events");
    let (good, bad) = (json(napped().task_completed().workflow_completed()), json(Events::started("Nobody", &())));
    for number in 0..20 {
        let history = if [7, 13].contains(&number) { &bad } else { &good };
        std::fs::write(directory.join(format!("{number:02}.json")), history).expect("a file");
    }
    let mut seen = Vec::new();
    let replayer = replayer();
    let all = replayer.replay_dir(&directory).concurrency(4).on_progress(|it| {
        seen.push((it.done, it.failed, it.total, it.error.is_some()));
    });
    let error = all.await.expect_err("two do not replay");
    let failed: Vec<_> = error.failures().iter().map(|(name, _)| &name[name.len() - 7..]).collect();
    assert_eq!(failed, ["07.json", "13.json"]);
    assert!(seen.iter().map(|it| it.0).eq(1..=20) && seen.iter().all(|it| it.2 == Some(20)), "{seen:?}");
    assert_eq!((seen.last().expect("20").1, seen.iter().filter(|it| it.3).count()), (2, 2));

    let first = replayer.replay_dir(&directory).concurrency(1).fail_fast().await.expect_err("one does not replay");
    let ReplayManyError::Failed { histories, failures, .. } = &first else { panic!("{first:?}") };
    assert_eq!((*histories, failures.len()), (8, 1), "the others are not looked at");
    std::fs::remove_dir_all(&directory).expect("the folder is ours");
}
