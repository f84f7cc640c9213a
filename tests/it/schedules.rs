//! Schedules, from the client to the workflows that they start.

use std::time::{Duration, SystemTime};

use stead::client::{
    CreateScheduleError, Overlap, ScheduleAction, ScheduleBackfill, ScheduleCalendar, ScheduleDescription,
    ScheduleError, ScheduleHandle, ScheduleInterval, ScheduleRange,
};
use stead::data::{Keyword, Priority, SearchAttribute, SearchAttributes};
use stead::prelude::*;
use stead_tests::Env;

const KEYWORD: SearchAttribute<Keyword> = SearchAttribute::new("StdKeyword");

/// Noon of the second of January 2000, in UTC.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(946_814_400)
}

/// Asks until the description is as it should be, for half a minute at most.
async fn until(schedule: &ScheduleHandle, wanted: impl Fn(&ScheduleDescription) -> bool) -> ScheduleDescription {
    let mut last = None;
    let wait = async {
        loop {
            let description = schedule.describe().await.unwrap();
            if wanted(&description) {
                return description;
            }
            last = Some(description.raw().clone());
            tokio::time::sleep(millis(50)).await;
        }
    };
    let result = tokio::time::timeout(secs(30), wait).await;
    result.unwrap_or_else(|_| panic!("{} never became what it should be: {last:#?}", schedule.id()))
}

#[tokio::test]
async fn every_part_of_a_schedule_comes_back_in_its_description() {
    let env = Env::new().await;
    let office = ScheduleCalendar::new()
        .second([0, 30])
        .minute(ScheduleRange::from(0..=45).step_by(15))
        .hour(9..=17)
        .day_of_month([1, 15])
        .month(1..=6)
        .year([2097])
        .day_of_week(1..=5)
        .comment("office hours");
    let christmas = ScheduleCalendar::new().month(12).day_of_month(25);
    let schedule = env
        .client
        .create_schedule(env.id("complete"))
        .calendar(office.clone())
        .at("02:30")
        .interval(ScheduleInterval::new(days(400)).offset(hours(3)))
        .cron("15 4 * * 1")
        .skip(christmas.clone())
        .start_at(noon())
        .end_at(noon() + days(365 * 100))
        .jitter(secs(2))
        .time_zone("Europe/Paris")
        .start_workflow_named("Report", ("sales", 3), |workflow| {
            workflow
                .id("report")
                .task_queue(&env.task_queue)
                .execution_timeout(hours(3))
                .run_timeout(hours(2))
                .task_timeout(secs(20))
                .retry(RetryPolicy::default().max_attempts(4))
                .memo("kind", "weekly")
                .search_attributes([KEYWORD.set("report")])
                .static_summary("a report")
                .static_details("of all sales")
                .priority(Priority::default().key(2))
        })
        .overlap(Overlap::BufferOne)
        .catchup_window(hours(6))
        .pause_on_failure()
        .note("for the board")
        .paused()
        .remaining_actions(7)
        .memo("owner", "Ada")
        .search_attributes([KEYWORD.set("schedule")])
        .await
        .unwrap();

    let description = schedule.describe().await.unwrap();
    let stead::client::Schedule { spec, action, policy, state, .. } = description.schedule().clone();
    assert_eq!(spec.calendars[..2], [office, ScheduleCalendar::new().hour(2).minute(30)]);
    let of_cron = &spec.calendars[2];
    assert_eq!((&of_cron.hour[..], &of_cron.minute[..]), (&[4.into()][..], &[15.into()][..]));
    assert_eq!(of_cron.day_of_week, [1.into()]);
    assert_eq!(spec.intervals, [ScheduleInterval::new(days(400)).offset(hours(3))]);
    assert_eq!(spec.skip, [christmas]);
    assert_eq!((spec.start_at, spec.end_at), (Some(noon()), Some(noon() + days(365 * 100))));
    assert_eq!((spec.jitter, spec.time_zone.as_str()), (Some(secs(2)), "Europe/Paris"));

    assert_eq!((policy.overlap, policy.catchup_window), (Overlap::BufferOne, Some(hours(6))));
    assert!(policy.pause_on_failure && !policy.keep_original_workflow_id);
    assert_eq!((state.note.as_str(), state.paused, state.remaining_actions), ("for the board", true, Some(7)));

    let ScheduleAction::StartWorkflow(workflow) = action else { panic!("it starts a workflow") };
    assert_eq!(
        (workflow.workflow_type(), workflow.id(), workflow.task_queue()),
        ("Report", "report", &*env.task_queue)
    );
    let raw = workflow.raw();
    assert_eq!(raw.input.as_ref().unwrap().payloads.len(), 2);
    assert_eq!(raw.retry_policy.as_ref().unwrap().maximum_attempts, 4);
    let timeouts = [&raw.workflow_execution_timeout, &raw.workflow_run_timeout, &raw.workflow_task_timeout];
    assert_eq!(timeouts.map(|timeout| timeout.as_ref().unwrap().seconds), [3 * 3600, 2 * 3600, 20]);
    assert!(raw.memo.as_ref().unwrap().fields.contains_key("kind"));
    assert!(raw.user_metadata.as_ref().unwrap().details.is_some());
    assert_eq!(raw.priority.as_ref().unwrap().priority_key, 2);

    assert_eq!(description.memo::<String>("owner").unwrap().as_deref(), Some("Ada"));
    assert_eq!(description.search_attributes().get(KEYWORD).unwrap().as_deref(), Some("schedule"));
    assert_eq!((description.id(), description.actions()), (schedule.id(), 0));
    assert!(description.created_at().is_some() && description.recent_actions().is_empty());
    assert!(!description.next_action_times().is_empty());
    schedule.delete().await.unwrap();
}

