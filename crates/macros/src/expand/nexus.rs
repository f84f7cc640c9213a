//! `#[nexus_service]`: on a trait it declares a service, on an impl block it serves one.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ItemTrait, Visibility, parse_quote};

use super::Paths;
use crate::model::{Handler, Kind, Model, Receiver};
use crate::parse::Block;
use crate::parse::attr::BlockOptions;
use crate::validate::Errors;
use crate::{fallback, validate};

pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.absorb(BlockOptions::parse(arguments, "nexus_service")).unwrap_or_default();
    let is_trait = |token: TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "trait");
    let parsed = match item.clone().into_iter().any(is_trait) {
        true => syn::parse2(item.clone()).and_then(|it| declaration(it, options, &mut errors)),
        false => syn::parse2(item.clone()).and_then(|it| handlers(it, options, &mut errors)),
    };
    match parsed {
        Ok(code) => quote!(#errors #code),
        Err(error) => {
            let expected = "trait that declares a service, or on the impl block that handles it";
            fallback::unparsed(item, error, "nexus_service", expected)
        }
    }
}

fn declaration(declaration: ItemTrait, options: BlockOptions, errors: &mut Errors) -> syn::Result<TokenStream> {
    let visibility = declaration.vis.clone();
    let model = Model::new(super::contract::block(declaration, "Nexus service", errors), options, errors)?;
    validate::nexus_declaration(&model, errors);
    let paths = Paths::new(model.options.krate.as_ref());
    // Handlers whose types cannot be named are left out, and were reported.
    let handlers: Vec<&Handler> = operations(&model).filter(|handler| validate::is_nameable(handler)).collect();
    let (caller, worker) =
        (caller(&model, &handlers, &visibility, &paths), worker(&model, &handlers, &visibility, &paths));
    Ok(quote!(#caller #worker))
}

fn operations(model: &Model) -> impl Iterator<Item = &Handler> {
    model.handlers.iter().filter(|handler| handler.kind == Kind::Operation)
}

/// The type that callers name.
fn caller(model: &Model, handlers: &[&Handler], visibility: &Visibility, paths: &Paths) -> TokenStream {
    let references = handlers.iter().map(|handler| reference(handler, visibility, paths));
    let (caller, service) = (super::caller_type(model, visibility, references), named_service(model, paths));
    quote!(#caller #service)
}

fn reference(handler: &Handler, visibility: &Visibility, paths: &Paths) -> TokenStream {
    super::reference(handler, visibility, &super::new_reference(handler, &handler.name(), paths), paths)
}

fn named_service(model: &Model, paths: &Paths) -> TokenStream {
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let (data, self_type, cfgs, name) = (&paths.data, &model.self_type, model.cfgs(), model.name());
    quote! {
        #(#cfgs)*
        impl #impl_generics #data::NexusService for #self_type #where_clause {
            const NAME: &'static str = #name;
        }
    }
}

/// The trait that workers implement. Its hidden constants carry the references over.
fn worker(model: &Model, handlers: &[&Handler], visibility: &Visibility, paths: &Paths) -> TokenStream {
    let (ident, cfgs) = (&model.ident, model.cfgs());
    let name = format_ident!("{ident}Handlers");
    let doc = format!("What a worker implements, with `#[nexus_service] impl {name} for ..`, to serve [`{ident}`].");
    let items = handlers.iter().map(|handler| {
        let (hidden, declared) = (hidden(model, handler, paths), declared(handler, paths));
        quote!(#hidden #declared)
    });
    quote! {
        #[doc = #doc]
        #[allow(missing_docs, private_interfaces, unreachable_pub)]
        #(#cfgs)*
        #visibility trait #name: ::core::marker::Sized + ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#items)*
        }
    }
}

fn hidden(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let (data, service, ident) = (&paths.data, &model.ident, handler.ident());
    let (cfgs, name) = (handler.cfgs(), super::contract::hidden_reference(handler));
    let (input, output) = (handler.input(), handler.output());
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_upper_case_globals)]
        const #name: #data::Operation<#service, #input, #output> = #service::#ident;
    }
}

