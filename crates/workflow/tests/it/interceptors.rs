use std::sync::Arc;

use stead_activation::{Command, ContinueAsNew, Initialize, Query, ScheduleActivity, SignalReceived, UpdateRequested};
use stead_data::WorkflowFn;
use stead_workflow::{self as workflow, GuestOptions, WorkflowInterceptor};

use crate::support::*;

/// Changes whatever passes by, so that the test can tell that it did.
struct Meddler;

impl WorkflowInterceptor for Meddler {
    fn execute(&self, input: &mut Initialize) {
        input.arguments = vec![payload("meddled")];
        input.headers.insert("trace".into(), payload("t-1"));
    }

    fn signal(&self, signal: &mut SignalReceived) {
        signal.name = "say".into();
    }

    fn update(&self, update: &mut UpdateRequested) {
        update.input = vec![payload(&2)];
    }

    fn query(&self, query: &mut Query) {
        query.arguments = vec![payload(&10)];
    }

    fn schedule_activity(&self, activity: &mut ScheduleActivity) {
        activity.headers.clone_from(workflow::info().headers());
    }

    fn continue_as_new(&self, next: &mut ContinueAsNew) {
        next.headers.clone_from(workflow::info().headers());
    }
}

const NEXT: WorkflowFn<Watched, String, ()> = WorkflowFn::new("Next", 1);

workflow!(
    Watched,
    |board, input: String| -> () {
        board.note(input);
        charge("a").await?;
        workflow::continue_as_new(NEXT, "b").exit()
    },
    [
        signal!("say", |board, word: String| {
            board.note(word);
            Ok(())
        }),
        update!("add", |board, n: u32| {
            board.count.set(n);
            Ok(())
        }),
        query!("count", |board, plus: u32| format!("{} {:?}", board.count.get() + plus, board.log.get())),
    ]
);

#[test]
fn interceptors_see_and_change_what_goes_in_and_what_comes_out() {
    let mut options = GuestOptions::default();
    options.interceptors = [Arc::new(Meddler) as Arc<dyn WorkflowInterceptor>].into();
    let mut run = Driver::with_options::<Watched>(options);

    let commands = run.activate(vec![initialize(&"plain"), signal("other", "hello"), update("u1", "add", 1)]);
    let Some(Command::ScheduleActivity(request)) = commands.last() else { panic!("{commands:?}") };
    assert_eq!(request.headers["trace"], payload("t-1"));

    let stead_activation::QueryAnswer::Succeeded(answer) = run.query("count", 0) else { panic!("the query failed") };
    assert_eq!(value::<String>(&answer), r#"12 ["hello", "meddled"]"#);

    let commands = run.activate(vec![completed(1, 7)]);
    let [Command::ContinueAsNew(next)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(next.headers["trace"], payload("t-1"));
}
