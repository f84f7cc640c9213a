//! What makes workflow code shorter: maps with an order, sagas, numbers that are counted once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use stead::data::metrics::{Metric, MetricSink, MetricValue};
use stead::data::{Failure, FailureKind};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

/// Books things one by one, and gives them back if one of them cannot be had.
#[derive(Default)]
struct Trip;

#[workflow]
impl Trip {
    #[run]
    async fn run(&self, wants: workflow::Map<String, u32>) -> workflow::Result<workflow::Set<String>> {
        workflow::saga(async |saga| {
            let mut booked = workflow::Set::new();
            for (what, price) in &wants {
                saga.undo_by(workflow::activity(Desk::give_back, what.as_str()).start_to_close(secs(5)));
                workflow::activity(Desk::book, (what.clone(), *price)).start_to_close(secs(5)).await?;
                booked.insert(what.clone());
                workflow::meter().with_attribute("what", what).counter("booked").add(u64::from(*price));
            }
            if booked.contains("patience") {
                workflow::sleep(hours(1)).await?;
            }
            Ok(booked)
        })
        .await
    }
}

#[derive(Default, Clone)]
struct Desk(Arc<Mutex<Vec<String>>>);

#[activities]
impl Desk {
    #[activity]
    fn book(&self, what: String, price: u32) -> activity::Result<()> {
        if price > 1000 {
            return Err(Failure::application(format!("{what} is too dear")).non_retryable().into());
        }
        self.0.lock().unwrap().push(format!("+{what}"));
        Ok(())
    }

    #[activity]
    fn give_back(&self, what: String) -> activity::Result<()> {
        if what == "glass" {
            return Err(Failure::application("the glass is broken").non_retryable().into());
        }
        self.0.lock().unwrap().push(format!("-{what}"));
        Ok(())
    }
}

