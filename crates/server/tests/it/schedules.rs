//! Schedules, with workflows that they start.

use std::time::Duration;

use stead_proto::command::v1::command::Attributes;
use stead_proto::command::v1::{CompleteWorkflowExecutionCommandAttributes, FailWorkflowExecutionCommandAttributes};
use stead_proto::common::v1::{Memo, Payload, Payloads, RetryPolicy, SearchAttributes, WorkflowType};
use stead_proto::enums::v1::{IndexedValueType, ScheduleOverlapPolicy as Policy, WorkflowExecutionStatus as Status};
use stead_proto::failure::v1::Failure;
use stead_proto::history::v1::history_event::Attributes as Event;
use stead_proto::operatorservice::v1::AddSearchAttributesRequest;
use stead_proto::schedule::v1 as schedule;
use stead_proto::schedule::v1::schedule_action::Action;
use stead_proto::workflow::v1::NewWorkflowExecutionInfo;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{Code, Time};
use stead_server::store::Table;

use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{NAMESPACE, Server, command, decoded, queue, secs};

/// A schedule that starts the workflow `w` every minute.
fn minutely(policy: Policy) -> schedule::Schedule {
    let workflow = NewWorkflowExecutionInfo {
        workflow_id: "w".to_owned(),
        workflow_type: Some(WorkflowType { name: "Flow".to_owned() }),
        task_queue: Some(queue()),
        ..Default::default()
    };
    schedule::Schedule {
        spec: Some(schedule::ScheduleSpec { cron_string: vec!["* * * * *".to_owned()], ..Default::default() }),
        action: Some(schedule::ScheduleAction { action: Some(Action::StartWorkflow(workflow)) }),
        policies: Some(schedule::SchedulePolicies { overlap_policy: policy.into(), ..Default::default() }),
        state: None,
    }
}

fn creation(definition: schedule::Schedule) -> api::CreateScheduleRequest {
    api::CreateScheduleRequest {
        namespace: NAMESPACE.to_owned(),
        schedule_id: "s".to_owned(),
        schedule: Some(definition),
        request_id: "create".to_owned(),
        ..Default::default()
    }
}

fn describe_request(id: &str) -> api::DescribeScheduleRequest {
    api::DescribeScheduleRequest { namespace: NAMESPACE.to_owned(), schedule_id: id.to_owned() }
}

fn patch_request(patch: schedule::SchedulePatch) -> api::PatchScheduleRequest {
    api::PatchScheduleRequest {
        namespace: NAMESPACE.to_owned(),
        schedule_id: "s".to_owned(),
        patch: Some(patch),
        ..Default::default()
    }
}

fn update_request(definition: schedule::Schedule) -> api::UpdateScheduleRequest {
    api::UpdateScheduleRequest {
        namespace: NAMESPACE.to_owned(),
        schedule_id: "s".to_owned(),
        schedule: Some(definition),
        ..Default::default()
    }
}

fn delete_request(id: &str) -> api::DeleteScheduleRequest {
    api::DeleteScheduleRequest { namespace: NAMESPACE.to_owned(), schedule_id: id.to_owned(), ..Default::default() }
}

fn matching_request(id: &str, from: Time, to: Time) -> api::ListScheduleMatchingTimesRequest {
    api::ListScheduleMatchingTimesRequest {
        namespace: NAMESPACE.to_owned(),
        schedule_id: id.to_owned(),
        start_time: Some(timestamp(from)),
        end_time: Some(timestamp(to)),
    }
}

fn timestamp(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.unix_nanos() / 1_000_000_000, nanos: 0 }
}

fn pause(notes: &str) -> schedule::SchedulePatch {
    schedule::SchedulePatch { pause: notes.to_owned(), ..Default::default() }
}

fn trigger() -> schedule::SchedulePatch {
    let trigger = schedule::TriggerImmediatelyRequest::default();
    schedule::SchedulePatch { trigger_immediately: Some(trigger), ..Default::default() }
}

fn complete(result: &str) -> Vec<stead_proto::command::v1::Command> {
    let attributes = CompleteWorkflowExecutionCommandAttributes { result: Some(payloads(result)) };
    vec![command(Attributes::CompleteWorkflowExecutionCommandAttributes(attributes))]
}

fn fail(message: &str) -> Vec<stead_proto::command::v1::Command> {
    let failure = Some(Failure { message: message.to_owned(), ..Default::default() });
    let attributes = FailWorkflowExecutionCommandAttributes { failure };
    vec![command(Attributes::FailWorkflowExecutionCommandAttributes(Box::new(attributes)))]
}

