//! [`Visibility`]: the executions that lists, counts and their filters find.
//!
//! It is derived from what the engine stores of its runs, and stores nothing itself: who changes an execution tells
//! visibility, and at start everything is told anew.

mod calls;
mod columns;
mod convert;
mod filter;
mod index;
mod literal;
#[cfg(test)]
mod properties;
mod query;
mod record;
#[cfg(test)]
mod tests;
pub(crate) mod workers;

use std::collections::BTreeMap;

use stead_proto::common::v1::Payload;
use stead_proto::enums::v1::IndexedValueType;

pub(crate) use index::{Index, Row};
pub(crate) use record::{Kind, Record};

use super::namespaces::NamespaceKey;
use super::search_attributes::type_name;
use super::{Engine, Refusal};
use columns::{Column, Columns, Field, Seen};
use convert::question;
use filter::Filter;
use index::Place;
use query::parse;

/// The executions of all namespaces, by kind.
#[derive(Debug, Default)]
pub(crate) struct Visibility {
    indexes: BTreeMap<(NamespaceKey, Kind), Index>,
}

/// Executions of a list, and how to ask for those after them.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) rows: Vec<&'a Row>,
    /// Empty when there are no more.
    pub(crate) next_page_token: Vec<u8>,
}

/// How many executions there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Count {
    pub(crate) count: i64,
    /// By the value that they share, if the query asks for that.
    pub(crate) groups: Vec<(Payload, i64)>,
}

/// Executions on one page, at most.
const MAX_PAGE: usize = 1_000;

impl Visibility {
    /// Takes a record, in place of the one with the same run id.
    pub(crate) fn upsert(&mut self, namespace: NamespaceKey, kind: Kind, record: Record) {
        self.indexes.entry((namespace, kind)).or_default().upsert(record);
    }

    /// Forgets an execution.
    pub(crate) fn remove(&mut self, namespace: NamespaceKey, kind: Kind, run_id: &str) -> Option<Record> {
        self.indexes.get_mut(&(namespace, kind))?.remove(run_id)
    }

    /// Forgets all executions of a namespace.
    pub(crate) fn forget(&mut self, namespace: NamespaceKey) {
        self.indexes.retain(|(of, _), _| *of != namespace);
    }

    fn page(
        &self,
        namespace: NamespaceKey,
        kind: Kind,
        filter: &Filter,
        asked: Asked<'_>,
    ) -> Result<Page<'_>, Refusal> {
        let after = match asked.token {
            [] => None,
            token => Some(Place::decode(token).ok_or_else(|| Refusal::invalid("Invalid NextPageToken."))?),
        };
        let size = usize::try_from(asked.size).ok().filter(|size| (1..=MAX_PAGE).contains(size)).unwrap_or(MAX_PAGE);
        let Some(index) = self.indexes.get(&(namespace, kind)) else { return Ok(Page::default()) };
        let found: Vec<_> =
            candidates(index, filter, after.as_ref()).filter(|(_, row)| filter.matches(row, kind)).take(size).collect();
        let last = if found.len() == size { found.last() } else { None };
        let next_page_token = last.map(|(place, _)| place.encode()).unwrap_or_default();
        Ok(Page { rows: found.into_iter().map(|(_, row)| row).collect(), next_page_token })
    }

    fn count(&self, namespace: NamespaceKey, kind: Kind, filter: &Filter, group_by: Option<&Column>) -> Count {
        let Some(index) = self.indexes.get(&(namespace, kind)) else { return Count::default() };
        let rows = candidates(index, filter, None).filter(|(_, row)| filter.matches(row, kind));
        let Some(column) = group_by else { return Count { count: rows.count() as i64, groups: Vec::new() } };
        let mut groups: BTreeMap<Group<'_>, i64> = BTreeMap::new();
        for (_, row) in rows {
            *groups.entry(Group::of(row, kind, column)).or_default() += 1;
        }
        Count {
            count: groups.values().sum(),
            groups: groups.into_iter().map(|(group, count)| (group.payload(kind), count)).collect(),
        }
    }
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    size: i32,
    token: &'a [u8],
}

impl Engine {
    /// A page of the executions that a query of a caller finds.
    pub(super) fn list_records(
        &self,
        namespace: &str,
        kind: Kind,
        query: &str,
        size: i32,
        token: &[u8],
    ) -> Result<Page<'_>, Refusal> {
        let key = self.namespaces.key(namespace)?;
        let columns = Columns { kind, registry: self.registry(key)? };
        let question = question(query, columns)?;
        self.visibility.page(key, kind, &question.filter, Asked { size, token })
    }

    /// How many executions a query of a caller finds.
    pub(super) fn count_records(&self, namespace: &str, kind: Kind, query: &str) -> Result<Count, Refusal> {
        let key = self.namespaces.key(namespace)?;
        let columns = Columns { kind, registry: self.registry(key)? };
        let question = question(query, columns)?;
        Ok(self.visibility.count(key, kind, &question.filter, question.group_by.as_ref()))
    }
}

/// Whether a text is a query, whatever it asks for. What goes wrong is told as the server tells it.
pub(crate) fn check_syntax(query: &str) -> Result<(), String> {
    parse(query).map(drop)
}

/// All that may match, in the order of lists.
fn candidates<'a>(
    index: &'a Index,
    filter: &Filter,
    after: Option<&Place>,
) -> Box<dyn Iterator<Item = (&'a Place, &'a Row)> + 'a> {
    if let Some(run_ids) = filter.only(&Field::RunId) {
        return Box::new(index.with_runs(&run_ids, after));
    }
    match filter.only(&Field::Id) {
        Some(ids) => Box::new(index.with_ids(&ids, after)),
        None => Box::new(index.after(after)),
    }
}

/// What the executions of a group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group<'a> {
    Nothing,
    Status(i32),
    Keyword(&'a str),
}

impl<'a> Group<'a> {
    fn of(row: &'a Row, kind: Kind, column: &Column) -> Self {
        match column.field.of(row, kind) {
            Some(Seen::Text(text)) => Self::Keyword(text),
            Some(Seen::Int(_)) => Self::Status(row.record.status),
            _ => Self::Nothing,
        }
    }

    fn payload(self, kind: Kind) -> Payload {
        let value = match self {
            Self::Nothing => "",
            Self::Status(status) => kind.status_name(status),
            Self::Keyword(text) => text,
        };
        let metadata = [("encoding", "json/plain"), ("type", type_name(IndexedValueType::Keyword))];
        Payload {
            metadata: metadata
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec().into()))
                .collect(),
            data: serde_json::Value::from(value).to_string().into(),
            ..Payload::default()
        }
    }
}
