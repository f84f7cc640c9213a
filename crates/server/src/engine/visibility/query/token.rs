//! [`Lexer`]: the text of a query, token by token.

use super::words::{Word, word};

/// A piece of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, as columns have.
    Name(String),
    /// A word of the language, in small letters.
    Keyword(&'static str),
    String(String),
    Integer(String),
    Float(String),
    /// Hexadecimal and binary literals and placeholders, which no attribute takes, as they were written.
    Odd(String),
    Symbol(&'static str),
    End,
    /// What belongs to no token.
    Bad(String),
}

/// A token, and what the server would say of a mistake that it finds there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned {
    pub(super) token: Token,
    /// Characters that were read up to the token's end, of the statement that the server makes of the query.
    position: usize,
}

impl Spanned {
    /// A complaint about this token.
    pub(super) fn complain(&self, what: &str) -> String {
        let position = self.position;
        let near = match &self.token {
            Token::Name(text) | Token::String(text) | Token::Integer(text) | Token::Float(text) => text,
            Token::Odd(text) | Token::Bad(text) => text,
            Token::Keyword(word) => *word,
            Token::Symbol(_) | Token::End => "",
        };
        if near.is_empty() {
            return format!("{what} at position {position}");
        }
        format!("{what} at position {position} near '{near}'")
    }
}

/// Reads tokens of a text.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    /// How much of the text is read, in bytes.
    read: usize,
    /// Length of what the server puts before the text.
    before: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, before: usize) -> Self {
        Self { text, read: 0, before }
    }

    pub(super) fn next(&mut self) -> Spanned {
        let token = self.token();
        Spanned { token, position: self.before + self.read + 1 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.read..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes what comes next as long as it is so.
    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = &rest[..rest.find(|c| !accept(c)).unwrap_or(rest.len())];
        self.read += taken.len();
        taken
    }

    fn take(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.read += prefix.len();
        }
        found
    }

    fn token(&mut self) -> Token {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\n' | '\r' | '\t'));
            match self.comment() {
                Comment::None => break,
                Comment::Skipped => {}
                Comment::Open(text) => return Token::Bad(text),
            }
        }
        let Some(first) = self.peek() else { return Token::End };
        match first {
            'x' | 'X' | 'b' | 'B' if self.rest()[1..].starts_with('\'') => self.bits(),
            _ if is_letter(first) => self.word(),
            _ if first.is_ascii_digit() => self.number(),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            '\'' | '"' => self.string(first),
            '`' => self.quoted_name(),
            ':' => self.argument(),
            '?' => {
                self.read += 1;
                Token::Odd(":v1".to_owned())
            }
            _ => self.symbol(first),
        }
    }

    fn comment(&mut self) -> Comment {
        let start = self.read;
        if self.take("#") || self.take("--") || self.take("//") {
            self.take_while(|c| c != '\n');
            return Comment::Skipped;
        }
        if !self.take("/*") {
            return Comment::None;
        }
        match self.rest().find("*/") {
            Some(end) => {
                self.read += end + 2;
                Comment::Skipped
            }
            None => {
                self.read = self.text.len();
                Comment::Open(self.text[start..].to_owned())
            }
        }
    }

    fn word(&mut self) -> Token {
        let text = self.take_while(|c| is_letter(c) || c.is_ascii_digit());
        let lower = text.to_ascii_lowercase();
        match word(&lower) {
            Word::Name => Token::Name(text.to_owned()),
            Word::LowerName => Token::Name(lower),
            Word::Keyword(keyword) => Token::Keyword(keyword),
        }
    }

    fn number(&mut self) -> Token {
        let start = self.read;
        if self.take("0x") || self.take("0X") {
            self.take_while(|c| c.is_ascii_hexdigit());
            return self.end_number(start, Token::Odd);
        }
        self.take_while(|c| c.is_ascii_digit());
        let mut float = self.take(".");
        self.take_while(|c| c.is_ascii_digit());
        if self.take("e") || self.take("E") {
            float = true;
            let _ = self.take("+") || self.take("-");
            self.take_while(|c| c.is_ascii_digit());
        }
        self.end_number(start, if float { Token::Float } else { Token::Integer })
    }

    /// No letter follows a number at once.
    fn end_number(&self, start: usize, token: fn(String) -> Token) -> Token {
        let text = self.text[start..self.read].to_owned();
        if self.peek().is_some_and(is_letter) { Token::Bad(text) } else { token(text) }
    }

    fn bits(&mut self) -> Token {
        let hexadecimal = matches!(self.peek(), Some('x' | 'X'));
        self.read += 2;
        let digits = if hexadecimal {
            self.take_while(|c| c.is_ascii_hexdigit())
        } else {
            self.take_while(|c| matches!(c, '0' | '1'))
        };
        let complete = self.take("'") && (!hexadecimal || digits.len() % 2 == 0);
        if complete { Token::Odd(digits.to_owned()) } else { Token::Bad(digits.to_owned()) }
    }

    /// A text in quotes, which are doubled or follow a backslash where they are part of the text.
    fn string(&mut self, quote: char) -> Token {
        self.read += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote && c != '\\'));
            let Some(special) = self.peek() else { return Token::Bad(text) };
            self.read += 1;
            let Some(next) = self.peek() else {
                return if special == quote { Token::String(text) } else { Token::Bad(text) };
            };
            if special == quote && next != quote {
                return Token::String(text);
            }
            self.read += next.len_utf8();
            text.push(if special == '\\' { unescaped(next) } else { next });
        }
    }

    fn quoted_name(&mut self) -> Token {
        self.read += 1;
        let mut name = String::new();
        loop {
            name.push_str(self.take_while(|c| c != '`'));
            if !self.take("`") || (name.is_empty() && self.peek() != Some('`')) {
                return Token::Bad(name);
            }
            if !self.take("`") {
                return Token::Name(name);
            }
            name.push('`');
        }
    }

    /// A placeholder such as `:name`.
    fn argument(&mut self) -> Token {
        let start = self.read;
        let _ = self.take("::") || self.take(":");
        let named = self.peek().is_some_and(is_letter);
        self.take_while(|c| named && (is_letter(c) || c.is_ascii_digit() || c == '.'));
        let text = self.text[start..self.read].to_owned();
        if named { Token::Odd(text) } else { Token::Bad(text) }
    }

    fn symbol(&mut self, first: char) -> Token {
        for (written, token) in SYMBOLS {
            if self.take(written) {
                return token.clone();
            }
        }
        self.read += first.len_utf8();
        Token::Bad(first.to_string())
    }
}

