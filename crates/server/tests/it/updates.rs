use std::time::Duration;

use prost::Message as _;
use stead_proto::command::v1::ProtocolMessageCommandAttributes;
use stead_proto::command::v1::command::Attributes as CommandAttributes;
use stead_proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use stead_proto::failure::v1::Failure;
use stead_proto::failure::v1::failure::FailureInfo;
use stead_proto::history::v1::history_event::Attributes;
use stead_proto::protocol::v1::Message;
use stead_proto::protocol::v1::message::SequencingId;
use stead_proto::update::v1::{
    Acceptance, Input, Meta, Outcome, Rejection, Request, Response as UpdateResponse, UpdateRef, WaitPolicy, outcome,
};
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{CallId, Code, Refusal, Response, raw};

use crate::call;
use crate::support::{
    NAMESPACE, Server, command, complete_request, complete_workflow, decoded, execution, fail_workflow,
    schedule_activity, start_request, start_timer, text, types,
};

pub(crate) fn update_request(workflow_id: &str, update_id: &str, stage: Stage) -> api::UpdateWorkflowExecutionRequest {
    api::UpdateWorkflowExecutionRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution: Some(execution(workflow_id)),
        wait_policy: Some(WaitPolicy { lifecycle_stage: stage.into() }),
        request: Some(Request {
            meta: Some(Meta { update_id: update_id.to_owned(), identity: "client".to_owned() }),
            input: Some(Input { name: "rename".to_owned(), args: text("new"), ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn poll_update_request(workflow_id: &str, update_id: &str, stage: Stage) -> api::PollWorkflowExecutionUpdateRequest {
    api::PollWorkflowExecutionUpdateRequest {
        namespace: NAMESPACE.to_owned(),
        update_ref: Some(UpdateRef {
            workflow_execution: Some(execution(workflow_id)),
            update_id: update_id.to_owned(),
        }),
        wait_policy: Some(WaitPolicy { lifecycle_stage: stage.into() }),
        ..Default::default()
    }
}

pub(crate) fn message<M: prost::Name>(id: &str, update_id: &str, body: &M) -> Message {
    let body = prost_types::Any { type_url: M::type_url(), value: body.encode_to_vec() };
    Message { id: id.to_owned(), protocol_instance_id: update_id.to_owned(), body: Some(body), ..Default::default() }
}

/// Acceptance of an update that came with a task.
pub(crate) fn accept(task: &raw::PollWorkflowTaskQueueResponse, update_id: &str) -> Message {
    let asked = task.messages.iter().find(|message| message.protocol_instance_id == update_id).expect("the update");
    let Some(SequencingId::EventId(event_id)) = asked.sequencing_id else { panic!("{asked:?}") };
    let acceptance = Acceptance {
        accepted_request_message_id: asked.id.clone(),
        accepted_request_sequencing_event_id: event_id,
        accepted_request: None,
    };
    message(&format!("{update_id}/accept"), update_id, &acceptance)
}

pub(crate) fn respond(update_id: &str) -> Message {
    let response = UpdateResponse {
        meta: Some(Meta { update_id: update_id.to_owned(), ..Default::default() }),
        outcome: Some(Outcome { value: Some(outcome::Value::Success(text("done").unwrap())) }),
    };
    message(&format!("{update_id}/complete"), update_id, &response)
}

pub(crate) fn reject(update_id: &str) -> Message {
    let failure = Some(Failure { message: "no".to_owned(), ..Default::default() });
    message(&format!("{update_id}/reject"), update_id, &Rejection { failure, ..Default::default() })
}

pub(crate) fn answer(
    task: &raw::PollWorkflowTaskQueueResponse,
    messages: Vec<Message>,
) -> api::RespondWorkflowTaskCompletedRequest {
    api::RespondWorkflowTaskCompletedRequest { messages, ..complete_request(task, Vec::new()) }
}

pub(crate) fn protocol_command(message_id: &str) -> stead_proto::command::v1::Command {
    command(CommandAttributes::ProtocolMessageCommandAttributes(ProtocolMessageCommandAttributes {
        message_id: message_id.to_owned(),
    }))
}

/// A workflow that waits for nothing in particular, after one task.
fn idle(workflow_id: &str) -> Server {
    let mut server = Server::new();
    server.start(workflow_id);
    server.step(Vec::new());
    server
}

fn updated(server: &mut Server, call: CallId) -> Result<api::UpdateWorkflowExecutionResponse, Refusal> {
    match server.answer(call).expect("an answer to the update")? {
        Response::UpdateWorkflowExecution(response) => Ok(*response),
        other => panic!("{other:?}"),
    }
}

fn failure_of(outcome: Option<Outcome>) -> Failure {
    match outcome.and_then(|outcome| outcome.value) {
        Some(outcome::Value::Failure(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

fn failure_type(failure: &Failure) -> &str {
    match &failure.failure_info {
        Some(FailureInfo::ApplicationFailureInfo(info)) => &info.r#type,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_idle_workflow_takes_an_update_with_a_task_of_its_own() {
    let mut server = idle("w");
    let update = server.send(update_request("w", "u", Stage::Completed));
    assert!(server.events("w").ends_with("WorkflowTaskCompleted"), "nothing is written yet: {}", server.events("w"));
    let task = server.task();
    let sent = decoded(task.history.clone());
    assert!(types(&sent).ends_with("WorkflowTaskCompleted WorkflowTaskScheduled WorkflowTaskStarted"));
    let [asked] = task.messages.as_slice() else { panic!("{:?}", task.messages) };
    assert_eq!((asked.id.as_str(), asked.protocol_instance_id.as_str()), ("u/request", "u"));
    assert_eq!(asked.sequencing_id, Some(SequencingId::EventId(task.started_event_id - 1)));
    let body = asked.body.as_ref().unwrap();
    assert_eq!(Request::decode(&*body.value).unwrap().input.unwrap().name, "rename");
    let response = call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    assert_eq!(response.reset_history_event_id, 0);
    let updated = updated(&mut server, update).unwrap();
    assert_eq!(updated.stage(), Stage::Completed);
    assert_eq!(updated.outcome.unwrap().value, Some(outcome::Value::Success(text("done").unwrap())));
    let history = server.history("w");
    assert_eq!(
        types(&history[4..]),
        "WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionUpdateAccepted \
         WorkflowExecutionUpdateCompleted"
    );
    let Some(Attributes::WorkflowExecutionUpdateAcceptedEventAttributes(accepted)) = &history[7].attributes else {
        panic!("{:?}", history[7])
    };
    assert_eq!(accepted.accepted_request.as_ref().unwrap().meta.as_ref().unwrap().update_id, "u");
    assert_eq!((accepted.protocol_instance_id.as_str(), accepted.accepted_request_sequencing_event_id), ("u", 5));
    let Some(Attributes::WorkflowExecutionUpdateCompletedEventAttributes(completed)) = &history[8].attributes else {
        panic!("{:?}", history[8])
    };
    assert_eq!(completed.accepted_event_id, 8);
}

#[test]
fn a_rejected_update_leaves_no_trace() {
    let mut server = idle("w");
    let before = server.events("w");
    let update = server.send(update_request("w", "u", Stage::Accepted));
    let task = server.task();
    let response = call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![reject("u")]));
    assert_eq!(response.reset_history_event_id, 3, "the start of the last completed task");
    assert_eq!(server.events("w"), before);
    let updated = updated(&mut server, update).unwrap();
    assert_eq!((updated.stage(), failure_of(updated.outcome).message.as_str()), (Stage::Completed, "no"));
    let gone = server.try_call(poll_update_request("w", "u", Stage::Completed)).unwrap_err();
    assert_eq!((gone.code, gone.message.as_str()), (Code::NotFound, "update \"u\" not found"));
}

#[test]
fn events_that_came_with_rejected_updates_are_kept_unless_the_worker_can_go_back() {
    for can_go_back in [false, true] {
        let mut server = Server::new();
        server.start("w");
        server.step(vec![start_timer("t", 60)]);
        let update = server.send(update_request("w", "u", Stage::Accepted));
        let task = server.task();
        let mut request = answer(&task, vec![reject("u")]);
        request.capabilities = Some(api::respond_workflow_task_completed_request::Capabilities {
            discard_speculative_workflow_task_with_events: can_go_back,
        });
        let response = call!(server, RespondWorkflowTaskCompleted, request);
        assert_eq!(response.reset_history_event_id, if can_go_back { 3 } else { 0 });
        assert_eq!(server.events("w").ends_with("TimerStarted"), can_go_back, "{}", server.events("w"));
        updated(&mut server, update).unwrap();
    }
}

#[test]
fn an_update_that_the_worker_ignores_is_rejected() {
    let mut server = idle("w");
    let update = server.send(update_request("w", "u", Stage::Completed));
    server.step(Vec::new());
    let updated = updated(&mut server, update).unwrap();
    let failure = failure_of(updated.outcome);
    assert_eq!(failure_type(&failure), "UnprocessedUpdate");
    assert!(failure.message.starts_with("Workflow Update is rejected because it wasn't processed"), "{failure:?}");
}

#[test]
fn whoever_waits_for_acceptance_is_answered_before_the_end() {
    let mut server = idle("w");
    let accepted = server.send(update_request("w", "u", Stage::Accepted));
    let completed = server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u")]));
    let accepted = updated(&mut server, accepted).unwrap();
    assert_eq!((accepted.stage(), accepted.outcome), (Stage::Accepted, None));
    assert!(server.answer(completed).is_none());
    let polled = call!(server, PollWorkflowExecutionUpdate, poll_update_request("w", "u", Stage::Unspecified));
    assert_eq!((polled.stage(), polled.outcome), (Stage::Accepted, None));
    server.signal("w", "go on");
    let task = server.task();
    assert!(task.messages.is_empty(), "the worker knows the update");
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![respond("u")]));
    assert_eq!(updated(&mut server, completed).unwrap().stage(), Stage::Completed);
    assert!(server.events("w").ends_with("WorkflowTaskCompleted WorkflowExecutionUpdateCompleted"));
}

#[test]
fn a_call_whose_time_is_up_is_told_how_far_the_update_has_come() {
    let mut server = idle("w");
    let update = server.send(update_request("w", "u", Stage::Completed));
    let Ok(Response::UpdateWorkflowExecution(response)) = server.expire(update) else { panic!() };
    assert_eq!((response.stage(), response.outcome), (Stage::Admitted, None));
    assert_eq!(response.update_ref.unwrap().update_id, "u");
    let poll = server.send(poll_update_request("w", "u", Stage::Completed));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u")]));
    let Ok(Response::PollWorkflowExecutionUpdate(response)) = server.expire(poll) else { panic!() };
    assert_eq!((response.stage(), response.outcome), (Stage::Accepted, None));
}

#[test]
fn an_update_rides_on_the_task_that_waits() {
    let mut server = Server::new();
    server.start("w");
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    assert_eq!((task.messages.len(), task.started_event_id), (1, 3));
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    assert_eq!(
        types(&server.history("w")[2..]),
        "WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted"
    );
}

#[test]
fn an_update_during_a_task_comes_back_with_the_answer() {
    let mut server = Server::new();
    server.start("w");
    let task = server.task();
    let update = server.send(update_request("w", "u", Stage::Completed));
    let next = server.complete(&task, Vec::new()).workflow_task.expect("a task for the update");
    assert_eq!(
        types(&decoded(next.history.clone())),
        "WorkflowTaskCompleted WorkflowTaskScheduled WorkflowTaskStarted"
    );
    assert_eq!(next.messages.len(), 1);
    let response = call!(server, RespondWorkflowTaskCompleted, answer(&next, vec![reject("u")]));
    assert_eq!(response.reset_history_event_id, 3);
    assert!(server.events("w").ends_with("WorkflowTaskCompleted"), "the task leaves no trace: {}", server.events("w"));
    updated(&mut server, update).unwrap();
}

#[test]
fn news_makes_a_speculative_task_an_ordinary_one() {
    let mut server = idle("w");
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    server.signal("w", "hello");
    assert!(server.events("w").ends_with("WorkflowTaskScheduled WorkflowTaskStarted"), "{}", server.events("w"));
    let response = call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![reject("u")]));
    assert_eq!(response.reset_history_event_id, 0);
    let next = response.workflow_task.expect("a task for the signal");
    assert_eq!(
        types(&decoded(next.history)),
        "WorkflowTaskCompleted WorkflowExecutionSignaled WorkflowTaskScheduled WorkflowTaskStarted"
    );
}

#[test]
fn a_speculative_task_that_nobody_takes_becomes_an_ordinary_one() {
    let mut server = idle("w");
    let update = server.send(update_request("w", "u", Stage::Completed));
    server.advance(Duration::from_secs(5));
    assert!(
        server.events("w").ends_with("WorkflowTaskScheduled WorkflowTaskTimedOut WorkflowTaskScheduled"),
        "{}",
        server.events("w")
    );
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    assert_eq!(updated(&mut server, update).unwrap().stage(), Stage::Completed);
}

#[test]
fn commands_give_messages_their_place() {
    let mut server = idle("w");
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    let request = api::RespondWorkflowTaskCompletedRequest {
        messages: vec![accept(&task, "u"), respond("u")],
        commands: vec![
            protocol_command("u/accept"),
            start_timer("t", 5),
            protocol_command("u/complete"),
            complete_workflow(),
        ],
        ..complete_request(&task, Vec::new())
    };
    call!(server, RespondWorkflowTaskCompleted, request);
    assert!(
        server.events("w").ends_with(
            "WorkflowTaskCompleted WorkflowExecutionUpdateAccepted TimerStarted WorkflowExecutionUpdateCompleted \
             WorkflowExecutionCompleted"
        ),
        "{}",
        server.events("w")
    );
}

#[test]
fn bad_messages_fail_the_task() {
    let accepted_by_nobody = "BadUpdateWorkflowExecutionMessage: update x wasn't found on the server. This is most \
                              likely a transient error which will be resolved automatically by retries";
    let too_early = "BadUpdateWorkflowExecutionMessage: invalid state transition attempted for Update u: received \
                     *update.Response message while in state Sent";
    let cases = [(respond("x"), accepted_by_nobody), (respond("u"), too_early)];
    for (message, expected) in cases {
        let mut server = idle("w");
        let update = server.send(update_request("w", "u", Stage::Completed));
        let task = server.task();
        let refusal = server.try_call(answer(&task, vec![message])).unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, expected));
        assert!(server.events("w").ends_with("WorkflowTaskStarted WorkflowTaskFailed"), "{}", server.events("w"));
        let refusal = updated(&mut server, update).unwrap_err();
        assert_eq!(refusal.code, Code::FailedPrecondition);
        assert_eq!(
            refusal.message,
            "Unable to perform workflow execution update due to unexpected workflow task failure."
        );
    }
    let mut server = idle("w");
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    let refusal = server.try_call(complete_request(&task, vec![protocol_command("nowhere")])).unwrap_err();
    assert_eq!(
        refusal.message,
        "BadUpdateWorkflowExecutionMessage: ProtocolMessageCommand referenced absent message ID nowhere"
    );
}

#[test]
fn an_update_whose_task_fails_is_sent_again_and_refused_when_there_is_no_hope() {
    let mut server = idle("w");
    let update = server.send(update_request("w", "u", Stage::Completed));
    for attempt in 1..=2 {
        let task = server.task();
        assert_eq!((task.attempt, task.messages.len()), (attempt, 1));
        let failed = api::RespondWorkflowTaskFailedRequest { task_token: task.task_token, ..Default::default() };
        call!(server, RespondWorkflowTaskFailed, failed);
    }
    let refusal = server.try_call(update_request("w", "v", Stage::Completed)).unwrap_err();
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(refusal.message, "Unable to perform workflow execution update due to Workflow Task in failed state.");
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    assert_eq!(updated(&mut server, update).unwrap().stage(), Stage::Completed);
}

#[test]
fn a_closing_workflow_fails_what_it_accepted_and_refuses_the_rest() {
    let mut server = idle("w");
    let accepted = server.send(update_request("w", "a", Stage::Completed));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "a")]));
    server.signal("w", "go on");
    let task = server.task();
    let admitted = server.send(update_request("w", "b", Stage::Completed));
    server.complete(&task, vec![complete_workflow()]);
    let failure = failure_of(updated(&mut server, accepted).unwrap().outcome);
    assert_eq!(failure_type(&failure), "AcceptedUpdateCompletedWorkflow");
    let refusal = updated(&mut server, admitted).unwrap_err();
    assert_eq!(refusal.message, "workflow update was aborted by closing workflow");
    let late = server.try_call(update_request("w", "c", Stage::Completed)).unwrap_err();
    assert_eq!((late.code, late.message.as_str()), (Code::NotFound, "workflow execution already completed"));
    let again = call!(server, UpdateWorkflowExecution, update_request("w", "a", Stage::Completed));
    assert_eq!(failure_type(&failure_of(again.outcome)), "AcceptedUpdateCompletedWorkflow");
}