fn payloads(data: &str) -> Payloads {
    Payloads { payloads: vec![Payload { data: data.to_owned().into(), ..Default::default() }] }
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

impl Server {
    fn create(&mut self, definition: schedule::Schedule) {
        call!(self, CreateSchedule, creation(definition));
    }

    fn describe_schedule(&mut self) -> api::DescribeScheduleResponse {
        call!(self, DescribeSchedule, describe_request("s"))
    }

    fn info(&mut self) -> schedule::ScheduleInfo {
        self.describe_schedule().info.unwrap()
    }

    fn patch(&mut self, patch: schedule::SchedulePatch) {
        call!(self, PatchSchedule, patch_request(patch));
    }

    /// The ids of the running workflows, without what all of them begin with.
    fn running(&mut self) -> Vec<String> {
        let running = self.info().running_workflows;
        running.into_iter().map(|execution| execution.workflow_id.replace("w-2026-01-01T", "")).collect()
    }

    /// Polls for a workflow task and completes it; the workflow's id, without what all of them begin with.
    fn work(&mut self, commands: Vec<stead_proto::command::v1::Command>) -> String {
        let task = self.task();
        self.complete(&task, commands);
        task.workflow_execution.unwrap().workflow_id.replace("w-2026-01-01T", "")
    }
}

#[test]
fn a_schedule_starts_a_workflow_every_minute() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    server.advance(minutes(1));
    assert_eq!(server.running(), ["00:01:00Z"]);
    assert_eq!(server.work(complete("one")), "00:01:00Z");
    assert_eq!(server.running(), [""; 0]);
    server.advance(minutes(1));
    assert_eq!(server.work(complete("two")), "00:02:00Z");
    let info = server.info();
    assert_eq!((info.action_count, info.recent_actions.len()), (2, 2));
    assert_eq!(info.recent_actions[1].start_workflow_status(), Status::Completed);
    assert_eq!(info.recent_actions[1].schedule_time, Some(timestamp(server.now)));
    assert_eq!(info.future_action_times[0], timestamp(server.now + minutes(1)));
}

#[test]
fn a_workflow_knows_which_schedule_started_it_and_what_the_last_one_said() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    server.advance(minutes(1));
    server.work(complete("one"));
    server.advance(minutes(1));
    server.work(fail("broken"));
    server.advance(minutes(1));
    let events = decoded(server.task().history);
    let Some(Event::WorkflowExecutionStartedEventAttributes(started)) = &events[0].attributes else { panic!() };
    assert_eq!(started.identity, "temporal-scheduler-default-s");
    assert_eq!(started.last_completion_result, Some(payloads("one")));
    assert_eq!(started.continued_failure.as_ref().unwrap().message, "broken");
    let fields = &started.search_attributes.as_ref().unwrap().indexed_fields;
    assert_eq!(fields["TemporalScheduledById"].data.as_ref(), b"\"s\"");
    assert_eq!(fields["TemporalScheduledStartTime"].data.as_ref(), b"\"2026-01-01T00:03:00Z\"");
}

#[test]
fn buffer_one_waits_for_the_end_of_the_running_workflow() {
    let mut server = Server::new();
    server.create(minutely(Policy::BufferOne));
    server.advance(minutes(4));
    let info = server.info();
    assert_eq!((info.buffer_size, info.overlap_skipped), (1, 2));
    assert_eq!(server.work(complete("")), "00:01:00Z");
    assert_eq!(server.running(), ["00:02:00Z"]);
    assert_eq!(server.work(complete("")), "00:02:00Z");
    assert_eq!((server.running().len(), server.info().buffer_size), (0, 0));
}

#[test]
fn a_workflow_that_is_tried_again_is_still_running() {
    let mut server = Server::new();
    let mut definition = minutely(Policy::Skip);
    if let Some(Action::StartWorkflow(workflow)) = &mut definition.action.as_mut().unwrap().action {
        workflow.retry_policy = Some(RetryPolicy { maximum_attempts: 2, ..Default::default() });
    }
    server.create(definition);
    server.advance(minutes(1));
    server.work(fail("once"));
    assert_eq!(server.running(), ["00:01:00Z"]);
    server.advance(minutes(1));
    assert_eq!(server.info().overlap_skipped, 1);
    server.work(fail("twice"));
    let info = server.info();
    assert_eq!((info.running_workflows.len(), info.recent_actions[0].start_workflow_status()), (0, Status::Failed));
}

