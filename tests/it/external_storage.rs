//! Large payloads are kept outside of the server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use stead::DataConverter;
use stead::data::{
    BoxFuture, CodecError, ExternalStorage, Payload, PayloadCodec, SerializationContext, StorageClaim, StorageDriver,
    StorageError,
};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

use crate::log::Log;

/// Keeps payloads in memory, equal ones once, and counts what it is asked for.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    payloads: Vec<Payload>,
    owners: BTreeMap<String, u32>,
    /// What was brought, and of which workflow, in the order of time.
    brought: Vec<(String, Payload)>,
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
        kept.brought.push((context.workflow_id().unwrap_or_default().to_owned(), payload.clone()));
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

/// A workflow that makes much of a little.
#[derive(Default)]
struct Copyist;

#[workflow]
impl Copyist {
    #[run]
    async fn run(&self, text: String) -> workflow::Result<String> {
        Ok(volume(&text[..1]))
    }
}

/// Has it made by a child.
#[derive(Default)]
struct Scriptorium;

#[workflow]
impl Scriptorium {
    #[run]
    async fn run(&self, child_id: String) -> workflow::Result<String> {
        let copy = workflow::child(Copyist::run, volume("original")).id(child_id).await?;
        Ok(copy[..1].to_owned())
    }
}

#[tokio::test]
async fn what_a_child_returns_is_kept_for_its_parent() {
    for max_cached_workflows in [100, 0] {
        let shelf = Shelf::default();
        let converter = DataConverter::new().with_external_storage(ExternalStorage::new(shelf.clone()).min_size(1000));
        let env = Env::new().await;
        let env = Env { client: env.client.with_data_converter(converter), ..env };
        let worker = env.worker().workflow::<Scriptorium>().workflow::<Copyist>();
        let worker = worker.max_cached_workflows(max_cached_workflows).build().unwrap();
        let (parent, child) = (env.id("parent"), env.id("child"));
        let work = async {
            let start = env.client.start_workflow(Scriptorium::run, &child).id(&parent);
            assert_eq!(start.task_queue(&env.task_queue).await.unwrap().result().await.unwrap(), "o");
        };
        worker.run_while(work).await.unwrap();
        let text = |text: &str| DataConverter::new().to_payload(text).unwrap();
        let brought = shelf.0.lock().unwrap().brought.clone();
        assert_eq!(brought, [(child, text(&volume("original"))), (parent, text(&volume("o")))]);
    }
}

#[tokio::test]
async fn slow_workflow_tasks_are_warned_of_with_what_storage_had_to_do() {
    let env = Env::new().await;
    let log = Log::start();
    for (storage, limit) in [(false, millis(0)), (true, millis(0)), (true, secs(60))] {
        let storage = storage.then(|| ExternalStorage::new(Shelf::default()).min_size(1000));
        let converter = storage.map_or_else(DataConverter::new, |it| DataConverter::new().with_external_storage(it));
        let client = env.client.with_data_converter(converter);
        let env = Env { client, task_queue: format!("{}-{limit:?}", env.task_queue) };
        let worker = env.worker().workflow::<Copyist>().warn_of_slow_workflow_tasks(limit).build().unwrap();
        let work = async {
            let copied = env.client.execute_workflow(Copyist::run, volume("a")).id(env.id("copyist"));
            assert_eq!(copied.task_queue(&env.task_queue).await.unwrap(), volume("a"));
        };
        worker.run_while(work).await.unwrap();
    }
    let warnings: Vec<_> = log.to_string().lines().filter(|it| it.contains("[TMPRL1104]")).map(str::to_owned).collect();
    let [without, with] = warnings.as_slice() else { panic!("one for each task that is slow: {warnings:#?}") };
    assert!(without.contains(":1 Workflow task duration exceeded 0 seconds."), "{without}");
    assert!(without.contains("workflow_type=\"Copyist\" event_id=3 attempt=1 workflow_task_duration="), "{without}");
    assert!(without.contains("payload_download_count=0") && without.contains("payload_upload_count=0"), "{without}");
    for shown in ["download_count=1 ", "download_drivers={\"shelf\"}", "upload_count=1 ", "upload_drivers={\"shelf\"}"]
    {
        assert!(with.contains(&format!("payload_{shown}")), "{shown}: {with}");
    }
    assert!(!with.contains("download_size=0") && !with.contains("upload_size=0"), "{with}");
}

/// Reads backwards, so that what has not passed it is told apart.
struct Mirror;

