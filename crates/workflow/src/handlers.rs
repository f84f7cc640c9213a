//! Calling signal, query and update handlers.
//!
//! A call goes to the handler that was [set](set) for its name at run time, then to the one of the definition, then to
//! the dynamic handler that was set, then to the dynamic one of the definition. One that was taken away is passed over.

mod builtin;
pub(crate) mod set;
pub(crate) mod unfinished;

use std::rc::Rc;

use stead_activation::{
    Command, Payload, Query, QueryAnswer, SignalReceived, TaskFailure, UpdateRequested, UpdateResponse,
};
use stead_data::{ConversionError, Failure};

use self::set::{SetHandlers, Slot, Table};
use crate::call::{self, HandlerCall};
use crate::definition::{Arguments, Config, UnfinishedPolicy};
use crate::error;
use crate::executor::{Executor, Work};
use crate::interceptor::{Inner, WorkflowInterceptor};
use crate::panic;
use crate::program::{Called, HandlerKind, PayloadFuture, Program, SignalFuture};
use crate::runtime::{Access, Runtime};

/// What the names of handlers that belong to Temporal begin with.
const RESERVED: &str = "__temporal_";

/// The handlers of a run.
pub(crate) struct Handlers {
    program: Rc<dyn Program>,
}

impl Handlers {
    pub(crate) fn new(program: Rc<dyn Program>) -> Self {
        Self { program }
    }

    /// What the run says of itself.
    pub(crate) fn config(&self) -> Config {
        self.program.config()
    }

    /// Starts a signal's handler. A signal that cannot be read is dropped: nobody could ever read it.
    pub(crate) fn signal(&self, runtime: &Rc<Runtime>, executor: &mut Executor, mut signal: SignalReceived) {
        for interceptor in runtime.interceptors() {
            interceptor.signal(&mut signal);
        }
        match self.find_signal(runtime, &signal) {
            Some(Ok((unfinished, future))) => {
                let future = around_signal(runtime, &signal, future);
                executor.add_handler(runtime, HandlerCall::signal(signal.name, unfinished), Work::Signal(future));
            }
            Some(Err(problem)) => log_undecodable(runtime, &signal.name, &problem),
            None => set::keep(runtime, signal),
        }
    }

    fn find_signal(&self, runtime: &Runtime, signal: &SignalReceived) -> Called<(UnfinishedPolicy, SignalFuture)> {
        let arguments = Arguments::new(&signal.name, &signal.input, runtime.converter());
        find(
            runtime,
            &signal.name,
            |sets| &sets.signals,
            |handler| handler(&arguments).map(|future| (UnfinishedPolicy::default(), future)),
            |name| Rc::clone(&self.program).signal(name, &arguments),
        )
    }

    /// Answers a query. Nothing that happens in its handler reaches the workflow.
    pub(crate) fn query(&self, runtime: &Rc<Runtime>, mut query: Query) {
        let id = std::mem::take(&mut query.id);
        let answer = panic::catch(|| self.call_query(runtime, query));
        let answer = match (answer, runtime.take_task_failure()) {
            (_, Some(unreadable)) => QueryAnswer::Failed(unreadable.failure),
            (Ok(Ok(payload)), None) => QueryAnswer::Succeeded(payload),
            (Ok(Err(failure)), None) => failed(failure),
            (Err(panic), None) => failed(panic.into_failure()),
        };
        runtime.answer(Command::AnswerQuery { id, answer });
    }

    fn call_query(&self, runtime: &Runtime, mut query: Query) -> Result<Payload, Failure> {
        let _reading = runtime.read_only(Access::Answers);
        for interceptor in runtime.interceptors() {
            interceptor.query(&mut query);
        }
        nested(runtime, || self.answer(runtime, &query), |interceptor, inner| interceptor.around_query(&query, inner))
    }

    fn answer(&self, runtime: &Runtime, query: &Query) -> Result<Payload, Failure> {
        if let Some(answer) = builtin::answer(&query.name, runtime, &*self.program) {
            return answer;
        }
        let arguments = Arguments::new(&query.name, &query.arguments, runtime.converter());
        let found = find(
            runtime,
            &query.name,
            |sets| &sets.queries,
            |handler| handler(&arguments),
            |name| self.program.query(name, &arguments),
        );
        match found {
            None => Err(unknown_query(&query.name, &self.known(runtime, HandlerKind::Query))),
            Some(Err(problem)) => Err(undecodable(&problem)),
            Some(Ok(result)) => result.map_err(into_failure),
        }
    }

    /// Rejects an update, or accepts it and starts its handler.
    pub(crate) fn update(
        &self,
        runtime: &Rc<Runtime>,
        executor: &mut Executor,
        mut update: UpdateRequested,
    ) -> Result<(), TaskFailure> {
        for interceptor in runtime.interceptors() {
            interceptor.update(&mut update);
        }
        let seen = runtime.has_interceptors().then(|| update.clone());
        let UpdateRequested { protocol_instance_id, id, name, input, run_validator, .. } = update;
        let call = HandlerCall::update(name, id, protocol_instance_id);
        let arguments = Arguments::new(call.name(), &input, runtime.converter());
        let admitted = self.admit(runtime, &call, &arguments, run_validator, seen.as_ref());
        if let Some(failure) = runtime.take_task_failure() {
            return Err(failure);
        }
        let response = match &admitted {
            Ok(_) => UpdateResponse::Accepted,
            Err(failure) => UpdateResponse::Rejected(Box::new(failure.clone().into_proto())),
        };
        runtime.answer(Command::RespondUpdate { protocol_instance_id: call.protocol_instance_id(), response });
        if let Ok(future) = admitted {
            executor.add_handler(runtime, call, Work::Update(future));
        }
        Ok(())
    }

