//! `#[contract]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, ItemTrait, TraitItem, TraitItemFn, Type, Visibility, parse_quote};

use super::Paths;
use crate::model::{Handler, Kind, Model};
use crate::parse::attr::BlockOptions;
use crate::parse::{Block, Method};
use crate::validate::Errors;
use crate::{fallback, validate};

pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.absorb(BlockOptions::parse(arguments, "contract")).unwrap_or_default();
    let declaration = match syn::parse2::<ItemTrait>(item.clone()) {
        Ok(declaration) => declaration,
        Err(error) => {
            return fallback::unparsed(item, error, "contract", "trait that declares the handlers");
        }
    };
    let visibility = declaration.vis.clone();
    let model = match Model::new(block(declaration, "contract", &mut errors), options, &mut errors) {
        Ok(model) => model,
        Err(error) => return error.to_compile_error(),
    };
    validate::contract(&model, &mut errors);
    let paths = Paths::new(model.options.krate.as_ref());
    let code = expand(&model, &visibility, &paths);
    quote!(#errors #code)
}

/// The trait as a block of methods.
pub(crate) fn block(declaration: ItemTrait, what: &str, errors: &mut Errors) -> Block {
    let ItemTrait { attrs, ident, generics, supertraits, items, .. } = declaration;
    if !generics.params.is_empty() {
        errors.push(&generics, format!("a {what} cannot be generic: its types are those on the wire"));
    }
    if !supertraits.is_empty() {
        errors.push(&supertraits, format!("a {what} has no supertraits"));
    }
    let self_type: Type = parse_quote!(#ident);
    let methods = items.into_iter().filter_map(|item| method(item, what, errors)).collect();
    Block { attrs, generics: Default::default(), contract: None, self_type, methods, others: Vec::new() }
}

fn method(item: TraitItem, what: &str, errors: &mut Errors) -> Option<Method> {
    match item {
        TraitItem::Fn(TraitItemFn { attrs, sig, default, .. }) => {
            if let Some(body) = default {
                errors.push(body, format!("a {what} declares: the body belongs to the implementation"));
            }
            Some(Method { attrs, visibility: Visibility::Inherited, signature: sig, body: TokenStream::new() })
        }
        other => {
            errors.push(other, format!("a {what} has methods only"));
            None
        }
    }
}

/// Expands what can be: handlers whose types cannot be named are left out, and were reported.
fn expand(model: &Model, visibility: &Visibility, paths: &Paths) -> TokenStream {
    let handlers: Vec<&Handler> = model.handlers.iter().filter(|handler| validate::is_nameable(handler)).collect();
    let caller = caller(model, &handlers, visibility, paths);
    let worker = model.run().map(|_| worker(model, &handlers, visibility, paths));
    quote!(#caller #worker)
}

/// The type that callers name.
fn caller(model: &Model, handlers: &[&Handler], visibility: &Visibility, paths: &Paths) -> TokenStream {
    let references = handlers
        .iter()
        .map(|handler| super::reference(handler, visibility, &new_reference(model, handler, paths), paths));
    let (caller, workflow_type) = (super::caller_type(model, visibility, references), workflow_type(model, paths));
    quote!(#caller #workflow_type)
}

fn workflow_type(model: &Model, paths: &Paths) -> Option<TokenStream> {
    let run = model.run().filter(|run| validate::is_nameable(run))?;
    let (data, ident, cfgs, name) = (&paths.data, &model.ident, model.cfgs(), model.name());
    let (input, output) = (run.input(), run.output());
    Some(quote! {
        #(#cfgs)*
        impl #data::WorkflowType for #ident {
            const NAME: &'static str = #name;
            type Input = #input;
            type Output = #output;
        }
    })
}

/// The trait that workers implement. Its hidden constants carry the names and kinds over.
fn worker(model: &Model, handlers: &[&Handler], visibility: &Visibility, paths: &Paths) -> TokenStream {
    let (ident, cfgs) = (&model.ident, model.cfgs());
    let name = format_ident!("{ident}Handlers");
    let doc = format!("What a worker implements, with `#[workflow] impl {name} for ..`, to run [`{ident}`].");
    let handlers = handlers.iter().filter(|handler| handler.kind != Kind::Activity);
    let items = handlers.map(|handler| {
        let (reference, declaration) = (hidden(model, handler, paths), declaration(handler, paths));
        quote!(#reference #declaration)
    });
    quote! {
        #[doc = #doc]
        #[allow(missing_docs, private_interfaces, unreachable_pub)]
        #(#cfgs)*
        #visibility trait #name: ::core::marker::Sized + 'static {
            #(#items)*
        }
    }
}

fn hidden(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let (cfgs, name) = (handler.cfgs(), hidden_reference(handler));
    let ty = super::reference_type(handler.kind, &handler.input(), &handler.output(), paths);
    let value = new_reference(model, handler, paths);
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_upper_case_globals)]
        const #name: #ty = #value;
    }
}

/// The constant of a contract's trait that belongs to a handler.
pub(crate) fn hidden_reference(handler: &Handler) -> Ident {
    format_ident!("__{}", handler.ident(), span = handler.ident().span())
}

fn new_reference(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let name = if handler.kind == Kind::Run { model.name() } else { handler.name() };
    super::new_reference(handler, &name, paths)
}

/// The method with a return type that leaves the implementation its own error, or none.
fn declaration(handler: &Handler, paths: &Paths) -> TokenStream {
    let (data, output, attrs) = (&paths.data, handler.output(), handler.declaration_attrs());
    let mut signature = handler.method.declared_signature();
    let declared_async = signature.asyncness.take().is_some();
    signature.output = match declared_async || handler.kind == Kind::Run {
        true => parse_quote!(-> impl ::core::future::Future<Output = impl #data::Returns<#output>>),
        false => parse_quote!(-> impl #data::Returns<#output>),
    };
    quote!(#(#attrs)* #signature;)
}
