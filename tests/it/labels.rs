//! What a workflow says about its operations for people and for the server's queues: summaries, details, priorities.

use stead::data::Priority;
use stead::data::history::History;
use stead::prelude::*;
use stead::testing::Replayer;
use stead_tests::Env;

struct Mail;

#[activities]
impl Mail {
    /// The urgency that the attempt has.
    #[activity(start_to_close = "5s")]
    async fn urgency(&self) -> activity::Result<Option<u32>> {
        Ok(activity::info().priority.as_ref().and_then(|priority| priority.priority_key))
    }
}

#[derive(Default)]
struct Letter;

#[workflow]
impl Letter {
    #[run]
    async fn run(&self) -> workflow::Result<Option<u32>> {
        Ok(workflow::info().priority().and_then(|priority| priority.priority_key))
    }
}

#[derive(Default)]
struct Post {
    never: Cell<bool>,
}

#[workflow]
impl Post {
    #[run]
    async fn run(&self) -> workflow::Result<[Option<u32>; 4]> {
        let urgent = || Priority::default().key(1);
        workflow::sleep(millis(1)).summary("a pause").await?;
        workflow::wait_until(|| self.never.get()).timeout(millis(1)).summary("a limit").await?;
        workflow::local_activity(Mail::urgency, ()).summary("a local activity").await?;
        Ok([
            // The server tells an eager one of its own priority only.
            workflow::activity(Mail::urgency, ()).disable_eager().summary("an activity").await?,
            workflow::activity(Mail::urgency, ()).priority(urgent()).await?,
            workflow::child(Letter::run, ()).summary("a child").details("with *details*").await?,
            workflow::child(Letter::run, ()).priority(urgent()).await?,
        ])
    }
}

/// The summaries and details in a history, each behind the type of its event.
fn labels(history: &History) -> Vec<String> {
    let text =
        |payload: &stead::client::proto::common::v1::Payload| String::from_utf8_lossy(&payload.data).into_owned();
    let labels = history.0.events.iter().filter_map(|event| {
        let metadata = event.user_metadata.as_ref()?;
        let said = [&metadata.summary, &metadata.details].into_iter().flatten().map(text).collect::<Vec<_>>();
        let event_type = event.event_type().as_str_name().trim_start_matches("EVENT_TYPE_");
        Some(format!("{event_type} {}", said.join(" ")))
    });
    labels.collect()
}

#[tokio::test]
async fn operations_carry_their_summaries_and_inherit_the_priority_of_their_workflow() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Post>().workflow::<Letter>().activities(Mail).build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Post::run, ()).id(env.id("post")).task_queue(&env.task_queue);
        let run = start.priority(Priority::default().key(2)).static_summary("a workflow").await.unwrap();
        assert_eq!(run.result().await.unwrap(), [Some(2), Some(1), Some(2), Some(1)]);
        let history = env.replays(Replayer::new().workflow::<Post>(), &run, "labels").await;
        let expected = [
            "WORKFLOW_EXECUTION_STARTED \"a workflow\"",
            "TIMER_STARTED \"a pause\"",
            "TIMER_STARTED \"a limit\"",
            "MARKER_RECORDED \"a local activity\"",
            "ACTIVITY_TASK_SCHEDULED \"an activity\"",
            "START_CHILD_WORKFLOW_EXECUTION_INITIATED \"a child\" \"with *details*\"",
        ];
        assert_eq!(labels(&history), expected);
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct Grouped;

#[workflow]
impl Grouped {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        let packing = workflow::event_group("packing").id("p");
        packing.run(workflow::sleep(millis(5))).await?;
        workflow::sleep(millis(6)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn events_say_which_group_they_belong_to() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<Grouped>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow(Grouped::run, ()).id(env.id("grouped")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        run.result().await.unwrap();
        let history = env.replays(Replayer::new().workflow::<Grouped>(), &run, "event-groups").await;
        let timers =
            history.0.events.iter().filter(|event| event.event_type().as_str_name().ends_with("TIMER_STARTED"));
        let groups: Vec<_> = timers.map(|event| format!("{:?}", event.event_group_markers)).collect();
        assert!(groups[0].contains("id: \"p\"") && groups[0].contains("packing"), "{groups:?}");
        assert_eq!(groups[1], "[]");
    };
    worker.run_while(work).await.unwrap();
}

#[derive(Default)]
struct GivenUp {
    enough: Cell<bool>,
}

#[workflow]
impl GivenUp {
    #[run]
    async fn run(&self) -> workflow::Result<()> {
        let waiting = workflow::event_group("waiting").id("w");
        let waits = waiting.run(async { workflow::wait_until(|| self.enough.get()).timeout(secs(60)).await });
        let ends = async { workflow::sleep(millis(1)).await.map(|()| self.enough.set(true)) };
        let (waited, ended) = workflow::join!(waits, ends);
        waited?;
        ended?;
        // The end of a run says nothing of what it leaves behind, so the run goes on.
        workflow::sleep(millis(2)).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_timer_that_is_cancelled_in_a_group_says_so() {
    let env = Env::new().await;
    let worker = env.worker().workflow::<GivenUp>().build().unwrap();
    let work = async {
        let start = env.client.start_workflow(GivenUp::run, ()).id(env.id("given-up")).task_queue(&env.task_queue);
        let run = start.await.unwrap();
        run.result().await.unwrap();
        let history = env.replays(Replayer::new().workflow::<GivenUp>(), &run, "event-groups-cancelled").await;
        let marked = history.0.events.iter().filter(|event| !event.event_group_markers.is_empty());
        let marked: Vec<_> = marked.map(|event| event.event_type().as_str_name()).collect();
        assert_eq!(marked, ["EVENT_TYPE_TIMER_STARTED", "EVENT_TYPE_TIMER_CANCELED"]);
    };
    worker.run_while(work).await.unwrap();
}
