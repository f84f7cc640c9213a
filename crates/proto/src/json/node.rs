//! A JSON value with its place in the document.
//!
//! Values stay text until something asks for their inside, so that a payload in shorthand keeps its exact bytes: the
//! order of its fields, and every digit of its numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde_json::value::RawValue;

use super::{JsonError, Result};

/// A history nests about ten levels, and each cause of a failure is one more; decoding a message stops at 100, too.
const MAX_DEPTH: usize = 100;

/// A value, and the way to it from the root.
pub(super) struct Node<'a> {
    json: &'a RawValue,
    parent: Option<&'a Node<'a>>,
    step: Step<'a>,
    depth: usize,
}

enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl<'a> Node<'a> {
    pub(super) fn root(json: &'a RawValue) -> Self {
        Self { json, parent: None, step: Step::Root, depth: 0 }
    }

    pub(super) fn field<'b>(&'b self, name: &'b str, json: &'b RawValue) -> Result<Node<'b>> {
        self.child(Step::Field(name), json)
    }

    pub(super) fn item<'b>(&'b self, index: usize, json: &'b RawValue) -> Result<Node<'b>> {
        self.child(Step::Item(index), json)
    }

    fn child<'b>(&'b self, step: Step<'b>, json: &'b RawValue) -> Result<Node<'b>> {
        if self.depth == MAX_DEPTH {
            return Err(self.invalid(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        Ok(Node { json, parent: Some(self), step, depth: self.depth + 1 })
    }

    /// The text of the value, as it stands in the document.
    pub(super) fn text(&self) -> &'a str {
        self.json.get()
    }

    pub(super) fn is_null(&self) -> bool {
        self.text() == "null"
    }

    pub(super) fn is_list(&self) -> bool {
        self.text().starts_with('[')
    }

    pub(super) fn is_string(&self) -> bool {
        self.text().starts_with('"')
    }

    pub(super) fn object(&self) -> Result<BTreeMap<String, &'a RawValue>> {
        serde_json::from_str(self.text()).map_err(|_| self.invalid("expected an object"))
    }

    pub(super) fn list(&self) -> Result<Vec<&'a RawValue>> {
        serde_json::from_str(self.text()).map_err(|_| self.invalid("expected a list"))
    }

    pub(super) fn string(&self) -> Result<Cow<'a, str>> {
        let string = serde_json::from_str::<String>(self.text());
        string.map(Cow::Owned).map_err(|_| self.invalid("expected a string"))
    }

    /// The text of a number, a truth value, or a string with either in it.
    pub(super) fn scalar(&self) -> Result<Cow<'a, str>> {
        if self.is_string() { self.string() } else { Ok(Cow::Borrowed(self.text())) }
    }

    pub(super) fn invalid(&self, problem: impl Into<String>) -> JsonError {
        JsonError::Invalid { path: self.to_string(), problem: problem.into() }
    }
}

/// The path: `$.events[3].eventTime`.
impl Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            Display::fmt(parent, f)?;
        }
        match self.step {
            Step::Root => f.write_str("$"),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}