impl Desk {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn wants<const N: usize>(prices: [(&str, u32); N]) -> workflow::Map<String, u32> {
    prices.into_iter().map(|(what, price)| (what.to_owned(), price)).collect()
}

#[tokio::test]
async fn a_saga_undoes_what_was_done_in_reverse_order_when_it_fails_or_is_cancelled() {
    let env = Env::new().await;
    let desk = Desk::default();
    // Each task replays what was before, and must come to the same order.
    let worker = env.worker().workflow::<Trip>().activities(desk.clone()).max_cached_workflows(0).build().unwrap();
    let work = async {
        let start = async |wants: workflow::Map<String, u32>| {
            let start = env.client.start_workflow(Trip::run, wants).id(env.id("trip")).task_queue(&env.task_queue);
            start.await.unwrap()
        };
        let fine = start(wants([("train", 50), ("hotel", 90), ("boat", 9), ("car", 1)])).await;
        assert_eq!(Vec::from_iter(fine.result().await.unwrap()).len(), 4);
        let sorted = ["+boat", "+car", "+hotel", "+train"];
        assert_eq!(
            BTreeMap::from_iter(desk.take().into_iter().map(|it| (it, ()))).into_keys().collect::<Vec<_>>(),
            sorted
        );
        env.replays(Replayer::new().workflow::<Trip>(), &fine, "saga").await;

        let dear = start(wants([("a", 1), ("b", 1), ("c", 5000)])).await;
        let error = dear.result().await.unwrap_err();
        assert!(format!("{error:?}").contains("too dear"), "{error:?}");
        assert_eq!(desk.take(), ["+a", "+b", "-c", "-b", "-a"], "the last one may have had an effect");
        env.replays(Replayer::new().workflow::<Trip>(), &dear, "saga-undone").await;

        let cancelled = start(wants([("a", 1), ("patience", 1)])).await;
        stead_tests::until_history_has(&cancelled, "TIMER_STARTED").await;
        cancelled.cancel().await.unwrap();
        assert!(cancelled.result().await.unwrap_err().is_cancelled());
        assert_eq!(desk.take(), ["+a", "+patience", "-patience", "-a"]);

        let broken = start(wants([("a", 1), ("glass", 1), ("z", 5000)])).await;
        let error = broken.result().await.unwrap_err();
        let failure = error.failure().unwrap();
        assert!(failure.message.starts_with("1 of the compensations failed after: "), "{failure:?}");
        assert!(matches!(&failure.kind, FailureKind::Application(it) if it.type_name == "CompensationFailed"));
        assert!(format!("{failure:?}").contains("the glass is broken"), "{failure:?}");
        assert_eq!(desk.take(), ["+a", "+glass", "-z", "-a"], "the others are undone nevertheless");
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Sums(Mutex<BTreeMap<String, u64>>);

impl MetricSink for Sums {
    fn record(&self, metric: &Metric<'_>, value: MetricValue, attributes: &[(&str, &str)]) {
        // The SDK's own metrics come here, too.
        if !attributes.iter().any(|(name, _)| *name == "what") {
            return;
        }
        let MetricValue::Integer(value) = value else { panic!("{value:?}") };
        let attribute = |name| attributes.iter().find(|(other, _)| *other == name).expect(name).1;
        let (what, kind) = (attribute("what"), attribute("workflow_type"));
        assert!(attribute("task_queue").starts_with("q-") && attribute("namespace") == "default");
        *self.0.lock().unwrap().entry(format!("{kind} {} {what}", metric.name)).or_default() += value;
    }
}

#[tokio::test]
async fn what_a_workflow_counts_is_counted_once_however_often_it_is_replayed() {
    let env = Env::new().await;
    let sums = Arc::new(Sums::default());
    let worker = env.worker().workflow::<Trip>().activities(Desk::default()).metrics(sums.clone());
    let run = env.client.start_workflow(Trip::run, wants([("a", 3), ("b", 4), ("c", 5)])).id(env.id("counted"));
    let run = run.task_queue(&env.task_queue).await.unwrap();
    worker.max_cached_workflows(0).build().unwrap().run_while(async { run.result().await }).await.unwrap().unwrap();
    let expected = [("a", 3), ("b", 4), ("c", 5)].map(|(what, sum)| (format!("Trip booked {what}"), sum));
    assert_eq!(*sums.0.lock().unwrap(), BTreeMap::from(expected));
}

/// What a run draws.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Drawn {
    stream: Vec<u64>,
    other: u64,
    id: String,
    seed: u64,
}

#[derive(Default)]
struct Draws;

#[workflow]
impl Draws {
    #[run]
    async fn run(&self, between: u32) -> workflow::Result<Drawn> {
        let mut stream = workflow::random_stream("one");
        let first = stream.random();
        for _ in 0..between {
            workflow::random::<u64>();
        }
        let id = workflow::uuid_v7();
        let info = workflow::info();
        assert!(info.start_time() <= info.first_task_time() && info.first_task_time() <= workflow::now());
        workflow::sleep(millis(5)).await?;
        let other = workflow::random_stream("other").random();
        assert_eq!(workflow::random_stream("one").random::<u64>(), first, "a stream begins anew");
        let seed = workflow::random_seed();
        Ok(Drawn { stream: vec![first, stream.random()], other, id: id.to_string(), seed })
    }
}

#[tokio::test]
async fn streams_of_numbers_do_not_depend_on_each_other_and_are_the_same_at_each_replay() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Draws>().max_cached_workflows(0).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Draws::run, 2).id(env.id("streams")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        let Drawn { stream, other, id, .. } = run.result().await.unwrap();
        assert!(stream[0] != stream[1] && stream[0] != other, "{stream:?} {other}");
        let id = uuid::Uuid::parse_str(&id).unwrap();
        assert_eq!(id.get_version_num(), 7);
        Replayer::new().workflow::<Draws>().replay(run.history().await.unwrap()).expect("the same numbers");
    };
    worker.run_while(work).await.unwrap();
}
