//! `#[activities]`.
//!
//! Blocks of one type do not know of each other, so they form a chain: each calls the definitions of the next part by
//! an inherent function of a known name, and a trait gives the same name an empty answer where there is no next part.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, LitInt};

use super::Paths;
use crate::model::{Handler, Model, Receiver};
use crate::parse::Block;
use crate::parse::attr::BlockOptions;
use crate::validate::Errors;
use crate::{fallback, validate};

pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.absorb(BlockOptions::parse(arguments, "activities")).unwrap_or_default();
    let model = syn::parse2::<Block>(item.clone()).and_then(|block| Model::new(block, options, &mut errors));
    let model = match model {
        Ok(model) => model,
        Err(error) => {
            return fallback::unparsed(item, error, "activities", "impl block whose methods are activities");
        }
    };
    validate::activities(&model, &mut errors);

    let paths = Paths::new(model.options.krate.as_ref());
    let code = if errors.is_empty() { expand(&model, &paths) } else { fallback::activities(&model, &paths) };
    quote!(#errors #code)
}

fn expand(model: &Model, paths: &Paths) -> TokenStream {
    let named = model.handlers.iter().filter(|handler| model.has_reference(handler));
    let inherent = super::inherent(model, named.map(|handler| reference(handler, paths)));
    let methods = super::methods_trait(model, &methods_name(model));
    let definitions = model.handlers.iter().map(|handler| definition(model, handler, paths)).collect();
    let implementation = implementation(model, definitions, paths);
    quote!(#inherent #methods #implementation)
}

pub(crate) fn reference(handler: &Handler, paths: &Paths) -> TokenStream {
    let value = super::new_reference(handler, &handler.name(), paths);
    super::reference(handler, &handler.method.visibility, &value, paths)
}

pub(crate) fn methods_name(model: &Model) -> Ident {
    let suffix = match part(model) {
        1 => String::new(),
        part => part.to_string(),
    };
    super::methods_trait_name(model, &suffix)
}

/// `Activities` for the first part, a function in the chain for the others.
pub(crate) fn implementation(model: &Model, definitions: TokenStream, paths: &Paths) -> TokenStream {
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let (activity, self_type, cfgs) = (&paths.activity, &model.self_type, model.cfgs());
    let next = next_part(model, paths);
    let body = quote! {
        let mut definitions = ::std::vec::Vec::new();
        #definitions
        #next
        definitions
    };
    if part(model) == 1 {
        return quote! {
            #(#cfgs)*
            #[allow(deprecated)]
            impl #impl_generics #activity::Activities for #self_type #where_clause {
                fn definitions(self: ::std::sync::Arc<Self>) -> ::std::vec::Vec<#activity::Definition> {
                    let this = &self;
                    #body
                }
            }
        };
    }
    let (function, marker) = (part_function(part(model)), part_marker(part(model)));
    let previous = previous_part(model, paths);
    quote! {
        #(#cfgs)*
        #[allow(deprecated, dead_code)]
        impl #impl_generics #self_type #where_clause {
            #[doc(hidden)]
            pub(crate) const #marker: () = ();

            #[doc(hidden)]
            pub(crate) fn #function(this: &::std::sync::Arc<Self>) -> ::std::vec::Vec<#activity::Definition> {
                #previous
                #body
            }
        }
    }
}

/// Adds the definitions of the part after this one, if there is one.
fn next_part(model: &Model, paths: &Paths) -> TokenStream {
    let (activity, next) = (&paths.activity, part_function(part(model).saturating_add(1)));
    quote! {
        trait NoNextPart {
            fn #next(_: &::std::sync::Arc<Self>) -> ::std::vec::Vec<#activity::Definition> {
                ::std::vec::Vec::new()
            }
        }
        impl<T> NoNextPart for T {}
        definitions.extend(Self::#next(this));
    }
}

