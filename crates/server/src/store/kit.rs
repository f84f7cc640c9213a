//! What every [`Store`] has to do, as a test of any provider.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::{Batch, Row, Store, StoreError, Table};

/// Checks a provider. `open` makes an empty store, another one for each number; `reopen` closes a store and opens it
/// again, as after a restart.
///
/// # Panics
///
/// When the store does not do what a store has to do; the text says what.
pub fn check<S: Store>(open: impl Fn(usize) -> S, reopen: impl Fn(S) -> S) {
    for (number, scenario) in SCENARIOS.into_iter().enumerate() {
        let mut store = open(number);
        assert_eq!(load(&mut store).expect("an empty store loads"), [], "a new store is empty");
        let mut model = Model::default();
        for group in scenario() {
            store.commit(&group).expect("a store with room commits");
            group.iter().for_each(|batch| model.apply(batch));
        }
        check_reading(&mut store, model.clone());
        let mut store = reopen(store);
        let found = load(&mut store).expect("a store loads again");
        assert_eq!(found, model.rows(), "scenario {number}: what was committed is there, in order");
        check_stopping(&mut store, found.len());
        store.commit(&[remove_all(&found)]).expect("a store commits after it was loaded");
        assert_eq!(
            load(&mut reopen(store)).expect("a store loads again"),
            [],
            "scenario {number}: what was removed is gone"
        );
    }
}

/// All rows of a store, at once.
///
/// # Errors
///
/// They cannot be read.
pub fn load(store: &mut impl Store) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    store.load(&mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// Whoever has enough of the rows gets no more.
fn check_stopping(store: &mut impl Store, count: usize) {
    let mut taken = 0;
    let stopping = store.load(&mut |_| {
        taken += 1;
        ControlFlow::Break(())
    });
    stopping.expect("a store stops where it is told to");
    assert_eq!(taken, count.min(1), "no row after the one that was enough");
}

/// Rows are found by the beginning of their keys, and by nothing else.
fn check_reading(store: &mut impl Store, model: Model) {
    let rows = model.rows();
    let prefixes = rows.iter().map(|row| (row.table, row.key.slice(..row.key.len().min(1))));
    for (table, prefix) in prefixes.chain([(Table::Events, Bytes::from_static(b"nobody"))]) {
        let wanted = rows.iter().filter(|row| row.table == table && row.key.starts_with(&prefix));
        let found = store.read(table, &prefix).expect("a store reads");
        assert_eq!(found, wanted.cloned().collect::<Vec<_>>(), "what begins with {prefix:?} in {table:?}");
    }
}

type Scenario = fn() -> Vec<Vec<Batch>>;

const SCENARIOS: [Scenario; 5] = [order, changes, odd_bytes, large_values, many_batches];

/// Keys are ordered as bytes, within their tables.
fn order() -> Vec<Vec<Batch>> {
    let keys: [&[u8]; 6] = [b"b", b"a", b"", b"ab", b"\xff", b"\x00"];
    let rows = Table::ALL.iter().rev().flat_map(|table| keys.iter().map(|key| put(*table, key, b"v")));
    vec![vec![Batch { rows: rows.collect() }]]
}

/// The last word about a row counts, within a batch, within a group and after it.
fn changes() -> Vec<Vec<Batch>> {
    let batch = |rows: &[Row]| Batch { rows: rows.to_vec() };
    let (runs, events) = (Table::Runs, Table::Events);
    vec![
        vec![
            batch(&[put(runs, b"a", b"1"), put(runs, b"a", b"2"), put(events, b"a", b"1")]),
            batch(&[put(runs, b"b", b"1"), remove(runs, b"a"), put(runs, b"c", b"1"), remove(runs, b"c")]),
        ],
        vec![batch(&[remove(runs, b"nothing"), remove(runs, b"c"), put(runs, b"c", b"2")]), batch(&[])],
        vec![],
    ]
}

fn odd_bytes() -> Vec<Vec<Batch>> {
    let all: Vec<u8> = (0..=255).collect();
    vec![vec![Batch { rows: vec![put(Table::Meta, &all, &all), put(Table::Meta, b"empty", b"")] }]]
}

fn large_values() -> Vec<Vec<Batch>> {
    let row = |size: usize| put(Table::Events, &size.to_be_bytes(), &vec![7; size]);
    vec![vec![Batch { rows: [1, 100, 4_095, 4_096, 4_097, 1 << 20, 5 << 20].map(row).to_vec() }]]
}

fn many_batches() -> Vec<Vec<Batch>> {
    let batch = |number: u32| Batch { rows: vec![put(Table::Pending, &number.to_be_bytes(), b"v")] };
    (0..20).map(|group| (0..50).map(|number| batch(group * 50 + number)).collect()).collect()
}

fn put(table: Table, key: &[u8], value: &[u8]) -> Row {
    Row { table, key: Bytes::copy_from_slice(key), value: Some(Bytes::copy_from_slice(value)) }
}

fn remove(table: Table, key: &[u8]) -> Row {
    Row { table, key: Bytes::copy_from_slice(key), value: None }
}

fn remove_all(rows: &[Row]) -> Batch {
    Batch { rows: rows.iter().map(|row| Row { value: None, ..row.clone() }).collect() }
}

/// What a store should hold.
#[derive(Clone, Default)]
struct Model(BTreeMap<(Table, Bytes), Bytes>);

impl Model {
    fn apply(&mut self, batch: &Batch) {
        for Row { table, key, value } in batch.rows.clone() {
            match value {
                Some(value) => self.0.insert((table, key), value),
                None => self.0.remove(&(table, key)),
            };
        }
    }

    fn rows(self) -> Vec<Row> {
        self.0.into_iter().map(|((table, key), value)| Row { table, key, value: Some(value) }).collect()
    }
}
