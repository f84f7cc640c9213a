//! Calls that workflow code must not make, because they would differ when it is replayed.
//!
//! It looks at the tokens of bodies for paths by their last segments, so it sees into macros as well. It does not see
//! through aliases, nor into functions that stand elsewhere: shadow replay does.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

use crate::validate::Errors;

const CLOCK: &str = "use `workflow::now()`";
const SLEEP: &str = "use `workflow::sleep()`";
const SPAWN: &str = "use `workflow::spawn()`";
const BLOCKING: &str = "move blocking work to an activity";
const RANDOM: &str = "use `workflow::random()`";
const UUID: &str = "use `workflow::uuid()`";
const IO: &str = "do I/O in an activity";
const CONFIGURATION: &str = "pass configuration as input";
const EXIT: &str = "return an error instead";
const SELECT: &str = "use `workflow::select!`";

/// The end of a path (`*` is any function), and what to do instead.
const CALLS: &[(&[&str], &str)] = &[
    (&["SystemTime", "now"], CLOCK),
    (&["Instant", "now"], CLOCK),
    (&["Utc", "now"], CLOCK),
    (&["Local", "now"], CLOCK),
    (&["Timestamp", "now"], CLOCK),
    (&["Zoned", "now"], CLOCK),
    (&["UtcDateTime", "now"], CLOCK),
    (&["OffsetDateTime", "now_utc"], CLOCK),
    (&["OffsetDateTime", "now_local"], CLOCK),
    (&["thread", "sleep"], SLEEP),
    (&["time", "sleep"], SLEEP),
    (&["time", "sleep_until"], SLEEP),
    (&["time", "interval"], "use `workflow::sleep()` in a loop"),
    (&["time", "timeout"], "use `workflow::select!` with `workflow::sleep()`"),
    (&["thread", "spawn"], SPAWN),
    (&["thread", "scope"], SPAWN),
    (&["tokio", "spawn"], SPAWN),
    (&["task", "spawn"], SPAWN),
    (&["task", "spawn_local"], SPAWN),
    (&["task", "spawn_blocking"], BLOCKING),
    (&["task", "block_in_place"], BLOCKING),
    (&["executor", "block_on"], "use `.await`"),
    (&["rand", "rng"], RANDOM),
    (&["rand", "thread_rng"], RANDOM),
    (&["rand", "random"], RANDOM),
    (&["rand", "random_bool"], RANDOM),
    (&["rand", "random_iter"], RANDOM),
    (&["rand", "random_range"], RANDOM),
    (&["rand", "random_ratio"], RANDOM),
    (&["rand", "fill"], RANDOM),
    (&["fastrand", "*"], RANDOM),
    (&["getrandom", "*"], RANDOM),
    (&["Uuid", "new_v4"], UUID),
    (&["Uuid", "new_v1"], UUID),
    (&["Uuid", "now_v1"], UUID),
    (&["Uuid", "now_v6"], UUID),
    (&["Uuid", "now_v7"], UUID),
    (&["fs", "*"], IO),
    (&["File", "open"], IO),
    (&["File", "create"], IO),
    (&["TcpStream", "connect"], IO),
    (&["TcpListener", "bind"], IO),
    (&["UdpSocket", "bind"], IO),
    (&["UnixStream", "connect"], IO),
    (&["process", "Command", "new"], IO),
    (&["reqwest", "get"], IO),
    (&["env", "var"], CONFIGURATION),
    (&["env", "var_os"], CONFIGURATION),
    (&["env", "vars"], CONFIGURATION),
    (&["env", "vars_os"], CONFIGURATION),
    (&["env", "args"], CONFIGURATION),
    (&["env", "args_os"], CONFIGURATION),
    (&["env", "current_dir"], CONFIGURATION),
    (&["process", "exit"], EXIT),
    (&["process", "abort"], EXIT),
];

const MACROS: &[(&[&str], &str)] =
    &[(&["tokio", "select"], SELECT), (&["futures", "select"], SELECT), (&["futures_util", "select"], SELECT)];

