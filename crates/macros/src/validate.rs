//! What a user may have got wrong, each with the place and what to do.

use std::collections::BTreeSet;
use std::fmt::Display;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Ident, Type};

use crate::model::{Handler, Kind, Model, Receiver};
use crate::parse::Method;
use crate::parse::attr::MethodOptions;

const OPERATION_ELSEWHERE: &str = "`#[operation]` belongs in a `#[nexus_service]` block";

/// Tuples longer than this are not serializable.
const MAX_ARGUMENTS: usize = 16;

/// All mistakes of one expansion: they are reported together.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, place: impl ToTokens, message: impl Display) {
        self.0.push(syn::Error::new_spanned(place, message));
    }

    pub(crate) fn push_at(&mut self, span: Span, message: impl Display) {
        self.0.push(syn::Error::new(span, message));
    }

    /// The value, or nothing and the error is noted.
    pub(crate) fn absorb<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl ToTokens for Errors {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.iter().for_each(|error| error.to_compile_error().to_tokens(tokens));
    }
}

pub(crate) fn workflow(model: &Model, errors: &mut Errors) {
    if let (Some(contract), Some(name)) = (&model.contract, &model.options.name) {
        let contract = contract.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        errors.push(&name.0, format!("the name of this workflow comes from its contract, `{contract}`"));
    }
    for handler in &model.handlers {
        workflow_handler(model, handler, errors);
    }
    if let Some(dynamic) = model.options.dynamic {
        dynamic_workflow(model, dynamic, errors);
    }
    one_run(model, "a workflow", errors);
    init(model, errors);
    config(model, errors);
    duplicates(model, errors);
}

/// Refuses what only workflows have.
fn no_parts_of_workflows(model: &Model, errors: &mut Errors) {
    for init in &model.inits {
        errors.push(&init.signature.ident, "`#[init]` belongs in a `#[workflow]` block");
    }
    for config in &model.configs {
        errors.push(&config.signature.ident, "`#[config]` belongs in a `#[workflow(dynamic)]` block");
    }
}

pub(crate) fn activities(model: &Model, errors: &mut Errors) {
    no_parts_of_workflows(model, errors);
    for handler in &model.handlers {
        match handler.kind {
            Kind::Activity => {
                shape(handler, errors);
                if let Some(dynamic) = handler.options.dynamic {
                    dynamic_activity(handler, dynamic, errors);
                }
                if let Some(process) = handler.options.process {
                    process_activity(handler, process, errors);
                }
            }
            Kind::Operation => errors.push_at(handler.span, OPERATION_ELSEWHERE),
            kind => errors.push_at(handler.span, format!("{kind} belongs in a `#[workflow]` block")),
        }
    }
    if model.handlers.is_empty() && model.inits.is_empty() {
        errors.push(&model.self_type, "this block has no `#[activity]` method");
    }
    if let Some(contract) = &model.contract {
        errors.push(contract, "`#[activities]` goes on a plain impl block, not on that of a trait");
    }
    if let Some(part) = &model.options.part
        && part.base10_parse::<u32>().map_or(true, |part| part < 2)
    {
        errors.push(part, "parts are counted from 2: the first block of a type is a plain `#[activities]`");
    }
    duplicates(model, errors);
}