#[test]
fn a_schedule_goes_on_after_a_restart() {
    let mut server = Server::with(durable());
    server.create(minutely(Policy::BufferOne));
    server.advance(minutes(2));
    let before = server.describe_schedule();
    let mut server = restarted(server);
    assert_eq!(server.describe_schedule(), before);
    assert_eq!(server.work(complete("")), "00:01:00Z");
    assert_eq!(server.work(complete("")), "00:02:00Z");
    server.advance(minutes(1));
    assert_eq!(server.running(), ["00:03:00Z"]);
    call!(server, DeleteSchedule, delete_request("s"));
    assert!(server.kept.keys().all(|(table, _)| *table != Table::Schedules), "rows of a schedule are left");
}

#[test]
fn the_running_workflow_is_terminated_for_the_next_one() {
    let mut server = Server::new();
    server.create(minutely(Policy::TerminateOther));
    server.advance(minutes(2));
    assert_eq!(server.running(), ["00:02:00Z"]);
    assert_eq!(server.events("w-2026-01-01T00:01:00Z").split(' ').next_back(), Some("WorkflowExecutionTerminated"));
    let history = server.history("w-2026-01-01T00:01:00Z");
    let Some(Event::WorkflowExecutionTerminatedEventAttributes(event)) = &history.last().unwrap().attributes else {
        panic!("{history:?}")
    };
    assert_eq!(event.reason, "terminated by schedule overlap policy");
}

#[test]
fn the_running_workflow_is_cancelled_once_for_the_next_one() {
    let mut server = Server::new();
    server.create(minutely(Policy::CancelOther));
    server.advance(minutes(3));
    let events = server.events("w-2026-01-01T00:01:00Z");
    assert_eq!(events, "WorkflowExecutionStarted WorkflowTaskScheduled WorkflowExecutionCancelRequested");
    assert_eq!((server.running(), server.info().buffer_size), (vec!["00:01:00Z".to_owned()], 2));
}

#[test]
fn a_failure_pauses_the_schedule() {
    let mut server = Server::new();
    let mut definition = minutely(Policy::Skip);
    definition.policies.as_mut().unwrap().pause_on_failure = true;
    server.create(definition);
    server.advance(minutes(1));
    server.work(fail("broken"));
    let state = server.describe_schedule().schedule.unwrap().state.unwrap();
    let notes = "paused due to workflow failure: w-2026-01-01T00:01:00Z: broken";
    assert_eq!((state.paused, state.notes.as_str()), (true, notes));
    server.advance(minutes(10));
    assert_eq!(server.info().action_count, 1);
}

#[test]
fn a_backfill_starts_workflows_of_the_past() {
    let mut server = Server::new();
    let day = Duration::from_secs(24 * 3600);
    let request = schedule::BackfillRequest {
        start_time: Some(timestamp(server.now - day)),
        end_time: Some(timestamp(server.now - day + minutes(2))),
        overlap_policy: Policy::AllowAll.into(),
    };
    let patch = schedule::SchedulePatch { backfill_request: vec![request], ..Default::default() };
    call!(
        server,
        CreateSchedule,
        api::CreateScheduleRequest { initial_patch: Some(patch), ..creation(minutely(Policy::Skip)) }
    );
    let started: Vec<_> = (0..3).map(|_| server.work(complete(""))).collect();
    assert_eq!(started, ["w-2025-12-31T00:00:00Z", "w-2025-12-31T00:01:00Z", "w-2025-12-31T00:02:00Z"]);
}

#[test]
fn a_trigger_starts_a_workflow_of_a_paused_schedule() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    server.patch(pause("not now"));
    server.advance(minutes(5));
    server.patch(trigger());
    assert_eq!(server.running(), ["00:05:00Z"]);
    let described = server.describe_schedule();
    assert_eq!(described.schedule.unwrap().state.unwrap().notes, "not now");
    assert_eq!(described.conflict_token.as_ref(), [0, 0, 0, 0, 0, 0, 0, 2]);
}

#[test]
fn a_workflow_id_that_is_taken_is_left_out() {
    let mut server = Server::new();
    server.start("w-2026-01-01T00:01:00Z");
    server.create(minutely(Policy::Skip));
    server.advance(minutes(1));
    assert_eq!((server.info().action_count, server.running().len()), (0, 0));
    server.advance(minutes(1));
    assert_eq!(server.running(), ["00:02:00Z"]);
}