const MAPS: &[(&str, &str)] = &[("HashMap", "BTreeMap"), ("HashSet", "BTreeSet")];
const CONSTRUCTORS: &[&str] = &["new", "default", "with_capacity", "from", "from_iter"];

/// The body with warnings put into it; errors are noted.
pub(crate) fn check(body: TokenStream, errors: &mut Errors) -> TokenStream {
    let mut warnings = Vec::new();
    scan(body.clone(), errors, &mut warnings);
    if warnings.is_empty() {
        return body;
    }
    body.into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => with_warnings(&group, &warnings).into(),
            other => other,
        })
        .collect()
}

struct Warning {
    span: Span,
    message: String,
}

/// A path as it is written, without generic arguments.
#[derive(Default)]
struct WrittenPath {
    segments: Vec<String>,
    tokens: TokenStream,
    span: Option<Span>,
}

impl WrittenPath {
    fn push(&mut self, ident: &proc_macro2::Ident) {
        self.segments.push(ident.to_string());
        self.span.get_or_insert(ident.span());
    }

    fn ends_with(&self, pattern: &[&str]) -> bool {
        let Some(start) = self.segments.len().checked_sub(pattern.len()) else {
            return false;
        };
        self.segments[start..].iter().zip(pattern).all(|(segment, part)| match *part {
            "*" => segment.starts_with(|c: char| c.is_lowercase()),
            part => segment == part,
        })
    }

    /// The last segments, as many as `pattern` has.
    fn tail(&self, pattern: &[&str]) -> String {
        self.segments[self.segments.len() - pattern.len()..].join("::")
    }
}

/// A warning can only be had by using something deprecated, inside of the body so that `#[allow]` on the method works.
fn with_warnings(body: &Group, warnings: &[Warning]) -> Group {
    let mut tokens = TokenStream::new();
    for Warning { span, message } in warnings {
        tokens.extend(quote_spanned! {*span=>
            const _: () = {
                #[deprecated(note = #message)]
                #[allow(non_upper_case_globals)]
                const random_order: () = ();
                random_order
            };
        });
    }
    tokens.extend(body.stream());
    let mut group = Group::new(body.delimiter(), tokens);
    group.set_span(body.span());
    group
}

