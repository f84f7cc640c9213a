//! Faults on the wire between a worker and its server. Each time the worker recovers, no task is lost, and the log says
//! what happened once.

mod gateway;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use stead::client::{Client, Connect, KeepAlive, Remote, Tls};
use stead::prelude::*;
use stead::server::{Clock, Server};
use stead::worker::WorkerHandle;
use stead_tests::Env;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::log::Log;
use gateway::{Fault, Gateway};
use wire::{Identity, Wire};

const SHIPS: u32 = 5;
const LEGS: u32 = 4;

#[derive(Default)]
struct Voyage;

#[workflow]
impl Voyage {
    #[run]
    async fn run(&self) -> workflow::Result<u32> {
        let again = RetryPolicy::default().initial_interval(millis(10));
        let mut sailed = 0;
        for leg in 0..LEGS {
            sailed += workflow::activity(Sea::sail, leg).start_to_close(secs(5)).retry(again.clone()).await?;
        }
        Ok(sailed)
    }
}

/// Lets ships leave at once, but for the second leg, which is for the test to allow.
#[derive(Clone)]
struct Sea(Arc<Harbour>);

struct Harbour {
    waiting: AtomicU32,
    all_wait: Semaphore,
    allowed: Semaphore,
}

impl Sea {
    fn new() -> Self {
        let (waiting, all_wait, allowed) = (AtomicU32::new(0), Semaphore::new(0), Semaphore::new(0));
        Self(Arc::new(Harbour { waiting, all_wait, allowed }))
    }

    /// Until every ship waits to leave for its second leg.
    async fn all_wait(&self) {
        self.0.all_wait.acquire().await.unwrap().forget();
    }

    fn leave(&self) {
        self.0.allowed.add_permits(1_000_000);
    }
}

#[activities]
impl Sea {
    #[activity]
    async fn sail(&self, leg: u32) -> activity::Result<u32> {
        if leg == 1 {
            if self.0.waiting.fetch_add(1, Ordering::Relaxed) + 1 == SHIPS {
                self.0.all_wait.add_permits(1);
            }
            self.0.allowed.acquire().await.unwrap().forget();
        }
        Ok(1)
    }
}

/// Every ship is at sea when `fault` happens, and arrives all the same.
async fn all_arrive(client: &Client, fault: impl AsyncFnOnce(&Sea)) {
    all_arrive_on(client, client, async |sea, _| fault(sea).await).await;
}

/// The same where the worker has a client of its own.
async fn all_arrive_on(on: &Client, client: &Client, fault: impl AsyncFnOnce(&Sea, &WorkerHandle)) {
    let queue = format!("wire-{}", uuid::Uuid::new_v4());
    let sea = Sea::new();
    let worker = Worker::builder(on, &queue).workflow::<Voyage>().activities(sea.clone()).build().unwrap();
    let handle = worker.handle();
    let work = async {
        let start = |ship: u32| {
            let start = client.start_workflow(Voyage::run, ()).id(format!("{queue}-{ship}"));
            start.task_queue(&queue).task_timeout(secs(1)).into_future()
        };
        let ships: Vec<_> = join_all((0..SHIPS).map(start)).await.into_iter().map(Result::unwrap).collect();
        timeout(secs(30), sea.all_wait()).await.expect("all ships leave");
        fault(&sea, &handle).await;
        sea.leave();
        let arrive = join_all(ships.iter().map(|ship| async move { ship.result().await }));
        for sailed in timeout(secs(60), arrive).await.expect("all ships arrive") {
            assert_eq!(sailed.unwrap(), LEGS);
        }
    };
    worker.run_while(work).await.unwrap();
}

/// Connections that are noticed to be dead after a third of a second.
fn attentive(connect: Connect<Remote>) -> Connect<Remote> {
    let keep_alive = KeepAlive::default().interval(millis(150)).timeout(millis(150));
    connect.keep_alive(keep_alive).connect_timeout(millis(500))
}

