//! Syntax to meaning: what each method of a block is, and the types that cross the wire.

use std::fmt;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, Generics, Ident, ImplItem, Lit, Meta, Pat, Path, PathArguments,
    ReturnType, Type, TypeReference, Visibility,
};

use crate::parse::attr::{BlockOptions, MethodOptions, Name};
use crate::parse::{Block, Method};
use crate::validate::Errors;

/// A block of any of our attributes, its methods sorted by what they are.
pub(crate) struct Model {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) generics: Generics,
    /// The trait of the contract that is implemented.
    pub(crate) contract: Option<Path>,
    pub(crate) self_type: Type,
    /// Last segment of the type.
    pub(crate) ident: Ident,
    pub(crate) options: BlockOptions,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) inits: Vec<Method>,
    pub(crate) configs: Vec<Method>,
    pub(crate) helpers: Vec<Method>,
    pub(crate) others: Vec<ImplItem>,
}

/// A method that can be called over the wire.
pub(crate) struct Handler {
    pub(crate) kind: Kind,
    /// Where the attribute stands.
    pub(crate) span: Span,
    pub(crate) options: MethodOptions,
    pub(crate) method: Method,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Run,
    Signal,
    Query,
    Update,
    Activity,
    Operation,
}

/// How a handler takes `self`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receiver {
    /// Not at all.
    None,
    /// `&self`.
    Ref,
    /// `self: Rc<Self>` or `self: Arc<Self>`.
    Shared,
    /// In a way that handlers cannot.
    Unsupported,
}

impl Model {
    pub(crate) fn new(block: Block, options: BlockOptions, errors: &mut Errors) -> syn::Result<Self> {
        let ident = block.name()?.clone();
        let Block { attrs, generics, contract, self_type, methods, others } = block;
        let mut model = Self {
            attrs,
            generics,
            contract,
            self_type,
            ident,
            options,
            handlers: Vec::new(),
            inits: Vec::new(),
            configs: Vec::new(),
            helpers: Vec::new(),
            others,
        };
        for method in methods {
            model.sort(method, errors);
        }
        Ok(model)
    }

    fn sort(&mut self, mut method: Method, errors: &mut Errors) {
        match take_marker(&mut method, errors) {
            None => self.helpers.push(method),
            Some((Marker::Init, _)) => self.inits.push(method),
            Some((Marker::Config, _)) => self.configs.push(method),
            Some((Marker::Handler(kind), attr)) => {
                let span = attr.path().get_ident().map_or_else(Span::call_site, Ident::span);
                let options = errors.absorb(MethodOptions::parse(&attr)).unwrap_or_default();
                self.handlers.push(Handler { kind, span, options, method });
            }
        }
    }

    pub(crate) fn run(&self) -> Option<&Handler> {
        self.handlers.iter().find(|handler| handler.kind == Kind::Run)
    }

    /// Whether callers can name the handler: what is dynamic has no name of its own.
    pub(crate) fn has_reference(&self, handler: &Handler) -> bool {
        match handler.kind {
            Kind::Run => self.options.dynamic.is_none(),
            _ => !handler.is_dynamic(),
        }
    }

    /// The workflow type, as an expression.
    pub(crate) fn name(&self) -> TokenStream {
        name_or(self.options.name.as_ref(), &self.ident)
    }

    /// The `#[cfg(..)]` of the block, which everything that is generated repeats.
    pub(crate) fn cfgs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attr| is_cfg(attr))
    }
}

impl Handler {
    pub(crate) fn ident(&self) -> &Ident {
        &self.method.signature.ident
    }

