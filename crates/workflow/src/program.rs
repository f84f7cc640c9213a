//! A workflow of any type, behind one interface, so that the executor is compiled once.

use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_activation::Payload;
use stead_data::ConversionError;

use crate::context;
use crate::definition::{
    Arguments, Config, Handler, HandlerOptions, LocalBoxFuture, UnfinishedPolicy, Workflow, encode_with,
};
use crate::error::Result;

/// What calling a handler gives: `None` if there is no such handler.
pub(crate) type Called<T> = Option<std::result::Result<T, ConversionError>>;

/// The future of an update's handler, or of `run`.
pub(crate) type PayloadFuture = LocalBoxFuture<'static, Result<Payload>>;

/// The future of a signal's handler.
pub(crate) type SignalFuture = LocalBoxFuture<'static, Result<()>>;

/// The handlers of a workflow and its state. A name of `None` asks for the dynamic handler.
pub(crate) trait Program {
    /// The future of a signal's handler.
    fn signal(
        self: Rc<Self>,
        name: Option<&str>,
        arguments: &Arguments<'_>,
    ) -> Called<(UnfinishedPolicy, SignalFuture)>;

    /// The answer of a query's handler.
    fn query(&self, name: Option<&str>, arguments: &Arguments<'_>) -> Called<Result<Payload>>;

    /// The answer of an update's validator; yes if it has none.
    fn validate(&self, name: Option<&str>, arguments: &Arguments<'_>) -> Called<Result<()>>;

    /// The future of an update's handler.
    fn update(
        self: Rc<Self>,
        name: Option<&str>,
        arguments: &Arguments<'_>,
    ) -> Called<(UnfinishedPolicy, PayloadFuture)>;

    /// What the run says of itself.
    fn config(&self) -> Config;

    /// The handlers, as the definition has them.
    fn handlers(&self) -> Vec<HandlerInfo>;
}

/// A handler as people see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HandlerInfo {
    pub(crate) kind: HandlerKind,
    /// `None` if it is dynamic.
    pub(crate) name: Option<&'static str>,
    pub(crate) description: &'static str,
}

/// How a handler is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandlerKind {
    Signal,
    Query,
    Update,
}

/// Decodes the arguments of `run`, builds the state, and makes the future of `run` without polling it.
pub(crate) fn start<W: Workflow>(
    arguments: &Arguments<'_>,
) -> std::result::Result<(Rc<dyn Program>, PayloadFuture), ConversionError> {
    let input = arguments.decode(W::ARITY)?;
    let state = Rc::new(W::init(&input));
    let run = Rc::clone(&state).run(input);
    Ok((state, Box::pin(async move { encode(&run.await?) })))
}

impl<W: Workflow> Program for W {
    fn signal(
        self: Rc<Self>,
        wanted: Option<&str>,
        arguments: &Arguments<'_>,
    ) -> Called<(UnfinishedPolicy, SignalFuture)> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Signal { name, options, call } if *name == wanted => {
                Some(call(Rc::clone(&self), arguments).map(|future| (options.unfinished, future)))
            }
            _ => None,
        })
    }

    fn query(&self, wanted: Option<&str>, arguments: &Arguments<'_>) -> Called<Result<Payload>> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Query { name, call, .. } if *name == wanted => Some(call(self, arguments)),
            _ => None,
        })
    }

    fn validate(&self, wanted: Option<&str>, arguments: &Arguments<'_>) -> Called<Result<()>> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Update { name, validate, .. } if *name == wanted => {
                Some(validate.map_or(Ok(Ok(())), |validate| validate(self, arguments)))
            }
            _ => None,
        })
    }

    fn update(
        self: Rc<Self>,
        wanted: Option<&str>,
        arguments: &Arguments<'_>,
    ) -> Called<(UnfinishedPolicy, PayloadFuture)> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Update { name, options, call, .. } if *name == wanted => {
                Some(call(Rc::clone(&self), arguments).map(|future| (options.unfinished, future)))
            }
            _ => None,
        })
    }

    fn config(&self) -> Config {
        W::CONFIG.map_or(W::OPTIONS.config, |config| config(self))
    }

    fn handlers(&self) -> Vec<HandlerInfo> {
        W::HANDLERS.iter().map(info).collect()
    }
}

/// A workflow that is nothing but the code of its `run`.
struct Code;

/// Decodes the arguments and makes the future of `code` without polling it.
pub(crate) fn start_code<I, O, R>(
    code: &impl Fn(I) -> R,
    arguments: &Arguments<'_>,
    arity: usize,
) -> std::result::Result<(Rc<dyn Program>, PayloadFuture), ConversionError>
where
    I: DeserializeOwned,
    O: Serialize,
    R: Future<Output = Result<O>> + 'static,
{
    let run = code(arguments.decode(arity)?);
    Ok((Rc::new(Code), Box::pin(async move { encode(&run.await?) })))
}

impl Program for Code {
    fn signal(self: Rc<Self>, _: Option<&str>, _: &Arguments<'_>) -> Called<(UnfinishedPolicy, SignalFuture)> {
        None
    }

    fn query(&self, _: Option<&str>, _: &Arguments<'_>) -> Called<Result<Payload>> {
        None
    }

    fn validate(&self, _: Option<&str>, _: &Arguments<'_>) -> Called<Result<()>> {
        None
    }

    fn update(self: Rc<Self>, _: Option<&str>, _: &Arguments<'_>) -> Called<(UnfinishedPolicy, PayloadFuture)> {
        None
    }

    fn config(&self) -> Config {
        Config::new()
    }

    fn handlers(&self) -> Vec<HandlerInfo> {
        Vec::new()
    }
}

fn info<W>(handler: &Handler<W>) -> HandlerInfo {
    let (kind, name, HandlerOptions { description, .. }) = match handler {
        Handler::Signal { name, options, .. } => (HandlerKind::Signal, *name, *options),
        Handler::Query { name, options, .. } => (HandlerKind::Query, *name, *options),
        Handler::Update { name, options, .. } => (HandlerKind::Update, *name, *options),
    };
    HandlerInfo { kind, name, description }
}

fn encode<T: Serialize>(value: &T) -> Result<Payload> {
    encode_with(context::current().converter(), value)
}