#[tokio::test]
async fn a_connection_that_is_reset_is_made_again() {
    let _env = Env::new().await;
    let log = Log::start();
    let wire = Wire::start().await;
    let client = Client::connect(wire.address()).await.unwrap();
    all_arrive(&client, async |_| wire.reset()).await;
    assert_eq!(log.count("the connection is lost"), 1);
    assert_eq!(log.count("connected again"), 1);
    assert_eq!(log.loud(), 1);
}

#[tokio::test]
async fn a_worker_whose_server_is_gone_for_good_goes_on_with_another_client() {
    let env = Env::new().await;
    let wire = Wire::start().await;
    let client = Client::connect(wire.address()).await.unwrap();
    all_arrive_on(&client, &env.client, async |_, worker| {
        wire.reset();
        drop(wire);
        let elsewhere = env.client.with_namespace("elsewhere");
        let error = worker.replace_client(&elsewhere).await.unwrap_err().to_string();
        assert_eq!(error, "a worker of namespace `default` cannot go on with a client of namespace `elsewhere`");
        worker.replace_client(&env.client).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_worker_whose_key_is_refused_goes_on_with_another_client() {
    let env = Env::new().await;
    let gateway = Gateway::start().await;
    let client = Client::connect(gateway.address()).await.unwrap();
    all_arrive_on(&client, &env.client, async |_, worker| {
        gateway.fault(Fault::Status("16", "the key has expired"));
        gateway.says_goodbye();
        let is_refused = || worker.health().last_error.is_some_and(|it| it.message.contains("the key has expired"));
        while !is_refused() {
            sleep(millis(5)).await;
        }
        worker.replace_client(&env.client).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_goodbye_is_connected_to_again() {
    let _env = Env::new().await;
    let log = Log::start();
    let gateway = Gateway::start().await;
    let client = Client::connect(gateway.address()).await.unwrap();
    all_arrive(&client, async |_| gateway.says_goodbye()).await;
    assert_eq!(gateway.connections(), 2);
    assert!(log.count("the server has closed the connection") <= 1);
    assert_eq!(log.loud(), 0);
}

#[tokio::test]
async fn a_connection_whose_other_end_is_gone_is_given_up_and_made_again() {
    let _env = Env::new().await;
    let log = Log::start();
    let wire = Wire::start().await;
    let client = attentive(Client::connect(wire.address())).await.unwrap();
    all_arrive(&client, async |_| wire.leave_half_open()).await;
    assert_eq!(log.count("the connection is lost"), 1);
    assert_eq!(log.count("connected again"), 1);
    assert_eq!(log.loud(), 1);
}

/// Ten times longer than the client waits for the answer to a ping, as a minute is of the default.
#[tokio::test]
async fn a_network_that_stalls_for_a_while_is_outlasted() {
    let _env = Env::new().await;
    let log = Log::start();
    let wire = Wire::start().await;
    let client = attentive(Client::connect(wire.address())).await.unwrap();
    all_arrive(&client, async |sea| {
        wire.stall();
        sea.leave();
        sleep(millis(1500)).await;
        wire.flow();
    })
    .await;
    assert_eq!(log.count("the connection is lost"), 1);
    assert_eq!(log.count("connected again"), 1);
    assert!(log.loud() <= 2);
}

#[tokio::test]
async fn a_task_that_is_larger_than_the_limit_is_named_and_given_out_again() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let _env = Env::new().await;
    let log = Log::start();
    let gateway = Gateway::start().await;
    let client = Client::connect(gateway.address()).max_response_size(LIMIT).await.unwrap();
    gateway.fault(Fault::NextTaskGrowsTo(LIMIT));
    all_arrive(&client, async |_| {
        assert!(gateway.has_grown(), "what is just as large as the limit is taken");
        assert_eq!(log.loud(), 0);
        gateway.fault(Fault::NextTaskGrowsTo(LIMIT + 1));
    })
    .await;
    assert!(gateway.has_grown());
    assert_eq!(log.count("a task was not received"), 1);
    assert_eq!(log.count(&format!("over the limit of {LIMIT} bytes")), 1);
    assert_eq!(log.loud(), 1);
}

#[tokio::test]
async fn a_server_that_is_exhausted_is_left_in_peace_until_it_is_not() {
    let _env = Env::new().await;
    let log = Log::start();
    let gateway = Gateway::start().await;
    let client = Client::connect(gateway.address()).await.unwrap();
    all_arrive(&client, async |sea| {
        gateway.fault(Fault::Status("8", "namespace rate limit exceeded"));
        sea.leave();
        sleep(secs(4)).await;
        gateway.fault(Fault::None);
    })
    .await;
    // Its pollers, its answers and a heartbeat: after 0, 1 and 3 s each.
    assert!((1..60).contains(&gateway.refused()), "{} calls were made meanwhile", gateway.refused());
    assert!(log.loud() <= 1);
}

#[tokio::test]
async fn a_server_that_is_unavailable_for_a_while_is_warned_of_once() {
    let _env = Env::new().await;
    let log = Log::start();
    let gateway = Gateway::start().await;
    let client = Client::connect(gateway.address()).await.unwrap();
    all_arrive(&client, async |sea| {
        gateway.fault(Fault::Status("14", "not enough hosts to serve the request"));
        sea.leave();
        sleep(secs(4)).await;
        gateway.fault(Fault::None);
    })
    .await;
    assert!(gateway.refused() > 20, "{}", gateway.refused());
    assert_eq!(log.count("not enough hosts to serve the request"), 1);
    assert_eq!(log.count("the server answers again"), 1);
    assert_eq!(log.loud(), 1);
}

/// A server of its own: nobody else's clock is to be moved.
#[tokio::test]
async fn clocks_that_jump_and_differ_by_days_do_no_harm() {
    const DAYS: Duration = Duration::from_secs(3 * 24 * 3600);
    let log = Log::start();
    let now = std::time::SystemTime::now();
    for start in [now - DAYS, now, now + DAYS] {
        let clock = Clock::skipping().starting_at(start);
        let server = Server::in_memory().clock(clock).listen(0).start().await.unwrap();
        let wire = Wire::to(server.address().unwrap()).await;
        let client = Client::connect(wire.address()).await.unwrap();
        all_arrive(&client, async |_| {
            server.clock().advance(DAYS).await.unwrap();
        })
        .await;
        server.shutdown().await;
    }
    assert_eq!(log.loud_but("the connection is lost"), 0);
}

/// A server of its own, which is to be stopped.
#[tokio::test]
async fn a_server_that_is_started_again_finds_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Server::sqlite(folder.path().join("sea.db")).listen(0).start();
    let log = Log::start();
    let server = start().await.unwrap();
    let mut successor = None;
    let wire = Wire::to(server.address().unwrap()).await;
    let client = attentive(Client::connect(wire.address())).await.unwrap();
    all_arrive(&client, async |sea| {
        server.shutdown().await;
        sea.leave();
        sleep(secs(2)).await;
        let server = successor.insert(start().await.unwrap());
        wire.leads_to(server.address().unwrap());
    })
    .await;
    assert_eq!(log.count("call failed repeatedly"), 1);
    assert_eq!(log.count("the server answers again"), 1);
    assert!(log.loud() <= 2);
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_named_once_and_its_successor_trusted() {
    let _env = Env::new().await;
    let log = Log::start();
    let wire = Wire::start().await.encrypted(Identity::Valid);
    let tls = Tls::new().ca_certificate(wire::CA).server_name("temporal.test");
    let client = Client::connect(wire.address()).tls(tls).await.unwrap();
    all_arrive(&client, async |sea| {
        wire.set_identity(Identity::Expired);
        wire.reset();
        sea.leave();
        sleep(secs(3)).await;
        wire.set_identity(Identity::Valid);
    })
    .await;
    assert_eq!(log.count("certificate expired"), 1);
    assert_eq!(log.count("the connection is lost"), 1);
    assert_eq!(log.count("connected again"), 1);
    assert_eq!(log.count("the server answers again"), 1);
    assert_eq!(log.loud(), 2);
}