pub(crate) fn contract(model: &Model, errors: &mut Errors) {
    for init in &model.inits {
        errors.push(&init.signature.ident, "`#[init]` belongs to the implementation of a contract");
    }
    for config in &model.configs {
        errors.push(&config.signature.ident, "`#[config]` belongs in a `#[workflow(dynamic)]` block");
    }
    for helper in &model.helpers {
        errors.push(
            &helper.signature.ident,
            "expected `#[run]`, `#[signal]`, `#[query]`, `#[update]` or `#[activity]` on a method of a contract",
        );
    }
    for handler in &model.handlers {
        shape(handler, errors);
        if handler.kind == Kind::Operation {
            errors.push_at(handler.span, "`#[operation]` belongs in a trait with `#[nexus_service]`");
        }
        if let Some(validator) = &handler.options.validator {
            errors.push(validator, "a validator belongs to the implementation of a contract");
        }
        let MethodOptions { dynamic, process, unfinished, .. } = &handler.options;
        if let Some(place) = dynamic.or(*process).or_else(|| unfinished.as_ref().map(Ident::span)) {
            errors.push_at(place, "this belongs to the implementation of a contract");
        }
        if let Some(error) = handler.options.errors.first() {
            errors.push(error, "`errors(..)` belongs to the implementation of an activity");
        }
    }
    if model.handlers.iter().any(|handler| handler.kind != Kind::Activity) {
        one_run(model, "the contract of a workflow", errors);
    }
    duplicates(model, errors);
}

/// A trait that declares a service.
pub(crate) fn nexus_declaration(model: &Model, errors: &mut Errors) {
    for helper in &model.helpers {
        errors.push(&helper.signature.ident, "expected `#[operation]` on a method of a Nexus service");
    }
    for handler in model.handlers.iter().filter(|handler| handler.kind == Kind::Operation) {
        if let Some(cancel) = &handler.options.cancel {
            errors.push(cancel, "`cancel` belongs to the handlers of a service");
        }
        if let Some(error) = handler.options.errors.first() {
            errors.push(error, "`errors(..)` belongs to the handlers of a service");
        }
        if handler.receiver() == Receiver::None {
            errors.push(
                &handler.method.signature.ident,
                "take `&self`, or `self: Arc<Self>` if handlers need to keep it",
            );
        }
    }
    operations(model, errors);
}

/// The handlers of a service.
pub(crate) fn nexus_service(model: &Model, errors: &mut Errors) {
    if let (Some(handlers), Some(name)) = (&model.contract, &model.options.name) {
        let handlers = handlers.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        let service = handlers.strip_suffix("Handlers").unwrap_or(&handlers);
        errors.push(&name.0, format!("the name of this service comes from where it is declared, `{service}`"));
    }
    operations(model, errors);
    for handler in model.handlers.iter().filter(|handler| handler.kind == Kind::Operation) {
        cancellation(model, handler, errors);
    }
}

fn operations(model: &Model, errors: &mut Errors) {
    no_parts_of_workflows(model, errors);
    for handler in &model.handlers {
        match handler.kind {
            Kind::Operation => operation(model, handler, errors),
            Kind::Activity => errors.push_at(handler.span, "`#[activity]` belongs in an `#[activities]` block"),
            kind => errors.push_at(handler.span, format!("{kind} belongs in a `#[workflow]` block")),
        }
    }
    if model.handlers.is_empty() {
        errors.push(&model.self_type, "a Nexus service needs an `#[operation]` method");
    }
    duplicates(model, errors);
}

fn operation(model: &Model, handler: &Handler, errors: &mut Errors) {
    shape(handler, errors);
    if handler.arity() > 1 {
        errors.push(
            &handler.method.signature.ident,
            "an operation takes one input, which is one payload: take a struct, or a tuple",
        );
    }
    if let (Some(_), Some(name)) = (&model.contract, &handler.options.name) {
        errors.push(&name.0, "names come from where the service is declared");
    }
}

fn cancellation(model: &Model, handler: &Handler, errors: &mut Errors) {
    let Some(cancel) = &handler.options.cancel else {
        return;
    };
    match model.helpers.iter().find(|method| method.signature.ident == *cancel) {
        Some(method) if method.receiver() == Receiver::Ref && method.argument_types().count() == 1 => {}
        Some(method) => errors.push(
            &method.signature.inputs,
            format!("what cancels `{}` takes `&self` and the token: `token: nexus::OperationToken`", handler.ident()),
        ),
        None => errors.push(cancel, "what cancels an operation is a plain method of the same block"),
    }
}

