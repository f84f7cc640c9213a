//! `#[derive(IntoFailure)]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use std::collections::BTreeSet;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Ident, Index};

use super::Paths;
use crate::parse::attr::FailureOptions;
use crate::validate::Errors;

/// A variant, or the whole struct.
struct Case<'a> {
    ident: &'a Ident,
    /// `Self::Unpaid`, or `Self`.
    constructor: TokenStream,
    options: FailureOptions,
    type_name: String,
    fields: &'a Fields,
}

pub(crate) fn derive(item: TokenStream) -> TokenStream {
    match syn::parse2::<DeriveInput>(item) {
        Ok(input) => expand(&input),
        Err(error) => error.to_compile_error(),
    }
}

fn expand(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let options = errors.absorb(FailureOptions::parse(&input.attrs)).unwrap_or_default();
    let cases = cases(input, &options, &mut errors);
    validate(input, &options, &cases, &mut errors);
    let paths = Paths::new(options.krate.as_ref());
    match errors.is_empty() {
        true => implement(input, &cases, &paths),
        false => {
            let stub = stub(input, &paths);
            quote!(#errors #stub)
        }
    }
}

fn cases<'a>(input: &'a DeriveInput, options: &FailureOptions, errors: &mut Errors) -> Vec<Case<'a>> {
    match &input.data {
        Data::Struct(data) => {
            vec![Case::new(&input.ident, quote!(Self), options.clone(), &data.fields)]
        }
        Data::Enum(data) => data
            .variants
            .iter()
            .map(|variant| {
                let ident = &variant.ident;
                let own = errors.absorb(FailureOptions::parse(&variant.attrs)).unwrap_or_default();
                if own.krate.is_some() {
                    errors.push(ident, "`crate` goes on the enum, not on a variant");
                }
                Case::new(ident, quote!(Self::#ident), own.or(options), &variant.fields)
            })
            .collect(),
        Data::Union(_) => {
            errors.push(&input.ident, "a union cannot be a failure: use a struct or an enum");
            Vec::new()
        }
    }
}

fn validate(input: &DeriveInput, options: &FailureOptions, cases: &[Case<'_>], errors: &mut Errors) {
    if !input.generics.params.is_empty() {
        errors.push(&input.generics, "a failure cannot be generic: its fields are those on the wire");
    }
    if let (Data::Enum(_), Some(name)) = (&input.data, &options.type_name) {
        errors.push(name, "`type` goes on a variant: each is a type of its own");
    }
    let mut seen = BTreeSet::new();
    for case in cases {
        if !seen.insert(&case.type_name) {
            errors.push(case.ident, format!("another variant has the type `{}` already", case.type_name));
        }
    }
}

impl FailureOptions {
    /// With what the whole enum says where a variant says nothing.
    fn or(self, whole: &Self) -> Self {
        Self {
            non_retryable: self.non_retryable || whole.non_retryable,
            benign: self.benign || whole.benign,
            next_retry_delay: self.next_retry_delay.or(whole.next_retry_delay),
            ..self
        }
    }
}

fn implement(input: &DeriveInput, cases: &[Case<'_>], paths: &Paths) -> TokenStream {
    let (ident, data) = (&input.ident, &paths.data);
    let details = cases.iter().filter_map(|case| case.details_type(paths));
    // Its hygiene keeps it apart from a field of the same name.
    let failure = Ident::new("failure", Span::mixed_site());
    let into = cases.iter().map(|case| case.arm_into(&failure));
    let from = cases.iter().map(Case::arm_from);
    let message = quote_spanned!(super::at(ident.span())=> ::std::string::ToString::to_string(&self));
    quote! {
        const _: () = {
            #(#details)*

            impl #data::IntoFailure for #ident {
                fn into_failure(self) -> #data::Failure {
                    let #failure = #data::Failure::application(#message);
                    match self {
                        #(#into)*
                    }
                }
            }

            impl #data::FromFailure for #ident {
                fn from_failure(
                    _: &#data::Failure,
                    application: &#data::ApplicationFailure,
                ) -> ::core::option::Option<Self> {
                    match ::std::string::String::as_str(&application.type_name) {
                        #(#from)*
                        _ => ::core::option::Option::None,
                    }
                }
            }
        };
    }
}

