//! Search attributes and memo fields that a workflow sets.

use stead::data::{Keyword, SearchAttribute};
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types};

/// Every server has this one.
const BINARY: SearchAttribute<stead::data::KeywordList> = SearchAttribute::new("BuildIds");
const CHANGE: SearchAttribute<Keyword> = SearchAttribute::new("TemporalChangeVersion");
const PLAIN: SearchAttribute<Keyword> = SearchAttribute::new("StdKeyword");

#[derive(Default)]
struct Labelled;

#[workflow]
impl Labelled {
    #[run]
    async fn run(&self, again: bool) -> workflow::Result<(Option<String>, Option<String>, bool)> {
        if again {
            workflow::upsert_memo("step", &Some("packing"));
            workflow::upsert_memo("note", &None::<String>);
            workflow::upsert_search_attributes([BINARY.set(["a".to_owned()]), CHANGE.set("mine")]);
            workflow::sleep(millis(1)).await?;
            return workflow::continue_as_new(Self::run, false).exit();
        }
        if workflow::memo::<String>("replaced")?.is_some() {
            let labels = workflow::search_attributes();
            let plain = labels.get(PLAIN).ok().flatten();
            return Ok((plain, None, labels.get(BINARY).is_ok_and(|value| value.is_some())));
        }
        if workflow::memo::<String>("replace")?.is_some() {
            let next = workflow::continue_as_new(Self::run, false).search_attributes([PLAIN.set("theirs")]);
            return next.memo("replaced", "yes").exit();
        }
        let has_attribute = workflow::search_attributes().get(BINARY).is_ok_and(|value| value.is_some());
        Ok((workflow::memo("step")?, workflow::memo("note")?, has_attribute))
    }
}

#[tokio::test]
async fn what_a_workflow_sets_is_read_back_and_inherited() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Labelled>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Labelled::run, true).id(env.id("labelled")).task_queue(&env.task_queue);
        let run = start.memo("note", "first").await.unwrap();
        let history = env.replays(Replayer::new().workflow::<Labelled>(), &run, "upserts").await;
        let (step, note, has_attribute) = run.result().await.unwrap();
        assert_eq!((step.as_deref(), note), (Some("packing"), None));
        assert!(has_attribute);
        let _ = event_types(&history);
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn the_next_run_has_the_search_attributes_that_it_is_given_and_no_others() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Labelled>().build().unwrap();
    let work = async {
        let start =
            env.client.start_workflow(Labelled::run, false).id(env.id("relabelled")).task_queue(&env.task_queue);
        let start = start.memo("replace", "yes").search_attributes([BINARY.set(["a".to_owned()])]);
        let (plain, _, has_other) = start.await.unwrap().result().await.unwrap();
        assert_eq!((plain.as_deref(), has_other), (Some("theirs"), false));
    };
    worker.run_while(work).await.unwrap();
}
