//! [`WorkerNode`]: the process of a worker, and its crashes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use stead_worker::WorkerBuilder;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::network::{Network, Node};
use super::{TASK_QUEUE, connect};
use crate::env::TestWorkerBuilder;
use crate::error::TestError;

/// What a worker runs.
#[derive(Clone)]
pub(super) struct Program(Rc<dyn Fn(TestWorkerBuilder) -> TestWorkerBuilder>);

impl Program {
    pub(super) fn new(program: impl Fn(TestWorkerBuilder) -> TestWorkerBuilder + 'static) -> Self {
        Self(Rc::new(program))
    }

    pub(super) fn apply(&self, worker: TestWorkerBuilder) -> TestWorkerBuilder {
        (self.0)(worker)
    }
}

/// A worker that crashes and comes back.
pub(super) struct WorkerNode(Rc<Crash>);

/// Tells a worker to crash.
#[derive(Default)]
struct Crash {
    told: Notify,
    /// How long it is gone then.
    down: Cell<Duration>,
}

impl WorkerNode {
    pub(super) fn start(number: usize, program: Program, network: &Network) -> Self {
        let crash = Rc::new(Crash::default());
        tokio::task::spawn_local(live(number + 1, program, network.clone(), Rc::clone(&crash)));
        Self(crash)
    }

    /// Ends its process for so long. One that is down already is down for longer.
    pub(super) fn crash(&self, down: Duration) {
        self.0.down.set(down);
        self.0.told.notify_one();
    }
}

/// The lives of a worker, one after the other.
async fn live(number: usize, program: Program, network: Network, crash: Rc<Crash>) {
    for life in 1.. {
        let name = format!("worker-{number}.{life}");
        let node = network.node(&name);
        let mut work = tokio::task::spawn_local(work(name.clone(), node.clone(), program.clone()));
        let down = tokio::select! {
            biased;
            () = crash.told.notified() => {
                work.abort();
                crash.down.get()
            }
            ended = &mut work => {
                if let Ok(Err(error)) = ended {
                    network.note(format_args!("{name} gives up: {error}"));
                }
                AFTER_AN_ERROR
            }
        };
        node.kill();
        network.note(format_args!("{name} is gone, for {down:?}"));
        sleep(down).await;
    }
}

async fn work(name: String, node: Node, program: Program) -> Result<(), TestError> {
    let client = connect(node, &name).await?;
    let worker = program.apply(TestWorkerBuilder::new(&client, TASK_QUEUE)).with(WorkerBuilder::on_one_thread);
    Ok(worker.build()?.run().await?)
}

/// As whatever starts processes would wait.
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);