fn stub(input: &DeriveInput, paths: &Paths) -> TokenStream {
    let (ident, data) = (&input.ident, &paths.data);
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        impl #impl_generics #data::IntoFailure for #ident #type_generics #where_clause {
            fn into_failure(self) -> #data::Failure {
                loop {}
            }
        }

        impl #impl_generics #data::FromFailure for #ident #type_generics #where_clause {
            fn from_failure(_: &#data::Failure, _: &#data::ApplicationFailure) -> ::core::option::Option<Self> {
                ::core::option::Option::None
            }
        }
    }
}

impl<'a> Case<'a> {
    fn new(ident: &'a Ident, constructor: TokenStream, options: FailureOptions, fields: &'a Fields) -> Self {
        let type_name = options.type_name.as_ref().map_or_else(|| ident.unraw().to_string(), syn::LitStr::value);
        Self { ident, constructor, options, type_name, fields }
    }

    fn details_ident(&self) -> Ident {
        format_ident!("{}Details", self.ident.unraw())
    }

    /// The struct that is the JSON object of the fields.
    fn details_type(&self, paths: &Paths) -> Option<TokenStream> {
        if self.fields.is_empty() {
            return None;
        }
        let (data, name) = (&paths.data, self.details_ident());
        let serde = quote!(#data::__private::serde);
        let path = serde.to_string();
        let fields = self.fields.iter().enumerate().map(|(index, field)| details_field(index, field));
        Some(quote! {
            #[derive(#serde::Serialize, #serde::Deserialize)]
            #[serde(crate = #path)]
            struct #name {
                #(#fields),*
            }
        })
    }

    /// The arm that makes a failure of the case.
    fn arm_into(&self, failure: &Ident) -> TokenStream {
        let (constructor, name, type_name) = (&self.constructor, self.details_ident(), &self.type_name);
        let (bindings, locals) = (self.bindings(), self.locals());
        let details = (!self.fields.is_empty()).then(|| quote!(.details(&#name { #(#locals),* })));
        let FailureOptions { non_retryable, benign, next_retry_delay, .. } = &self.options;
        let non_retryable = non_retryable.then(|| quote!(.non_retryable()));
        let benign = benign.then(|| quote!(.benign()));
        let delay = next_retry_delay.map(|delay| {
            let (secs, nanos) = (delay.as_secs(), delay.subsec_nanos());
            quote!(.next_retry_delay(::core::time::Duration::new(#secs, #nanos)))
        });
        quote! {
            #constructor { #(#bindings),* } => #failure.type_name(#type_name) #details #non_retryable #benign #delay,
        }
    }

    /// The arm that makes the case of a failure.
    fn arm_from(&self) -> TokenStream {
        let (constructor, name, type_name) = (&self.constructor, self.details_ident(), &self.type_name);
        let (bindings, locals) = (self.bindings(), self.locals());
        let value = quote!(::core::option::Option::Some(#constructor { #(#bindings),* }));
        if self.fields.is_empty() {
            return quote!(#type_name => #value,);
        }
        quote! {
            #type_name => {
                let details = application.detail::<#name>(0);
                let #name { #(#locals),* } = ::core::result::Result::ok(details)?;
                #value
            }
        }
    }

    /// The fields of the case, bound to locals or made from them.
    fn bindings(&self) -> Vec<TokenStream> {
        let bindings = self.fields.iter().enumerate().map(|(index, field)| match &field.ident {
            Some(ident) => quote!(#ident),
            None => {
                let (member, local) = (Index::from(index), local(index, field));
                quote!(#member: #local)
            }
        });
        bindings.collect()
    }

    /// The fields of the details, which are called like the locals.
    fn locals(&self) -> Vec<Ident> {
        self.fields.iter().enumerate().map(|(index, field)| local(index, field)).collect()
    }
}

/// A field of the details, with what serde was told about it.
fn details_field(index: usize, field: &Field) -> TokenStream {
    let (name, ty) = (local(index, field), &field.ty);
    let serde: Vec<&Attribute> = field.attrs.iter().filter(|attr| attr.path().is_ident("serde")).collect();
    let rename = field.ident.is_none().then(|| {
        let index = index.to_string();
        quote!(#[serde(rename = #index)])
    });
    quote!(#rename #(#serde)* #name: #ty)
}

fn local(index: usize, field: &Field) -> Ident {
    field.ident.clone().unwrap_or_else(|| Ident::new(&format!("field_{index}"), Span::call_site()))
}
