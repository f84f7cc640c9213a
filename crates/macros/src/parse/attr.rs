//! What stands in the parentheses of our attributes.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Meta, Path, Result, Token, Type, parenthesized};

/// A name on the wire: a string, or a constant expression.
#[derive(Clone)]
pub(crate) struct Name(pub(crate) Expr);

impl Name {
    /// The text, if it is written out.
    pub(crate) fn literal(&self) -> Option<String> {
        match &self.0 {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        }
    }
}

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let expr: Expr = input.parse()?;
        match &expr {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().is_empty() => {
                Err(syn::Error::new_spanned(text, "a name cannot be empty"))
            }
            Expr::Lit(ExprLit { lit, .. }) if !matches!(lit, Lit::Str(_)) => {
                Err(syn::Error::new_spanned(lit, "a name is a string"))
            }
            _ => Ok(Self(expr)),
        }
    }
}

/// `#[workflow(..)]`, `#[contract(..)]`, `#[activities(..)]`, `#[nexus_service(..)]`.
#[derive(Default)]
pub(crate) struct BlockOptions {
    pub(crate) name: Option<Name>,
    pub(crate) krate: Option<Path>,
    pub(crate) part: Option<LitInt>,
    /// `dynamic`, where it stands.
    pub(crate) dynamic: Option<Span>,
    /// `versioning = ..`, one of [`VERSIONING`].
    pub(crate) versioning: Option<Ident>,
    /// `fail_on(..)`, some of [`DEFECTS`].
    pub(crate) fail_on: Option<Vec<Ident>>,
}

impl BlockOptions {
    pub(crate) fn parse(arguments: TokenStream, attribute: &'static str) -> Result<Self> {
        let parser = |input: ParseStream<'_>| {
            let mut options = Self::default();
            while !input.is_empty() {
                options.parse_one(input, attribute)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(options)
        };
        parser.parse2(arguments)
    }

    fn parse_one(&mut self, input: ParseStream<'_>, attribute: &str) -> Result<()> {
        let named = attribute != "activities";
        if named && input.peek(LitStr) {
            let span = input.span();
            return set(&mut self.name, input.parse()?, span, "name");
        }
        let key = input.call(Ident::parse_any)?;
        if attribute == "workflow" && self.parse_of_workflow(&key, input)? {
            return Ok(());
        }
        if key != "crate" && (if named { key != "name" } else { key != "part" }) {
            let known = match attribute {
                "workflow" => "`name`, `dynamic`, `versioning`, `fail_on` and `crate`",
                "activities" => "`part` and `crate`",
                _ => "`name` and `crate`",
            };
            return Err(syn::Error::new(key.span(), format!("unknown option `{key}`: `#[{attribute}]` takes {known}")));
        }
        input.parse::<Token![=]>()?;
        match key.to_string().as_str() {
            "name" => set(&mut self.name, input.parse()?, key.span(), "name"),
            "part" => set(&mut self.part, input.parse()?, key.span(), "part"),
            _ => set(&mut self.krate, input.call(Path::parse_mod_style)?, key.span(), "crate"),
        }
    }

