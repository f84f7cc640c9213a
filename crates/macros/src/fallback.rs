//! What is written after a mistake was found: as much as other code refers to, so that the mistake is the only message.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use crate::expand::{self, Paths};
use crate::model::{Handler, Kind, Model};
use crate::validate;

/// The attribute stands on something else, or on something that is no Rust.
pub(crate) fn unparsed(item: TokenStream, error: syn::Error, attribute: &str, expected: &str) -> TokenStream {
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Impl(_)) if attribute != "contract" => error.to_compile_error(),
        Ok(Item::Trait(_)) if ["contract", "nexus_service"].contains(&attribute) => error.to_compile_error(),
        Ok(other) => {
            let message = format!("`#[{attribute}]` goes on the {expected}");
            let error = syn::Error::new_spanned(head(&other), message).to_compile_error();
            quote!(#error #item)
        }
        Err(_) => error.to_compile_error(),
    }
}

/// References and methods as ever, and a workflow that cannot run.
pub(crate) fn workflow(model: &Model, paths: &Paths) -> TokenStream {
    let (impl_generics, _, where_clause) = model.generics.split_for_impl();
    let Paths { data, workflow, .. } = paths;
    let self_type = &model.self_type;
    let is_named = |handler: &&Handler| validate::is_nameable(handler) && model.has_reference(handler);
    let handlers = model.handlers.iter().filter(is_named);
    let runs = model.handlers.iter().filter(|handler| handler.kind == Kind::Run).count();
    let references = handlers.map(|handler| expand::workflow::reference(model, handler, paths));
    let inherent = expand::inherent(model, references);
    let methods = expand::workflow::methods(model);
    let run = model.run().filter(|run| validate::is_nameable(run));
    let (input, output) = match run {
        Some(run) if runs == 1 => (run.input(), run.output()),
        _ => (quote!(()), quote!(())),
    };
    quote! {
        #inherent
        #methods
        impl #impl_generics #data::WorkflowType for #self_type #where_clause {
            const NAME: &'static str = "";
            type Input = #input;
            type Output = #output;
        }
        impl #impl_generics #workflow::Workflow for #self_type #where_clause {
            const NAME: &'static str = "";
            const ARITY: usize = 0;
            type Input = #input;
            type Output = #output;
            const HANDLERS: &'static [#workflow::Handler<Self>] = &[];

            fn init(_: &Self::Input) -> Self {
                loop {}
            }

            fn run(
                self: ::std::rc::Rc<Self>,
                _: Self::Input,
            ) -> #workflow::LocalBoxFuture<'static, #workflow::Result<Self::Output>> {
                loop {}
            }
        }
    }
}

/// References and methods as ever, and no definitions.
pub(crate) fn activities(model: &Model, paths: &Paths) -> TokenStream {
    let handlers = model.handlers.iter().filter(|handler| validate::is_nameable(handler));
    let inherent = expand::inherent(model, handlers.map(|handler| expand::activities::reference(handler, paths)));
    let methods = expand::methods_trait(model, &expand::activities::methods_name(model));
    let implementation = expand::activities::implementation(model, TokenStream::new(), paths);
    quote!(#inherent #methods #implementation)
}

/// References and methods as ever, and no operations.
pub(crate) fn nexus_service(model: &Model, paths: &Paths) -> TokenStream {
    expand::nexus::service(model, true, paths)
}

/// What to point at: the name of an item, where it has one.
fn head(item: &Item) -> TokenStream {
    match item {
        Item::Struct(item) => token(&item.ident),
        Item::Enum(item) => token(&item.ident),
        Item::Trait(item) => token(&item.ident),
        Item::Fn(item) => token(&item.sig.ident),
        Item::Mod(item) => token(&item.ident),
        Item::Impl(item) => token(&item.self_ty),
        other => token(other),
    }
}

fn token(tokens: &impl quote::ToTokens) -> TokenStream {
    quote!(#tokens)
}
