//! `#[workflow]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path, Visibility, parse_quote};

use super::Paths;
use crate::model::{Handler, Kind, Model};
use crate::parse::Block;
use crate::parse::attr::{self, BlockOptions};
use crate::validate::Errors;
use crate::{fallback, lint, validate};

pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.absorb(BlockOptions::parse(arguments, "workflow")).unwrap_or_default();
    let model = syn::parse2::<Block>(item.clone()).and_then(|block| Model::new(block, options, &mut errors));
    let mut model = match model {
        Ok(model) => model,
        Err(error) => {
            return fallback::unparsed(item, error, "workflow", "impl block of a workflow");
        }
    };
    validate::workflow(&model, &mut errors);
    let invalid = !errors.is_empty();
    lint_bodies(&mut model, &mut errors);

    let paths = Paths::new(model.options.krate.as_ref());
    let code = if invalid { fallback::workflow(&model, &paths) } else { expand(&model, &paths) };
    quote!(#errors #code)
}

/// All methods, since helpers run as workflow code as well.
fn lint_bodies(model: &mut Model, errors: &mut Errors) {
    let handlers = model.handlers.iter_mut().map(|handler| &mut handler.method);
    for method in handlers.chain(&mut model.inits).chain(&mut model.configs).chain(&mut model.helpers) {
        method.body = lint::check(std::mem::take(&mut method.body), errors);
    }
}

fn expand(model: &Model, paths: &Paths) -> TokenStream {
    let named = model.handlers.iter().filter(|handler| model.has_reference(handler));
    let inherent = super::inherent(model, named.map(|handler| reference(model, handler, paths)));
    let methods = methods(model);
    let workflow_type = workflow_type(model, paths);
    let workflow = implementation(model, paths);
    quote!(#inherent #methods #workflow_type #workflow)
}

/// The user's code: in a trait of ours, or in the contract's.
pub(crate) fn methods(model: &Model) -> TokenStream {
    let Some(contract) = &model.contract else {
        return super::methods_trait(model, &super::methods_trait_name(model, ""));
    };
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let Model { self_type, attrs, .. } = model;
    let bodies = model.handlers.iter().map(super::body);
    quote! {
        #(#attrs)*
        #[allow(refining_impl_trait)]
        impl #impl_generics #contract for #self_type #where_clause {
            #(#bodies)*
        }
    }
}

pub(crate) fn reference(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let name = wire_name(model, handler, paths);
    let visibility: &Visibility = match model.contract {
        Some(_) => &parse_quote!(pub),
        None => &handler.method.visibility,
    };
    super::reference(handler, visibility, &super::new_reference(handler, &name, paths), paths)
}

/// What is written in this block, or the contract's name. The types of the contract's reference are left open, so that
/// a wrong one is reported once, at the method; its kind is not.
fn wire_name(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    match &model.contract {
        Some(contract) => contract_name(contract, handler, paths),
        None if handler.kind == Kind::Run => model.name(),
        None => handler.name(),
    }
}

fn contract_name(contract: &Path, handler: &Handler, paths: &Paths) -> TokenStream {
    let hidden = super::contract::hidden_reference(handler);
    let ty = super::reference_type(handler.kind, &quote!(_), &quote!(_), paths);
    let reference = quote_spanned!(super::at(handler.span)=> <Self as #contract>::#hidden);
    quote!({
        let reference: #ty = #reference;
        reference.name()
    })
}

/// The workflow as its callers see it.
pub(crate) fn workflow_type(model: &Model, paths: &Paths) -> TokenStream {
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let (data, self_type, cfgs) = (&paths.data, &model.self_type, model.cfgs());
    let Some(run) = model.run() else {
        return TokenStream::new();
    };
    let (name, input, output) = (wire_name(model, run, paths), run.input(), run.output());
    quote! {
        #(#cfgs)*
        impl #impl_generics #data::WorkflowType for #self_type #where_clause {
            const NAME: &'static str = #name;
            type Input = #input;
            type Output = #output;
        }
    }
}

