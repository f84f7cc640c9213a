use std::time::Duration;

use stead_proto::workflowservice::v1::RespondActivityTaskCompletedRequest;

use crate::call;
use crate::support::{Server, complete_workflow, schedule_activity, start_timer};

#[test]
fn a_server_is_idle_only_when_no_worker_has_or_could_have_something_to_do() {
    let mut server = Server::new();
    assert!(server.engine.is_idle());
    server.start("w");
    assert!(!server.engine.is_idle(), "a workflow task waits");
    server.step(vec![start_timer("t", 60), schedule_activity("a")]);
    assert!(!server.engine.is_idle(), "an activity waits");
    let activity = server.activity();
    assert!(!server.engine.is_idle(), "an activity runs");
    let answer = RespondActivityTaskCompletedRequest { task_token: activity.task_token, ..Default::default() };
    call!(server, RespondActivityTaskCompleted, answer);
    server.step(vec![]);
    assert!(server.engine.is_idle(), "only a timer is left");
    assert_eq!(server.engine.poll_progress(), server.engine.poll_timeout());
    server.advance(Duration::from_secs(60));
    assert!(!server.engine.is_idle(), "the timer has fired");
    server.step(vec![complete_workflow()]);
    assert!(server.engine.is_idle());
    assert_eq!(server.engine.poll_progress(), None, "that it is to be forgotten is no progress");
    assert!(server.engine.poll_timeout().is_some());
}