impl PayloadCodec for Mirror {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { Ok(payloads.into_iter().map(mirrored).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        _: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        Box::pin(async move { Ok(payloads.into_iter().map(mirrored).collect()) })
    }
}

fn mirrored(payload: Payload) -> Payload {
    Payload { data: payload.data.iter().rev().copied().collect::<Vec<_>>().into(), ..payload }
}

#[tokio::test]
async fn what_a_schedule_starts_passes_codec_and_storage() {
    let env = Env::new().await;
    let shelf = Shelf::default();
    let storage = ExternalStorage::new(shelf.clone()).min_size(1000);
    let converter = DataConverter::new().with_codec(Arc::new(Mirror)).with_external_storage(storage);
    let env = Env { client: env.client.with_data_converter(converter), ..env };
    let id = env.id("library");
    let create = env.client.create_schedule(env.id("nightly")).every(days(1));
    let schedule = create
        .start_workflow(Copyist::run, volume("a"), |run| {
            run.id(&id).task_queue(&env.task_queue).memo("index", "a volume")
        })
        .trigger_immediately()
        .await
        .unwrap();
    let known = format!("{:?}", schedule.describe().await.unwrap().raw());
    assert!(!known.contains(WORD) && known.contains("ExternalStorageReference"), "{known}");
    assert!(!known.contains("a volume") && known.contains("emulov a"), "{known}");

    let worker = env.worker().workflow::<Copyist>().build().unwrap();
    let work = async {
        let run = loop {
            if let Some(run) = schedule.describe().await.unwrap().recent_actions().into_iter().next() {
                break run;
            }
        };
        let run = env.client.workflow::<Copyist>(&run.workflow_id);
        assert_eq!(run.result().await.unwrap(), volume("a"));
        assert_eq!(run.describe().await.unwrap().memo::<String>("index").unwrap().as_deref(), Some("a volume"));
    };
    worker.run_while(work).await.unwrap();
    schedule.delete().await.unwrap();
    assert!(shelf.0.lock().unwrap().owners["workflow"] >= 2, "its argument and its result");
}

struct Copying;

#[nexus_service]
impl Copying {
    #[operation]
    async fn copy(&self, volume: String) -> String {
        volume
    }
}

#[derive(Default)]
struct Customer;

#[workflow]
impl Customer {
    #[run]
    async fn run(&self, endpoint: String) -> workflow::Result<bool> {
        let copied = workflow::nexus::<Copying>(endpoint).call(Copying::copy, volume("n")).await?;
        Ok(copied == volume("n"))
    }
}

#[tokio::test]
async fn xs_10_inputs_and_results_of_nexus_operations_are_kept_outside_of_the_server() {
    let shelf = Shelf::default();
    let converter = DataConverter::new().with_external_storage(ExternalStorage::new(shelf.clone()).min_size(1000));
    let env = Env::new().await;
    let env = Env { client: env.client.with_data_converter(converter), ..env };
    let worker = env.worker().workflow::<Customer>().nexus_service(Copying).build().unwrap();
    let work = async {
        let endpoint = env.nexus_endpoint().await;
        let customer = env.client.start_workflow(Customer::run, endpoint).id(env.id("customer"));
        let customer = customer.task_queue(&env.task_queue).await.unwrap();
        assert!(customer.result().await.unwrap());
        let history = customer.history().await.unwrap().to_json().unwrap();
        assert!(history.len() < volume("n").len(), "the volume is elsewhere: {} bytes", history.len());
    };
    worker.run_until(work).await.unwrap();
    let kept = shelf.0.lock().unwrap();
    assert!(kept.brought.len() >= 2 && kept.retrieved >= 2, "input and result were kept");
}

/// Gives volumes to a library, which need not be there.
#[derive(Default)]
struct Donor;

#[workflow]
impl Donor {
    #[run]
    async fn run(&self, library: String) -> workflow::Result<()> {
        let call = workflow::signal_with_start(Library::run, volume("a")).signal(Library::add, volume("b"));
        call.id(library).memo("index", &volume("i")).await?.signal(Library::add, volume("c")).await?;
        Ok(())
    }
}

#[tokio::test]
async fn what_a_workflow_sends_along_with_a_signal_and_a_start_is_kept_for_the_other_one() {
    let shelf = Shelf::default();
    let converter = DataConverter::new().with_external_storage(ExternalStorage::new(shelf.clone()).min_size(1000));
    let env = Env::new().await;
    let env = Env { client: env.client.with_data_converter(converter.clone()), ..env };
    let worker = env.worker().workflow::<Donor>().workflow::<Library>().activities(Press).build().unwrap();
    let id = env.id("library");
    let work = async {
        let donor = env.client.start_workflow(Donor::run, &id).id(env.id("donor")).task_queue(&env.task_queue);
        let donor = donor.await.unwrap();
        donor.result().await.unwrap();
        let library = env.client.workflow::<Library>(&id);
        let mut volumes = library.result().await.unwrap();
        volumes.sort();
        assert_eq!(volumes, [volume("a"), volume("b"), volume("c")]);
        let memo = library.describe().await.unwrap().memo::<String>("index").unwrap();
        assert_eq!(memo, Some(volume("i")));
        let known = format!("{:?}", donor.history().await.unwrap());
        assert!(!known.contains(WORD), "the server has got a volume");
        let replayer = Replayer::new().workflow::<Donor>().data_converter(converter.clone());
        replayer.replay_workflow(&donor).await.unwrap();
    };
    worker.run_while(work).await.unwrap();
    let brought = shelf.0.lock().unwrap().brought.clone();
    for name in ["a", "b", "c", "i"] {
        let payload = DataConverter::new().to_payload(&volume(name)).unwrap();
        assert!(brought.contains(&(id.clone(), payload)), "{name} was kept for the library");
    }
}