#[test]
fn the_outcome_of_an_update_is_found_after_the_close() {
    let mut server = idle("w");
    server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    let request = api::RespondWorkflowTaskCompletedRequest {
        messages: vec![accept(&task, "u"), respond("u")],
        commands: vec![protocol_command("u/accept"), protocol_command("u/complete"), complete_workflow()],
        ..complete_request(&task, Vec::new())
    };
    call!(server, RespondWorkflowTaskCompleted, request);
    let again = call!(server, UpdateWorkflowExecution, update_request("w", "u", Stage::Completed));
    assert_eq!(again.outcome.unwrap().value, Some(outcome::Value::Success(text("done").unwrap())));
    let polled = call!(server, PollWorkflowExecutionUpdate, poll_update_request("w", "u", Stage::Completed));
    assert_eq!(polled.stage(), Stage::Completed);
}

#[test]
fn an_update_that_came_too_late_may_be_asked_of_the_run_that_follows() {
    let mut server = Server::new();
    let request = api::StartWorkflowExecutionRequest { retry_policy: Some(Default::default()), ..start_request("w") };
    let first = call!(server, StartWorkflowExecution, request).run_id;
    let task = server.task();
    let update = server.send(update_request("w", "u", Stage::Completed));
    server.complete(&task, vec![fail_workflow()]);
    let refusal = updated(&mut server, update).unwrap_err();
    assert_eq!(refusal.code, Code::ResourceExhausted, "clients try that again");
    assert_eq!(refusal.message, "workflow operation can not be applied because workflow is closing");
    let update = server.send(update_request("w", "u", Stage::Completed));
    let task = server.task();
    assert_ne!(task.workflow_execution.as_ref().unwrap().run_id, first);
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u"), respond("u")]));
    assert_eq!(updated(&mut server, update).unwrap().stage(), Stage::Completed);
}

