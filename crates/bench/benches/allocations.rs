//! How often the core and the workflow layer allocate, and how much: counted, so the same on every machine.
//!
//! What a task brings was allocated when it was decoded and does not count; what is made of it does. A word on the
//! command line chooses the lines that contain it, which a heap profiler wants.

mod support;

use allocation_counter::{AllocationInfo, measure};
use stead::data::history::History;
use stead::testing::Replayer;
use stead_activation::Guest;

use support::{Acts, Kind, Live, Tasks, Trivial, real, replay, sequence};

/// Tasks of a run before those that are counted: what is allocated once does not count.
const WARM_UP: usize = 100;
const TASKS: usize = 1_000;
const ACTIVITIES: u32 = 1_000;

fn main() {
    println!("{:<30} {:>12} {:>12}", "", "allocations", "bytes");
    for kind in Kind::ALL {
        let name = kind.name();
        report(&format!("task/core/{name}"), TASKS, || tasks(kind, Box::new(Trivial::new(kind, u32::MAX))));
        report(&format!("task/workflow/{name}"), TASKS, || tasks(kind, real(kind)));
    }
    let history = sequence(ACTIVITIES);
    let events = history.events.len();
    report("event/core", events, || {
        let history = history.clone();
        measure(|| replay(history, &mut Trivial::new(Kind::Activity, ACTIVITIES)))
    });
    report("event/workflow", events, || {
        let history = history.clone();
        measure(|| replay(history, &mut *real(Kind::Activity)))
    });
    report("event/replayer", events, || {
        let (replayer, history) = (Replayer::new().workflow::<Acts>(), History(history.clone()));
        measure(|| replayer.replay(history).expect("the history replays"))
    });
}

fn tasks(kind: Kind, guest: Box<dyn Guest>) -> AllocationInfo {
    let (mut run, mut tasks) = (Live::new(guest), Tasks::new(kind));
    (0..WARM_UP).for_each(|_| drop(run.complete(tasks.next())));
    let polled: Vec<_> = (0..TASKS).map(|_| tasks.next()).collect();
    measure(|| polled.into_iter().for_each(|task| drop(run.complete(task))))
}

fn report(what: &str, count: usize, counted: impl FnOnce() -> AllocationInfo) {
    // Cargo passes an option of its own.
    if std::env::args().skip(1).any(|word| !word.starts_with('-') && !what.contains(&word)) {
        return;
    }
    let AllocationInfo { count_total, bytes_total, .. } = counted();
    let each = |total: u64| total as f64 / count as f64;
    println!("{what:<30} {:>12.2} {:>12.0}", each(count_total), each(bytes_total));
}