/// The workflow as the executor sees it.
fn implementation(model: &Model, paths: &Paths) -> TokenStream {
    let Some(run) = model.run() else {
        return TokenStream::new();
    };
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let Paths { workflow, data, .. } = paths;
    let (self_type, cfgs) = (&model.self_type, model.cfgs());
    let methods = methods_path(model);
    let (input, output, pattern) = (run.input(), run.output(), run.pattern());
    let (arity, options) = (arity(model, run, paths), options(model, paths));
    let init = init(model, run);
    let outcome = outcome(run, &super::call(run, &methods, &quote!(this), false), paths);
    let handlers = model.handlers.iter().filter_map(|handler| entry(model, handler, &methods, paths));
    quote! {
        #(#cfgs)*
        #[allow(deprecated)]
        impl #impl_generics #workflow::Workflow for #self_type #where_clause {
            const NAME: &'static str = <Self as #data::WorkflowType>::NAME;
            const ARITY: usize = #arity;
            type Input = #input;
            type Output = #output;
            const HANDLERS: &'static [#workflow::Handler<Self>] = &[#(#handlers),*];
            #options

            fn init(input: &Self::Input) -> Self {
                #init
            }

            fn run(
                self: ::std::rc::Rc<Self>,
                input: Self::Input,
            ) -> #workflow::LocalBoxFuture<'static, #workflow::Result<Self::Output>> {
                ::std::boxed::Box::pin(async move {
                    let (this, #pattern) = (self, input);
                    #outcome
                })
            }
        }
    }
}