#[test]
fn who_does_not_say_otherwise_waits_for_the_outcome_of_an_update() {
    let mut server = idle("w");
    let update = server.send(update_request("w", "u", Stage::Unspecified));
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![accept(&task, "u")]));
    assert!(server.answer(update).is_none(), "accepted is not all");
    server.signal("w", "go on");
    let task = server.task();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, vec![respond("u")]));
    assert_eq!(updated(&mut server, update).unwrap().stage(), Stage::Completed);
}

#[test]
fn news_stand_after_the_task_that_an_update_brought_and_that_brings_them_too() {
    let mut server = idle("w");
    server.send(update_request("w", "u", Stage::Accepted));
    server.signal("w", "hello");
    let events = server.events("w");
    assert!(events.ends_with("WorkflowTaskScheduled WorkflowExecutionSignaled"), "{events}");
}

#[test]
fn the_task_that_an_update_brought_is_written_at_the_instant_of_the_news() {
    let mut server = Server::new();
    server.start("w");
    server.step(vec![schedule_activity("a")]);
    let activity = server.activity();
    server.advance(Duration::from_secs(1));
    server.send(update_request("w", "u", Stage::Accepted));
    server.advance(Duration::from_secs(1));
    server.succeed(&activity);
    let history = server.history("w");
    let [.., scheduled, started, completed] = &history[..] else { panic!("{history:?}") };
    assert_eq!(types(&history[history.len() - 3..]), "WorkflowTaskScheduled ActivityTaskStarted ActivityTaskCompleted");
    assert_eq!(scheduled.event_time, completed.event_time);
    assert!(started.event_time.unwrap().seconds < completed.event_time.unwrap().seconds);
}