    /// Whether it takes what no other handler of its kind takes.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.options.dynamic.is_some()
    }

    /// What it does, as its option or the first paragraph of its documentation says.
    pub(crate) fn description(&self) -> String {
        match &self.options.description {
            Some(text) => text.value(),
            None => first_paragraph(&self.method.attrs),
        }
    }

    pub(crate) fn is_async(&self) -> bool {
        self.method.signature.asyncness.is_some()
    }

    /// The name on the wire, as an expression. That of `run` is the workflow's.
    pub(crate) fn name(&self) -> TokenStream {
        name_or(self.options.name.as_ref(), self.ident())
    }

    /// The name on the wire, where it is written out.
    pub(crate) fn literal_name(&self) -> Option<String> {
        match &self.options.name {
            Some(name) => name.literal(),
            None => Some(self.ident().unraw().to_string()),
        }
    }

    pub(crate) fn receiver(&self) -> Receiver {
        self.method.receiver()
    }

    pub(crate) fn arity(&self) -> usize {
        self.method.argument_types().count()
    }

    /// The type of the arguments: `()`, the one type, or a tuple.
    pub(crate) fn input(&self) -> TokenStream {
        one_or_tuple(self.method.argument_types())
    }

    /// Local variables for the arguments.
    pub(crate) fn bindings(&self) -> Vec<Ident> {
        (0..self.arity()).map(|index| format_ident!("argument_{index}")).collect()
    }

    /// The pattern that takes a value of [`input`](Self::input) apart.
    pub(crate) fn pattern(&self) -> TokenStream {
        one_or_tuple(self.bindings().iter())
    }

    /// The type of the value that a caller gets: what the method returns, or what its `Result` holds; of an operation that
    /// goes on after its handler has returned, what it gives in the end.
    pub(crate) fn output(&self) -> TokenStream {
        match self.method.return_type() {
            None => quote!(()),
            Some(ty) => {
                let value = result_value(ty).unwrap_or(ty);
                match self.kind {
                    Kind::Operation => started_value(value).unwrap_or(value).to_token_stream(),
                    _ => value.to_token_stream(),
                }
            }
        }
    }

    pub(crate) fn is_fallible(&self) -> bool {
        self.method.return_type().is_some_and(|ty| result_value(ty).is_some())
    }

    /// Where to point if the value or its error do not fit.
    pub(crate) fn output_span(&self) -> Span {
        match self.method.return_type() {
            None => self.ident().span(),
            Some(ty) => syn::spanned::Spanned::span(ty),
        }
    }

    /// Attributes that the constant repeats.
    pub(crate) fn reference_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.method.attrs.iter().filter(|attr| is_shared(attr) || attr.path().is_ident("deprecated"))
    }

    /// Attributes of the declaration in the generated trait.
    pub(crate) fn declaration_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.method.attrs.iter().filter(|attr| is_shared(attr) || is_of_declaration(attr))
    }

    /// Attributes that stay at the body.
    pub(crate) fn body_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.method.attrs.iter().filter(|attr| !is_of_declaration(attr))
    }

    pub(crate) fn cfgs(&self) -> impl Iterator<Item = &Attribute> {
        self.method.attrs.iter().filter(|attr| is_cfg(attr))
    }
}

impl Method {
    pub(crate) fn argument_types(&self) -> impl Iterator<Item = &Type> {
        self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(&*argument.ty),
            FnArg::Receiver(_) => None,
        })
    }

    pub(crate) fn return_type(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }

    pub(crate) fn receiver(&self) -> Receiver {
        let Some(receiver) = self.signature.receiver() else {
            return Receiver::None;
        };
        match &*receiver.ty {
            Type::Reference(TypeReference { mutability: None, elem, .. }) if is_self(elem) => Receiver::Ref,
            ty if is_shared_self(ty) => Receiver::Shared,
            _ => Receiver::Unsupported,
        }
    }

    /// The signature as a trait declares it: without what only a body may say.
    pub(crate) fn declared_signature(&self) -> syn::Signature {
        let mut signature = self.signature.clone();
        for (index, input) in signature.inputs.iter_mut().enumerate() {
            match input {
                FnArg::Typed(argument) => match &mut *argument.pat {
                    Pat::Ident(pat) if pat.subpat.is_none() => (pat.mutability, pat.by_ref) = (None, None),
                    pat => *pat = Pat::Verbatim(format_ident!("argument_{index}").into_token_stream()),
                },
                FnArg::Receiver(receiver) if receiver.reference.is_none() => receiver.mutability = None,
                FnArg::Receiver(_) => {}
            }
        }
        signature
    }
}

impl Kind {
    fn of(attribute: &str) -> Option<Self> {
        [Self::Run, Self::Signal, Self::Query, Self::Update, Self::Activity, Self::Operation]
            .into_iter()
            .find(|kind| kind.attribute() == attribute)
    }

    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Signal => "signal",
            Self::Query => "query",
            Self::Update => "update",
            Self::Activity => "activity",
            Self::Operation => "operation",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`#[{}]`", self.attribute())
    }
}

