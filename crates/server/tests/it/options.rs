//! Options that change while activities and workflows run.

use std::time::Duration;

use prost_types::FieldMask;
use stead_proto::activity::v1::ActivityOptions;
use stead_proto::common::v1::RetryPolicy;
use stead_proto::taskqueue::v1::TaskQueue;
use stead_proto::workflowservice::v1::{self as api, update_activity_options_request::Activity};
use stead_server::engine::Code;

use crate::activities::failure;
use crate::call;
use crate::support::{NAMESPACE, Server, activity_poll_request, execution, secs};

fn update_request(options: ActivityOptions, paths: &[&str]) -> api::UpdateActivityOptionsRequest {
    api::UpdateActivityOptionsRequest {
        namespace: NAMESPACE.to_owned(),
        execution: Some(execution("w")),
        activity_options: Some(options),
        update_mask: Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        activity: Some(Activity::Id("a".to_owned())),
        ..Default::default()
    }
}

#[test]
fn only_the_fields_of_the_mask_change() {
    let mut server = Server::with_activity(|a| a.heartbeat_timeout = secs(5));
    let options = ActivityOptions {
        start_to_close_timeout: secs(30),
        heartbeat_timeout: secs(20),
        retry_policy: Some(RetryPolicy { maximum_attempts: 2, initial_interval: secs(7), ..Default::default() }),
        ..Default::default()
    };
    let request = update_request(options, &["start_to_close_timeout", "retryPolicy.maximumAttempts"]);
    let updated = call!(server, UpdateActivityOptions, request).activity_options.unwrap();
    assert_eq!((updated.start_to_close_timeout, updated.heartbeat_timeout), (secs(30), secs(5)));
    let policy = updated.retry_policy.unwrap();
    assert_eq!((policy.maximum_attempts, policy.initial_interval), (2, secs(1)));
    let task = server.activity();
    assert_eq!(task.start_to_close_timeout, secs(30));
    server.fail(&task, failure("one"));
    server.advance(Duration::from_secs(1));
    let task = server.activity();
    server.fail(&task, failure("two"));
    assert!(server.events("w").contains("ActivityTaskFailed"), "two attempts are all: {}", server.events("w"));
}

#[test]
fn a_waiting_activity_moves_to_its_new_queue() {
    let mut server = Server::with_activity(|_| {});
    let queue = TaskQueue { name: "other".to_owned(), ..Default::default() };
    let options = ActivityOptions { task_queue: Some(queue.clone()), ..Default::default() };
    call!(server, UpdateActivityOptions, update_request(options, &["task_queue.name"]));
    assert!(server.no_activity(), "the old queue has it no more");
    let poll = api::PollActivityTaskQueueRequest { task_queue: Some(queue), ..activity_poll_request() };
    assert_eq!(call!(server, PollActivityTaskQueue, poll).activity_id, "a");
}

#[test]
fn a_worker_that_has_the_activity_keeps_it() {
    let mut server = Server::with_activity(|_| {});
    let task = server.activity();
    let options = ActivityOptions { start_to_close_timeout: secs(60), ..Default::default() };
    call!(server, UpdateActivityOptions, update_request(options, &["start_to_close_timeout"]));
    server.advance(Duration::from_secs(50));
    server.succeed(&task);
    assert!(server.events("w").contains("ActivityTaskCompleted"), "{}", server.events("w"));
}

#[test]
fn the_options_of_the_workflow_come_back() {
    let mut server = Server::with_activity(|_| {});
    let options = ActivityOptions { start_to_close_timeout: secs(60), ..Default::default() };
    call!(server, UpdateActivityOptions, update_request(options.clone(), &["start_to_close_timeout"]));
    let restore = api::UpdateActivityOptionsRequest {
        restore_original: true,
        update_mask: None,
        activity_options: None,
        activity: Some(Activity::MatchAll(true)),
        ..update_request(options, &[])
    };
    let restored = call!(server, UpdateActivityOptions, restore).activity_options.unwrap();
    assert_eq!(restored.start_to_close_timeout, secs(10));
    assert_eq!(server.activity().start_to_close_timeout, secs(10));
}

#[test]
fn an_update_says_what_it_changes() {
    let mut server = Server::with_activity(|_| {});
    let missing = update_request(ActivityOptions::default(), &["retry_policy.maximum_attempts"]);
    let refusal = server.try_call(missing).unwrap_err();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::InvalidArgument, "RetryPolicy is not provided"));
    let unmasked =
        api::UpdateActivityOptionsRequest { update_mask: None, ..update_request(ActivityOptions::default(), &[]) };
    assert_eq!(server.try_call(unmasked).unwrap_err().message, "UpdateMask is not provided");
    let both = api::UpdateActivityOptionsRequest {
        restore_original: true,
        ..update_request(ActivityOptions::default(), &["heartbeat_timeout"])
    };
    assert_eq!(server.try_call(both).unwrap_err().message, "Both UpdateMask and RestoreOriginal are provided");
}
