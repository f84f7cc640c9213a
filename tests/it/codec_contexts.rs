//! A codec and a payload converter are told whose payloads they get, and told the same when they come back.

use std::error::Error;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stead::DataConverter;
use stead::data::{
    BoxFuture, CodecError, EncodedAttributes, Payload, PayloadCodec, PayloadConverter, SerializationContext,
};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

/// Writes whose it is on each payload, and insists on being told the same again.
struct Seals;

fn owner(context: &SerializationContext) -> String {
    let namespace = context.namespace().expect("everything here belongs to a workflow");
    let workflow = context.workflow_id().expect("everything here belongs to a workflow");
    let activity = context.activity().map(|it| (it.activity_id.as_str(), it.is_local));
    format!("{namespace}/{workflow}/{activity:?}")
}

fn turned(mut payload: Payload) -> Payload {
    payload.data = payload.data.iter().map(|byte| byte ^ 0x5a).collect();
    payload
}

impl PayloadCodec for Seals {
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let seal = |payload: Payload| {
            let mut payload = turned(payload);
            payload.metadata.insert("owner".to_owned(), owner(context).into());
            payload
        };
        Box::pin(async move { Ok(payloads.into_iter().map(seal).collect()) })
    }

    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
        let open = |mut payload: Payload| match payload.metadata.remove("owner") {
            Some(seal) if seal == owner(context) => Ok(turned(payload)),
            seal => Err(CodecError::new(format!("{} is given what has the seal {seal:?}", owner(context)))),
        };
        Box::pin(async move { payloads.into_iter().map(open).collect() })
    }
}

/// Does the same to values.
struct Stamps;

impl PayloadConverter for Stamps {
    fn write(
        &self,
        json: &str,
        _: &str,
        context: &SerializationContext,
    ) -> Result<Option<Payload>, Box<dyn Error + Send + Sync>> {
        let metadata = [("encoding".to_owned(), "stamped".into()), ("owner".to_owned(), owner(context).into())];
        let stamped =
            Payload { metadata: metadata.into(), data: json.as_bytes().to_vec().into(), ..Payload::default() };
        Ok(Some(turned(stamped)))
    }

    fn read(
        &self,
        payload: &Payload,
        type_name: &str,
        context: &SerializationContext,
    ) -> Result<Option<String>, Box<dyn Error + Send + Sync>> {
        match payload.metadata.get("owner") {
            Some(stamp) if *stamp == owner(context) => {
                Ok(Some(String::from_utf8(turned(payload.clone()).data.to_vec())?))
            }
            stamp => Err(format!("{type_name} of {} has the stamp {stamp:?}", owner(context)).into()),
        }
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Serialize, Deserialize, IntoFailure)]
enum BakeryError {
    #[error("hush: the oven is cold")]
    ColdOven,
}

struct Oven;

#[activities]
impl Oven {
    #[activity(errors(BakeryError))]
    async fn bake(&self, bread: String) -> activity::Result<String> {
        if activity::heartbeat_details::<String>()?.is_none() {
            activity::heartbeat("hush: half done");
            return Err(BakeryError::ColdOven.into());
        }
        Ok(format!("{bread}, baked"))
    }

    #[activity]
    async fn weigh(&self, bread: String) -> activity::Result<usize> {
        Ok(bread.len())
    }

    #[activity(errors(BakeryError))]
    async fn burn(&self) -> activity::Result<()> {
        Err(BakeryError::ColdOven.into())
    }
}

#[derive(Default)]
struct Baker {
    orders: State<Vec<String>>,
}

#[workflow]
impl Baker {
    #[run]
    async fn run(&self) -> workflow::Result<Vec<String>> {
        workflow::wait_until(|| self.orders.get().len() > 1).await?;
        Ok(self.orders.get())
    }

    #[signal]
    fn order(&self, bread: String) {
        self.orders.update(|orders| orders.push(bread));
    }

    #[update]
    async fn order_and_count(&self, bread: String) -> Result<usize, BakeryError> {
        self.orders.update(|orders| orders.push(bread));
        Ok(self.orders.get().len())
    }