#[tokio::test]
async fn a_schedule_of_a_used_id_is_refused_and_one_that_is_not_there_is_named() {
    let env = Env::new().await;
    let id = env.id("twice");
    let create = || {
        let start = env.client.create_schedule(&id).every(days(1));
        start.start_workflow_named("Nobody", (), |workflow| workflow.id("nobody").task_queue(&env.task_queue))
    };
    let schedule = create().await.unwrap();
    let error = create().await.unwrap_err();
    assert!(matches!(error, CreateScheduleError::AlreadyExists { .. }), "{error:?}");
    assert!(error.to_string().contains(&id), "{error}");

    schedule.delete().await.unwrap();
    let gone = async {
        while schedule.describe().await.is_ok() {
            tokio::time::sleep(millis(20)).await;
        }
    };
    tokio::time::timeout(secs(10), gone).await.unwrap();
    for error in [
        schedule.describe().await.unwrap_err(),
        schedule.pause().await.unwrap_err(),
        schedule.trigger().await.unwrap_err(),
        schedule.update(|schedule| schedule.state.paused = true).await.unwrap_err(),
        schedule.delete().await.unwrap_err(),
    ] {
        assert!(matches!(error, ScheduleError::NotFound { .. }), "{error:?}");
        assert!(error.to_string().contains(&id), "{error}");
    }
    let wrong = create().at("soon").await.unwrap_err();
    assert!(wrong.to_string().contains("`soon`"), "{wrong}");
    let wrong = env.client.create_schedule(env.id("wrong")).cron("every now and then");
    let wrong = wrong.start_workflow_named("Nobody", (), |workflow| workflow.id("nobody").task_queue("q"));
    assert_eq!(wrong.await.unwrap_err().rpc().unwrap().code(), stead::client::Code::InvalidArgument);
}

/// Counts on from the last one.
#[derive(Default)]
struct Count;

#[workflow]
impl Count {
    #[run]
    async fn run(&self, step: u32) -> workflow::Result<u32> {
        Ok(workflow::last_result::<u32>()?.unwrap_or(0) + step)
    }
}

