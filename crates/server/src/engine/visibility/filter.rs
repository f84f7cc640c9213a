//! [`Filter`]: a condition that records meet or do not, in the logic of SQL, where what is unknown stays unknown.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::columns::{Field, Seen};
use super::index::Row;
use super::record::Kind;
use crate::engine::search_attributes::Value;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// What a record has in a field passes a test.
    Field(Field, Test),
}

/// A test of one value. All but those on lists and words are unknown where there is no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    IsNull,
    Equal(Value),
    Less(Value),
    Greater(Value),
    In(Vec<Value>),
    /// Both ends included.
    Between(Value, Value),
    StartsWith(String),
    /// A list has one of these.
    Contains(Vec<String>),
    /// A text has one of these phrases; each is words in a row.
    Phrases(Vec<Vec<String>>),
}

impl Filter {
    /// The condition that everything meets.
    pub(super) fn everything() -> Self {
        Self::All(Vec::new())
    }

    pub(super) fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    pub(super) fn matches(&self, row: &Row, kind: Kind) -> bool {
        self.holds(row, kind) == Some(true)
    }

    /// `None` where it is unknown.
    fn holds(&self, row: &Row, kind: Kind) -> Option<bool> {
        match self {
            Self::All(parts) => all(parts.iter().map(|part| part.holds(row, kind))),
            Self::Any(parts) => all(parts.iter().map(|part| part.holds(row, kind).map(|met| !met))).map(|none| !none),
            Self::Not(part) => part.holds(row, kind).map(|met| !met),
            Self::Field(field, test) => test.holds(field.of(row, kind)),
        }
    }

    /// The only values that this field can have in what matches, if the condition says so.
    pub(super) fn only(&self, wanted: &Field) -> Option<BTreeSet<&str>> {
        match self {
            Self::All(parts) => parts.iter().find_map(|part| part.only(wanted)),
            Self::Field(field, Test::Equal(Value::Keyword(value))) if field == wanted => {
                Some(BTreeSet::from([&**value]))
            }
            Self::Field(field, Test::In(values)) if field == wanted => values
                .iter()
                .map(|value| if let Value::Keyword(value) = value { Some(&**value) } else { None })
                .collect(),
            _ => None,
        }
    }
}

/// False if one is false, else unknown if one is unknown.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

impl Test {
    fn holds(&self, seen: Option<Seen<'_>>) -> Option<bool> {
        match (self, seen) {
            (Self::IsNull, seen) => Some(seen.is_none()),
            (Self::Contains(wanted), Some(Seen::List(items))) => Some(items.iter().any(|item| wanted.contains(item))),
            (Self::Phrases(phrases), Some(Seen::Text(text))) => Some(has_phrase(&words(text), phrases)),
            (Self::Contains(_) | Self::Phrases(_), _) => Some(false),
            (_, None) => None,
            (Self::Equal(value), Some(seen)) => order(seen, value).map(Ordering::is_eq),
            (Self::Less(value), Some(seen)) => order(seen, value).map(Ordering::is_lt),
            (Self::Greater(value), Some(seen)) => order(seen, value).map(Ordering::is_gt),
            (Self::In(values), Some(seen)) => {
                Some(values.iter().any(|value| order(seen, value) == Some(Ordering::Equal)))
            }
            (Self::Between(from, to), Some(seen)) => {
                all([order(seen, from).map(Ordering::is_ge), order(seen, to).map(Ordering::is_le)].into_iter())
            }
            (Self::StartsWith(prefix), Some(Seen::Text(text))) => Some(text.starts_with(prefix.as_str())),
            (Self::StartsWith(_), Some(_)) => None,
        }
    }
}

fn order(seen: Seen<'_>, value: &Value) -> Option<Ordering> {
    seen.compare(Seen::from(value))
}

/// The words of a text, in small letters.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn has_phrase(words: &[String], phrases: &[Vec<String>]) -> bool {
    let found = |phrase: &Vec<String>| !phrase.is_empty() && words.windows(phrase.len()).any(|run| run == phrase);
    phrases.iter().any(found)
}
