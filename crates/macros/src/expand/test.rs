//! `#[stead::test]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::{Error, FnArg, Ident, ItemFn, Path, Result, ReturnType, Token};

pub(crate) fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = krate(arguments).and_then(|krate| {
        let function = syn::parse2::<ItemFn>(item.clone())
            .map_err(|error| Error::new(error.span(), "`#[stead::test]` goes on an `async fn`"))?;
        expand(function, krate)
    });
    expanded.unwrap_or_else(|error| {
        // The function stays, so that what it uses is not reported as unused.
        let error = error.into_compile_error();
        quote!(#error #[allow(dead_code)] #item)
    })
}

/// `crate = path`, for those who depend on single crates.
fn krate(arguments: TokenStream) -> Result<Option<Path>> {
    if arguments.is_empty() {
        return Ok(None);
    }
    let parser = |input: syn::parse::ParseStream<'_>| {
        let key = input.call(<Ident as syn::ext::IdentExt>::parse_any)?;
        if key != "crate" {
            let message = format!("unknown option `{key}`: `#[stead::test]` takes `crate = path`");
            return Err(Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        input.call(Path::parse_mod_style)
    };
    parser.parse2(arguments).map(Some)
}

fn expand(mut function: ItemFn, krate: Option<Path>) -> Result<TokenStream> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new_spanned(signature.fn_token, "a test on a server is an `async fn`"));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a test has no generic parameters"));
    }
    if !matches!(signature.inputs.iter().collect::<Vec<_>>()[..], [FnArg::Typed(_)]) {
        let place: &dyn ToTokens = if signature.inputs.is_empty() { &signature.ident } else { &signature.inputs };
        return Err(Error::new_spanned(place, "a test takes its environment: `env: TestEnv`"));
    }
    let testing = match krate {
        Some(path) => quote!(#path::__private::testing),
        None => quote!(::stead::__private::testing),
    };
    let output = match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let (name, attrs) = (signature.ident.clone(), std::mem::take(&mut function.attrs));
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        fn #name() -> #output {
            #function
            #testing::run(#name)
        }
    })
}
