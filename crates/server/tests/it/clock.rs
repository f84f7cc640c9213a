//! The clocks that a server can have.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use prost::Message;
use stead_proto::command::v1::command::Attributes;
use stead_proto::common::v1::RetryPolicy;
use stead_proto::enums::v1::EventType;
use stead_proto::testservice::v1::{GetCurrentTimeResponse, SleepRequest};
use stead_server::{Clock, ClockError, Server};
use tower_service::Service as _;

use crate::live::{Live, timeout};
use crate::support::{activity_poll_request, complete_workflow, schedule_activity, secs, start_timer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: u64 = 365 * 24 * 60 * 60;

async fn with(clock: Clock) -> Live {
    Live::start(Server::in_memory().clock(clock)).await
}

async fn sleep_a_year(live: &Live) {
    live.start_workflow("w").await.unwrap();
    live.step(vec![start_timer("t", YEAR as i64)]).await;
}

fn since(now: SystemTime, then: SystemTime) -> Duration {
    now.duration_since(then).unwrap()
}

#[tokio::test]
async fn a_year_is_skipped_when_somebody_waits_for_the_end() {
    let live = with(Clock::skipping()).await;
    let begin = live.server.clock().now().await.unwrap();
    sleep_a_year(&live).await;
    let (closed, ()) = tokio::join!(live.closed("w"), live.step(vec![complete_workflow()]));
    let end = closed.event_time.unwrap();
    let end = SystemTime::UNIX_EPOCH + Duration::new(end.seconds as u64, end.nanos as u32);
    assert!(since(end, begin) >= Duration::from_secs(YEAR), "{end:?}");
}

#[tokio::test]
async fn nothing_is_skipped_while_nobody_waits_or_somebody_holds_the_clock() {
    let live = with(Clock::skipping()).await;
    let clock = live.server.clock();
    let begin = clock.now().await.unwrap();
    sleep_a_year(&live).await;
    assert!(since(clock.now().await.unwrap(), begin) < DAY, "nobody waits");
    let held = clock.hold().await.unwrap();
    let waits = tokio::spawn({
        let clock = clock.clone();
        async move { clock.sleep(2 * DAY).await }
    });
    tokio::task::yield_now().await;
    assert!(since(clock.now().await.unwrap(), begin) < DAY, "somebody holds the clock");
    drop(held);
    assert!(since(waits.await.unwrap().unwrap(), begin) >= 2 * DAY);
    assert!(since(clock.now().await.unwrap(), begin) < 3 * DAY, "nobody waits any more");
}

#[tokio::test]
async fn a_sleep_stops_at_each_timer_on_the_way() {
    let live = with(Clock::skipping()).await;
    let clock = live.server.clock();
    live.start_workflow("w").await.unwrap();
    let begin = clock.now().await.unwrap();
    let worker = async {
        for day in 0..5 {
            live.step(vec![start_timer(&day.to_string(), DAY.as_secs() as i64)]).await;
        }
        live.step(vec![complete_workflow()]).await;
    };
    // Not so long that the workflow is forgotten.
    let (slept, ()) = tokio::join!(clock.sleep(5 * DAY + DAY / 2), worker);
    let closed = live.closed("w").await.event_time.unwrap();
    let closed = SystemTime::UNIX_EPOCH + Duration::from_secs(closed.seconds as u64);
    assert!(since(closed, begin) >= 5 * DAY - DAY / 2, "each timer began when the one before fired");
    assert!(since(slept.unwrap(), begin) >= 5 * DAY + DAY / 2);
}

#[tokio::test]
async fn a_clock_that_is_moved_by_hand_stands_still_in_between() {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let live = with(Clock::manual().starting_at(start)).await;
    let clock = live.server.clock();
    sleep_a_year(&live).await;
    assert_eq!(clock.now().await.unwrap(), start);
    let wakes = tokio::spawn({
        let clock = clock.clone();
        async move { clock.sleep(DAY).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(clock.advance(2 * DAY).await.unwrap(), start + 2 * DAY);
    assert_eq!(wakes.await.unwrap().unwrap(), start + DAY, "at its own time, however far the clock goes");
    clock.advance(Duration::from_secs(YEAR)).await.unwrap();
    live.step(vec![complete_workflow()]).await;
    let fired = &live.events("w").await.unwrap()[5];
    let fired = fired.event_time.unwrap().seconds as u64;
    assert_eq!(fired, 1_000_000_000 + YEAR, "at its own time");
}

#[tokio::test]
async fn the_clock_of_the_machine_cannot_be_moved() {
    let live = with(Clock::real()).await;
    assert_eq!(live.server.clock().advance(DAY).await, Err(ClockError::Real));
    let clock = live.server.clock();
    live.server.shutdown().await;
    assert_eq!(clock.now().await, Err(ClockError::Stopped));
}

#[tokio::test]
async fn the_test_service_locks_and_unlocks_as_other_sdks_expect() {
    let live = with(Clock::skipping_when_unlocked()).await;
    let begin = current_time(&live).await;
    sleep_a_year(&live).await;
    let slept = test_call(&live, "UnlockTimeSkippingWithSleep", sleep(DAY)).await;
    assert_eq!(slept, Ok(Bytes::new()));
    let after = current_time(&live).await;
    assert!(after - begin >= DAY.as_secs() as i64 && after - begin < 2 * DAY.as_secs() as i64, "{begin} {after}");
    assert_eq!(test_call(&live, "LockTimeSkipping", Vec::new()).await, Ok(Bytes::new()));
    for _ in 0..2 {
        assert_eq!(test_call(&live, "UnlockTimeSkipping", Vec::new()).await, Ok(Bytes::new()));
    }
    // Unlocked, time goes to the timer though nobody waits for the workflow.
    live.step(vec![complete_workflow()]).await;
    assert!(current_time(&live).await - begin >= YEAR as i64);
    let unbalanced = test_call(&live, "UnlockTimeSkipping", Vec::new()).await;
    assert_eq!(unbalanced, Err("Unbalanced lock and unlock calls".to_owned()));
}

#[tokio::test]
async fn an_activity_lets_time_pass_while_it_runs() {
    let live = with(Clock::skipping_when_unlocked().standing()).await;
    live.start_workflow("w").await.unwrap();
    let mut beats = schedule_activity("a");
    if let Some(Attributes::ScheduleActivityTaskCommandAttributes(activity)) = &mut beats.attributes {
        activity.start_to_close_timeout = secs(YEAR as i64);
        activity.heartbeat_timeout = secs(20);
        activity.retry_policy = Some(RetryPolicy { maximum_attempts: 1, ..Default::default() });
    }
    live.step(vec![beats]).await;
    live.calls.poll_activity_task_queue(activity_poll_request(), timeout(60)).await.unwrap();
    let begin = current_time(&live).await;
    // Whoever waits for the workflow.
    assert_eq!(test_call(&live, "UnlockTimeSkipping", Vec::new()).await, Ok(Bytes::new()));
    assert_eq!(current_time(&live).await, begin, "the activity keeps time from being skipped");
    let slept = test_call(&live, "UnlockTimeSkippingWithSleep", sleep(Duration::from_secs(40)));
    // When the heartbeat is missing, the workflow has something to do, which takes no time.
    let (slept, ()) = tokio::join!(slept, live.step(vec![complete_workflow()]));
    assert_eq!(slept, Ok(Bytes::new()));
    assert_eq!(current_time(&live).await, begin + 40);
    let events = live.events("w").await.unwrap();
    let timed_out = events.iter().find(|event| event.event_type() == EventType::ActivityTaskTimedOut).unwrap();
    assert_eq!(timed_out.event_time.as_ref().unwrap().seconds, begin + 20);
}

#[tokio::test]
async fn time_passes_by_a_workflow_task_that_no_worker_takes() {
    let live = with(Clock::skipping_when_unlocked().standing()).await;
    live.start_workflow("w").await.unwrap();
    let begin = current_time(&live).await;
    assert_eq!(test_call(&live, "UnlockTimeSkipping", Vec::new()).await, Ok(Bytes::new()));
    assert_eq!(current_time(&live).await, begin, "the task keeps time from being skipped");
    let slept = test_call(&live, "UnlockTimeSkippingWithSleep", sleep(DAY)).await;
    assert_eq!(slept, Ok(Bytes::new()));
    assert_eq!(current_time(&live).await, begin + DAY.as_secs() as i64);
    live.step(vec![complete_workflow()]).await;
}

#[tokio::test]
async fn there_is_no_test_service_where_time_is_the_machines() {
    let live = with(Clock::real()).await;
    let refused = test_call(&live, "GetCurrentTime", Vec::new()).await;
    assert_eq!(refused, Err("unknown service temporal.api.testservice.v1.TestService".to_owned()));
}

fn sleep(duration: Duration) -> Vec<u8> {
    let duration = prost_types::Duration { seconds: duration.as_secs() as i64, nanos: 0 };
    SleepRequest { duration: Some(duration) }.encode_to_vec()
}

async fn current_time(live: &Live) -> i64 {
    let answer = test_call(live, "GetCurrentTime", Vec::new()).await.unwrap();
    GetCurrentTimeResponse::decode(answer).unwrap().time.unwrap().seconds
}

/// The answer's message, or the text of the refusal.
async fn test_call(live: &Live, method: &str, message: Vec<u8>) -> Result<Bytes, String> {
    let framed = [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat();
    let path = format!("/temporal.api.testservice.v1.TestService/{method}");
    let request = Request::post(path).header("content-type", "application/grpc");
    let request = request.body(Full::new(Bytes::from(framed))).unwrap();
    let response = live.server.service().call(request).await.unwrap();
    if let Some(message) = response.headers().get("grpc-message") {
        return Err(message.to_str().unwrap().to_owned());
    }
    Ok(response.into_body().collect().await.unwrap().to_bytes().slice(5..))
}