#[tokio::test]
async fn a_scheduled_workflow_sees_the_result_of_the_last_one() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Count>().build().unwrap();
    let work = async {
        let create = env.client.create_schedule(env.id("counting")).trigger_immediately();
        let id = env.id("count");
        let schedule = create
            .start_workflow(Count::run, 2, |workflow| workflow.id(&id).task_queue(&env.task_queue))
            .await
            .unwrap();
        let first = until(&schedule, |it| it.actions() == 1 && it.running_workflows().count() == 0).await;
        let runs = first.recent_actions();
        assert!(runs[0].workflow_id.starts_with(&id), "{runs:?}");
        assert!(runs[0].scheduled_at.is_some() && runs[0].started_at.is_some(), "{runs:?}");
        schedule.trigger().await.unwrap();
        let second = until(&schedule, |it| it.actions() == 2 && it.running_workflows().count() == 0).await;
        let last = second.recent_actions().pop().unwrap();
        let workflow = env.client.workflow::<Count>(&last.workflow_id).with_run_id(&last.first_run_id);
        assert_eq!(workflow.result().await.unwrap(), 4);
        schedule.delete().await.unwrap();
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn a_schedule_is_paused_triggered_backfilled_and_asked_for_its_times() {
    let env = Env::new().await;
    let create = env.client.create_schedule(env.id("handled")).every(hours(1)).time_zone("Europe/Paris");
    let schedule = create
        .start_workflow_named("Nobody", (), |workflow| workflow.id(env.id("nobody")).task_queue(&env.task_queue))
        .note("fresh")
        .await
        .unwrap();

    schedule.pause().await.unwrap();
    let state = until(&schedule, |it| it.schedule().state.paused).await.schedule().state.clone();
    assert_eq!(state.note, "Paused via stead");
    schedule.unpause().note("holidays are over").await.unwrap();
    let state = until(&schedule, |it| !it.schedule().state.paused).await.schedule().state.clone();
    assert_eq!(state.note, "holidays are over");

    schedule.trigger().await.unwrap();
    until(&schedule, |it| it.actions() == 1 && it.running_workflows().count() == 1).await;
    schedule.trigger().await.unwrap();
    until(&schedule, |it| it.skipped_for_overlap() == 1).await;
    let backfill = ScheduleBackfill::new(noon(), noon() + hours(2)).overlap(Overlap::AllowAll);
    let more = ScheduleBackfill::new(noon() + days(1), noon() + days(1) + hours(1)).overlap(Overlap::AllowAll);
    let times = schedule.matching_times(noon(), noon() + hours(2)).await.unwrap();
    assert_eq!(times, [noon() + hours(1), noon() + hours(2)]);
    schedule.backfill(backfill).and(more).await.unwrap();
    let description = until(&schedule, |it| it.actions() >= 5).await;
    let workflows: Vec<_> = description.recent_actions().into_iter().map(|run| run.workflow_id).collect();
    for time in ["2000-01-02T13:00:00Z", "2000-01-02T14:00:00Z", "2000-01-03T13:00:00Z"] {
        assert!(workflows.iter().any(|id| id.ends_with(time)), "{time}: {workflows:?}");
    }
    schedule.delete().await.unwrap();
    for id in workflows {
        env.client.workflow_named(id).terminate().await.unwrap();
    }
}

/// Always fails.
#[derive(Default)]
struct Clumsy;

#[workflow]
impl Clumsy {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        Err(stead::Failure::application("dropped it").into())
    }
}

