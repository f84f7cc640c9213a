//! The language of filters, which is the `WHERE` of SQL and what may follow it: text to [`Query`].
//!
//! Only the form is looked at here: which columns there are and what they can be compared with is [`super::convert`]'s.
//! Forms that no filter can use are read as far as a message about them needs, and kept as [`Expr::Other`].

mod parse;
mod token;
mod words;

use std::fmt;

pub(super) use parse::{parse, parse_condition};
use words::is_word;

/// A query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Query {
    pub(super) condition: Option<Expr>,
    pub(super) group_by: Vec<Expr>,
    pub(super) order_by: Vec<Expr>,
    pub(super) limited: bool,
}

/// An expression of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// Two or more, joined by `AND`.
    And(Vec<Expr>),
    /// Two or more, joined by `OR`.
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Paren(Box<Expr>),
    Compare {
        left: Box<Expr>,
        operator: Operator,
        right: Box<Expr>,
    },
    Between {
        left: Box<Expr>,
        negated: bool,
        from: Box<Expr>,
        to: Box<Expr>,
    },
    Is {
        left: Box<Expr>,
        test: Is,
    },
    /// In back-quotes where it needs them.
    Column(String),
    Literal(Literal),
    Bool(bool),
    Null,
    Tuple(Vec<Expr>),
    Unary {
        operator: &'static str,
        operand: Box<Expr>,
    },
    Function,
    GroupConcat,
    /// Something that filters cannot use, by the name that the server's messages give it.
    Other(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    NullSafeEqual,
    In,
    NotIn,
    StartsWith,
    NotStartsWith,
    Like,
    NotLike,
    Regexp,
    NotRegexp,
}

/// What `IS` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Null,
    NotNull,
    /// `TRUE`, `NOT FALSE` …
    Truth,
}

/// A constant, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    String(String),
    Integer(String),
    Float(String),
    /// Hexadecimal, binary, or a placeholder.
    Odd(String),
}

impl Expr {
    /// What the server's messages call such an expression.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::And(_) => "*sqlparser.AndExpr",
            Self::Or(_) => "*sqlparser.OrExpr",
            Self::Not(_) => "*sqlparser.NotExpr",
            Self::Paren(_) => "*sqlparser.ParenExpr",
            Self::Compare { .. } => "*sqlparser.ComparisonExpr",
            Self::Between { .. } => "*sqlparser.RangeCond",
            Self::Is { .. } => "*sqlparser.IsExpr",
            Self::Column(_) => "*sqlparser.ColName",
            Self::Literal(_) => "*sqlparser.SQLVal",
            Self::Bool(_) => "sqlparser.BoolVal",
            Self::Null => "*sqlparser.NullVal",
            Self::Tuple(_) => "sqlparser.ValTuple",
            Self::Unary { .. } => "*sqlparser.UnaryExpr",
            Self::Function => "*sqlparser.FuncExpr",
            Self::GroupConcat => "*sqlparser.GroupConcatExpr",
            Self::Other(kind) => kind,
        }
    }
}

impl Operator {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::NullSafeEqual => "<=>",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::StartsWith => "starts_with",
            Self::NotStartsWith => "not starts_with",
            Self::Like => "like",
            Self::NotLike => "not like",
            Self::Regexp => "regexp",
            Self::NotRegexp => "not regexp",
        }
    }
}

/// As the server's messages show an expression. Forms without a shape of their own here are shown by their kind.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(Literal::String(text)) => write_string(text, f),
            Self::Column(text) | Self::Literal(Literal::Integer(text) | Literal::Float(text) | Literal::Odd(text)) => {
                f.write_str(text)
            }
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
            Self::Paren(inner) => write!(f, "({inner})"),
            Self::Tuple(items) => {
                f.write_str("(")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Self::Unary { operator, operand } if matches!(**operand, Self::Unary { .. }) => {
                write!(f, "{operator} {operand}")
            }
            Self::Unary { operator, operand } => write!(f, "{operator}{operand}"),
            other => f.write_str(other.kind()),
        }
    }
}

/// A name, in back-quotes if it needs them.
fn shown_name(name: &str) -> String {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '@');
    let plain = letters && !name.starts_with(|c: char| c.is_ascii_digit()) && !is_word(&name.to_ascii_lowercase());
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

fn write_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("'")?;
    for c in text.chars() {
        match c {
            '\0' => f.write_str("\\0")?,
            '\u{8}' => f.write_str("\\b")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{1a}' => f.write_str("\\Z")?,
            '\'' | '"' | '\\' => write!(f, "\\{c}")?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("'")
}