    #[query]
    fn last(&self, default: String) -> String {
        self.orders.get().last().cloned().unwrap_or(default)
    }
}

#[derive(Default)]
struct Market;

#[workflow]
impl Market {
    #[run]
    async fn run(&self, baker: String) -> workflow::Result<()> {
        let call = workflow::signal_with_start(Baker::run, ()).signal(Baker::order, "hush: spelt").id(baker);
        call.memo("mood", "hush").summary("hush").await?.signal(Baker::order, "hush: rye").await?;
        Ok(())
    }
}

#[derive(Default)]
struct Bakery;

#[workflow]
impl Bakery {
    #[run]
    async fn run(&self, id: String) -> workflow::Result<usize> {
        let converter = workflow::payload_converter();
        let own = converter.to_payload("a crumb").expect("a text");
        assert_eq!(converter.from_payload::<String>(&own).expect("it is what was written"), "a crumb");
        let again = RetryPolicy::default().initial_interval(millis(1));
        let baking =
            workflow::activity(Oven::bake, "hush: a loaf").start_to_close(secs(5)).heartbeat(secs(5)).retry(again);
        let bread = baking.await?;
        assert_eq!(bread, "hush: a loaf, baked");
        let weight = workflow::local_activity(Oven::weigh, &bread).start_to_close(secs(5)).await?;
        let baker = workflow::child(Baker::run, ()).id(format!("{id}-baker")).start().await?;
        baker.signal(Baker::order, &bread).await?;
        workflow::external::<Baker>(baker.id()).signal(Baker::order, &bread).await?;
        assert_eq!(baker.result().await?, [bread.clone(), bread]);
        let never = RetryPolicy::default().max_attempts(1);
        let error = workflow::activity(Oven::burn, ()).start_to_close(secs(5)).retry(never).await.unwrap_err();
        assert_eq!(error.application(), Some(BakeryError::ColdOven));
        if weight > 0 { Err(error.into()) } else { Ok(weight) }
    }
}

#[tokio::test]
async fn payloads_come_back_in_the_context_that_they_were_sent_in() {
    let sealing = DataConverter::new().with_codec(Arc::new(Seals)).with_failure_converter(Arc::new(EncodedAttributes));
    for history in bake_with(sealing).await {
        assert!(history.contains("Encoded failure"));
        assert!(!history.contains("hush"), "messages of failures go through the codec too");
    }
}

#[tokio::test]
async fn values_are_converted_back_in_the_context_that_they_were_converted_in() {
    let stamping = DataConverter::new().with_payload_converter(Arc::new(Stamps));
    for history in bake_with(stamping).await {
        assert!(!history.contains("a loaf"), "a value went out as it was: {history}");
        assert!(!history.contains("json/draft"), "a value was not converted: {history}");
    }
}