enum Marker {
    Init,
    Config,
    Handler(Kind),
}

impl Marker {
    fn of(attr: &Attribute) -> Option<Self> {
        match attr.path().get_ident()?.to_string().as_str() {
            "init" => Some(Self::Init),
            "config" => Some(Self::Config),
            other => Kind::of(other).map(Self::Handler),
        }
    }
}

fn take_marker(method: &mut Method, errors: &mut Errors) -> Option<(Marker, Attribute)> {
    let attrs = std::mem::take(&mut method.attrs);
    let (markers, rest): (Vec<_>, Vec<_>) = attrs.into_iter().partition(|attr| Marker::of(attr).is_some());
    method.attrs = rest;
    let mut markers = markers.into_iter();
    let attr = markers.next()?;
    if let Some(second) = markers.next() {
        let name = &method.signature.ident;
        errors.push(second, format!("`{name}` is one kind of handler already: keep one of the attributes"));
    }
    let marker = Marker::of(&attr)?;
    let is_plain = matches!(attr.meta, syn::Meta::Path(_));
    match marker {
        Marker::Init if !is_plain => errors.push(&attr, "`#[init]` takes no options"),
        Marker::Config if !is_plain => errors.push(&attr, "`#[config]` takes no options"),
        _ => {}
    }
    Some((marker, attr))
}

/// The widest visibility of the handlers: that of the trait which they move to.
pub(crate) fn widest<'a>(handlers: impl Iterator<Item = &'a Handler>) -> Visibility {
    let rank = |visibility: &Visibility| match visibility {
        Visibility::Inherited => 0,
        Visibility::Restricted(restricted) if !restricted.path.is_ident("crate") => 1,
        Visibility::Restricted(_) => 2,
        Visibility::Public(_) => 3,
    };
    handlers
        .map(|handler| &handler.method.visibility)
        .max_by_key(|visibility| rank(visibility))
        .cloned()
        .unwrap_or(Visibility::Inherited)
}

fn name_or(name: Option<&Name>, ident: &Ident) -> TokenStream {
    match name {
        Some(Name(expr)) => expr.to_token_stream(),
        None => ident.unraw().to_string().into_token_stream(),
    }
}

fn one_or_tuple<T: ToTokens>(items: impl Iterator<Item = T>) -> TokenStream {
    let items: Vec<T> = items.collect();
    match &*items {
        [one] => one.to_token_stream(),
        all => quote!((#(#all),*)),
    }
}

/// The value of a `Result<T, ..>`, or of an alias of it such as `workflow::Result<T>`.
fn result_value(ty: &Type) -> Option<&Type> {
    parameter(ty, |name| name.ends_with("Result"))
}

/// The value of a `Started<T>` or a `Response<T>`.
fn started_value(ty: &Type) -> Option<&Type> {
    parameter(ty, |name| ["Started", "Response"].contains(&name))
}

/// The first parameter of a type with such a name.
fn parameter(ty: &Type, is_named: impl Fn(&str) -> bool) -> Option<&Type> {
    let Type::Path(path) = peel(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    if !is_named(&last.ident.to_string()) {
        return None;
    }
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(value) => Some(value),
        _ => None,
    })
}

/// Without the invisible or written parentheses around a type.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        other => other,
    }
}

fn is_self(ty: &Type) -> bool {
    matches!(peel(ty), Type::Path(path) if path.path.is_ident("Self"))
}

fn is_shared_self(ty: &Type) -> bool {
    let Type::Path(path) = peel(ty) else {
        return false;
    };
    let Some(last) = path.path.segments.last() else {
        return false;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return false;
    };
    let of_self = matches!(arguments.args.first(), Some(GenericArgument::Type(inner)) if is_self(inner));
    of_self && (last.ident == "Rc" || last.ident == "Arc")
}

fn first_paragraph(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter(|attr| attr.path().is_ident("doc")).filter_map(|attr| match &attr.meta {
        Meta::NameValue(doc) => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    let paragraph: Vec<_> = lines.skip_while(String::is_empty).take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ")
}

fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

fn is_shared(attr: &Attribute) -> bool {
    is_cfg(attr) || attr.path().is_ident("doc")
}

fn is_of_declaration(attr: &Attribute) -> bool {
    attr.path().is_ident("deprecated") || attr.path().is_ident("must_use")
}
