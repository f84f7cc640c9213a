//! What the core costs without a server: replay per event, and live tasks from the poll's answer to the completion.
//!
//! `core` runs a guest that issues commands and is no workflow; `workflow` runs a workflow on top of it; `replayer` is
//! what users call. The differences between them are what each layer costs.

mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stead::data::history::History;
use stead::testing::Replayer;
use stead_activation::Guest;

use support::{Acts, Kind, Live, Tasks, Trivial, real, replay, sequence};

/// Histories of 605 and of 6,005 events.
const ACTIVITIES: [u32; 2] = [100, 1_000];

fn replays(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay");
    for activities in ACTIVITIES {
        let history = sequence(activities);
        let events = history.events.len();
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(BenchmarkId::new("core", events), |bencher| {
            let routine = |history| replay(history, &mut Trivial::new(Kind::Activity, activities));
            bencher.iter_batched(|| history.clone(), routine, BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("workflow", events), |bencher| {
            let routine = |history| replay(history, &mut *real(Kind::Activity));
            bencher.iter_batched(|| history.clone(), routine, BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("replayer", events), |bencher| {
            let replayer = Replayer::new().workflow::<Acts>();
            let routine = |history| replayer.replay(history).expect("the history replays");
            bencher.iter_batched(|| History(history.clone()), routine, BatchSize::PerIteration);
        });
    }
}

/// One task with one piece of news, in a run that is cached.
fn activations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("task");
    for kind in Kind::ALL {
        for (layer, guest) in guests(kind) {
            group.bench_function(BenchmarkId::new(layer, kind.name()), |bencher| {
                let (mut run, mut tasks) = (Live::new(guest()), Tasks::new(kind));
                run.complete(tasks.next());
                bencher.iter_batched(|| tasks.next(), |task| black_box(run.complete(task)), BatchSize::SmallInput);
            });
        }
    }
}

type MakeGuest = Box<dyn Fn() -> Box<dyn Guest>>;

fn guests(kind: Kind) -> [(&'static str, MakeGuest); 2] {
    let trivial: MakeGuest = Box::new(move || Box::new(Trivial::new(kind, u32::MAX)));
    [("core", trivial), ("workflow", Box::new(move || real(kind)))]
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = replays, activations
}
criterion_main!(benches);