#[test]
fn a_run_has_so_many_updates_in_flight_and_no_more() {
    let mut server = idle("w");
    for number in 0..10 {
        server.send(update_request("w", &format!("u{number}"), Stage::Completed));
    }
    let refusal = server.try_call(update_request("w", "one too many", Stage::Completed)).unwrap_err();
    assert_eq!(refusal.code, Code::ResourceExhausted);
    assert_eq!(refusal.message, "limit on number of concurrent in-flight updates has been reached (10)");
    let task = server.task();
    assert_eq!(task.messages.len(), 10);
    let ids: Vec<_> = task.messages.iter().map(|message| message.protocol_instance_id.clone()).collect();
    assert_eq!(ids, (0..10).map(|number| format!("u{number}")).collect::<Vec<_>>(), "in the order of admission");
    let messages = ids.iter().map(|id| reject(id)).collect();
    call!(server, RespondWorkflowTaskCompleted, answer(&task, messages));
    server.send(update_request("w", "another", Stage::Completed));
    assert_eq!(server.task().messages.len(), 1);
}

#[test]
fn an_update_does_not_wait_for_the_delayed_first_task() {
    for rejected in [false, true] {
        let mut server = Server::new();
        let mut request = start_request("w");
        request.workflow_start_delay = crate::support::secs(60);
        call!(server, StartWorkflowExecution, request);
        let update = server.send(update_request("w", "u", Stage::Completed));
        let task = server.task();
        assert_eq!((task.messages.len(), task.started_event_id), (1, 3));
        let messages = if rejected { vec![reject("u")] } else { vec![accept(&task, "u"), respond("u")] };
        call!(server, RespondWorkflowTaskCompleted, answer(&task, messages));
        assert_eq!(updated(&mut server, update).unwrap().stage(), Stage::Completed);
        let before = server.events("w");
        server.advance(Duration::from_secs(60));
        assert_eq!(server.events("w") != before, rejected, "the delay is over unless the workflow ran: {before}");
    }
}

#[test]
fn requests_that_say_too_little_are_refused() {
    let mut server = idle("w");
    let mut nameless = update_request("w", "u", Stage::Completed);
    nameless.request.as_mut().unwrap().input.as_mut().unwrap().name.clear();
    let refusal = server.try_call(nameless).unwrap_err();
    assert_eq!(refusal.message, "Update name is not set on request.");
    let refusal = server.try_call(update_request("w", "u", Stage::Admitted)).unwrap_err();
    assert_eq!(refusal.code, Code::PermissionDenied);
    let mut other_chain = update_request("w", "u", Stage::Completed);
    other_chain.first_execution_run_id = "another".to_owned();
    let refusal = server.try_call(other_chain).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::NotFound, "workflow execution not found"));
}