#[tokio::test]
async fn a_schedule_pauses_when_its_workflow_fails_and_stops_after_its_last_action() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Clumsy>().build().unwrap();
    let work = async {
        let create = || env.client.create_schedule(env.id("clumsy")).trigger_immediately();
        let id = env.id("clumsy");
        let failing = create().pause_on_failure();
        let failing = failing.start_workflow(Clumsy::run, (), |w| w.id(&id).task_queue(&env.task_queue)).await.unwrap();
        let paused = until(&failing, |it| it.schedule().state.paused).await;
        assert!(paused.schedule().state.note.contains(&id), "{}", paused.schedule().state.note);
        failing.delete().await.unwrap();

        // What is triggered does not count; the first time of the interval does.
        let limited = env.client.create_schedule(env.id("once")).every(secs(1)).remaining_actions(1);
        let limited = limited.start_workflow(Clumsy::run, (), |w| w.id(&id).task_queue(&env.task_queue)).await.unwrap();
        let done = until(&limited, |it| it.schedule().state.remaining_actions == Some(0)).await;
        assert_eq!(done.actions(), 1);
        limited.delete().await.unwrap();
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn an_update_changes_what_it_means_to_and_leaves_the_rest_alone() {
    let env = Env::new().await;
    let create = env.client.create_schedule(env.id("changing")).every(days(1)).at("02:30");
    let schedule = create
        .start_workflow_named("Report", ("sales", 3), |workflow| {
            workflow.id("report").task_queue(&env.task_queue).memo("kind", "daily").static_summary("a report")
        })
        .search_attributes([KEYWORD.set("old")])
        .await
        .unwrap();
    let before = schedule.describe().await.unwrap();

    schedule
        .update(|schedule| {
            assert_eq!(schedule.description().id(), before.id());
            schedule.spec.calendars[0].hour = vec![4.into()];
            schedule.state.note = "later".to_owned();
            schedule.policy.overlap = Overlap::AllowAll;
        })
        .await
        .unwrap();
    let after = until(&schedule, |it| it.schedule().state.note == "later").await;
    assert_eq!(after.schedule().spec.calendars, [ScheduleCalendar::new().hour(4).minute(30)]);
    assert_eq!(after.schedule().policy.overlap, Overlap::AllowAll);
    assert_eq!(after.schedule().action, before.schedule().action);
    assert_eq!(after.search_attributes().get(KEYWORD).unwrap().as_deref(), Some("old"));
    assert!(after.last_updated_at().is_some());

    schedule
        .update(|schedule| {
            schedule.start_workflow_named("Letter", "dear", |w| w.id("letter").task_queue(&env.task_queue));
            schedule.set_search_attributes(SearchAttributes::from_iter([KEYWORD.set("new")]));
        })
        .await
        .unwrap();
    let letter = until(&schedule, |it| it.search_attributes().get(KEYWORD).unwrap().as_deref() == Some("new")).await;
    let ScheduleAction::StartWorkflow(workflow) = &letter.schedule().action else { panic!("it starts a workflow") };
    assert_eq!((workflow.workflow_type(), workflow.raw().memo.is_none()), ("Letter", true));

    // What changes nothing is not sent; what took longer to think of is, by the description's token.
    let mut calls = 0;
    schedule.update(|_| calls += 1).await.unwrap();
    assert_eq!(calls, 1);
    let unchanged = schedule.describe().await.unwrap();
    assert_eq!(unchanged.raw().conflict_token, letter.raw().conflict_token);
    let mut definition = unchanged.schedule().clone();
    definition.state.note = "replaced".to_owned();
    schedule.replace(&unchanged, definition).await.unwrap();
    until(&schedule, |it| it.schedule().state.note == "replaced").await;
    schedule.delete().await.unwrap();
}

#[tokio::test]
async fn schedules_are_listed_page_by_page_and_counted() {
    let env = Env::new().await;
    let mark = env.id("listed");
    let mut ids = Vec::new();
    for number in 0..3u32 {
        let create = env.client.create_schedule(env.id("listed")).every(days(1)).memo("number", number);
        let create = create.search_attributes([KEYWORD.set(&*mark)]).note("list me");
        let create = if number == 0 { create.paused() } else { create };
        let schedule = create
            .start_workflow_named("Nobody", (), |workflow| workflow.id("nobody").task_queue(&env.task_queue))
            .await
            .unwrap();
        ids.push(schedule.id().to_owned());
    }
    let query = format!("StdKeyword = '{mark}'");
    let indexed = async {
        // The entry is there before all of what it says of the schedule.
        'again: loop {
            tokio::time::sleep(millis(50)).await;
            let (mut listed, mut found) = (env.client.list_schedules(&query).page_size(2), 0);
            while let Some(schedule) = listed.next().await {
                if schedule.unwrap().next_action_times().is_empty() {
                    continue 'again;
                }
                found += 1;
            }
            if found == 3 {
                return;
            }
        }
    };
    tokio::time::timeout(secs(30), indexed).await.expect("the schedules appear in the index");
    assert_eq!(env.client.count_schedules(&query).await.unwrap().count, 3);

    let mut listed = env.client.list_schedules(&query).page_size(2);
    let mut found = Vec::new();
    while let Some(schedule) = listed.next().await {
        let schedule = schedule.unwrap();
        assert_eq!((schedule.workflow_type(), schedule.note()), ("Nobody", "list me"));
        assert_eq!(schedule.spec().unwrap().intervals, [ScheduleInterval::new(days(1))]);
        let number = schedule.memo::<u32>("number").unwrap().unwrap();
        assert_eq!(schedule.is_paused(), number == 0);
        assert_eq!(schedule.search_attributes().get(KEYWORD).unwrap().as_deref(), Some(&*mark));
        found.push(schedule.id().to_owned());
        schedule.handle().delete().await.unwrap();
    }
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
}
