//! Histories that other SDKs recorded on Temporal's own server replay with the same workflows written here.

use stead::data::history::History;
use stead::testing::{Replayer, violations};
use stead_tests::histories;
use stead_tests::moved::{Child, Countdown, Counter, Greeting, Order, Parent, Persistent, Versioned};

const RECORDED: [&str; 7] = ["activity", "local-activity", "patch", "child", "update", "continue-as-new", "order"];

fn replayer() -> Replayer {
    Replayer::new()
        .workflow::<Greeting>()
        .workflow::<Persistent>()
        .workflow::<Versioned>()
        .workflow::<Parent>()
        .workflow::<Child>()
        .workflow::<Counter>()
        .workflow::<Countdown>()
        .workflow::<Order>()
}

fn replays_all_of(sdk: &str) {
    let replayer = replayer();
    for name in RECORDED {
        let path = histories().join(sdk).join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let history = History::from_json(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = violations(&history);
        assert!(found.is_empty(), "{sdk}'s {name} cannot be: {found:#?}");
        replayer.replay(history).unwrap_or_else(|error| panic!("{sdk}'s {name} does not replay: {error}"));
    }
}

#[test]
fn histories_of_the_official_rust_sdk_replay() {
    replays_all_of("official-rust");
}

#[test]
fn histories_of_the_python_sdk_replay() {
    replays_all_of("python");
}
