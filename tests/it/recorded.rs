//! Recorded histories: what this SDK and others wrote must replay for ever. They are never edited.

use stead::data::history::History;
use stead::testing::Replayer;
use stead_tests::histories;

#[test]
fn every_recorded_history_is_json_that_reads_back_the_same() {
    let mut files = 0;
    for entry in std::fs::read_dir(histories()).expect("the folder of histories") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let history = History::from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let again = History::from_json(&history.to_json().expect("JSON")).expect("our own JSON");
        assert_eq!(history, again, "{}", path.display());
        files += 1;
    }
    assert!(files > 10, "only {files} histories in {}", histories().display());
}

#[test]
fn a_history_that_ends_in_the_middle_replays_up_to_there() {
    let text = std::fs::read_to_string(histories().join("timers.json")).expect("the recorded history");
    let whole = History::from_json(&text).expect("JSON");
    let replayer = Replayer::new().workflow::<super::timers::Waits>();
    // The server writes the completion of a task and its commands at once, so no export ends between them.
    let ends = ["TASK_SCHEDULED", "TASK_STARTED", "TIMER_FIRED"];
    for length in 1..whole.0.events.len() {
        let last = whole.0.events[length - 1].event_type().as_str_name();
        if !ends.iter().any(|end| last.ends_with(end)) {
            continue;
        }
        let mut part = whole.clone();
        part.0.events.truncate(length);
        replayer.replay(part).unwrap_or_else(|error| panic!("the first {length} events: {error}"));
    }
}
