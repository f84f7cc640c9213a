//! What travels between callers, workflows and activities.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use stead::data::{Binary, Raw};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

struct Porter;

#[activities]
impl Porter {
    #[activity]
    async fn nothing(&self) -> activity::Result<()> {
        Ok(())
    }

    #[activity]
    async fn reversed(&self, bytes: Binary, times: Option<u32>) -> activity::Result<Binary> {
        let mut bytes = bytes.0.to_vec();
        (0..times.unwrap_or(1)).for_each(|_| bytes.reverse());
        Ok(Binary(bytes.into()))
    }

    #[activity]
    async fn encoding_of(&self, raw: Raw) -> activity::Result<String> {
        Ok(String::from_utf8_lossy(&raw.0.metadata["encoding"]).into_owned())
    }

    #[activity]
    async fn maybe(&self, there: bool) -> activity::Result<Option<String>> {
        Ok(there.then(|| "here".to_owned()))
    }
}

#[derive(Default)]
struct Carries;

#[workflow]
impl Carries {
    #[run]
    async fn run(&self, bytes: Binary, raw: Raw, nothing: ()) -> workflow::Result<(Vec<Option<String>>, Vec<u8>)> {
        let carry = secs(5);
        workflow::activity(Porter::nothing, nothing).start_to_close(carry).await?;
        let once = workflow::activity(Porter::reversed, (bytes.clone(), None)).start_to_close(carry).await?;
        let twice = workflow::activity(Porter::reversed, (bytes.clone(), Some(2))).start_to_close(carry).await?;
        assert_eq!(twice, bytes);
        let encoding = workflow::activity(Porter::encoding_of, raw).start_to_close(carry).await?;
        let mut texts = vec![Some(encoding)];
        for there in [true, false] {
            texts.push(workflow::activity(Porter::maybe, there).start_to_close(carry).await?);
        }
        Ok((texts, once.0.to_vec()))
    }
}

#[tokio::test]
async fn bytes_raw_payloads_options_and_units_arrive_as_they_were_sent() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Carries>().activities(Porter).build().unwrap();
    let id = env.id("carries");
    let raw = Raw(env.client.data_converter().to_payload(&Some(7)).unwrap());
    worker
        .run_while(async {
            let workflow = env
                .client
                .start_workflow(Carries::run, (Binary(vec![1, 2, 255].into()), raw, ()))
                .id(&id)
                .task_queue(&env.task_queue)
                .await
                .unwrap();
            let (texts, bytes) = workflow.result().await.unwrap();
            assert_eq!(texts, [Some("json/plain".to_owned()), Some("here".to_owned()), None]);
            assert_eq!(bytes, [255, 2, 1]);
            env.replays(Replayer::new().workflow::<Carries>(), &workflow, "data").await;
        })
        .await
        .unwrap();
}

#[derive(Serialize, Deserialize)]
struct Shelf {
    zone: String,
    books: HashMap<String, u32>,
    #[serde(default)]
    locked: bool,
}

/// A shelf as another version of the program writes it.
#[derive(Serialize)]
struct NewerShelf {
    books: HashMap<String, u32>,
    zone: &'static str,
    colour: u32,
}

#[derive(Default)]
struct Reads;

#[workflow]
impl Reads {
    #[run]
    async fn run(&self, shelf: Raw, limit: Option<u32>, more: Option<Vec<String>>) -> workflow::Result<(String, bool)> {
        let text = String::from_utf8_lossy(&shelf.0.data).into_owned();
        Ok((text, limit.is_none() && more.is_none()))
    }
}

#[derive(Default)]
struct Shelves;

#[workflow]
impl Shelves {
    #[run]
    async fn run(&self, shelf: Shelf) -> workflow::Result<BTreeMap<String, u32>> {
        assert!(!shelf.locked);
        Ok(shelf.books.into_iter().collect())
    }
}

#[tokio::test]
async fn maps_are_sorted_missing_arguments_are_none_and_extra_ones_ignored() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Reads>().workflow::<Shelves>().build().unwrap();
    let id = env.id("shelf");
    let books: HashMap<_, _> = (0..20).map(|n| (format!("book-{:02}", 19 - n), n)).collect();
    let shelf = Shelf { zone: "north".into(), books, locked: true };
    worker
        .run_while(async {
            let workflow =
                env.client.start_workflow_named("Reads", (&shelf,)).id(&id).task_queue(&env.task_queue).await.unwrap();
            let (text, missing_are_none): (String, bool) = workflow.result_as().await.unwrap();
            assert!(missing_are_none);
            assert!(text.starts_with(r#"{"zone":"north","books":{"book-00":19,"book-01":18,"#), "{text}");

            let sums = env
                .client
                .start_workflow_named("Shelves", (NewerShelf { books: shelf.books, zone: "south", colour: 1 }, "extra"))
                .id(format!("{id}-newer"))
                .task_queue(&env.task_queue)
                .await
                .unwrap();
            let books: BTreeMap<String, u32> = sums.result_as().await.unwrap();
            assert_eq!(books.len(), 20, "fields that are new or missing do no harm");
        })
        .await
        .unwrap();
}