    /// What `#[workflow]` takes and its siblings do not. Returns whether it was that.
    fn parse_of_workflow(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<bool> {
        match key.to_string().as_str() {
            "dynamic" => set(&mut self.dynamic, key.span(), key.span(), "dynamic")?,
            "versioning" => {
                input.parse::<Token![=]>()?;
                set(&mut self.versioning, one_of(&VERSIONING, input)?, key.span(), "versioning")?;
            }
            "fail_on" => {
                let content;
                parenthesized!(content in input);
                let defects = content.parse_terminated(|input| one_of(&DEFECTS, input), Token![,])?;
                set(&mut self.fail_on, defects.into_iter().collect(), key.span(), "fail_on")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// How the runs of a workflow move to newer versions of their workers, and the variants that they are.
pub(crate) const VERSIONING: [(&str, &str); 2] = [("pinned", "Pinned"), ("auto_upgrade", "AutoUpgrade")];

/// Defects that may fail a workflow, and the constants that they are.
pub(crate) const DEFECTS: [(&str, &str); 4] = [
    ("panics", "PANICS"),
    ("nondeterminism", "NONDETERMINISM"),
    ("undecodable", "UNDECODABLE"),
    ("anything", "ANYTHING"),
];

/// What may be said of a handler that its workflow's end finds running, and the variant that it is.
pub(crate) const UNFINISHED: [(&str, &str); 2] = [("warn_and_abandon", "WarnAndAbandon"), ("abandon", "Abandon")];

/// A word that stands for something of ours, as the table says.
fn one_of(table: &[(&str, &str)], input: ParseStream<'_>) -> Result<Ident> {
    let word: Ident = input.parse()?;
    if table.iter().any(|(name, _)| word == name) {
        return Ok(word);
    }
    let known: Vec<_> = table.iter().map(|(name, _)| format!("`{name}`")).collect();
    let message = match known.split_last() {
        Some((last, [])) => format!("expected {last}"),
        Some((last, others)) => format!("expected {} or {last}", others.join(", ")),
        None => "expected nothing".to_owned(),
    };
    Err(syn::Error::new(word.span(), message))
}

/// What a word of a table stands for.
pub(crate) fn meaning(table: &[(&'static str, &'static str)], word: &Ident) -> Option<Ident> {
    let (_, meaning) = table.iter().find(|(name, _)| word == name)?;
    Some(Ident::new(meaning, word.span()))
}

/// `#[signal(..)]`, `#[update(..)]`, `#[activity(..)]` and their siblings.
#[derive(Default)]
pub(crate) struct MethodOptions {
    pub(crate) name: Option<Name>,
    pub(crate) validator: Option<Ident>,
    /// `cancel = ..`, the method that cancels an operation.
    pub(crate) cancel: Option<Ident>,
    /// `dynamic`, where it stands.
    pub(crate) dynamic: Option<Span>,
    /// `process`, where it stands.
    pub(crate) process: Option<Span>,
    pub(crate) description: Option<LitStr>,
    /// `unfinished = ..`, one of [`UNFINISHED`].
    pub(crate) unfinished: Option<Ident>,
    pub(crate) errors: Vec<Type>,
    pub(crate) defaults: CallDefaults,
}

/// What a definition of an activity says about its calls.
#[derive(Default)]
pub(crate) struct CallDefaults {
    pub(crate) start_to_close: Option<Duration>,
    pub(crate) schedule_to_close: Option<Duration>,
    pub(crate) schedule_to_start: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) task_queue: Option<Name>,
    pub(crate) retry: Option<RetryOptions>,
}

/// `retry(..)`.
#[derive(Default)]
pub(crate) struct RetryOptions {
    pub(crate) initial_interval: Option<Duration>,
    pub(crate) max_interval: Option<Duration>,
    pub(crate) backoff: Option<Lit>,
    pub(crate) max_attempts: Option<LitInt>,
    pub(crate) non_retryable: Vec<LitStr>,
}

impl CallDefaults {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { start_to_close, schedule_to_close, schedule_to_start, heartbeat, task_queue, retry } = self;
        let timeouts = [start_to_close, schedule_to_close, schedule_to_start, heartbeat];
        timeouts.iter().all(|timeout| timeout.is_none()) && task_queue.is_none() && retry.is_none()
    }

    /// Whether there is a limit on how long the activity takes.
    pub(crate) fn is_bounded(&self) -> bool {
        self.start_to_close.is_some() || self.schedule_to_close.is_some()
    }

    /// Returns whether there is such an option.
    fn parse_one(&mut self, key: &str, span: Span, meta: &ParseNestedMeta<'_>) -> Result<bool> {
        let timeout = match key {
            "start_to_close" => &mut self.start_to_close,
            "schedule_to_close" => &mut self.schedule_to_close,
            "schedule_to_start" => &mut self.schedule_to_start,
            "heartbeat" => &mut self.heartbeat,
            "task_queue" => return set(&mut self.task_queue, meta.value()?.parse()?, span, key).map(|()| true),
            "retry" => return set(&mut self.retry, RetryOptions::parse(meta)?, span, key).map(|()| true),
            _ => return Ok(false),
        };
        let literal: LitStr = meta.value()?.parse()?;
        let limit = parse_delay(&literal)?;
        if limit.is_zero() {
            return Err(syn::Error::new_spanned(literal, "a timeout is longer than nothing"));
        }
        set(timeout, limit, span, key)?;
        Ok(true)
    }
}

impl RetryOptions {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut options = Self::default();
        meta.parse_nested_meta(|meta| options.parse_one(&meta))?;
        Ok(options)
    }

    fn parse_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let span = meta.path.segments.first().map_or_else(Span::call_site, |segment| segment.ident.span());
        match key.as_str() {
            "initial_interval" => set(&mut self.initial_interval, parse_delay(&meta.value()?.parse()?)?, span, &key),
            "max_interval" => set(&mut self.max_interval, parse_delay(&meta.value()?.parse()?)?, span, &key),
            "max_attempts" => set(&mut self.max_attempts, meta.value()?.parse()?, span, &key),
            "backoff" => set(&mut self.backoff, parse_factor(meta.value()?.parse()?)?, span, &key),
            "non_retryable" => {
                let content;
                parenthesized!(content in meta.input);
                self.non_retryable.extend(content.parse_terminated(<LitStr as Parse>::parse, Token![,])?);
                Ok(())
            }
            _ => Err(meta.error(format!(
                "unknown option `{key}`: `retry` takes `max_attempts`, `initial_interval`, `backoff`, `max_interval` and \
                 `non_retryable`"
            ))),
        }
    }
}

impl MethodOptions {
    pub(crate) fn parse(attr: &Attribute) -> Result<Self> {
        let mut options = Self::default();
        match &attr.meta {
            Meta::Path(_) => {}
            Meta::List(_) => attr.parse_nested_meta(|meta| options.parse_one(attr.path(), &meta))?,
            Meta::NameValue(_) => {
                return Err(syn::Error::new_spanned(attr, "expected options in parentheses, as in `(name = \"..\")`"));
            }
        }
        Ok(options)
    }