/// Everything that payloads are sent for, without a cache and with one; the histories of the bakery.
async fn bake_with(converter: DataConverter) -> Vec<String> {
    let mut histories = Vec::new();
    for max_cached_workflows in [100, 0] {
        let env = Env::new().await;
        let env = Env { client: env.client.with_data_converter(converter.clone()), ..env };
        let worker = env.worker().workflow::<Bakery>().workflow::<Baker>().workflow::<Market>().activities(Oven);
        let worker = worker.max_cached_workflows(max_cached_workflows).build().unwrap();
        let work = async {
            let id = env.id("bakery");
            let start = env.client.start_workflow(Bakery::run, &id).id(&id).task_queue(&env.task_queue);
            let bakery = start.memo("mood", "hush").await.unwrap();
            let error = bakery.result().await.unwrap_err();
            assert_eq!(error.application(), Some(BakeryError::ColdOven));
            let failure = error.failure().unwrap().find_application().unwrap().0;
            assert_eq!(failure.message, "hush: the oven is cold");
            let description = bakery.describe().await.unwrap();
            assert_eq!(description.memo::<String>("mood").unwrap().as_deref(), Some("hush"));

            let baker = env.client.start_workflow(Baker::run, ()).id(env.id("baker")).task_queue(&env.task_queue);
            let baker = baker.await.unwrap();
            assert_eq!(baker.update(Baker::order_and_count, "hush: rye").await.unwrap(), 1);
            assert_eq!(baker.query(Baker::last, "none").await.unwrap(), "hush: rye");
            baker.signal(Baker::order, "hush: wheat").await.unwrap();
            assert_eq!(baker.result().await.unwrap(), ["hush: rye", "hush: wheat"]);

            let signalled = env.client.start_workflow(Baker::run, ()).id(env.id("signalled"));
            let signalled = signalled.task_queue(&env.task_queue).with_signal(Baker::order, "hush: oat").await.unwrap();
            signalled.signal(Baker::order, "hush: rye").await.unwrap();
            assert_eq!(signalled.result().await.unwrap(), ["hush: oat", "hush: rye"]);

            let updated = env.client.start_workflow(Baker::run, ()).id(env.id("updated")).task_queue(&env.task_queue);
            let updated = updated.with_update(Baker::order_and_count, "hush: oat").wait_for_result().await.unwrap();
            assert_eq!(updated.update().result().await.unwrap(), 1);

            let id = env.id("of-the-market");
            let market = env.client.start_workflow(Market::run, &id).id(env.id("market")).task_queue(&env.task_queue);
            let market = market.await.unwrap();
            market.result().await.unwrap();
            let started = env.client.workflow::<Baker>(&id);
            assert_eq!(started.result().await.unwrap(), ["hush: spelt", "hush: rye"]);
            let started = started.describe().await.unwrap();
            assert_eq!(started.memo::<String>("mood").unwrap().as_deref(), Some("hush"));
            assert_eq!(started.static_summary().unwrap().as_deref(), Some("hush"));
            let known = format!("{:?}", market.history().await.unwrap());
            assert!(!known.contains("hush") && !known.contains("json/draft"), "the request shows something: {known}");

            let replayer = Replayer::new().workflow::<Bakery>().workflow::<Baker>().workflow::<Market>();
            let replayer =
                replayer.namespace(env.client.namespace()).data_converter(env.client.data_converter().clone());
            replayer.replay_workflow(&bakery).await.unwrap();
            replayer.replay_workflow(&baker).await.unwrap();
            replayer.replay_workflow(&market).await.unwrap();
            let history = bakery.history().await.unwrap();
            let known = format!("{history:?}{}", history.to_json().unwrap());
            histories.push(known);
        };
        worker.run_while(work).await.unwrap();
    }
    histories
}

/// Leaves it to somebody else to complete it, who gets its token and whose the payloads are.
struct Proof(tokio::sync::mpsc::UnboundedSender<(bytes::Bytes, SerializationContext)>);

#[activities]
impl Proof {
    #[activity]
    async fn rise(&self) -> activity::Result<String> {
        let info = activity::info();
        self.0.send((info.task_token.clone(), info.owner())).expect("the test waits for it");
        Err(activity::Error::complete_async())
    }
}

#[derive(Default)]
struct Waits;

#[workflow]
impl Waits {
    #[run]
    async fn run(&self) -> workflow::Result<String> {
        Ok(workflow::activity(Proof::rise, ()).start_to_close(secs(30)).await?)
    }
}

#[tokio::test]
async fn whoever_completes_an_activity_by_its_token_can_say_whose_the_result_is() {
    let converters = [
        DataConverter::new().with_codec(Arc::new(Seals)),
        DataConverter::new().with_payload_converter(Arc::new(Stamps)),
    ];
    for converter in converters {
        let env = Env::new().await;
        let env = Env { client: env.client.with_data_converter(converter), ..env };
        let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
        let worker = env.worker().workflow::<Waits>().activities(Proof(told)).build().unwrap();
        let work = async {
            let waits = env.client.start_workflow(Waits::run, ()).id(env.id("waits")).task_queue(&env.task_queue);
            let waits = waits.await.unwrap();
            let (token, owner) = tells.recv().await.expect("the activity tells it");
            env.client.activity_by_token(token).context(owner).complete("risen").await.unwrap();
            assert_eq!(waits.result().await.unwrap(), "risen");
        };
        worker.run_while(work).await.unwrap();
    }
}
