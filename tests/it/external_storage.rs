//! Large payloads are kept outside of the server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stead::DataConverter;
use stead::data::{
    BoxFuture, ExternalStorage, Payload, SerializationContext, StorageClaim, StorageDriver, StorageError,
};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

/// Keeps payloads in memory, equal ones once, and counts what it is asked for.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    payloads: Vec<Payload>,
    owners: BTreeMap<String, u32>,
    retrieved: u32,
}

impl Shelf {
    fn keep(&self, payload: Payload, context: &SerializationContext) -> StorageClaim {
        let mut kept = self.0.lock().unwrap();
        let owner = match context.activity() {
            Some(activity) => format!("activity {}", activity.activity_type.clone().unwrap_or_default()),
            None => "workflow".to_owned(),
        };
        *kept.owners.entry(owner).or_default() += 1;
        let known = kept.payloads.iter().position(|it| *it == payload);
        let number = known.unwrap_or_else(|| {
            kept.payloads.push(payload);
            kept.payloads.len() - 1
        });
        StorageClaim([("number".to_owned(), number.to_string())].into())
    }

    fn find(&self, claim: &StorageClaim) -> Result<Payload, StorageError> {
        let mut kept = self.0.lock().unwrap();
        kept.retrieved += 1;
        let number = claim.0.get("number").and_then(|number| number.parse::<usize>().ok());
        number.and_then(|number| kept.payloads.get(number).cloned()).ok_or_else(|| StorageError::new("it is not here"))
    }
}

impl StorageDriver for Shelf {
    fn name(&self) -> &str {
        "shelf"
    }

    fn store<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<StorageClaim>, StorageError>> {
        Box::pin(async move { Ok(payloads.into_iter().map(|payload| self.keep(payload, context)).collect()) })
    }

    fn retrieve(&self, claims: Vec<StorageClaim>) -> BoxFuture<'_, Result<Vec<Payload>, StorageError>> {
        Box::pin(async move { claims.iter().map(|claim| self.find(claim)).collect() })
    }
}

const WORD: &str = "voluminous ";

fn volume(name: &str) -> String {
    format!("{name}: {}", WORD.repeat(1000))
}

struct Press;

#[activities]
impl Press {
    #[activity]
    async fn print(&self, text: String) -> activity::Result<String> {
        if activity::heartbeat_details::<String>()?.is_none() {
            activity::heartbeat(&volume("proof"));
            return Err("a paper jam".into());
        }
        Ok(text)
    }

    #[activity]
    async fn read(&self, text: String) -> activity::Result<String> {
        Ok(text)
    }
}

#[derive(Default)]
struct Library {
    volumes: State<Vec<String>>,
}

#[workflow]
impl Library {
    #[run]
    async fn run(&self, first: String) -> workflow::Result<Vec<String>> {
        let again = RetryPolicy::default().initial_interval(millis(1));
        let printing = workflow::activity(Press::print, &first).start_to_close(secs(5)).heartbeat(secs(5)).retry(again);
        let printed = printing.await?;
        let read = workflow::local_activity(Press::read, &printed).start_to_close(secs(5)).await?;
        self.volumes.update(|volumes| volumes.push(read));
        workflow::wait_until(|| self.volumes.get().len() > 2).await?;
        Ok(self.volumes.get())
    }

    #[signal]
    fn add(&self, volume: String) {
        self.volumes.update(|volumes| volumes.push(volume));
    }

    #[update]
    async fn add_and_count(&self, volume: String) -> String {
        self.volumes.update(|volumes| volumes.push(volume.clone()));
        volume
    }

    #[query]
    fn find(&self, volume: String) -> Option<String> {
        self.volumes.get().into_iter().find(|it| *it == volume)
    }
}

#[tokio::test]
async fn large_payloads_are_kept_outside_of_the_server_wherever_they_travel() {
    for max_cached_workflows in [100, 0] {
        let shelf = Shelf::default();
        let converter = DataConverter::new().with_external_storage(ExternalStorage::new(shelf.clone()).min_size(1000));
        let env = Env::new().await;
        let env = Env { client: env.client.with_data_converter(converter.clone()), ..env };
        let worker = env.worker().workflow::<Library>().activities(Press).max_cached_workflows(max_cached_workflows);
        let work = async {
            let start = env.client.start_workflow(Library::run, volume("a")).id(env.id("library"));
            let library = start.task_queue(&env.task_queue).memo("index", "small").await.unwrap();
            assert_eq!(library.update(Library::add_and_count, volume("b")).await.unwrap(), volume("b"));
            library.signal(Library::add, volume("c")).await.unwrap();
            let mut volumes = library.result().await.unwrap();
            volumes.sort();
            assert_eq!(volumes, [volume("a"), volume("b"), volume("c")]);
            let found = library.query(Library::find, volume("b")).await.unwrap();
            assert_eq!(found, Some(volume("b")));

            let history = library.history().await.unwrap();
            let known = format!("{history:?}");
            assert!(!known.contains(WORD), "the server has got a volume");
            assert!(known.contains("temporal.api.sdk.v1.ExternalStorageReference"));
            assert!(known.contains("small"), "what is small stays where it was");
            let replayer = Replayer::new().workflow::<Library>();
            replayer.clone().data_converter(converter.clone()).replay_workflow(&library).await.unwrap();
            let lost = replayer.replay_workflow(&library).await.unwrap_err();
            let lost = format!("{lost:?}");
            assert!(lost.contains("[TMPRL1105]"), "{lost}");
        };
        worker.build().unwrap().run_while(work).await.unwrap();

        let kept = shelf.0.lock().unwrap();
        // Three volumes, a proof, and the list of the three: the same volume is stored once, however often it travels.
        assert_eq!(kept.payloads.len(), 5, "{:?}", kept.owners);
        assert!(kept.owners["activity print"] >= 3, "argument, heartbeat and result: {:?}", kept.owners);
        assert!(kept.owners["activity read"] >= 1 && kept.owners["workflow"] >= 4, "{:?}", kept.owners);
    }
}