#[test]
fn an_update_replaces_the_definition() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    let mut hourly = minutely(Policy::AllowAll);
    hourly.spec.as_mut().unwrap().cron_string = vec!["@hourly".to_owned()];
    call!(server, UpdateSchedule, update_request(hourly));
    server.advance(minutes(59));
    assert_eq!(server.info().action_count, 0);
    server.advance(minutes(1));
    let described = server.describe_schedule();
    assert_eq!(described.info.unwrap().action_count, 1);
    let policies = described.schedule.unwrap().policies.unwrap();
    assert_eq!((policies.overlap_policy(), policies.catchup_window), (Policy::AllowAll, secs(365 * 86_400)));
}

#[test]
fn a_description_shows_the_specification_in_one_form() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    let spec = server.describe_schedule().schedule.unwrap().spec.unwrap();
    assert_eq!(spec.cron_string, [""; 0]);
    let calendar = &spec.structured_calendar[0];
    assert_eq!(calendar.second, [schedule::Range { start: 0, end: 0, step: 1 }]);
    assert_eq!(calendar.minute, [schedule::Range { start: 0, end: 59, step: 1 }]);
    assert_eq!(calendar.year, []);
}

#[test]
fn matching_times_are_those_after_the_first_instant_up_to_the_last() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    let (from, to) = (server.now, server.now + minutes(3));
    let times = call!(server, ListScheduleMatchingTimes, matching_request("s", from, to)).start_time;
    assert_eq!(times, [1, 2, 3].map(|count| timestamp(from + minutes(count))));
    let all = call!(server, ListScheduleMatchingTimes, matching_request("s", from, from + minutes(5_000)));
    assert_eq!(all.start_time.len(), 1_000);
}

#[test]
fn a_deleted_schedule_starts_nothing_and_its_workflows_go_on() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    server.advance(minutes(1));
    call!(server, DeleteSchedule, delete_request("s"));
    server.advance(minutes(2));
    assert_eq!(server.work(complete("")), "00:01:00Z");
    let refusal = server.try_call(describe_request("s")).unwrap_err();
    assert_eq!(refusal.code, Code::NotFound);
    server.create(minutely(Policy::Skip));
    assert_eq!(server.info().action_count, 0);
}

#[test]
fn a_schedule_is_created_once() {
    let mut server = Server::new();
    let created = call!(server, CreateSchedule, creation(minutely(Policy::Skip)));
    assert_eq!(created.conflict_token.as_ref(), [0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(call!(server, CreateSchedule, creation(minutely(Policy::Skip))), created, "the same request again");
    let other = api::CreateScheduleRequest { request_id: "other".to_owned(), ..creation(minutely(Policy::Skip)) };
    let refusal = server.try_call(other).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::AlreadyExists, "schedule \"s\" is already registered"));
    assert!(refusal.details[0].type_url.ends_with("WorkflowExecutionAlreadyStartedFailure"), "{refusal:?}");
}

#[test]
fn memo_is_kept_with_the_schedule() {
    let mut server = Server::new();
    let fields = [("note".to_owned(), Payload { data: "x".into(), ..Default::default() })];
    let memo = Memo { fields: fields.into() };
    call!(
        server,
        CreateSchedule,
        api::CreateScheduleRequest { memo: Some(memo.clone()), ..creation(minutely(Policy::Skip)) }
    );
    assert_eq!(server.describe_schedule().memo, Some(memo));
}