/// The method with a return type that leaves it to the handler whether it gives the result itself, and its error.
fn declared(handler: &Handler, paths: &Paths) -> TokenStream {
    let (data, output, attrs) = (&paths.data, handler.output(), handler.declaration_attrs());
    let mut signature = handler.method.declared_signature();
    let answer = quote!(impl #data::nexus::Answer<#output>);
    signature.output = match signature.asyncness.take() {
        Some(_) => parse_quote!(-> impl ::core::future::Future<Output = #answer> + ::core::marker::Send),
        None => parse_quote!(-> #answer),
    };
    quote!(#(#attrs)* #signature;)
}

fn handlers(block: Block, options: BlockOptions, errors: &mut Errors) -> syn::Result<TokenStream> {
    let model = Model::new(block, options, errors)?;
    validate::nexus_service(&model, errors);
    let paths = Paths::new(model.options.krate.as_ref());
    Ok(match errors.is_empty() {
        true => service(&model, false, &paths),
        false => fallback::nexus_service(&model, &paths),
    })
}

/// References, methods, and the service; without operations if `broken`.
pub(crate) fn service(model: &Model, broken: bool, paths: &Paths) -> TokenStream {
    let own = |handler: &&Handler| model.contract.is_none() && validate::is_nameable(handler);
    let references = operations(model).filter(own).map(|handler| reference(handler, &handler.method.visibility, paths));
    let (inherent, methods) = (super::inherent(model, references), super::workflow::methods(model));
    let named = model.contract.is_none().then(|| named_service(model, paths));
    let implementation = implementation(model, broken, paths);
    quote!(#inherent #methods #named #implementation)
}

fn implementation(model: &Model, broken: bool, paths: &Paths) -> TokenStream {
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let (nexus, self_type, cfgs) = (&paths.nexus, &model.self_type, model.cfgs());
    let operations: Vec<_> = operations(model).filter(|_| !broken).map(|it| operation(model, it, paths)).collect();
    let name = match broken {
        true => quote!(""),
        false => service_name(model, paths),
    };
    quote! {
        #(#cfgs)*
        #[allow(deprecated)]
        impl #impl_generics #nexus::Service for #self_type #where_clause {
            fn definition(self: ::std::sync::Arc<Self>) -> #nexus::Definition {
                let this = &self;
                let mut operations = ::std::vec::Vec::new();
                #(#operations)*
                let _ = this;
                #nexus::Definition::new(#name, operations)
            }
        }
    }
}

fn service_name(model: &Model, paths: &Paths) -> TokenStream {
    let data = &paths.data;
    match (&model.contract, operations(model).next()) {
        (Some(_), Some(first)) => {
            let reference = reference_path(model, first);
            quote!(#reference.service())
        }
        _ => quote!(<Self as #data::NexusService>::NAME),
    }
}

/// The reference that the handler belongs to: its own, or that of the declaration.
fn reference_path(model: &Model, handler: &Handler) -> TokenStream {
    let ident = handler.ident();
    match &model.contract {
        Some(contract) => {
            let hidden = super::contract::hidden_reference(handler);
            quote_spanned!(super::at(handler.span)=> <Self as #contract>::#hidden)
        }
        None => quote!(Self::#ident),
    }
}

fn operation(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let (nexus, cfgs, reference) = (&paths.nexus, handler.cfgs(), reference_path(model, handler));
    let start = start(model, handler, paths);
    let cancel = cancel(model, handler, paths);
    quote! {
        #(#cfgs)*
        operations.push({
            let this = ::std::sync::Arc::clone(this);
            #nexus::OperationDefinition::new(#reference.name(), #start)
        } #cancel);
    }
}

fn start(model: &Model, handler: &Handler, paths: &Paths) -> TokenStream {
    let (nexus, reference) = (&paths.nexus, reference_path(model, handler));
    let pattern = handler.pattern();
    let span = handler.method.argument_types().next().map_or_else(Span::call_site, |ty| super::at(ty.span()));
    let decode = quote_spanned!(span=> let #pattern = input.decode(#reference)?;);
    let call = call(model, handler);
    let convert = super::relocate(convert(handler, nexus), super::at(handler.output_span()));
    let encode = quote_spanned!(super::at(handler.output_span())=> input.encode(#reference, output, #convert));
    let kind = format_ident!("{}", if handler.is_async() { "asynchronous" } else { "blocking" });
    let body = quote! {
        #decode
        let output = #call;
        #encode
    };
    let body = match handler.is_async() {
        // A future that is not `Send` is shown at the return type.
        true => quote_spanned!(super::at(handler.output_span())=> ::std::boxed::Box::pin(async move { #body })),
        false => body,
    };
    quote! {
        #nexus::Implementation::#kind(move |input: #nexus::Input| {
            let this = ::std::sync::Arc::clone(&this);
            #body
        })
    }
}

fn call(model: &Model, handler: &Handler) -> TokenStream {
    let (_, type_generics, _) = model.generics.split_for_impl();
    let methods = match &model.contract {
        Some(contract) => quote!(#contract),
        None => {
            let name = super::methods_trait_name(model, "");
            quote!(#name #type_generics)
        }
    };
    let call = super::call(handler, &methods, &quote!(this), false);
    match handler.receiver() {
        Receiver::None => quote!({ let _ = this; #call }),
        _ => call,
    }
}

fn convert(handler: &Handler, nexus: &TokenStream) -> TokenStream {
    let errors = &handler.options.errors;
    match &**errors {
        [] => quote!(#nexus::Error::from),
        _ => quote!(|error| #nexus::Error::from(error) #(.recognise::<#errors>())*),
    }
}

fn cancel(model: &Model, handler: &Handler, paths: &Paths) -> Option<TokenStream> {
    let (nexus, ident) = (&paths.nexus, handler.options.cancel.as_ref()?);
    let method = model.helpers.iter().find(|method| method.signature.ident == *ident)?;
    let span = super::at(ident.span());
    let implementation = match method.signature.asyncness {
        Some(_) => quote_spanned! {span=>
            asynchronous(move |token| {
                let this = ::std::sync::Arc::clone(&this);
                ::std::boxed::Box::pin(async move {
                    ::core::result::Result::map_err(Self::#ident(&this, token).await, #nexus::Error::from)
                })
            })
        },
        None => quote_spanned! {span=>
            blocking(move |token| ::core::result::Result::map_err(Self::#ident(&this, token), #nexus::Error::from))
        },
    };
    Some(quote! {
        .cancel({
            let this = ::std::sync::Arc::clone(this);
            #nexus::Implementation::#implementation
        })
    })
}
