//! Activities that no workflow starts.

use stead::client::{
    ActivityDescription, ActivityError, ActivityHandle, ActivityIdConflictPolicy, ActivityIdReusePolicy,
    ActivityResultError, ActivityStatus, PendingActivityState, StartActivityError,
};
use stead::data::{Keyword, Priority, SearchAttribute};
use stead::prelude::*;
use stead_tests::Env;

const KEYWORD: SearchAttribute<Keyword> = SearchAttribute::new("StdKeyword");

#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize, IntoFailure)]
enum KitchenError {
    #[error("the {what} is burnt")]
    #[failure(non_retryable)]
    Burnt { what: String },
}

struct Kitchen;

#[activities]
impl Kitchen {
    #[activity]
    async fn cook(&self, dish: String, plates: u32) -> activity::Result<String> {
        let info = activity::info();
        assert!(info.workflow.is_none() && !info.activity_run_id.is_empty(), "no workflow started it");
        Ok(format!("{plates} plates of {dish}"))
    }

    #[activity(start_to_close = "30s", retry(max_attempts = 1), errors(KitchenError))]
    async fn burn(&self, what: String) -> activity::Result<()> {
        Err(KitchenError::Burnt { what }.into())
    }

    /// Until it is told to stop.
    #[activity]
    async fn simmer(&self) -> activity::Result<u32> {
        loop {
            activity::heartbeat(&"still");
            tokio::select! {
                reason = activity::cancelled() => { let _ = reason; return Err(activity::Error::cancelled()); }
                () = tokio::time::sleep(millis(50)) => {}
            }
        }
    }

    #[activity]
    async fn order_in(&self) -> activity::Result<String> {
        Err(activity::Error::complete_async())
    }
}

async fn until<O>(activity: &ActivityHandle<O>, wanted: impl Fn(&ActivityDescription) -> bool) -> ActivityDescription {
    let wait = async {
        let mut description = activity.describe().await.unwrap();
        while !wanted(&description) {
            description = activity.describe().changed_since(&description).await.unwrap();
        }
        description
    };
    tokio::time::timeout(secs(30), wait).await.expect("the activity becomes what it should be")
}