/// The texts are those of Temporal's server, 1.32.
#[test]
fn what_cannot_be_created_is_refused_with_the_reason() {
    let with = |change: fn(&mut NewWorkflowExecutionInfo)| {
        let mut definition = minutely(Policy::Skip);
        if let Some(Action::StartWorkflow(workflow)) = &mut definition.action.as_mut().unwrap().action {
            change(workflow);
        }
        creation(definition)
    };
    let base = || creation(minutely(Policy::Skip));
    let mut bad_spec = minutely(Policy::Skip);
    bad_spec.spec.as_mut().unwrap().cron_string = vec!["61 * * * *".to_owned()];
    let cases = [
        (
            api::CreateScheduleRequest { schedule_id: String::new(), ..base() },
            "Can't load workflow execution.  WorkflowId not set.",
        ),
        (
            api::CreateScheduleRequest { schedule_id: "x".repeat(1001), ..base() },
            "WorkflowId exceeds maximum allowed length (1024/1000)",
        ),
        (api::CreateScheduleRequest { request_id: String::new(), ..base() }, "RequestId is not set on request."),
        (api::CreateScheduleRequest { request_id: "x".repeat(1001), ..base() }, "RequestId length exceeds limit."),
        (creation(bad_spec), "Invalid schedule spec: Minute is not in range [0-59]"),
        (with(|workflow| workflow.workflow_type = None), "WorkflowType is not set on request."),
        (with(|workflow| workflow.task_queue = None), "taskQueue is not set"),
        (with(|workflow| workflow.task_queue = Some(Default::default())), "missing task queue name"),
        (
            with(|workflow| workflow.workflow_run_timeout = secs(-1)),
            "An invalid WorkflowRunTimeoutSeconds is set on request. cause: negative duration",
        ),
        (
            with(|workflow| workflow.cron_schedule = "* * * * *".to_owned()),
            "Scheduled workflow must not contain CronSchedule",
        ),
        (
            with(|workflow| workflow.workflow_id_reuse_policy = 2),
            "Scheduled workflow must not contain WorkflowIDReusePolicy",
        ),
    ];
    let mut server = Server::new();
    for (request, message) in cases {
        let refusal = server.try_call(request).unwrap_err();
        assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, message));
    }
}

#[test]
fn what_cannot_be_changed_is_refused_with_the_reason() {
    let mut server = Server::new();
    server.create(minutely(Policy::Skip));
    let no_patch = api::PatchScheduleRequest { patch: None, ..patch_request(pause("")) };
    let no_action = update_request(schedule::Schedule { action: None, ..minutely(Policy::Skip) });
    let memo = api::UpdateScheduleRequest { memo: Some(Memo::default()), ..update_request(minutely(Policy::Skip)) };
    let no_times =
        api::ListScheduleMatchingTimesRequest { start_time: None, ..matching_request("s", server.now, server.now) };
    let refusals = [
        server.try_call(no_patch).unwrap_err(),
        server.try_call(patch_request(pause(&"x".repeat(1_001)))).unwrap_err(),
        server.try_call(no_action).unwrap_err(),
        server.try_call(memo).unwrap_err(),
        server.try_call(no_times).unwrap_err(),
    ];
    let expected = [
        (Code::InvalidArgument, "Patch is not set on request."),
        (Code::InvalidArgument, "Schedule notes exceeds limit."),
        (Code::InvalidArgument, "Only StartWorkflow action is supported for schedules"),
        (Code::FailedPrecondition, "memo updates are not supported on workflow-backed schedules"),
        (Code::InvalidArgument, "missing or invalid query"),
    ];
    assert_eq!(refusals.each_ref().map(|refusal| (refusal.code, refusal.message.as_str())), expected);
}

#[test]
fn an_unknown_schedule_is_not_found() {
    let mut server = Server::new();
    let unknown = |id: &str| (Code::NotFound, format!("workflow not found for ID: temporal-sys-scheduler:{id}"));
    let now = server.now;
    let refusals = [
        server.try_call(describe_request("s")).unwrap_err(),
        server.try_call(patch_request(pause("x"))).unwrap_err(),
        server.try_call(update_request(minutely(Policy::Skip))).unwrap_err(),
        server.try_call(delete_request("s")).unwrap_err(),
        server.try_call(matching_request("s", now, now)).unwrap_err(),
    ];
    assert_eq!(refusals.map(|refusal| (refusal.code, refusal.message)), [(); 5].map(|()| unknown("s")));
}

fn list_request(query: &str, size: i32, token: &[u8]) -> api::ListSchedulesRequest {
    api::ListSchedulesRequest {
        namespace: NAMESPACE.to_owned(),
        maximum_page_size: size,
        next_page_token: token.to_vec().into(),
        query: query.to_owned(),
    }
}

fn count_request(query: &str) -> api::CountSchedulesRequest {
    api::CountSchedulesRequest { namespace: NAMESPACE.to_owned(), query: query.to_owned() }
}

fn keyword(value: &str) -> SearchAttributes {
    let encoding = [("encoding".to_owned(), "json/plain".into())];
    let payload = Payload { metadata: encoding.into(), data: format!("\"{value}\"").into(), ..Default::default() };
    SearchAttributes { indexed_fields: [("Team".to_owned(), payload)].into() }
}