    fn parse_one(&mut self, attribute: &Path, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let kind = attribute.get_ident().map(Ident::to_string).unwrap_or_default();
        let key = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
        let span = meta.path.segments.first().map_or_else(Span::call_site, |segment| segment.ident.span());
        match (kind.as_str(), key.as_str()) {
            ("signal" | "query" | "update" | "activity" | "operation", "name") => {
                set(&mut self.name, meta.value()?.parse()?, span, "name")
            }
            ("signal" | "query" | "update" | "activity", "dynamic") => set(&mut self.dynamic, span, span, "dynamic"),
            ("signal" | "query" | "update", "description") => {
                set(&mut self.description, meta.value()?.parse()?, span, "description")
            }
            ("signal" | "update", "unfinished") => {
                set(&mut self.unfinished, one_of(&UNFINISHED, meta.value()?)?, span, "unfinished")
            }
            ("update", "validator") => set(&mut self.validator, meta.value()?.parse()?, span, "validator"),
            ("activity", "process") => set(&mut self.process, span, span, "process"),
            ("operation", "cancel") => set(&mut self.cancel, meta.value()?.parse()?, span, "cancel"),
            ("activity" | "operation", "errors") => {
                let content;
                parenthesized!(content in meta.input);
                self.errors.extend(content.parse_terminated(Type::parse, Token![,])?);
                Ok(())
            }
            ("activity", _) if self.defaults.parse_one(&key, span, meta)? => Ok(()),
            _ => Err(meta.error(unknown_option(&kind, &key))),
        }
    }
}

fn unknown_option(kind: &str, key: &str) -> String {
    match (kind, key) {
        ("run", "name") => "the name of a workflow goes on the block: `#[workflow(\"..\")]`".to_owned(),
        ("signal", _) => {
            format!("unknown option `{key}`: `#[signal]` takes `name`, `dynamic`, `description` and `unfinished`")
        }
        ("query", _) => format!("unknown option `{key}`: `#[query]` takes `name`, `dynamic` and `description`"),
        ("update", _) => format!(
            "unknown option `{key}`: `#[update]` takes `name`, `validator`, `dynamic`, `description` and `unfinished`"
        ),
        ("activity", _) => {
            format!(
                "unknown option `{key}`: `#[activity]` takes `name`, `dynamic`, `process`, `errors`, `start_to_close`, `schedule_to_close`, \
                 `schedule_to_start`, `heartbeat`, `retry` and `task_queue`"
            )
        }
        ("operation", _) => format!("unknown option `{key}`: `#[operation]` takes `name`, `errors` and `cancel`"),
        _ => format!("unknown option `{key}`: `#[{kind}]` takes none"),
    }
}

/// `#[failure(..)]`.
#[derive(Default, Clone)]
pub(crate) struct FailureOptions {
    pub(crate) type_name: Option<LitStr>,
    pub(crate) non_retryable: bool,
    pub(crate) benign: bool,
    pub(crate) next_retry_delay: Option<Duration>,
    pub(crate) krate: Option<Path>,
}

impl FailureOptions {
    pub(crate) fn parse(attrs: &[Attribute]) -> Result<Self> {
        let mut options = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("failure")) {
            attr.parse_nested_meta(|meta| options.parse_one(&meta))?;
        }
        Ok(options)
    }