    /// The future of an update's handler, if the update may run.
    fn admit(
        &self,
        runtime: &Runtime,
        call: &Rc<HandlerCall>,
        arguments: &Arguments<'_>,
        run_validator: bool,
        seen: Option<&UpdateRequested>,
    ) -> Result<PayloadFuture, Failure> {
        let _call = call::enter(runtime, Some(Rc::clone(call)));
        let name = call.name();
        let unknown = || unknown_update(name, &self.known(runtime, HandlerKind::Update));
        if run_validator {
            let _reading = runtime.read_only(Access::Answers);
            let validate = || {
                let verdict = find(
                    runtime,
                    name,
                    |sets| &sets.updates,
                    |handler| handler.validate.as_ref().map_or(Ok(Ok(())), |validate| validate(arguments)),
                    |name| self.program.validate(name, arguments),
                );
                known(verdict, unknown)?.map_err(into_failure)
            };
            match seen {
                None => validate()?,
                Some(update) => nested(runtime, validate, |it, inner| it.around_validator(update, inner))?,
            }
        }
        let found = find(
            runtime,
            name,
            |sets| &sets.updates,
            |handler| (handler.call)(arguments).map(|future| (UnfinishedPolicy::default(), future)),
            |name| Rc::clone(&self.program).update(name, arguments),
        );
        let (unfinished, future) = known(found, unknown)?;
        call.set_unfinished(unfinished);
        Ok(match seen {
            None => future,
            Some(update) => runtime.interceptors().rev().fold(future, |inner, it| it.around_update(update, inner)),
        })
    }

    /// The names of this kind that calls can be for, sorted.
    fn known(&self, runtime: &Runtime, kind: HandlerKind) -> Vec<String> {
        let definitions = builtin::definitions(runtime, &*self.program, kind);
        let mut names: Vec<_> = definitions.into_keys().flatten().collect();
        if kind == HandlerKind::Query {
            names.extend(builtin::NAMES.map(str::to_owned));
        }
        names.sort_unstable();
        names
    }
}

/// Calls the handler that a call of this name goes to.
fn find<H: Clone, T>(
    runtime: &Runtime,
    name: &str,
    table: impl Fn(&SetHandlers) -> &Table<H>,
    call_set: impl FnOnce(H) -> Result<T, ConversionError>,
    call_defined: impl Fn(Option<&str>) -> Called<T>,
) -> Called<T> {
    let names = [Some(name), None];
    let names = if name.starts_with(RESERVED) { &names[..1] } else { &names };
    for name in names {
        match runtime.set_handlers(|sets| table(sets).slot(*name)).unwrap_or(Slot::Untouched) {
            Slot::Set(handler) => return Some(call_set(handler)),
            Slot::Removed => {}
            Slot::Untouched => {
                if let Some(called) = call_defined(*name) {
                    return Some(called);
                }
            }
        }
    }
    None
}

/// The handler of a signal within the interceptors.
fn around_signal(runtime: &Runtime, signal: &SignalReceived, handler: SignalFuture) -> SignalFuture {
    runtime.interceptors().rev().fold(handler, |inner, it| it.around_signal(signal, inner))
}

/// Calls what does not wait within the interceptors. Without any, nothing is boxed.
fn nested<T>(
    runtime: &Runtime,
    innermost: impl FnOnce() -> T,
    wrap: impl Fn(&dyn WorkflowInterceptor, Inner<'_, T>) -> T,
) -> T {
    if !runtime.has_interceptors() {
        return innermost();
    }
    let (mut inner, wrap) = (Inner::new(innermost), &wrap);
    for interceptor in runtime.interceptors().rev() {
        let within = inner;
        inner = Inner::new(move || wrap(interceptor, within));
    }
    inner.call()
}

/// What a handler that was looked up gave.
fn known<T>(called: Called<T>, unknown: impl FnOnce() -> Failure) -> Result<T, Failure> {
    called.ok_or_else(unknown)?.map_err(|problem| undecodable(&problem))
}

fn into_failure(error: error::Error) -> Failure {
    match error.into_reason() {
        error::Reason::Failure(failure) => failure,
        error::Reason::ContinueAsNew(_) => Failure::application("Cannot continue as new from a query or a validator"),
    }
}

fn failed(failure: Failure) -> QueryAnswer {
    QueryAnswer::Failed(Box::new(failure.into_proto()))
}

/// The arguments of a call are not what its handler takes.
pub(crate) fn undecodable(problem: &ConversionError) -> Failure {
    error::conversion("Failed decoding arguments", problem)
}

fn unknown_query(name: &str, known: &[String]) -> Failure {
    let known = known.join(" ");
    Failure::application(format!("Query handler for '{name}' expected but not found, known queries: [{known}]"))
}

fn unknown_update(name: &str, known: &[String]) -> Failure {
    let known = known.join(" ");
    Failure::application(format!(
        "Update handler for '{name}' expected but not found, and there is no dynamic handler. known updates: [{known}]"
    ))
}

fn log_undecodable(runtime: &Runtime, name: &str, problem: &ConversionError) {
    if runtime.moment().is_replaying {
        return;
    }
    tracing::error!(
        target: "stead::workflow",
        workflow_id = runtime.info().workflow_id(),
        run_id = runtime.info().run_id(),
        workflow_type = runtime.info().workflow_type(),
        signal = name,
        error = %problem,
        "Failed deserializing signal input, dropping the signal",
    );
}
