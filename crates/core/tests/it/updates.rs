//! Updates.

use prost::Message as _;
use prost_types::Any;
use stead_activation::{Command, Failure, Job, UpdateRequested, UpdateResponse};
use stead_core::{Completion, CompletionOutcome, MismatchKind};
use stead_proto::command::v1::command::Attributes;
use stead_proto::enums::v1::CommandType;
use stead_proto::protocol::v1::Message;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::update::v1::outcome::Value;
use stead_proto::update::v1::{Acceptance, Rejection, Response};

use crate::support::{HistoryBuilder, Scenario, activity, complete, payload, run_to_end, timer, update_request};

fn respond(response: UpdateResponse) -> Command {
    Command::RespondUpdate { protocol_instance_id: "u".into(), response }
}

fn accept() -> Command {
    respond(UpdateResponse::Accepted)
}

fn reject() -> Command {
    respond(UpdateResponse::Rejected(Box::new(Failure { message: "no".into(), ..Failure::default() })))
}

fn done() -> Command {
    respond(UpdateResponse::Completed(Some(payload("done"))))
}

/// A request as it comes with a task.
fn request(sequencing_id: i64) -> Message {
    Message {
        id: "u/request".into(),
        protocol_instance_id: "u".into(),
        sequencing_id: Some(SequencingId::EventId(sequencing_id)),
        body: Some(Any {
            type_url: "type.googleapis.com/temporal.api.update.v1.Request".into(),
            value: update_request("u").encode_to_vec(),
        }),
    }
}

fn idle() -> HistoryBuilder {
    HistoryBuilder::first_task().task_completed().timer_started(1)
}

fn update(job: &Job) -> &UpdateRequested {
    match job {
        Job::Update(update) => update,
        other => panic!("not an update: {other:?}"),
    }
}

/// The completion of a task whose news is an update, with these answers.
fn answered(answers: Vec<Command>) -> (Scenario, Completion) {
    let mut scenario = Scenario::new([vec![timer(1)], answers]);
    let history = idle().task();
    let mut task = history.poll();
    task.messages = vec![request(history.last_id() - 1)];
    let completion = scenario.completes(task);
    (scenario, completion)
}

fn body<M: prost::Message + Default>(message: &Message) -> M {
    let any = message.body.as_ref().expect("it has a body");
    M::decode(any.value.as_slice()).expect("it is of this type")
}

fn message_id(completion: &Completion, command: usize) -> &str {
    match &completion.commands[command].attributes {
        Some(Attributes::ProtocolMessageCommandAttributes(attributes)) => &attributes.message_id,
        other => panic!("not the place of a message: {other:?}"),
    }
}

#[test]
fn s29_an_update_is_accepted_and_completed() {
    let (scenario, completion) = answered(vec![accept(), done()]);
    let asked = update(&scenario.jobs(1)[0]);
    assert_eq!((&*asked.id, &*asked.name, &*asked.identity), ("u", "change", "caller"));
    assert_eq!(asked.input, [payload("argument")]);
    assert!(asked.run_validator);

    let [accepted, completed] = &completion.messages[..] else { panic!("{:?}", completion.messages) };
    assert_eq!((&*accepted.id, &*completed.id), ("u/request/accept", "u/request/complete"));
    assert_eq!((&*accepted.protocol_instance_id, &*completed.protocol_instance_id), ("u", "u"));
    let acceptance: Acceptance = body(accepted);
    assert_eq!(acceptance.accepted_request_message_id, "u/request");
    assert_eq!(acceptance.accepted_request_sequencing_event_id, 6);
    assert_eq!(acceptance.accepted_request, Some(update_request("u")));
    let response: Response = body(completed);
    assert!(matches!(response.outcome.and_then(|outcome| outcome.value), Some(Value::Success(_))));
    assert_eq!((message_id(&completion, 0), message_id(&completion, 1)), (&*accepted.id, &*completed.id));
}

#[test]
fn s29_a_rejected_update_leaves_no_command() {
    let (_, completion) = answered(vec![reject()]);
    assert!(completion.commands.is_empty());
    let rejection: Rejection = body(&completion.messages[0]);
    assert_eq!(completion.messages[0].id, "u/request/reject");
    assert_eq!(rejection.failure.map(|failure| failure.message), Some("no".to_owned()));
    assert_eq!(rejection.rejected_request, Some(update_request("u")));
}

#[test]
fn s30_a_task_that_only_rejects_is_dropped_and_the_run_goes_on() {
    let (mut scenario, _) = answered(vec![reject()]);
    assert!(scenario.outcome(CompletionOutcome::Accepted { next_task: None, reset_history_event_id: 3 }).is_none());
    scenario.assert_idle();
}

#[test]
fn s32_a_failure_after_acceptance_completes_the_update() {
    let (_, completion) = answered(vec![accept(), reject()]);
    assert_eq!(completion.commands.len(), 2);
    let response: Response = body(&completion.messages[1]);
    assert!(matches!(response.outcome.and_then(|outcome| outcome.value), Some(Value::Failure(_))));
}

#[test]
fn s32_completing_before_accepting_is_an_error_of_the_guest() {
    let mut scenario = Scenario::new([vec![done()]]);
    let mut task = HistoryBuilder::first_task().poll();
    task.messages = vec![request(2)];
    let failed = scenario.fails(task);
    assert_eq!(failed.mismatch.expect("it says what differs").kind, MismatchKind::UnknownReference);
}