/// Whether the types of a handler can be named in a constant, whatever else is wrong with it.
pub(crate) fn is_nameable(handler: &Handler) -> bool {
    let mut errors = Errors::default();
    signature(handler, &mut errors);
    errors.is_empty()
}

fn workflow_handler(model: &Model, handler: &Handler, errors: &mut Errors) {
    if handler.kind == Kind::Activity {
        errors.push_at(handler.span, "`#[activity]` belongs in an `#[activities]` block");
        return;
    }
    if handler.kind == Kind::Operation {
        errors.push_at(handler.span, OPERATION_ELSEWHERE);
        return;
    }
    shape(handler, errors);
    if handler.kind == Kind::Run && !handler.is_async() {
        errors.push(handler.method.signature.fn_token, "`#[run]` goes on an `async fn`");
    }
    if let (Some(_), Some(name)) = (&model.contract, &handler.options.name) {
        errors.push(&name.0, "names come from the contract");
    }
    if let Some(name) = &handler.options.validator {
        validator(model, handler, name, errors);
    }
    if let Some(dynamic) = handler.options.dynamic {
        dynamic_handler(model, handler, dynamic, errors);
    }
}

fn dynamic_workflow(model: &Model, dynamic: Span, errors: &mut Errors) {
    if model.options.name.is_some() || model.contract.is_some() {
        errors.push_at(dynamic, "a dynamic workflow takes types of any name: it has none of its own");
    }
    if let Some(run) = model.run().filter(|run| run.arity() != 1) {
        errors.push(
            &run.method.signature.inputs,
            "the arguments of a dynamic workflow are of any number and type: take `arguments: Vec<workflow::Raw>`",
        );
    }
}

fn dynamic_handler(model: &Model, handler: &Handler, dynamic: Span, errors: &mut Errors) {
    if handler.options.name.is_some() {
        errors.push_at(dynamic, "a dynamic handler takes calls of any name: it has none of its own");
    }
    if model.contract.is_some() {
        errors.push_at(dynamic, "a contract has no dynamic handlers: set one at run time");
    }
    if handler.arity() != 2 {
        errors.push(
            &handler.method.signature.ident,
            "a dynamic handler is told what was called: take `name: String, arguments: Vec<workflow::Raw>`",
        );
    }
}

fn dynamic_activity(handler: &Handler, dynamic: Span, errors: &mut Errors) {
    if handler.options.name.is_some() {
        errors.push_at(dynamic, "a dynamic activity takes types of any name: it has none of its own");
    }
    if !handler.options.defaults.is_empty() {
        errors.push_at(
            dynamic,
            "calls of a dynamic activity name a type, not this method: they cannot have its defaults",
        );
    }
    if handler.arity() != 1 {
        errors.push(
            &handler.method.signature.ident,
            "the arguments of a dynamic activity are of any number and type: take `arguments: Vec<activity::Raw>`",
        );
    }
}

fn process_activity(handler: &Handler, process: Span, errors: &mut Errors) {
    if handler.is_dynamic() {
        errors.push_at(process, "a dynamic activity runs in the worker's process");
    }
    if handler.is_async() {
        errors.push_at(process, "an activity in a process of its own blocks it: write `fn`, without `async`");
    }
    if handler.receiver() != Receiver::None {
        errors.push_at(process, "a process of its own does not have the worker's `self`: take the arguments alone");
    }
}

/// What a kind of handler must look like, in an implementation as in a contract.
fn shape(handler: &Handler, errors: &mut Errors) {
    signature(handler, errors);
    match handler.kind {
        Kind::Run | Kind::Update => receiver(handler, errors),
        Kind::Signal => {
            receiver(handler, errors);
            signal(handler, errors);
        }
        Kind::Query => query(handler, errors),
        Kind::Activity => shared(
            handler,
            "attempts of an activity share its state: take `&self`, `self: Arc<Self>` or no `self`",
            errors,
        ),
        Kind::Operation => {
            shared(handler, "requests share the state of a service: take `&self` or `self: Arc<Self>`", errors);
        }
    }
}

