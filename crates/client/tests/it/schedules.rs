//! Schedules: what is sent, and what becomes of the answers.

use stead_client::{Code, CreateScheduleError, Overlap, ScheduleError};
use stead_proto::{
    schedule::v1::{Schedule, ScheduleAction, ScheduleState, schedule_action::Action},
    workflow::v1::NewWorkflowExecutionInfo,
    workflowservice::v1 as api,
};

use crate::fake::Fake;

fn described(token: &'static [u8], note: &str) -> api::DescribeScheduleResponse {
    let action = Action::StartWorkflow(NewWorkflowExecutionInfo::default());
    let schedule = Schedule {
        action: Some(ScheduleAction { action: Some(action) }),
        state: Some(ScheduleState { notes: note.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    api::DescribeScheduleResponse {
        schedule: Some(schedule),
        conflict_token: bytes::Bytes::from_static(token),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_update_that_comes_too_late_is_made_again_of_what_the_schedule_is_then() {
    let fake = Fake::new();
    fake.answers(described(b"1", "mine"))
        .fails(Code::FailedPrecondition, "mismatched conflict token")
        .answers(described(b"2", "yours"))
        .answers(api::UpdateScheduleResponse {});
    let schedule = fake.client().await.schedule("nightly");
    schedule.update(|schedule| schedule.state.note += " and more").await.unwrap();
    let sent: Vec<api::UpdateScheduleRequest> =
        fake.calls().iter().filter(|call| call.method == "UpdateSchedule").map(|call| call.request()).collect();
    let seen: Vec<_> = sent
        .iter()
        .map(|request| {
            let state = request.schedule.as_ref().unwrap().state.as_ref().unwrap();
            (&request.conflict_token[..], state.notes.as_str())
        })
        .collect();
    assert_eq!(seen, [(&b"1"[..], "mine and more"), (b"2", "yours and more")]);
    assert_ne!(sent[0].request_id, sent[1].request_id);
    assert_eq!((sent[0].namespace.as_str(), sent[0].identity.as_str()), ("shop", "tester"));
}

#[tokio::test]
async fn an_update_gives_up_when_somebody_else_is_always_faster() {
    let fake = Fake::new();
    for _ in 0..10 {
        fake.answers(described(b"1", "")).fails(Code::FailedPrecondition, "mismatched conflict token");
    }
    let schedule = fake.client().await.schedule("nightly");
    let error = schedule.update(|schedule| schedule.state.paused = true).await.unwrap_err();
    assert!(matches!(error, ScheduleError::Conflict { .. }), "{error:?}");
    assert!(error.to_string().contains("`nightly`"), "{error}");
    assert_eq!(fake.calls().len(), 20);
}

#[tokio::test]
async fn a_trigger_at_creation_has_the_policy_of_the_schedule() {
    let fake = Fake::new();
    fake.answers(api::CreateScheduleResponse::default());
    let create = fake.client().await.create_schedule("nightly").trigger_immediately().overlap(Overlap::AllowAll);
    create.start_workflow_named("Report", 1, |workflow| workflow.id("r").task_queue("q")).await.unwrap();
    let request: api::CreateScheduleRequest = fake.call().request();
    let trigger = request.initial_patch.unwrap().trigger_immediately.unwrap();
    assert_eq!(trigger.overlap_policy, request.schedule.unwrap().policies.unwrap().overlap_policy);
    assert!(!request.request_id.is_empty());
}

#[tokio::test]
async fn values_that_cannot_be_converted_come_out_at_the_await() {
    let fake = Fake::new();
    let client = fake.client().await;
    let unserializable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let create = client.create_schedule("nightly");
    let error =
        create.start_workflow_named("Report", &unserializable, |w| w.id("r").task_queue("q")).await.unwrap_err();
    assert!(matches!(error, CreateScheduleError::Conversion(_)), "{error:?}");
    let create = client.create_schedule("nightly").memo("x", &unserializable);
    let error = create.start_workflow_named("Report", (), |w| w.id("r").task_queue("q")).await.unwrap_err();
    assert!(matches!(error, CreateScheduleError::Conversion(_)), "{error:?}");
    assert!(fake.calls().is_empty());
}