#[test]
fn s31_answers_keep_their_places_among_the_commands() {
    let (_, completion) = answered(vec![activity(1), accept(), timer(2), done(), activity(2)]);
    let kinds: Vec<_> = completion.commands.iter().map(stead_proto::command::v1::Command::command_type).collect();
    let message = CommandType::ProtocolMessage;
    let schedule = CommandType::ScheduleActivityTask;
    assert_eq!(kinds, [schedule, message, CommandType::StartTimer, message, schedule]);
}

#[test]
fn s33_an_update_with_the_start_comes_after_it() {
    let mut task = HistoryBuilder::first_task().poll();
    task.messages = vec![request(2)];
    let mut scenario = Scenario::new([vec![accept()]]);
    scenario.completes(task);
    assert!(matches!(scenario.jobs(0), [Job::Initialize(_), Job::Update(_)]));
}

#[test]
fn s27_an_update_takes_its_place_among_the_signals() {
    let history = idle().signalled("before").signalled("after").task();
    let mut task = history.poll();
    task.messages = vec![request(6)];
    let mut scenario = Scenario::new([vec![timer(1)], vec![accept()]]);
    scenario.completes(task);
    let [Job::Signal(before), Job::Update(_), Job::Signal(after)] = scenario.jobs(1) else {
        panic!("not in order: {:?}", scenario.jobs(1))
    };
    assert_eq!((&*before.name, &*after.name), ("before", "after"));
}

#[test]
fn s27_an_update_has_the_same_place_when_it_is_replayed() {
    let history = idle().signalled("before").signalled("after").task().task_completed().update_accepted("u", 6);
    let scenario = run_to_end(&history, [vec![timer(1)], vec![accept()]]);
    let [Job::Signal(before), Job::Update(update), Job::Signal(after)] = scenario.jobs(1) else {
        panic!("not in order: {:?}", scenario.jobs(1))
    };
    assert_eq!((&*before.name, &*after.name), ("before", "after"));
    assert!(!update.run_validator);
}

#[test]
fn s27_a_request_without_a_place_fails_the_task() {
    for sequencing_id in [None, Some(SequencingId::CommandIndex(0))] {
        let mut task = HistoryBuilder::first_task().poll();
        task.messages = vec![Message { sequencing_id, ..request(0) }];
        let failed = Scenario::new([]).fails(task);
        assert!(failed.failure.message.contains("after which event"), "{}", failed.failure.message);
    }
}

#[test]
fn s28_an_admitted_update_is_asked_for_once() {
    let history = idle().update_admitted("u").task();
    let mut scenario = Scenario::new([vec![timer(1)], vec![accept(), done()]]);
    let completion = scenario.completes(history.poll());
    assert!(update(&scenario.jobs(1)[0]).run_validator);
    assert_eq!(completion.messages[0].id, "u/request/accept");

    let accepted = history.task_completed().admitted_update_accepted("u", 6);
    let id = accepted.last_id();
    let scenario = run_to_end(&accepted.update_completed("u", id), [vec![timer(1)], vec![accept(), done()]]);
    let [Job::Update(update)] = scenario.jobs(1) else { panic!("not one update: {:?}", scenario.jobs(1)) };
    assert_eq!(update.input, [payload("argument")]);
    assert!(!update.run_validator);
}

#[test]
fn s28_an_admitted_update_that_was_rejected_is_not_asked_for_again() {
    let history = idle().update_admitted("u").signalled("on").task().task_completed();
    let scenario = run_to_end(&history, [vec![timer(1)], vec![]]);
    assert!(matches!(scenario.jobs(1), [Job::Signal(_)]));
}

#[test]
fn s29_nothing_is_sent_while_replaying() {
    let history = idle().task().task_completed().update_accepted("u", 6).signalled("on").task();
    let mut scenario = Scenario::new([vec![timer(1)], vec![accept()], vec![done()]]);
    let completion = scenario.completes(history.poll());
    // The acceptance is history; the completion is news.
    assert_eq!(completion.messages.len(), 1);
    assert_eq!(completion.messages[0].id, "u/request/complete");
    assert_eq!(completion.commands.len(), 1);
    let response: Response = body(&completion.messages[0]);
    assert_eq!(response.meta.map(|meta| meta.update_id), Some("u".to_owned()));
}

#[test]
fn an_update_that_spans_tasks_replays() {
    let history = idle().task().task_completed().update_accepted("u", 6);
    let accepted = history.last_id();
    let history = history.timer_fired(5).task().task_completed().update_completed("u", accepted).completed();
    run_to_end(&history, [vec![timer(1)], vec![accept()], vec![done(), complete()]]);
}

#[test]
fn an_update_that_history_accepted_cannot_be_rejected() {
    let history = idle().task().task_completed().update_accepted("u", 6);
    let task = stead_core::replay_task(history.history(), "workflow", "run");
    let failed = Scenario::new([vec![timer(1)], vec![reject()]]).fails(task);
    assert_eq!(failed.mismatch.expect("it says what differs").kind, MismatchKind::MissingCommand);
}

#[test]
fn messages_of_other_protocols_fail_the_task() {
    let mut task = HistoryBuilder::first_task().poll();
    let body = Some(Any { type_url: "type.googleapis.com/other".into(), value: Vec::new() });
    task.messages = vec![Message { body, ..request(2) }];
    assert!(Scenario::new([]).fails(task).failure.message.contains("does not support"));
}