#[tokio::test]
async fn an_activity_without_a_workflow_is_started_and_gives_its_result_or_its_own_error() {
    let env = Env::new().await;
    let worker = env.worker().activities(Kitchen).build().unwrap();
    let work = async {
        let start = env.client.start_activity(Kitchen::cook, ("soup".to_owned(), 3)).id(env.id("cook"));
        let cooked = start.task_queue(&env.task_queue).start_to_close(secs(30)).await.unwrap();
        assert!(cooked.run_id().is_some());
        assert_eq!(cooked.result().await.unwrap(), "3 plates of soup");
        let again = env.client.activity::<String>(cooked.id());
        assert_eq!(again.result().await.unwrap(), "3 plates of soup");
        let wrong = again.result_as::<u32>().await.unwrap_err();
        assert!(matches!(wrong, ActivityResultError::Conversion(_)), "{wrong:?}");

        // The definition bounds it.
        let burnt = env.client.execute_activity(Kitchen::burn, "toast").id(env.id("burn"));
        let error = burnt.task_queue(&env.task_queue).await.unwrap_err();
        let stead::client::ExecuteActivityError::Result(error) = error else { panic!("{error:?}") };
        let Some(KitchenError::Burnt { what }) = error.application() else { panic!("{error:?}") };
        assert_eq!(what, "toast");

        let named = env.client.execute_activity_named::<String>("cook", ("rice", 2)).id(env.id("named"));
        assert_eq!(named.task_queue(&env.task_queue).schedule_to_close(mins(1)).await.unwrap(), "2 plates of rice");

        let ordered = env.client.start_activity(Kitchen::order_in, ()).id(env.id("order"));
        let ordered = ordered.task_queue(&env.task_queue).start_to_close(secs(30)).await.unwrap();
        until(&ordered, |it| it.state() == Some(PendingActivityState::Started)).await;
        ordered.completion().complete("pizza").await.unwrap();
        assert_eq!(ordered.result().await.unwrap(), "pizza");
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn every_option_of_a_start_is_in_the_description() {
    let env = Env::new().await;
    let activity = env
        .client
        .start_activity_named::<()>("Nobody", ("a", 1))
        .id(env.id("options"))
        .task_queue(&env.task_queue)
        .schedule_to_close(hours(4))
        .schedule_to_start(hours(3))
        .start_to_close(hours(2))
        .heartbeat(mins(5))
        .retry(RetryPolicy::default().max_attempts(7))
        .search_attributes([KEYWORD.set("kitchen")])
        .summary("an activity")
        .priority(Priority::default().key(2))
        .start_delay(hours(1))
        .await
        .unwrap();
    let it = activity.describe().await.unwrap();
    assert_eq!((it.id(), Some(it.run_id())), (activity.id(), activity.run_id()));
    assert_eq!((it.activity_type(), it.task_queue()), ("Nobody", &*env.task_queue));
    assert_eq!((it.status(), it.state()), (ActivityStatus::Running, Some(PendingActivityState::Scheduled)));
    assert_eq!((it.schedule_to_close_timeout(), it.schedule_to_start_timeout()), (Some(hours(4)), Some(hours(3))));
    assert_eq!((it.start_to_close_timeout(), it.heartbeat_timeout()), (Some(hours(2)), Some(mins(5))));
    assert_eq!(it.retry_policy().unwrap().maximum_attempts, 7);
    assert_eq!(it.priority().unwrap().priority_key, Some(2));
    assert_eq!(it.start_delay(), Some(hours(1)));
    assert_eq!(it.summary().unwrap().as_deref(), Some("an activity"));
    assert_eq!(it.search_attributes().get(KEYWORD).unwrap().as_deref(), Some("kitchen"));
    assert!(it.scheduled_time().is_some() && it.close_time().is_none() && it.last_failure().is_none());

    activity.terminate().reason("seen").await.unwrap();
    let ended = activity.describe().await.unwrap();
    assert_eq!((ended.status(), ended.state()), (ActivityStatus::Terminated, None));
    let error = activity.result().await.unwrap_err();
    assert!(format!("{:?}", stead::Error::from(error)).contains("seen"));
}

#[tokio::test]
async fn the_policies_decide_what_a_used_id_of_an_activity_means() {
    let env = Env::new().await;
    let id = env.id("twice");
    let start = || {
        let start = env.client.start_activity_named::<()>("Nobody", ()).id(&id).task_queue(&env.task_queue);
        start.start_to_close(secs(30))
    };
    let first = start().await.unwrap();
    let error = start().await.unwrap_err();
    let StartActivityError::AlreadyStarted { activity_id, activity_type, run_id } = &error else { panic!("{error:?}") };
    assert_eq!((activity_id, activity_type.as_str(), Some(&**run_id)), (&id, "Nobody", first.run_id()));
    let same = start().on_conflict(ActivityIdConflictPolicy::UseExisting).await.unwrap();
    assert_eq!(same.run_id(), first.run_id());

    first.terminate().await.unwrap();
    let refused = start().id_reuse_policy(ActivityIdReusePolicy::RejectDuplicate).await.unwrap_err();
    assert!(matches!(refused, StartActivityError::AlreadyStarted { .. }), "{refused:?}");
    let second = start().id_reuse_policy(ActivityIdReusePolicy::AllowDuplicateFailedOnly).await.unwrap();
    assert_ne!(second.run_id(), first.run_id());
    second.terminate().await.unwrap();

    let ghost = env.client.activity::<()>(env.id("ghost"));
    let errors = [ghost.describe().await.err(), ghost.cancel().await.err(), ghost.terminate().await.err()];
    for error in errors.into_iter().flatten() {
        assert!(matches!(error, ActivityError::NotFound { .. }), "{error:?}");
        assert!(error.to_string().contains(ghost.id()), "{error}");
    }
    let error = ghost.result().await.unwrap_err();
    assert!(matches!(error, ActivityResultError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn an_activity_without_a_workflow_is_cancelled_paused_and_changed_while_it_runs() {
    let env = Env::new().await;
    let worker = env.worker().activities(Kitchen).max_heartbeat_throttle_interval(millis(50)).build().unwrap();
    let work = async {
        let start = env.client.start_activity(Kitchen::simmer, ()).id(env.id("simmer")).task_queue(&env.task_queue);
        let simmering = start.start_to_close(mins(5)).heartbeat(secs(10)).await.unwrap();
        until(&simmering, |it| it.heartbeat_details::<String>(0).unwrap().is_some()).await;
        simmering.cancel().reason("guests are late").await.unwrap();
        let error = simmering.result().await.unwrap_err();
        assert!(error.is_cancelled(), "{error:?}");
        let ended = simmering.describe().await.unwrap();
        assert_eq!((ended.status(), ended.cancellation_reason()), (ActivityStatus::Cancelled, "guests are late"));
        assert!(ended.close_time().is_some() && !ended.last_worker_identity().is_empty());
    };
    worker.run_while(work).await.unwrap();

    let start = env.client.start_activity_named::<()>("Nobody", ()).id(env.id("idle")).task_queue(&env.task_queue);
    let idle = start.start_to_close(mins(5)).await.unwrap();
    idle.pause().reason("lunch").await.unwrap();
    until(&idle, |it| it.state() == Some(PendingActivityState::Paused)).await;
    idle.unpause().await.unwrap();
    until(&idle, |it| it.state() == Some(PendingActivityState::Scheduled)).await;
    idle.update_options().start_to_close(mins(9)).retry(RetryPolicy::default().max_attempts(3)).await.unwrap();
    let changed = until(&idle, |it| it.start_to_close_timeout() == Some(mins(9))).await;
    assert_eq!(changed.retry_policy().unwrap().maximum_attempts, 3);
    idle.reset().restore_original_options().await.unwrap();
    until(&idle, |it| it.start_to_close_timeout() == Some(mins(5))).await;
    let nothing = idle.update_options().await.unwrap_err();
    assert_eq!(nothing.rpc().unwrap().code(), stead::client::Code::InvalidArgument);
    idle.terminate().await.unwrap();
}

#[tokio::test]
async fn activities_without_a_workflow_are_listed_page_by_page_and_counted_in_groups() {
    let env = Env::new().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let start =
            env.client.start_activity_named::<()>("Nobody", ()).id(env.id("listed")).task_queue(&env.task_queue);
        let activity = start.start_to_close(mins(5)).await.unwrap();
        if number == 0 {
            activity.terminate().await.unwrap();
        }
        ids.push(activity.id().to_owned());
    }
    let query = format!("TaskQueue = '{}'", env.task_queue);
    let terminated = format!("{query} AND ExecutionStatus = 'Terminated'");
    let indexed = async {
        while env.client.count_activities(&query).await.unwrap().count < 3
            || env.client.count_activities(&terminated).await.unwrap().count < 1
        {
            tokio::time::sleep(millis(50)).await;
        }
    };
    tokio::time::timeout(secs(30), indexed).await.expect("the activities appear in the index");

    let mut listed = env.client.list_activities(&query).page_size(2);
    let (mut found, mut running) = (Vec::new(), Vec::new());
    while let Some(activity) = listed.next().await {
        let activity = activity.unwrap();
        assert_eq!((activity.activity_type(), activity.task_queue()), ("Nobody", &*env.task_queue));
        let is_first = activity.id() == ids[0];
        assert_eq!(activity.status() == ActivityStatus::Terminated, is_first);
        assert_eq!(activity.close_time().is_some(), is_first);
        if !is_first {
            running.push(activity.handle::<()>());
        }
        found.push(activity.id().to_owned());
    }
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
    // Not before: what changes while a list is read may be in it twice.
    for activity in running {
        activity.terminate().await.unwrap();
    }
    let groups = env.client.count_activities(format!("{query} GROUP BY ExecutionStatus")).await.unwrap();
    assert_eq!((groups.count, groups.groups.iter().map(|group| group.count()).sum::<u64>()), (3, 3));
    let error = env.client.list_activities("Nonsense ===").next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("Nonsense ==="), "{error}");
}