fn scan(tokens: TokenStream, errors: &mut Errors, warnings: &mut Vec<Warning>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token {
            TokenTree::Group(group) => scan(group.stream(), errors, warnings),
            TokenTree::Ident(_) => {
                let (path, end) = read_path(&tokens, at);
                at = inspect(&path, &tokens, end, errors, warnings);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Looks at a path that ends before `end`; the answer is where to go on.
fn inspect(
    path: &WrittenPath,
    tokens: &[TokenTree],
    end: usize,
    errors: &mut Errors,
    warnings: &mut Vec<Warning>,
) -> usize {
    if is_punct(tokens.get(end), '!') && matches!(tokens.get(end + 1), Some(TokenTree::Group(_))) {
        if path.ends_with(&["nondeterministic"]) {
            return end + 2;
        }
        deny(path, MACROS, "!", errors);
        return end + 1;
    }
    deny(path, CALLS, "", errors);
    warnings.extend(random_order(path));
    end
}

fn deny(path: &WrittenPath, table: &[(&[&str], &str)], suffix: &str, errors: &mut Errors) {
    if let Some((pattern, remedy)) = table.iter().find(|(pattern, _)| path.ends_with(pattern)) {
        let call = path.tail(pattern);
        errors.push(
            &path.tokens,
            format!(
                "`{call}{suffix}` is not deterministic in workflow code: {remedy} (or wrap it in \
                 `workflow::nondeterministic!`)"
            ),
        );
    }
}

fn random_order(path: &WrittenPath) -> Option<Warning> {
    let [.., ty, constructor] = &*path.segments else {
        return None;
    };
    let (map, instead) = MAPS.iter().find(|(map, _)| map == ty)?;
    CONSTRUCTORS.contains(&constructor.as_str()).then(|| Warning {
        span: path.span.unwrap_or_else(Span::call_site),
        message: format!("a `{map}` iterates in random order, which differs on replay: use a `{instead}`"),
    })
}

/// Reads `a::b::<T>::c`; the answer has the segments and where the path ends.
fn read_path(tokens: &[TokenTree], start: usize) -> (WrittenPath, usize) {
    let mut path = WrittenPath::default();
    let mut at = start;
    while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
        path.push(ident);
        at += 1;
        let mut next = skip_colons(tokens, at);
        if let Some(after) = next.and_then(|next| skip_generics(tokens, next)) {
            next = skip_colons(tokens, after);
            if next.is_none() {
                break;
            }
        }
        match next {
            Some(next) if matches!(tokens.get(next), Some(TokenTree::Ident(_))) => at = next,
            _ => break,
        }
    }
    path.tokens = tokens[start..at].iter().map(ToTokens::to_token_stream).collect();
    (path, at)
}

fn skip_colons(tokens: &[TokenTree], at: usize) -> Option<usize> {
    (is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')).then_some(at + 2)
}

fn skip_generics(tokens: &[TokenTree], start: usize) -> Option<usize> {
    if !is_punct(tokens.get(start), '<') {
        return None;
    }
    let mut depth = 0_usize;
    let mut after_dash = false;
    for (at, token) in tokens.iter().enumerate().skip(start) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            TokenTree::Punct(punct) if punct.as_char() == '>' && !after_dash => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
        after_dash = is_punct(Some(token), '-');
    }
    None
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str) -> (Vec<String>, Vec<String>) {
        let tokens: TokenStream = code.parse().expect("the tests hold tokens");
        let (mut errors, mut warnings) = (Errors::default(), Vec::new());
        scan(tokens, &mut errors, &mut warnings);
        let calls = errors.messages().iter().filter_map(|text| text.split('`').nth(1)).map(str::to_owned).collect();
        (calls, warnings.into_iter().map(|warning| warning.message).collect())
    }

    fn denied(code: &str) -> Vec<String> {
        found(code).0
    }

    #[test]
    fn paths_are_known_by_their_ends() {
        assert_eq!(denied("std::time::SystemTime::now()"), ["SystemTime::now"]);
        assert_eq!(denied("let f = ::std::thread::sleep;"), ["thread::sleep"]);
        assert_eq!(denied("rand::random::<u64>() + tokio::fs::read(p)"), ["rand::random", "fs::read"]);
    }

    #[test]
    fn calls_inside_of_macros_and_closures_are_seen() {
        assert_eq!(denied("println!(\"{:?}\", env::var(\"X\"))"), ["env::var"]);
        assert_eq!(denied("select! { r = work => { Uuid::new_v4() } }"), ["Uuid::new_v4"]);
    }

    #[test]
    fn random_selects_are_denied_and_others_are_not() {
        assert_eq!(denied("tokio::select! { x = y => {} }"), ["tokio::select!"]);
        assert!(denied("workflow::select! { x = y => {} }").is_empty());
    }

    #[test]
    fn nondeterministic_lets_everything_pass() {
        assert!(denied("workflow::nondeterministic! { SystemTime::now() }").is_empty());
        assert_eq!(denied("nondeterministic!(f()); SystemTime::now()"), ["SystemTime::now"]);
    }

    #[test]
    fn what_only_looks_alike_passes() {
        for code in
            ["workflow::now()", "self.now()", "now()", "clock.SystemTime", "fs::File", "env!(\"X\")", "a < b::c"]
        {
            assert!(denied(code).is_empty(), "{code}");
        }
    }

    #[test]
    fn hash_maps_are_warnings_even_behind_generic_arguments() {
        for code in ["HashMap::new()", "HashMap::<u8, fn() -> Vec<u8>>::new()", "std::collections::HashSet::from([1])"]
        {
            let (errors, warnings) = found(code);
            assert!(errors.is_empty());
            assert_eq!(warnings.len(), 1, "{code}");
        }
        assert!(found("BTreeMap::new()").1.is_empty());
    }
}