    fn parse_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        match meta.path.get_ident().map(Ident::to_string).unwrap_or_default().as_str() {
            "non_retryable" => self.non_retryable = true,
            "benign" => self.benign = true,
            "type" => self.type_name = Some(meta.value()?.parse()?),
            "next_retry_delay" => self.next_retry_delay = Some(parse_delay(&meta.value()?.parse()?)?),
            "crate" => self.krate = Some(meta.value()?.call(Path::parse_mod_style)?),
            key => {
                return Err(meta.error(format!(
                    "unknown option `{key}`: `#[failure]` takes `type`, `non_retryable`, `next_retry_delay`, `benign` and `crate`"
                )));
            }
        }
        Ok(())
    }
}

fn parse_delay(literal: &LitStr) -> Result<Duration> {
    duration(&literal.value())
        .ok_or_else(|| syn::Error::new_spanned(literal, "expected a duration such as \"5s\", \"1m30s\" or \"250ms\""))
}

/// Reads numbers with the units `ms`, `s`, `m`, `h`, `d`, one after the other: `1m30s`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(millis)?))?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

fn parse_factor(literal: Lit) -> Result<Lit> {
    let factor = match &literal {
        Lit::Int(factor) => factor.base10_parse::<f64>().ok(),
        Lit::Float(factor) => factor.base10_parse::<f64>().ok(),
        _ => None,
    };
    match factor.is_some_and(|factor| factor >= 1.0) {
        true => Ok(literal),
        false => Err(syn::Error::new_spanned(literal, "expected a number of at least 1, such as 1.5")),
    }
}

fn set<T>(slot: &mut Option<T>, value: T, span: Span, key: &str) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(syn::Error::new(span, format!("`{key}` is given twice"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up_their_units() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("2d1h"), Some(Duration::from_secs(49 * 3600)));
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "5", "s", "5 s", "5y", "-1s", "99999999999999999999d", "18446744073709551615d"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }
}