/// Does not compile if the part before this one is missing: this one would never be reached.
fn previous_part(model: &Model, paths: &Paths) -> TokenStream {
    let activity = &paths.activity;
    let option = model.options.part.as_ref();
    let span = super::at(option.map_or_else(Span::call_site, LitInt::span));
    match part(model) {
        2 => quote_spanned!(span=> let _ = <Self as #activity::Activities>::definitions;),
        part => {
            let mut previous = part_marker(part - 1);
            previous.set_span(span);
            quote_spanned!(span=> let () = Self::#previous;)
        }
    }
}

fn part_function(part: u32) -> Ident {
    format_ident!("__activities_part_{part}")
}

fn part_marker(part: u32) -> Ident {
    format_ident!("__ACTIVITIES_PART_{part}")
}

fn part(model: &Model) -> u32 {
    let part = model.options.part.as_ref().and_then(|part| part.base10_parse().ok());
    part.unwrap_or(1).max(1)
}

fn definition(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let (activity, name, cfgs) = (&paths.activity, handler.name(), handler.cfgs());
    let made = match (handler.options.process, handler.is_async()) {
        (Some(_), _) => {
            let code = blocking(model, handler, paths);
            quote!(in_process(#name, #code))
        }
        (None, true) => {
            let implementation = asynchronous(model, handler, paths);
            quote!(new(#name, #implementation))
        }
        (None, false) => {
            let code = blocking(model, handler, paths);
            quote!(new(#name, #activity::Implementation::Blocking(::std::sync::Arc::new(#code))))
        }
    };
    let dynamic = handler.is_dynamic().then(|| quote!(.dynamic()));
    quote! {
        #(#cfgs)*
        definitions.push({
            let this = ::std::sync::Arc::clone(this);
            #activity::Definition::#made #dynamic
        });
    }
}

fn asynchronous(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let activity = &paths.activity;
    let (decode, call, encode) = (decode(handler, paths), call(model, handler, paths), encode(handler));
    // A future that is not `Send` is shown at the return type.
    let future = quote_spanned! {super::at(handler.output_span())=>
        ::std::boxed::Box::pin(async move {
            #decode
            let output = #call?;
            #encode
        })
    };
    quote! {
        #activity::Implementation::Async(::std::sync::Arc::new(move |input: #activity::Input| {
            let this = ::std::sync::Arc::clone(&this);
            #future
        }))
    }
}

/// A closure.
fn blocking(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let activity = &paths.activity;
    let (decode, call, encode) = (decode(handler, paths), call(model, handler, paths), encode(handler));
    quote! {
        move |input: #activity::Input| {
            #decode
            let this = ::std::sync::Arc::clone(&this);
            let output = #call?;
            #encode
        }
    }
}

fn decode(handler: &Handler, paths: &Paths) -> TokenStream {
    let (data, pattern, input) = (&paths.data, handler.pattern(), handler.input());
    let arity = match (handler.is_dynamic(), handler.arity()) {
        (true, _) => quote!(#data::DataConverter::ALL),
        (false, arity) => quote!(#arity),
    };
    let span = handler.method.argument_types().next().map_or_else(Span::call_site, |ty| super::at(ty.span()));
    quote_spanned!(span=> let #pattern = input.decode::<#input>(#arity)?;)
}

fn encode(handler: &Handler) -> TokenStream {
    let span = super::at(handler.output_span());
    quote_spanned!(span=> input.encode(&output))
}

fn call(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let (activity, (_, type_generics, _)) = (&paths.activity, model.generics.split_for_impl());
    let name = methods_name(model);
    let call = super::call(handler, &quote!(#name #type_generics), &quote!(this), false);
    let call = match handler.receiver() {
        Receiver::None => quote!({ let _ = this; #call }),
        _ => call,
    };
    super::outcome(handler, &call, &quote!(#activity::Error), convert(handler, activity))
}

/// What makes the handler's error ours, with the types recognised that the attribute lists.
fn convert(handler: &Handler, activity: &TokenStream) -> TokenStream {
    let errors = &handler.options.errors;
    match &**errors {
        [] => quote!(#activity::Error::from),
        _ => quote!(|error| #activity::Error::from(error) #(.recognise::<#errors>())*),
    }
}
