//! Patches: code changes that old histories survive.

use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::{Env, event_types};

use crate::log::Log;

macro_rules! version {
    ($module:ident, |$this:ident| $body:block) => {
        mod $module {
            use stead::prelude::*;
            #[derive(Default)]
            pub struct Changing;

            #[workflow]
            impl Changing {
                #[run]
                pub async fn run(&self) -> workflow::Result<Vec<u64>> {
                    let $this = self;
                    let _ = $this;
                    $body
                }
            }
        }
    };
}

version!(before, |this| {
    workflow::sleep(millis(5)).await?;
    Ok(vec![1])
});

version!(patched, |this| {
    let mut taken = Vec::new();
    if workflow::patched("longer") {
        workflow::sleep(millis(7)).await?;
        workflow::sleep(millis(8)).await?;
        taken.push(2);
    } else {
        workflow::sleep(millis(5)).await?;
        taken.push(1);
    }
    assert_eq!(workflow::patched("longer"), taken == [2]);
    Ok(taken)
});

version!(deprecated, |this| {
    workflow::deprecate_patch("longer");
    workflow::sleep(millis(7)).await?;
    workflow::sleep(millis(8)).await?;
    Ok(vec![2])
});

version!(after, |this| {
    workflow::sleep(millis(7)).await?;
    workflow::sleep(millis(8)).await?;
    Ok(vec![2])
});

version!(rewritten, |this| {
    workflow::sleep(millis(7)).await?;
    workflow::activity_named::<()>("nobody", ()).start_to_close(secs(1)).await?;
    Ok(vec![2])
});

macro_rules! record {
    ($env:expr, $version:ident, $expected:expr) => {{
        let env = $env;
        let worker = env.worker().workflow::<$version::Changing>().build().unwrap();
        let id = env.id("changing");
        worker
            .run_while(async {
                let workflow = env
                    .client
                    .start_workflow($version::Changing::run, ())
                    .id(&id)
                    .task_queue(&env.task_queue)
                    .await
                    .unwrap();
                assert_eq!(workflow.result().await.unwrap(), $expected);
                let replayer = Replayer::new().workflow::<$version::Changing>();
                env.replays(replayer, &workflow, concat!("patch-", stringify!($version))).await
            })
            .await
            .unwrap()
    }};
}

#[tokio::test]
async fn each_generation_of_code_replays_the_histories_it_must() {
    let env = Env::new().await;
    let (old, marked, deprecated) =
        (record!(&env, before, [1]), record!(&env, patched, [2]), record!(&env, deprecated, [2]));

    let patched = Replayer::new().workflow::<patched::Changing>();
    patched.replay(old.clone()).expect("patched code takes the old path of an old history");
    patched.replay(deprecated.clone()).expect("patched code takes the new path of a deprecated marker");

    let deprecating = Replayer::new().workflow::<deprecated::Changing>();
    deprecating.replay(marked.clone()).expect("deprecating code replays what patched code wrote");

    let after = Replayer::new().workflow::<after::Changing>();
    after.replay(deprecated).expect("a deprecated marker may stay in history");
    let error = after.replay(marked).expect_err("a marker that is not deprecated needs its patch");
    assert!(error.to_string().contains("longer"), "{error}");

    let changed = Replayer::new().workflow::<rewritten::Changing>();
    let error = changed.replay(record!(&env, after, [2])).expect_err("an activity is no timer");
    let mismatch = error.mismatch().expect("a mismatch");
    assert_eq!(mismatch.event_id, 10, "{mismatch}");
    assert!(mismatch.at.is_some_and(|at| at.file().ends_with("patches.rs")), "{mismatch}");
    let text = error.to_string();
    assert!(text.contains("TMPRL1100") && text.contains("patches.rs:") && text.contains("nobody"), "{text}");
}

#[tokio::test]
async fn patches_are_indexed_as_change_versions() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<patched::Changing>().build().unwrap();
    let id = env.id("indexed");
    worker
        .run_while(async {
            let start = env.client.start_workflow(patched::Changing::run, ()).id(&id).task_queue(&env.task_queue);
            let workflow = start.await.unwrap();
            workflow.result().await.unwrap();
            let description = workflow.describe().await.unwrap();
            let info = description.raw().workflow_execution_info.as_ref().unwrap();
            let indexed = &info.search_attributes.as_ref().unwrap().indexed_fields["TemporalChangeVersion"];
            assert_eq!(indexed.data, r#"["longer"]"#);
        })
        .await
        .unwrap();
}

#[derive(Default)]
struct Wordy;

#[workflow]
impl Wordy {
    #[run]
    async fn run(&self) -> workflow::Result<bool> {
        let is_taken = workflow::patched(&"long".repeat(600));
        workflow::sleep(millis(5)).await?;
        Ok(is_taken)
    }
}