/// How many arguments `run` takes. The one of a dynamic workflow is the list of them.
fn arity(model: &Model, run: &Handler, paths: &Paths) -> TokenStream {
    let (data, arity) = (&paths.data, run.arity());
    match model.options.dynamic {
        Some(_) => quote!(#data::DataConverter::ALL),
        None => quote!(#arity),
    }
}

/// What the definition says besides its code, where it says anything.
fn options(model: &Model, paths: &Paths) -> TokenStream {
    let workflow = &paths.workflow;
    let BlockOptions { dynamic, versioning, fail_on, .. } = &model.options;
    let dynamic = dynamic.map(|_| quote!(.dynamic()));
    let versioning = versioning.as_ref().and_then(|word| attr::meaning(&attr::VERSIONING, word));
    let versioning = versioning.map(|variant| quote!(.versioning(#workflow::Versioning::#variant)));
    let defects = fail_on.iter().flatten().filter_map(|word| attr::meaning(&attr::DEFECTS, word));
    let mut config = defects.map(|defect| quote!(.fail_on(#workflow::FailOn::#defect))).chain(versioning).peekable();
    let config = config.peek().is_some().then(|| quote!(.config(#workflow::Config::new() #(#config)*)));
    let options = [dynamic, config].into_iter().flatten().reduce(|all, option| quote!(#all #option));
    let options = options
        .map(|options| quote!(const OPTIONS: #workflow::WorkflowOptions = #workflow::WorkflowOptions::NONE #options;));
    let by_run = model.configs.first().map(|method| {
        let ident = &method.signature.ident;
        let span = method.return_type().map_or_else(|| ident.span(), Spanned::span);
        let call = quote_spanned!(super::at(span)=> Self::#ident(this));
        quote! {
            const CONFIG: ::core::option::Option<fn(&Self) -> #workflow::Config> =
                ::core::option::Option::Some(|this| #call);
        }
    });
    quote!(#options #by_run)
}

/// The trait that holds the methods, as a path.
fn methods_path(model: &Model) -> TokenStream {
    let (_, type_generics, _) = model.generics.split_for_impl();
    match &model.contract {
        Some(contract) => quote!(#contract),
        None => {
            let name = super::methods_trait_name(model, "");
            quote!(#name #type_generics)
        }
    }
}

/// Builds the state. An argument that does not fit is shown at its type.
fn init(model: &Model, run: &Handler) -> TokenStream {
    let Some(init) = model.inits.first() else {
        let span = super::at(model.self_type.span());
        return quote_spanned! {span=>
            let _ = input;
            <Self as ::core::default::Default>::default()
        };
    };
    let ident = &init.signature.ident;
    if init.signature.inputs.is_empty() {
        return quote!(let _ = input; Self::#ident());
    }
    let (pattern, bindings) = (run.pattern(), run.bindings());
    let arguments = bindings
        .iter()
        .zip(init.argument_types())
        .map(|(binding, ty)| Ident::new(&binding.to_string(), super::at(ty.span())));
    quote!(let #pattern = input; Self::#ident(#(#arguments),*))
}

/// The handler's place in the table, which `run` has not.
fn entry(model: &Model, handler: &Handler, methods: &TokenStream, paths: &Paths) -> Option<TokenStream> {
    let (cfgs, workflow) = (handler.cfgs(), &paths.workflow);
    let name = match handler.is_dynamic() {
        true => quote!(::core::option::Option::None),
        false => {
            let name = wire_name(model, handler, paths);
            quote!(::core::option::Option::Some(#name))
        }
    };
    let options = handler_options(handler, paths);
    let (variant, fields) = match handler.kind {
        Kind::Run | Kind::Activity | Kind::Operation => return None,
        Kind::Signal => (quote!(Signal), signal(model, handler, methods, paths)),
        Kind::Query => (quote!(Query), query(model, handler, methods, paths)),
        Kind::Update => (quote!(Update), update(model, handler, methods, paths)),
    };
    Some(quote!(#(#cfgs)* #workflow::Handler::#variant { name: #name, options: #options, #fields }))
}

fn handler_options(handler: &Handler, paths: &Paths) -> TokenStream {
    let (workflow, description) = (&paths.workflow, handler.description());
    let policy = handler.options.unfinished.as_ref();
    let unfinished = policy.and_then(|policy| attr::meaning(&attr::UNFINISHED, policy));
    let unfinished = unfinished.unwrap_or_else(|| format_ident!("{}", attr::UNFINISHED[0].1));
    quote!(#workflow::HandlerOptions { description: #description, unfinished: #workflow::UnfinishedPolicy::#unfinished })
}

fn signal(model: &Model, handler: &Handler, methods: &TokenStream, paths: &Paths) -> TokenStream {
    let decode = decode(model, handler, paths);
    let outcome = outcome(handler, &super::call(handler, methods, &quote!(this), false), paths);
    quote! {
        call: |this, arguments| {
            #decode
            ::core::result::Result::Ok(::std::boxed::Box::pin(async move { #outcome }))
        }
    }
}

fn query(model: &Model, handler: &Handler, methods: &TokenStream, paths: &Paths) -> TokenStream {
    let decode = decode(model, handler, paths);
    let call = super::call(handler, methods, &quote!(this), true);
    let outcome = outcome(handler, &call, paths);
    let encode = at_output(handler, quote!(arguments.encode(&output)));
    quote! {
        call: |this, arguments| {
            #decode
            ::core::result::Result::Ok(::core::result::Result::and_then(#outcome, |output| #encode))
        }
    }
}

fn update(model: &Model, handler: &Handler, methods: &TokenStream, paths: &Paths) -> TokenStream {
    let (decode, validate) = (decode(model, handler, paths), validate_call(handler, paths));
    let outcome = outcome(handler, &super::call(handler, methods, &quote!(this), false), paths);
    let workflow = &paths.workflow;
    let encode = at_output(handler, quote!(#workflow::__private::encode_with(&converter, &output)));
    quote! {
        validate: #validate,
        call: |this, arguments| {
            #decode
            let converter = arguments.converter();
            ::core::result::Result::Ok(::std::boxed::Box::pin(async move {
                let output = #outcome?;
                #encode
            }))
        }
    }
}

fn validate_call(handler: &Handler, paths: &Paths) -> TokenStream {
    let Some(validator) = &handler.options.validator else {
        return quote!(::core::option::Option::None);
    };
    let (decode, bindings) = (decode_as(&handler.input(), handler, paths), handler.bindings());
    let error = paths.workflow_error();
    let span = super::at(validator.span());
    let verdict = quote_spanned! {span=>
        ::core::result::Result::map_err(Self::#validator(this, #(&#bindings),*), #error::from)
    };
    quote! {
        ::core::option::Option::Some(|this, arguments| {
            #decode
            ::core::result::Result::Ok(#verdict)
        })
    }
}

/// Reads the arguments. Their types are those of the contract, if there is one, so that a method that does not fit is
/// reported once.
fn decode(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    match model.contract {
        Some(_) => decode_as(&quote!(_), handler, paths),
        None => decode_as(&handler.input(), handler, paths),
    }
}

/// Reads the arguments. A type that cannot be read is shown where it is written.
fn decode_as(input: &TokenStream, handler: &Handler, paths: &Paths) -> TokenStream {
    if handler.is_dynamic() {
        return decode_dynamic(handler, paths);
    }
    let (pattern, arity) = (handler.pattern(), handler.arity());
    let span = handler.method.argument_types().next().map_or_else(Span::call_site, |ty| super::at(ty.span()));
    quote_spanned!(span=> let #pattern = arguments.decode::<#input>(#arity)?;)
}

/// The name that was called, and all arguments as a list.
fn decode_dynamic(handler: &Handler, paths: &Paths) -> TokenStream {
    let (data, pattern) = (&paths.data, handler.pattern());
    let arguments = handler.method.argument_types().nth(1);
    let span = arguments.map_or_else(Span::call_site, |ty| super::at(ty.span()));
    quote_spanned! {span=>
        let #pattern = (
            ::std::string::String::from(arguments.name()),
            arguments.decode::<#arguments>(#data::DataConverter::ALL)?,
        );
    }
}

/// A type that cannot be sent is shown where it is written.
fn at_output(handler: &Handler, code: TokenStream) -> TokenStream {
    super::relocate(code, super::at(handler.output_span()))
}

fn outcome(handler: &Handler, call: &TokenStream, paths: &Paths) -> TokenStream {
    let error = paths.workflow_error();
    super::outcome(handler, call, &error, quote!(#error::from))
}
