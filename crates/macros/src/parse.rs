//! Tokens to syntax: impl blocks whose method bodies stay tokens.
//!
//! Nothing here needs to understand a body, so none is parsed: that costs less, and code that is being typed still
//! expands, so that editors complete it.

pub(crate) mod attr;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Generics, Ident, ImplItem, Path, Result, Signature, Token, Type, Visibility, braced};

/// An impl block.
pub(crate) struct Block {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) generics: Generics,
    /// The trait that is implemented, if the block is not inherent.
    pub(crate) contract: Option<Path>,
    pub(crate) self_type: Type,
    pub(crate) methods: Vec<Method>,
    /// Items that are not methods.
    pub(crate) others: Vec<ImplItem>,
}

/// A method; without a body in a contract.
pub(crate) struct Method {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: TokenStream,
}

impl Block {
    /// The last segment of the type's path.
    pub(crate) fn name(&self) -> Result<&Ident> {
        match &self.self_type {
            Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
            _ => None,
        }
        .map(|segment| &segment.ident)
        .ok_or_else(|| syn::Error::new_spanned(&self.self_type, "expected the path of a struct or an enum"))
    }
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Token![impl]>()?;
        let mut generics: Generics = input.parse()?;
        let (contract, self_type) = parse_header(input)?;
        generics.where_clause = input.parse()?;
        let content;
        braced!(content in input);
        attrs.extend(content.call(Attribute::parse_inner)?);
        let mut block = Self { attrs, generics, contract, self_type, methods: Vec::new(), others: Vec::new() };
        while !content.is_empty() {
            block.parse_item(&content)?;
        }
        Ok(block)
    }
}

impl Block {
    fn parse_item(&mut self, input: ParseStream<'_>) -> Result<()> {
        if starts_method(input) {
            self.methods.push(input.parse()?);
        } else {
            self.others.push(input.parse()?);
        }
        Ok(())
    }
}

impl Parse for Method {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self {
            attrs: input.call(Attribute::parse_outer)?,
            visibility: input.parse()?,
            signature: input.parse()?,
            body: input.parse::<TokenTree>()?.into_token_stream(),
        })
    }
}

impl ToTokens for Method {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, visibility, signature, body } = self;
        attrs.iter().for_each(|attr| attr.to_tokens(tokens));
        visibility.to_tokens(tokens);
        signature.to_tokens(tokens);
        body.to_tokens(tokens);
    }
}

fn parse_header(input: ParseStream<'_>) -> Result<(Option<Path>, Type)> {
    let first: Type = input.parse()?;
    if input.parse::<Option<Token![for]>>()?.is_none() {
        return Ok((None, first));
    }
    match first {
        Type::Path(path) if path.qself.is_none() => Ok((Some(path.path), input.parse()?)),
        other => Err(syn::Error::new_spanned(other, "expected the path of a contract's trait")),
    }
}

fn starts_method(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let head = ahead.call(Attribute::parse_outer).and_then(|_| ahead.parse::<Visibility>());
    head.is_ok() && ahead.parse::<Signature>().is_ok()
}
