//! Requests that mean nothing, of every call that the server knows: each gets an answer or an error, and the next one is
//! served. `STEAD_SEED=0x…` runs a seed that failed once more, and alone.

mod generator;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::Bytes;
use stead_proto::enums::v1::UpdateWorkflowExecutionLifecycleStage as Stage;
use stead_proto::workflowservice::v1 as api;
use stead_server::engine::{CallId, Request, Response};

use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{Server, activity_poll_request, poll_request, schedule_activity, start_timer};
use crate::updates::update_request;

pub(crate) use generator::{Generator, Method, methods};

/// Seeds of a test, or the one that the environment names.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("STEAD_SEED") {
        Ok(text) => vec![u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a seed in hexadecimal digits")],
        Err(_) => (1..=count).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect(),
    }
}

#[test]
fn the_calls_that_are_tried_are_those_of_the_server() {
    let methods = methods();
    for known in ["StartWorkflowExecution", "RespondWorkflowTaskCompleted", "CreateSchedule", "AddSearchAttributes"] {
        assert!(methods.iter().any(|method| method.name == known), "{known}: {methods:?}");
    }
    assert!(methods.len() > 70, "{methods:?}");
}

#[test]
fn an_engine_survives_nonsense_and_can_read_what_it_kept() {
    for seed in seeds(12) {
        let mut trial = Trial::new(seed);
        for _ in 0..400 {
            trial.step();
        }
        trial.end();
    }
}

/// An engine in use, and what has been asked of it.
struct Trial {
    seed: u64,
    generator: Generator,
    methods: Vec<Method>,
    server: Server,
    /// Calls that wait.
    open: Vec<CallId>,
    last: String,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut server = Server::with(durable());
        server.start("w");
        server.step(vec![start_timer("t", 60), schedule_activity("a")]);
        let open = vec![server.send(update_request("w", "u", Stage::Completed))];
        let generator = Generator::new(seed);
        Self { seed, generator, methods: methods(), server, open, last: String::new() }
    }

    /// One request, and sometimes time, tasks and callers that have waited enough.
    fn step(&mut self) {
        let method = self.generator.pick(&self.methods.clone()).clone();
        let bytes = self.generator.request(&method);
        self.guarded(format!("{} with {bytes:?}", method.name), |trial| trial.ask(&method, bytes));
        match self.generator.below(10) {
            0 => self.guarded("a poll for workflow tasks".to_owned(), |trial| trial.poll(poll_request())),
            1 => self.guarded("a poll for activities".to_owned(), |trial| trial.poll(activity_poll_request())),
            2 => self.guarded("the passing of time".to_owned(), Self::let_time_pass),
            3 => self.guarded("the end of waits".to_owned(), Self::end_waits),
            4 => self.guarded("a restart".to_owned(), Self::restart),
            _ => {}
        }
    }

    fn guarded(&mut self, what: String, act: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| act(self))).is_err() {
            panic!("STEAD_SEED={:#x}: after {}, a panic with {what}", self.seed, self.last);
        }
        self.last = what;
    }

    fn ask(&mut self, method: &Method, bytes: Bytes) {
        let request = Request::decode(&method.service, &method.name, bytes).expect("a call that is known");
        let call = self.server.send(request.expect("nonsense is well-formed"));
        if self.server.answer(call).is_none() {
            self.open.push(call);
        }
    }

    fn poll(&mut self, request: impl Into<Request>) {
        let call = self.server.send(request);
        let token = match self.server.answer(call) {
            Some(Ok(Response::PollWorkflowTaskQueue(task))) => task.task_token,
            Some(Ok(Response::PollActivityTaskQueue(task))) => task.task_token,
            Some(_) => return,
            None => return self.open.push(call),
        };
        let tokens = self.generator.known.entry("task_token").or_default();
        tokens.insert(0, token);
        tokens.truncate(4);
    }

    fn let_time_pass(&mut self) {
        let seconds = [1, 10, 600][self.generator.below(3)];
        let end = self.server.now + Duration::from_secs(seconds);
        for _ in 0..200 {
            let Some(at) = self.server.engine.poll_timeout().filter(|at| *at <= end) else { break };
            self.server.advance_to(at);
        }
    }

    fn end_waits(&mut self) {
        for call in std::mem::take(&mut self.open) {
            // It may have been answered meanwhile.
            if self.server.answer(call).is_none() {
                self.server.engine.handle_expired(call, self.server.now);
                self.server.engine.handle_abandoned(call, self.server.now);
            }
        }
        self.server.advance(Duration::ZERO);
        self.server.answers.clear();
    }

    fn restart(&mut self) {
        self.end_waits();
        let old = std::mem::replace(&mut self.server, Server::new());
        self.server = restarted(old);
    }

    fn end(mut self) {
        self.guarded("the end".to_owned(), Self::restart);
        call!(self.server, GetSystemInfo, api::GetSystemInfoRequest::default());
    }
}
