//! Every history that was ever recorded here is one that a server can have written.

use stead::data::history::History;
use stead::testing::violations;
use stead_tests::{arms, histories};

#[test]
fn recorded_histories_are_well_formed() {
    let files = std::fs::read_dir(histories()).expect("the folder of histories");
    let (mut read, mut ordered) = (0, 0);
    for file in files {
        let path = file.expect("a file").path();
        if path.is_dir() {
            continue;
        }
        let json = std::fs::read_to_string(&path).expect("a text");
        let history = History::from_json(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let violations = violations(&history);
        assert!(violations.is_empty(), "{}: {violations:#?}", path.display());
        assert_eq!(arms::differences(&history, &history), Vec::<String>::new());
        ordered += i32::from(arms::has_one_order(&history));
        read += 1;
    }
    assert!(ordered >= 15, "only {ordered} of {read} histories are compared in their order");
    assert!(read > 50, "only {read} histories");
}

/// Each test that replays a history compares it so with that of Temporal's server.
#[test]
fn the_comparison_of_two_histories_finds_what_differs() {
    let read = |name: &str| {
        let json = std::fs::read_to_string(histories().join(name)).expect("a history");
        History::from_json(&json).expect("a history")
    };
    for (name, one_order) in [("time-skipped.json", true), ("timers.json", false)] {
        let recorded = read(name);
        assert_eq!(arms::has_one_order(&recorded), one_order, "{name}");
        let mut other = recorded.clone();
        other.0.events.iter_mut().for_each(|event| event.event_time = None);
        assert_eq!(arms::differences(&recorded, &other), Vec::<String>::new(), "times do not count");
        other.0.events[4].worker_may_ignore = true;
        assert_eq!(arms::differences(&recorded, &other).len(), 1, "a field that is another in {name}");
        other.0.events.truncate(4);
        assert!(!arms::differences(&recorded, &other).is_empty(), "events that are missing in {name}");
    }
}
