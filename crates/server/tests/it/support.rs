//! [`Server`]: an engine that is called and answers at once, on a clock that the test moves.

use stead_server::engine::{Call, CallId, Config, Engine, Output, Refusal, Request, Response, Time};

/// An engine, its clock, and what it has not been asked for yet.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) now: Time,
    calls: u64,
    answers: Vec<(CallId, Result<Response, Refusal>)>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        // 2026-01-01T00:00:00Z, so that times in failures are easy to read.
        let now = Time::from_unix_nanos(1_767_225_600_000_000_000);
        Self { engine: Engine::new(config, now), now, calls: 0, answers: Vec::new() }
    }

    /// Calls, and leaves the answer to [`Self::answer`].
    pub(crate) fn send(&mut self, request: impl Into<Request>) -> CallId {
        self.calls += 1;
        let call = Call { id: CallId(self.calls), client_name: "temporal-test".to_owned() };
        self.engine.handle(&call, request.into(), self.now);
        self.collect();
        call.id
    }

    /// The answer of a call, if there is one by now.
    pub(crate) fn answer(&mut self, call: CallId) -> Option<Result<Response, Refusal>> {
        let found = self.answers.iter().position(|(answered, _)| *answered == call)?;
        Some(self.answers.remove(found).1)
    }

    /// Calls, and expects the answer at once.
    pub(crate) fn try_call(&mut self, request: impl Into<Request>) -> Result<Response, Refusal> {
        let request = request.into();
        let method = request.method();
        let call = self.send(request);
        self.answer(call).unwrap_or_else(|| panic!("{method} waits"))
    }

    fn collect(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Reply { call, answer } => self.answers.push((call, answer)),
                Output::Write(_) => {}
            }
        }
    }
}

/// Calls, and expects an answer of the kind that belongs to the call.
#[macro_export]
macro_rules! call {
    ($server:expr, $method:ident, $request:expr) => {
        match $server.try_call($request) {
            Ok(stead_server::engine::Response::$method(response)) => *response,
            other => panic!("{} answers {other:?}", stringify!($method)),
        }
    };
}
