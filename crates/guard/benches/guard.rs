//! What the watch of one poll costs, and what a watched function costs where nobody watches.

use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use criterion::{Criterion, criterion_group, criterion_main};
use stead_guard::{suspended, watch};

/// Never ready.
struct Waits;

impl Future for Waits {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn polls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("guard");
    let mut future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(Waits);
    let mut cx = Context::from_waker(Waker::noop());
    group.bench_function("poll", |bencher| bencher.iter(|| black_box(future.as_mut().poll(&mut cx))));
    group
        .bench_function("poll, watched", |bencher| bencher.iter(|| watch(|| black_box(future.as_mut().poll(&mut cx)))));
    group.bench_function("suspended", |bencher| bencher.iter(|| suspended(|| black_box(7))));
    group.bench_function("SystemTime::now, not watched", |bencher| bencher.iter(SystemTime::now));
    group.bench_function("a sighting", |bencher| bencher.iter(|| watch(|| black_box(std::env::var_os("HOME")))));
    group.finish();
}

criterion_group!(benches, polls);
criterion_main!(benches);
