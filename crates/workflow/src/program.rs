//! A workflow of any type, behind one interface, so that the executor is compiled once.

use std::rc::Rc;

use serde::Serialize;
use stead_activation::Payload;
use stead_data::ConversionError;

use crate::context;
use crate::definition::{Arguments, Handler, LocalBoxFuture, Workflow, encode_with};
use crate::error::Result;

/// What calling a handler gives: `None` if there is no such handler.
pub(crate) type Called<T> = Option<std::result::Result<T, ConversionError>>;

/// The future of an update's handler, or of `run`.
pub(crate) type PayloadFuture = LocalBoxFuture<'static, Result<Payload>>;

/// The handlers of a workflow and its state.
pub(crate) trait Program {
    /// The future of a signal's handler, and the handler's name as the code spells it.
    fn signal(
        self: Rc<Self>,
        name: &str,
        arguments: &Arguments<'_>,
    ) -> Called<(&'static str, LocalBoxFuture<'static, Result<()>>)>;

    /// The answer of a query's handler.
    fn query(&self, name: &str, arguments: &Arguments<'_>) -> Called<Result<Payload>>;

    /// The answer of an update's validator; yes if it has none.
    fn validate(&self, name: &str, arguments: &Arguments<'_>) -> Called<Result<()>>;

    /// The future of an update's handler, and the handler's name as the code spells it.
    fn update(self: Rc<Self>, name: &str, arguments: &Arguments<'_>) -> Called<(&'static str, PayloadFuture)>;

    /// Names of the queries, sorted.
    fn queries(&self) -> Vec<&'static str>;

    /// Names of the updates, sorted.
    fn updates(&self) -> Vec<&'static str>;
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
        wanted: &str,
        arguments: &Arguments<'_>,
    ) -> Called<(&'static str, LocalBoxFuture<'static, Result<()>>)> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Signal { name, call } if *name == wanted => {
                Some(call(Rc::clone(&self), arguments).map(|future| (*name, future)))
            }
            _ => None,
        })
    }

    fn query(&self, wanted: &str, arguments: &Arguments<'_>) -> Called<Result<Payload>> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Query { name, call } if *name == wanted => Some(call(self, arguments)),
            _ => None,
        })
    }

    fn validate(&self, wanted: &str, arguments: &Arguments<'_>) -> Called<Result<()>> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Update { name, validate, .. } if *name == wanted => {
                Some(validate.map_or(Ok(Ok(())), |validate| validate(self, arguments)))
            }
            _ => None,
        })
    }

    fn update(self: Rc<Self>, wanted: &str, arguments: &Arguments<'_>) -> Called<(&'static str, PayloadFuture)> {
        W::HANDLERS.iter().find_map(|handler| match handler {
            Handler::Update { name, call, .. } if *name == wanted => {
                Some(call(Rc::clone(&self), arguments).map(|future| (*name, future)))
            }
            _ => None,
        })
    }

    fn queries(&self) -> Vec<&'static str> {
        sorted(W::HANDLERS.iter().filter_map(|handler| match handler {
            Handler::Query { name, .. } => Some(*name),
            _ => None,
        }))
    }

    fn updates(&self) -> Vec<&'static str> {
        sorted(W::HANDLERS.iter().filter_map(|handler| match handler {
            Handler::Update { name, .. } => Some(*name),
            _ => None,
        }))
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Payload> {
    encode_with(context::current().converter(), value)
}

fn sorted(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}
