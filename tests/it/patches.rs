//! Patches: code changes that old histories survive.

use stead::testing::Replayer;
use stead_tests::Env;

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
