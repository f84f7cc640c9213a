//! [`MemoryStore`]: rows in memory, for tests of what a server knows after a restart.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::{Batch, Row, Store, StoreError, Table};

/// Keeps rows as long as the process lives. A clone is the same store, so it outlives the server that it is given to.
///
/// A server that is to forget everything needs no store: [`Server::in_memory`](crate::Server::in_memory).
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    rows: Arc<Mutex<BTreeMap<(Table, Bytes), Bytes>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn load(&mut self, take: &mut dyn FnMut(Row) -> ControlFlow<()>) -> Result<(), StoreError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for ((table, key), value) in rows.iter() {
            let row = Row { table: *table, key: key.clone(), value: Some(value.clone()) };
            if take(row).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, table: Table, prefix: &[u8]) -> Result<Vec<Row>, StoreError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let from = rows.range((table, Bytes::copy_from_slice(prefix))..);
        let found = from.take_while(|((of, key), _)| *of == table && key.starts_with(prefix));
        Ok(found.map(|((_, key), value)| Row { table, key: key.clone(), value: Some(value.clone()) }).collect())
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for Row { table, key, value } in batches.iter().flat_map(|batch| &batch.rows) {
            match value {
                Some(value) => rows.insert((*table, key.clone()), value.clone()),
                None => rows.remove(&(*table, key.clone())),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::kit;

    #[test]
    fn it_keeps_what_a_store_has_to_keep() {
        kit::check(|_| MemoryStore::new(), |store| store);
    }
}