impl Server {
    /// Creates schedules, a second after each other, whose team is the first letter of their ids.
    fn create_of_teams(&mut self, ids: &[&str]) {
        let request = AddSearchAttributesRequest {
            namespace: NAMESPACE.to_owned(),
            search_attributes: [("Team".to_owned(), IndexedValueType::Keyword.into())].into(),
        };
        call!(self, AddSearchAttributes, request);
        for id in ids {
            let mut request = creation(minutely(Policy::Skip));
            request.schedule_id = (*id).to_owned();
            request.search_attributes = Some(keyword(&id[..1]));
            call!(self, CreateSchedule, request);
            self.advance(Duration::from_secs(1));
        }
    }

    fn listed(&mut self, query: &str) -> Vec<String> {
        let list = call!(self, ListSchedules, list_request(query, 0, b""));
        let ids: Vec<_> = list.schedules.into_iter().map(|entry| entry.schedule_id).collect();
        assert_eq!(call!(self, CountSchedules, count_request(query)).count, ids.len() as i64, "{query}");
        ids
    }
}

#[test]
fn lists_find_schedules_by_their_attributes() {
    let mut server = Server::new();
    server.create_of_teams(&["a1", "b1", "a2", "s"]);
    server.patch(pause("for now"));
    assert_eq!(server.listed(""), ["s", "a2", "b1", "a1"]);
    assert_eq!(server.listed("`Team` = 'a'"), ["a2", "a1"]);
    assert_eq!(server.listed("TemporalSchedulePaused = true"), ["s"]);
    assert_eq!(server.listed("ScheduleId IN ('b1', 'nobody')"), ["b1"]);
    call!(server, DeleteSchedule, delete_request("a2"));
    assert_eq!(server.listed("Team = 'a'"), ["a1"]);
    let refusal = server.try_call(list_request("WorkflowId = 'x'", 0, b"")).unwrap_err();
    assert_eq!(refusal.message, "invalid query filter for schedules: cannot filter on \"WorkflowId\"");
}

#[test]
fn lists_come_in_pages() {
    let mut server = Server::new();
    server.create_of_teams(&["a", "b", "c"]);
    let first = call!(server, ListSchedules, list_request("", 2, b""));
    let second = call!(server, ListSchedules, list_request("", 2, &first.next_page_token));
    let ids = |list: api::ListSchedulesResponse| list.schedules.into_iter().map(|entry| entry.schedule_id);
    assert!(second.next_page_token.is_empty());
    assert_eq!(ids(first).chain(ids(second)).collect::<Vec<_>>(), ["c", "b", "a"]);
}

#[test]
fn a_list_shows_what_a_schedule_does() {
    let mut server = Server::new();
    server.create_of_teams(&["s"]);
    server.patch(trigger());
    let entry = call!(server, ListSchedules, list_request("", 0, b"")).schedules.remove(0);
    assert_eq!(entry.search_attributes.unwrap().indexed_fields["Team"].data.as_ref(), b"\"s\"");
    let info = entry.info.unwrap();
    assert_eq!((info.workflow_type.unwrap().name.as_str(), info.paused), ("Flow", false));
    assert_eq!((info.recent_actions.len(), info.future_action_times.len()), (1, 5));
    assert_eq!(info.spec.unwrap().structured_calendar.len(), 1);
}

#[test]
fn an_update_replaces_the_attributes_or_leaves_them() {
    let mut server = Server::new();
    server.create_of_teams(&["s"]);
    call!(server, UpdateSchedule, update_request(minutely(Policy::Skip)));
    assert_eq!(server.listed("Team = 's'"), ["s"]);
    let other = Some(keyword("other"));
    let request = api::UpdateScheduleRequest { search_attributes: other, ..update_request(minutely(Policy::Skip)) };
    call!(server, UpdateSchedule, request);
    assert_eq!((server.listed("Team = 's'").len(), server.listed("Team = 'other'").len()), (0, 1));
}

#[test]
fn attributes_that_the_namespace_does_not_have_are_refused() {
    let mut server = Server::new();
    let of_schedule =
        api::CreateScheduleRequest { search_attributes: Some(keyword("x")), ..creation(minutely(Policy::Skip)) };
    let mut of_workflow = creation(minutely(Policy::Skip));
    let action = of_workflow.schedule.as_mut().and_then(|definition| definition.action.as_mut()).unwrap();
    if let Some(Action::StartWorkflow(workflow)) = &mut action.action {
        workflow.search_attributes = Some(keyword("x"));
    }
    for request in [of_schedule, of_workflow] {
        let refusal = server.try_call(request).unwrap_err();
        assert_eq!(refusal.message, "Namespace default has no mapping defined for search attribute Team");
    }
}
