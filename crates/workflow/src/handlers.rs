//! Calling signal, query and update handlers.

use std::rc::Rc;

use stead_activation::{
    Command, Payload, Query, QueryAnswer, SignalReceived, TaskFailure, UpdateRequested, UpdateResponse,
};
use stead_data::{ConversionError, Failure};

use crate::definition::Arguments;
use crate::error;
use crate::executor::{Executor, Work};
use crate::panic;
use crate::program::{Called, PayloadFuture, Program};
use crate::runtime::Runtime;
use crate::signals;

/// The handlers of a run.
pub(crate) struct Handlers {
    program: Rc<dyn Program>,
}

impl Handlers {
    pub(crate) fn new(program: Rc<dyn Program>) -> Self {
        Self { program }
    }

    /// Starts a signal's handler. A signal that cannot be read is dropped: nobody could ever read it.
    pub(crate) fn signal(&self, runtime: &Rc<Runtime>, executor: &mut Executor, mut signal: SignalReceived) {
        for interceptor in runtime.interceptors() {
            interceptor.signal(&mut signal);
        }
        let arguments = Arguments::new(&signal.input, runtime.converter());
        match Rc::clone(&self.program).signal(&signal.name, &arguments) {
            Some(Ok((name, future))) => executor.add_handler(runtime, Work::Signal { name, future }),
            Some(Err(problem)) => log_undecodable(runtime, &signal.name, &problem),
            None => signals::receive(runtime, signal),
        }
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
        let _reading = runtime.read_only();
        for interceptor in runtime.interceptors() {
            interceptor.query(&mut query);
        }
        let arguments = Arguments::new(&query.arguments, runtime.converter());
        match self.program.query(&query.name, &arguments) {
            None => Err(unknown_query(&query.name, &self.program.queries())),
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
        let UpdateRequested { protocol_instance_id, name, input, run_validator, .. } = update;
        let arguments = Arguments::new(&input, runtime.converter());
        let admitted = self.admit(runtime, &name, &arguments, run_validator);
        if let Some(failure) = runtime.take_task_failure() {
            return Err(failure);
        }
        let (response, work) = match admitted {
            Ok((name, future)) => {
                let protocol_instance_id = protocol_instance_id.clone().into_boxed_str();
                (UpdateResponse::Accepted, Some(Work::Update { name, protocol_instance_id, future }))
            }
            Err(failure) => (UpdateResponse::Rejected(Box::new(failure.into_proto())), None),
        };
        runtime.answer(Command::RespondUpdate { protocol_instance_id, response });
        if let Some(work) = work {
            executor.add_handler(runtime, work);
        }
        Ok(())
    }

    /// The future of an update's handler, if the update may run.
    fn admit(
        &self,
        runtime: &Runtime,
        name: &str,
        arguments: &Arguments<'_>,
        run_validator: bool,
    ) -> Result<(&'static str, PayloadFuture), Failure> {
        let unknown = || unknown_update(name, &self.program.updates());
        if run_validator {
            let _reading = runtime.read_only();
            let verdict = known(self.program.validate(name, arguments), unknown)?;
            verdict.map_err(into_failure)?;
        }
        known(Rc::clone(&self.program).update(name, arguments), unknown)
    }
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

fn unknown_query(name: &str, known: &[&str]) -> Failure {
    let known = known.join(" ");
    Failure::application(format!("Query handler for '{name}' expected but not found, known queries: [{known}]"))
}

fn unknown_update(name: &str, known: &[&str]) -> Failure {
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
