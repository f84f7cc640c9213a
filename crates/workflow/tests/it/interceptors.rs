use std::sync::{Arc, Mutex};

use stead_activation::{
    Command, ContinueAsNew, Initialize, Payload, Query, ScheduleActivity, SignalReceived, UpdateRequested,
    UpdateResponse,
};
use stead_data::{Failure, WorkflowFn};
use stead_workflow::intercepted::{Inner, Running};
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

/// Writes down what passes it by.
struct Scribe(&'static str, Arc<Mutex<Vec<String>>>);

impl Scribe {
    fn note(&self, what: &str) {
        self.1.lock().unwrap().push(format!("{} {what}", self.0));
    }

    fn around<T: 'static>(&self, what: &'static str, code: Running<T>) -> Running<T> {
        let (name, notes) = (self.0, Arc::clone(&self.1));
        let note = move |when: &str| notes.lock().unwrap().push(format!("{name} {what} {when}"));
        Box::pin(async move {
            note("begins");
            let result = code.await;
            note("ends");
            result
        })
    }
}

impl WorkflowInterceptor for Scribe {
    fn execute(&self, _: &mut Initialize) {
        self.note("execute");
    }

    fn around_run(&self, code: Running<Payload>) -> Running<Payload> {
        self.around("run", code)
    }

    fn around_signal(&self, _: &SignalReceived, handler: Running<()>) -> Running<()> {
        self.around("signal", handler)
    }

    fn around_validator(
        &self,
        update: &UpdateRequested,
        validator: Inner<'_, Result<(), Failure>>,
    ) -> Result<(), Failure> {
        self.note("validator");
        if update.id == "refused" && self.0 == "inner" {
            return Err(Failure::application("not today"));
        }
        validator.call()
    }

    fn around_update(&self, _: &UpdateRequested, handler: Running<Payload>) -> Running<Payload> {
        self.around("update", handler)
    }

    fn around_query(&self, _: &Query, handler: Inner<'_, Result<Payload, Failure>>) -> Result<Payload, Failure> {
        let answer = value::<String>(&handler.call()?);
        Ok(payload(&format!("{} {answer}", self.0)))
    }

    fn schedule_activity(&self, _: &mut ScheduleActivity) {
        self.note("activity");
    }

    fn continue_as_new(&self, _: &mut ContinueAsNew) {
        self.note("continue");
    }
}

/// Two scribes, and what they write.
fn scribes() -> (GuestOptions, impl Fn() -> Vec<String>) {
    let notes = Arc::<Mutex<Vec<String>>>::default();
    let scribe = |name| Arc::new(Scribe(name, Arc::clone(&notes))) as Arc<dyn WorkflowInterceptor>;
    let mut options = GuestOptions::default();
    options.interceptors = [scribe("outer"), scribe("inner")].into();
    (options, move || std::mem::take(&mut *notes.lock().unwrap()))
}

#[test]
fn what_comes_in_passes_the_first_interceptor_first_and_what_goes_out_passes_it_last() {
    let (options, notes) = scribes();
    let mut run = Driver::with_options::<Watched>(options);
    run.activate(vec![initialize(&"plain"), signal("say", "hello"), update("u1", "add", 1)]);
    let begin = |what: &str| [format!("outer {what} begins"), format!("inner {what} begins")];
    let end = |what: &str| [format!("inner {what} ends"), format!("outer {what} ends")];
    let pair = |one: &str, two: &str| [one.to_owned(), two.to_owned()];
    let expected = [
        pair("outer execute", "inner execute"),
        pair("outer validator", "inner validator"),
        begin("signal"),
        end("signal"),
        begin("update"),
        end("update"),
        begin("run"),
        pair("inner activity", "outer activity"),
    ];
    assert_eq!(notes(), expected.concat());

    let stead_activation::QueryAnswer::Succeeded(answer) = run.query("count", 0) else { panic!("the query failed") };
    assert_eq!(value::<String>(&answer), r#"outer inner 1 ["hello", "plain"]"#);

    run.activate(vec![completed(1, 7)]);
    assert_eq!(notes(), [end("run"), pair("inner continue", "outer continue")].concat());
}

#[test]
fn an_interceptor_refuses_an_update_and_its_handler_does_not_run() {
    let (options, notes) = scribes();
    let mut run = Driver::with_options::<Watched>(options);
    run.activate(vec![initialize(&"plain")]);
    notes();
    let commands = run.activate(vec![update("refused", "add", 1)]);
    let [Command::RespondUpdate { response: UpdateResponse::Rejected(failure), .. }] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!(failure.message, "not today");
    assert_eq!(notes(), ["outer validator", "inner validator"]);
}

#[test]
fn each_run_has_its_own_value_of_what_shared_code_keeps() {
    struct Counts;

    #[derive(Default)]
    struct Scheduled(std::cell::Cell<u32>);

    impl WorkflowInterceptor for Counts {
        fn schedule_activity(&self, activity: &mut ScheduleActivity) {
            let scheduled = workflow::run_local::<Scheduled>();
            scheduled.0.set(scheduled.0.get() + 1);
            activity.activity_id = format!("activity-{}", scheduled.0.get());
        }
    }

    let mut options = GuestOptions::default();
    options.interceptors = [Arc::new(Counts) as Arc<dyn WorkflowInterceptor>].into();
    for _ in 0..2 {
        let mut run = Driver::with_options::<Watched>(options.clone());
        let commands = run.activate(vec![initialize(&"plain")]);
        let [Command::ScheduleActivity(request)] = &commands[..] else { panic!("{commands:?}") };
        assert_eq!(request.activity_id, "activity-1");
    }
}
