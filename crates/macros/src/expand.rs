//! Meaning to code. What the attributes share is here, the rest in a file each.

pub(crate) mod activities;
pub(crate) mod contract;
mod defaults;
pub(crate) mod failure;
pub(crate) mod nexus;
pub(crate) mod test;
pub(crate) mod workflow;

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, Path, Visibility};

use crate::model::{Handler, Kind, Model, Receiver};

/// Where generated code finds the crates that it names.
pub(crate) struct Paths {
    pub(crate) data: TokenStream,
    pub(crate) workflow: TokenStream,
    pub(crate) activity: TokenStream,
    pub(crate) nexus: TokenStream,
}

impl Paths {
    pub(crate) fn new(krate: Option<&Path>) -> Self {
        let private = match krate {
            Some(path) => quote!(#path::__private),
            None => quote!(::stead::__private),
        };
        Self {
            data: quote!(#private::data),
            workflow: quote!(#private::workflow),
            activity: quote!(#private::activity),
            nexus: quote!(#private::nexus),
        }
    }

    fn workflow_error(&self) -> TokenStream {
        let workflow = &self.workflow;
        quote!(#workflow::Error)
    }
}

/// The typed reference of a handler: a constant with the name of the method.
pub(crate) fn reference(handler: &Handler, visibility: &Visibility, value: &TokenStream, paths: &Paths) -> TokenStream {
    let (attrs, ident) = (handler.reference_attrs(), handler.ident());
    let ty = match handler.options.defaults.is_bounded() {
        true => defaults::bounded_reference_type(handler, paths),
        false => reference_type(handler.kind, &handler.input(), &handler.output(), paths),
    };
    quote! {
        #(#attrs)*
        #[allow(non_upper_case_globals, dead_code, private_interfaces, unreachable_pub)]
        #visibility const #ident: #ty = #value;
    }
}

/// The type that callers of a contract or a service name, with what it refers to.
pub(crate) fn caller_type(
    model: &Model,
    visibility: &Visibility,
    references: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let (attrs, ident, cfgs) = (&model.attrs, &model.ident, model.cfgs());
    quote! {
        #(#attrs)*
        #[allow(dead_code)]
        #[derive(Debug)]
        #visibility enum #ident {}

        #(#cfgs)*
        impl #ident {
            #(#references)*
        }
    }
}

pub(crate) fn reference_type(kind: Kind, input: &TokenStream, output: &TokenStream, paths: &Paths) -> TokenStream {
    let (data, ident) = (&paths.data, reference_ident(kind));
    match kind {
        Kind::Signal => quote!(#data::#ident<Self, #input>),
        _ => quote!(#data::#ident<Self, #input, #output>),
    }
}

/// `Signal::new("pay", 1)`.
pub(crate) fn new_reference(handler: &Handler, name: &TokenStream, paths: &Paths) -> TokenStream {
    let (data, ident, arity) = (&paths.data, reference_ident(handler.kind), handler.arity());
    let defaults = defaults::with_defaults(&handler.options.defaults, paths);
    quote!(#data::#ident::new(#name, #arity) #defaults)
}

fn reference_ident(kind: Kind) -> Ident {
    let name = match kind {
        Kind::Run => "WorkflowFn",
        Kind::Signal => "Signal",
        Kind::Query => "Query",
        Kind::Update => "Update",
        Kind::Activity => "Activity",
        Kind::Operation => "Operation",
    };
    Ident::new(name, Span::call_site())
}

/// The trait that an inherent block's handlers move to, and its implementation.
pub(crate) fn methods_trait(model: &Model, name: &Ident) -> TokenStream {
    let (impl_generics, type_generics, where_clause) = model.generics.split_for_impl();
    let (generics, self_type, attrs) = (&model.generics, &model.self_type, &model.attrs);
    let cfgs = model.cfgs();
    let visibility = crate::model::widest(model.handlers.iter());
    let declarations = model.handlers.iter().map(declaration);
    let bodies = model.handlers.iter().map(body);
    let doc =
        format!("The handlers of [`{}`] as plain methods: import it to call them from another module.", model.ident);
    quote! {
        #[doc = #doc]
        #[allow(async_fn_in_trait, missing_docs, private_interfaces, private_bounds, unreachable_pub)]
        #(#cfgs)*
        #visibility trait #name #generics: ::core::marker::Sized #where_clause {
            #(#declarations)*
        }

        #(#attrs)*
        impl #impl_generics #name #type_generics for #self_type #where_clause {
            #(#bodies)*
        }
    }
}

fn declaration(handler: &Handler) -> TokenStream {
    let (attrs, signature) = (handler.declaration_attrs(), handler.method.declared_signature());
    quote!(#(#attrs)* #signature;)
}

pub(crate) fn body(handler: &Handler) -> TokenStream {
    let (attrs, signature, body) = (handler.body_attrs(), &handler.method.signature, &handler.method.body);
    quote!(#(#attrs)* #signature #body)
}

/// What stays in the inherent impl: the typed references, `#[init]`, helpers and items that are not methods.
pub(crate) fn inherent(model: &Model, references: impl Iterator<Item = TokenStream>) -> TokenStream {
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let Model { self_type, attrs, inits, configs, helpers, others, .. } = model;
    quote! {
        #(#attrs)*
        impl #impl_generics #self_type #where_clause {
            #(#references)*
            #(#inits)*
            #(#configs)*
            #(#helpers)*
            #(#others)*
        }
    }
}

pub(crate) fn methods_trait_name(model: &Model, suffix: &str) -> Ident {
    format_ident!("{}Methods{suffix}", model.ident)
}

/// Calls the handler with its bindings, and awaits it if it is `async`. `this` is an expression for a shared pointer,
/// or for a reference if `by_reference`.
pub(crate) fn call(handler: &Handler, methods: &TokenStream, this: &TokenStream, by_reference: bool) -> TokenStream {
    let (ident, bindings) = (handler.ident(), handler.bindings());
    let this = match handler.receiver() {
        Receiver::None => None,
        Receiver::Ref if !by_reference => Some(quote!(&#this)),
        _ => Some(this.clone()),
    };
    let arguments = this.into_iter().chain(bindings.iter().map(|binding| quote!(#binding)));
    let awaits = handler.is_async().then(|| quote!(.await));
    quote!(<Self as #methods>::#ident(#(#arguments),*) #awaits)
}

/// Makes what a handler gave a `Result` with our error. Mistakes about it are shown at the return type.
pub(crate) fn outcome(handler: &Handler, call: &TokenStream, error: &TokenStream, convert: TokenStream) -> TokenStream {
    let span = at(handler.output_span());
    let convert = relocate(convert, span);
    match handler.is_fallible() {
        true => quote_spanned!(span=> ::core::result::Result::map_err(#call, #convert)),
        false => quote_spanned!(span=> ::core::result::Result::<_, #error>::Ok(#call)),
    }
}

/// Moves all of the code to `span`, so that mistakes are shown there.
pub(crate) fn relocate(code: TokenStream, span: Span) -> TokenStream {
    let tokens = code.into_iter().map(|mut token| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), relocate(group.stream(), span)).into();
        }
        token.set_span(span);
        token
    });
    tokens.collect()
}

/// The place of user code, but known to tools as generated.
pub(crate) fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}