fn shared(handler: &Handler, message: &str, errors: &mut Errors) {
    if handler.receiver() == Receiver::Unsupported {
        errors.push(handler.method.signature.receiver(), message);
    }
}

fn signal(handler: &Handler, errors: &mut Errors) {
    let returned = handler.method.return_type();
    if let Some(ty) = returned.filter(|_| handler.output().to_string() != "()") {
        errors.push(ty, "nobody waits for a signal: return nothing, or a `Result` of `()`");
    }
}

fn query(handler: &Handler, errors: &mut Errors) {
    if let Some(asyncness) = &handler.method.signature.asyncness {
        errors.push(asyncness, "a `#[query]` cannot be async: it must not block or issue commands");
    }
    if handler.receiver() != Receiver::Ref {
        errors.push(receiver_or_name(&handler.method), "a `#[query]` takes `&self`: it only reads");
    }
}

fn receiver(handler: &Handler, errors: &mut Errors) {
    if matches!(handler.receiver(), Receiver::None | Receiver::Unsupported) {
        errors.push(
            receiver_or_name(&handler.method),
            "the handlers of a workflow run interleaved and share its state: take `&self` (or `self: Rc<Self>`) and keep \
             what changes in a `Cell` or a `State`",
        );
    }
}

/// What every handler must be: callable from outside with values that are sent.
fn signature(handler: &Handler, errors: &mut Errors) {
    let signature = &handler.method.signature;
    if !signature.generics.params.is_empty() {
        errors.push(&signature.generics, "a handler cannot be generic: put the parameters on the impl block");
    }
    for modifier in [signature.constness.map(|t| t.span()), signature.unsafety.map(|t| t.span())].into_iter().flatten()
    {
        errors.push_at(modifier, "a handler is a plain `fn` or `async fn`");
    }
    if let Some(abi) = &signature.abi {
        errors.push(abi, "a handler is a plain `fn` or `async fn`");
    }
    for ty in handler.method.argument_types() {
        if mentions(ty, is_reference) {
            errors.push(ty, "a handler owns its arguments: take `String` for `&str`, `T` for `&T`");
        } else if mentions(ty, is_impl) {
            errors.push(ty, "callers must be able to name the types of a handler: `impl Trait` is not possible here");
        }
    }
    if let Some(ty) = handler.method.return_type() {
        if mentions(ty, is_reference) {
            errors.push(ty, "what a handler returns is sent to its caller: return an owned value");
        } else if mentions(ty, is_impl) {
            errors.push(ty, "callers must be able to name the types of a handler: `impl Trait` is not possible here");
        }
    }
    if handler.arity() > MAX_ARGUMENTS {
        errors.push(&signature.ident, format!("a handler takes at most {MAX_ARGUMENTS} arguments: take a struct"));
    }
    reserved(handler, errors);
}

fn reserved(handler: &Handler, errors: &mut Errors) {
    let Some(name) = handler.literal_name() else {
        return;
    };
    let is_reserved = name.starts_with("__temporal_")
        || (handler.kind == Kind::Query && ["__stack_trace", "__enhanced_stack_trace"].contains(&&*name));
    if is_reserved {
        errors.push_at(handler.span, format!("the name `{name}` is reserved for the SDK"));
    }
}

fn one_run(model: &Model, what: &str, errors: &mut Errors) {
    let mut runs = model.handlers.iter().filter(|handler| handler.kind == Kind::Run);
    if runs.next().is_none() {
        errors.push(&model.self_type, format!("{what} needs a `#[run]` method"));
    }
    for second in runs {
        errors.push_at(second.span, format!("{what} has one `#[run]` method only"));
    }
}

