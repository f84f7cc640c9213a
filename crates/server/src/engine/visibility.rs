//! [`Visibility`]: the executions that lists, counts and their filters find.
//!
//! It is derived from what the engine stores of its runs, and stores nothing itself: who changes an execution tells
//! visibility, and at start everything is told anew.

mod index;
mod record;

use std::collections::BTreeMap;

pub(crate) use index::Index;
pub(crate) use record::{Kind, Record};

use super::namespaces::NamespaceKey;

/// The executions of all namespaces, by kind.
#[derive(Debug, Default)]
pub(crate) struct Visibility {
    indexes: BTreeMap<(NamespaceKey, Kind), Index>,
}

impl Visibility {
    /// Takes a record, in place of the one with the same run id.
    pub(crate) fn upsert(&mut self, namespace: NamespaceKey, kind: Kind, record: Record) {
        self.indexes.entry((namespace, kind)).or_default().upsert(record);
    }

    /// Forgets an execution.
    pub(crate) fn remove(&mut self, namespace: NamespaceKey, kind: Kind, run_id: &str) -> Option<Record> {
        self.indexes.get_mut(&(namespace, kind))?.remove(run_id)
    }

    /// Forgets the executions of a namespace.
    pub(crate) fn remove_namespace(&mut self, namespace: NamespaceKey) {
        self.indexes.retain(|(owner, _), _| *owner != namespace);
    }

    pub(super) fn index(&self, namespace: NamespaceKey, kind: Kind) -> Option<&Index> {
        self.indexes.get(&(namespace, kind))
    }
}