enum Comment {
    None,
    Skipped,
    /// It does not end.
    Open(String),
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == '@'
}

/// What a character stands for after a backslash.
fn unescaped(c: char) -> char {
    match c {
        '0' => '\0',
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        other => other,
    }
}

/// Longer ones first.
const SYMBOLS: [(&str, Token); 29] = [
    ("<=>", Token::Symbol("<=>")),
    ("->>", Token::Symbol("->>")),
    ("->", Token::Symbol("->")),
    ("<=", Token::Symbol("<=")),
    (">=", Token::Symbol(">=")),
    ("<>", Token::Symbol("!=")),
    ("!=", Token::Symbol("!=")),
    ("<<", Token::Symbol("<<")),
    (">>", Token::Symbol(">>")),
    ("&&", Token::Symbol("&&")),
    ("||", Token::Symbol("||")),
    ("=", Token::Symbol("=")),
    ("<", Token::Symbol("<")),
    (">", Token::Symbol(">")),
    ("(", Token::Symbol("(")),
    (")", Token::Symbol(")")),
    (",", Token::Symbol(",")),
    (";", Token::Symbol(";")),
    ("+", Token::Symbol("+")),
    ("-", Token::Symbol("-")),
    ("*", Token::Symbol("*")),
    ("/", Token::Symbol("/")),
    ("%", Token::Symbol("%")),
    ("^", Token::Symbol("^")),
    ("~", Token::Symbol("~")),
    ("&", Token::Symbol("&")),
    ("|", Token::Symbol("|")),
    ("!", Token::Symbol("!")),
    (".", Token::Symbol(".")),
];
