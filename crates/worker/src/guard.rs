//! The determinism guard, as what looks at the polls of workflow code.

use std::sync::{Arc, OnceLock};

use stead_guard::{Coverage, Kind, Sighting, self_test, suspended, watch};
use stead_workflow::{PollWatch, Unrecorded};

/// The guard. The first time, says in the log what it sees in this program.
pub(crate) fn start() -> Arc<dyn PollWatch> {
    static COVERAGE: OnceLock<Coverage> = OnceLock::new();
    COVERAGE.get_or_init(|| {
        let coverage = self_test();
        match coverage.unseen.is_empty() {
            true => tracing::info!(target: "stead::worker", "{coverage}"),
            false => tracing::warn!(target: "stead::worker", "{coverage}"),
        }
        coverage
    });
    Arc::new(Guard)
}

struct Guard;

impl PollWatch for Guard {
    fn watch(&self, poll: &mut dyn FnMut()) -> Option<Unrecorded> {
        let ((), sighting) = watch(poll);
        sighting.map(|sighting| unrecorded(&sighting))
    }

    fn suspend(&self, f: &mut dyn FnMut()) {
        suspended(f);
    }
}

fn unrecorded(sighting: &Sighting) -> Unrecorded {
    let frames = sighting.frames();
    let is_ours = |function: &str| function.starts_with("stead_workflow::executor::");
    let of_user = frames.iter().take_while(|frame| !is_ours(&frame.function));
    Unrecorded {
        call: sighting.call().to_owned(),
        instead: instead(sighting.kind()),
        stack_trace: of_user.map(|frame| format!("{frame}\n")).collect(),
    }
}

fn instead(kind: Kind) -> &'static str {
    match kind {
        Kind::Clock => "use `workflow::now()`, and wrap a subscriber of `tracing`, if it was one, in `SkipReplays`",
        Kind::Randomness => "use `workflow::random()` or `workflow::uuid()`",
        Kind::Sleep => "use `workflow::sleep()`",
        Kind::Threads => "use `workflow::spawn()`",
        Kind::Environment => "pass configuration as input",
        _ => "do I/O in an activity",
    }
}