fn init(model: &Model, errors: &mut Errors) {
    for second in model.inits.iter().skip(1) {
        errors.push(&second.signature.ident, "a workflow has one `#[init]` method only");
    }
    let (Some(init), Some(run)) = (model.inits.first(), model.run()) else {
        return;
    };
    let signature = &init.signature;
    if let Some(asyncness) = &signature.asyncness {
        errors.push(asyncness, "`#[init]` cannot be async: it only builds the state");
    }
    if let Some(receiver) = signature.receiver() {
        errors.push(receiver, "`#[init]` builds the state: it takes no `self`");
    }
    if signature.receiver().is_none() && !signature.inputs.is_empty() && signature.inputs.len() != run.arity() {
        let (expected, found) = (run.arity(), signature.inputs.len());
        errors.push(
            &signature.inputs,
            format!("`#[init]` takes the arguments of `#[run]` by reference, {expected}, or none, but not {found}"),
        );
    }
}

fn config(model: &Model, errors: &mut Errors) {
    for second in model.configs.iter().skip(1) {
        errors.push(&second.signature.ident, "a workflow has one `#[config]` method only");
    }
    let Some(config) = model.configs.first() else {
        return;
    };
    let signature = &config.signature;
    if model.options.dynamic.is_none() {
        errors.push(
            &signature.ident,
            "`#[config]` is for dynamic workflows, whose runs differ: say it in `#[workflow(versioning = .., fail_on(..))]`",
        );
    }
    if let Some(asyncness) = &signature.asyncness {
        errors.push(asyncness, "`#[config]` cannot be async: it is asked before the workflow runs");
    }
    if config.receiver() != Receiver::Ref || config.argument_types().next().is_some() {
        errors.push(&signature.inputs, "`#[config]` takes `&self` and nothing else: what `#[init]` has kept is there");
    }
}

fn validator(model: &Model, handler: &Handler, name: &Ident, errors: &mut Errors) {
    let Some(method) = model.helpers.iter().find(|method| method.signature.ident == *name) else {
        // It may stand in another block of the type: the compiler finds it there.
        if model.handlers.iter().any(|handler| handler.ident() == name) {
            errors.push(name, "a validator is a plain method, not a handler");
        }
        return;
    };
    if let Some(asyncness) = &method.signature.asyncness {
        errors.push(asyncness, "a validator cannot be async: it must not block or issue commands");
    }
    if method.receiver() != Receiver::Ref {
        errors.push(receiver_or_name(method), "a validator takes `&self`: it only reads");
    }
    let (expected, found) = (handler.arity(), method.argument_types().count());
    if expected != found {
        let update = handler.ident();
        errors.push(
            &method.signature.inputs,
            format!("the validator of `{update}` takes its arguments by reference: {expected}, not {found}"),
        );
    }
}

fn duplicates(model: &Model, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for handler in model.handlers.iter().filter(|handler| handler.kind != Kind::Run && handler.cfgs().next().is_none())
    {
        let (name, message) = match (handler.is_dynamic(), handler.literal_name()) {
            (true, _) => (None, format!("another {} is dynamic already", handler.kind)),
            (false, Some(name)) => (Some(name.clone()), format!("another {} is named `{name}` already", handler.kind)),
            (false, None) => continue,
        };
        if !seen.insert((handler.kind, name)) {
            errors.push_at(handler.span, message);
        }
    }
}

fn receiver_or_name(method: &Method) -> TokenStream {
    match method.signature.receiver() {
        Some(receiver) => receiver.to_token_stream(),
        None => method.signature.ident.to_token_stream(),
    }
}

fn mentions(ty: &Type, what: fn(&TokenTree) -> bool) -> bool {
    fn search(tokens: TokenStream, what: fn(&TokenTree) -> bool) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => search(group.stream(), what),
            token => what(&token),
        })
    }
    search(ty.to_token_stream(), what)
}

fn is_reference(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '&')
}

fn is_impl(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == "impl")
}