#[tokio::test]
async fn a_patch_that_the_list_of_patches_has_no_room_for_works_and_is_warned_of() {
    let env = Env::new().await;
    let log = Log::start();
    let worker = env.worker().workflow::<Wordy>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Wordy::run, ()).id(env.id("wordy")).task_queue(&env.task_queue);
        let wordy = start.await.unwrap();
        assert!(wordy.result().await.unwrap());
        wordy.history().await.unwrap()
    };
    let history = worker.run_while(work).await.unwrap();
    assert_eq!(log.count("the list of the workflow's patches is over 2048 bytes"), 1);
    let events = event_types(&history);
    assert!(events.contains(&"MARKER_RECORDED"), "{events:?}");
    assert!(!events.contains(&"UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"), "{events:?}");
    Replayer::new().workflow::<Wordy>().replay(history).expect("the patch is in history");
}

/// The same change three times over.
macro_rules! generation {
    ($module:ident, { $($version:ident => $times:expr),+ }) => {
        mod $module {
            use stead::prelude::*;

            workflow::versioned! {
                /// How often it waits.
                enum Wait { $($version),+ }
            }

            #[derive(Default)]
            pub struct Waiting;

            #[workflow]
            impl Waiting {
                #[run]
                pub async fn run(&self) -> workflow::Result<Vec<u64>> {
                    let first: u64 = workflow::versioned!(Wait { $($version => $times),+ });
                    for _ in 0..first {
                        workflow::sleep(millis(1)).await?;
                    }
                    let again: u64 = workflow::versioned!(Wait { $($version => $times),+ });
                    for _ in 0..again {
                        workflow::sleep(millis(1)).await?;
                    }
                    Ok(vec![first, again])
                }
            }
        }
    };
}

/// The code before there was a version: what the oldest one stands for.
mod unversioned {
    use stead::prelude::*;

    #[derive(Default)]
    pub struct Waiting;

    #[workflow]
    impl Waiting {
        #[run]
        pub async fn run(&self) -> workflow::Result<Vec<u64>> {
            workflow::sleep(millis(1)).await?;
            workflow::sleep(millis(1)).await?;
            Ok(vec![1, 1])
        }
    }
}

generation!(one_and_two, { V1 => 1, V2 => 2 });
generation!(all_three, { V1 => 1, V2 => 2, V3 => 3 });
generation!(two_and_three, { V2 => 2, V3 => 3 });
generation!(only_three, { V3 => 3 });

#[tokio::test]
async fn each_generation_of_versions_replays_the_histories_it_must() {
    let env = Env::new().await;
    let run = async |worker: stead::worker::WorkerBuilder, waits: [u64; 2]| {
        let start = env.client.start_workflow_named("Waiting", ()).id(env.id("waiting")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        let result =
            worker.build().unwrap().run_while(async { run.result_as::<Vec<u64>>().await }).await.unwrap().unwrap();
        assert_eq!(result, waits);
        run.history().await.unwrap()
    };
    let histories = [
        run(env.worker().workflow::<unversioned::Waiting>(), [1, 1]).await,
        run(env.worker().workflow::<one_and_two::Waiting>(), [2, 2]).await,
        run(env.worker().workflow::<all_three::Waiting>(), [3, 3]).await,
    ];
    for (replayer, replays) in [
        (Replayer::new().workflow::<one_and_two::Waiting>(), [true, true, false]),
        (Replayer::new().workflow::<all_three::Waiting>(), [true, true, true]),
        (Replayer::new().workflow::<two_and_three::Waiting>(), [false, true, true]),
        (Replayer::new().workflow::<only_three::Waiting>(), [false, false, true]),
    ] {
        let replayed = histories.each_ref().map(|history| replayer.replay(history.clone()).is_ok());
        assert_eq!(replayed, replays, "{replayer:?}");
    }
}

#[tokio::test]
async fn a_worker_may_decline_a_patch_for_the_time_being_and_the_run_stays_without_it() {
    let env = Env::new().await;
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let asks = std::sync::Arc::clone(&asked);
    let worker = env.worker().workflow::<patched::Changing>().max_cached_workflows(0).patch_activation(move |patch| {
        asks.lock().unwrap().push(format!("{} of {}", patch.id, patch.info.workflow_type()));
        false
    });
    let start =
        env.client.start_workflow(patched::Changing::run, ()).id(env.id("declined")).task_queue(&env.task_queue);
    let run = start.await.unwrap();
    let result = worker.build().unwrap().run_while(async { run.result().await }).await.unwrap().unwrap();
    assert_eq!(result, [1], "the old path, though the code knows the new one");
    assert_eq!(*asked.lock().unwrap(), ["longer of Changing"], "asked once, and not while replaying");
    Replayer::new()
        .workflow::<before::Changing>()
        .replay(run.history().await.unwrap())
        .expect("history knows nothing of it");
}
