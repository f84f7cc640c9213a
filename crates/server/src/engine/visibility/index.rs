//! [`Index`]: the records of one kind and namespace, in the order of lists.
//!
//! Lists begin with what is open, then what ended last; among these, what started last comes first. A page ends at a
//! place in that order and the next begins after it, so that records may come, go and change in between. Text, order
//! and everything else that a filter may ask is looked at record by record; only ids are found without a scan.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use stead_proto::common::v1::SearchAttributes;

use super::record::Record;
use crate::engine::Time;
use crate::engine::search_attributes::{Registry, Value, type_of, unwrap_list};

/// The records of one kind and namespace.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: BTreeMap<Place, Row>,
    by_run: HashMap<String, Place>,
    by_id: BTreeMap<String, BTreeSet<Place>>,
}

/// Where a record stands in lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The end of time while it is open.
    closed: Reverse<i64>,
    started: Reverse<i64>,
    run_id: String,
}

/// A record with its attributes as filters see them.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) record: Record,
    pub(super) values: BTreeMap<String, Value>,
}

impl Index {
    /// Takes a record, in place of the one with the same run id.
    pub(super) fn upsert(&mut self, record: Record) {
        self.remove(&record.run_id);
        let place = Place::of(&record);
        self.by_run.insert(record.run_id.clone(), place.clone());
        self.by_id.entry(record.id.clone()).or_default().insert(place.clone());
        self.rows.insert(place, Row::new(record));
    }

    pub(super) fn remove(&mut self, run_id: &str) -> Option<Record> {
        let place = self.by_run.remove(run_id)?;
        let row = self.rows.remove(&place)?;
        if let Some(places) = self.by_id.get_mut(&row.record.id) {
            places.remove(&place);
            if places.is_empty() {
                self.by_id.remove(&row.record.id);
            }
        }
        Some(row.record)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows in the order of lists, after a place.
    pub(super) fn after<'a>(&'a self, place: Option<&Place>) -> impl Iterator<Item = (&'a Place, &'a Row)> + use<'a> {
        let from = place.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range((from, Bound::Unbounded))
    }

    /// Rows that have one of these ids, in the order of lists, after a place.
    pub(super) fn with_ids<'a>(
        &'a self,
        ids: &BTreeSet<&str>,
        place: Option<&Place>,
    ) -> impl Iterator<Item = (&'a Place, &'a Row)> + use<'a> {
        let places = ids.iter().filter_map(|id| self.by_id.get(*id)).flatten();
        self.at(places.filter(|found| place.is_none_or(|place| *found > place)).collect())
    }

    /// Rows that have one of these run ids, in the order of lists, after a place.
    pub(super) fn with_runs<'a>(
        &'a self,
        run_ids: &BTreeSet<&str>,
        place: Option<&Place>,
    ) -> impl Iterator<Item = (&'a Place, &'a Row)> + use<'a> {
        let places = run_ids.iter().filter_map(|run_id| self.by_run.get(*run_id));
        self.at(places.filter(|found| place.is_none_or(|place| *found > place)).collect())
    }

    fn at<'a>(&'a self, places: BTreeSet<&'a Place>) -> impl Iterator<Item = (&'a Place, &'a Row)> + use<'a> {
        places.into_iter().filter_map(|place| self.rows.get_key_value(place))
    }
}

impl Row {
    fn new(mut record: Record) -> Self {
        let mut values = BTreeMap::new();
        record.search_attributes.indexed_fields.retain(|name, payload| {
            let decoded = type_of(payload).and_then(|kind| Value::decode(payload, kind));
            match decoded {
                Some(Some(value)) => values.insert(name.clone(), value),
                Some(None) => return false,
                None => return true,
            };
            unwrap_list(payload);
            true
        });
        Self { record, values }
    }

    /// The token of the page after it.
    pub(crate) fn page_token(&self) -> Vec<u8> {
        Place::of(&self.record).encode()
    }

    /// The search attributes that the namespace has still.
    pub(crate) fn search_attributes(&self, registry: Registry<'_>) -> SearchAttributes {
        let fields = self.record.search_attributes.indexed_fields.iter();
        let known = fields.filter(|(name, payload)| registry.kind(name) == type_of(payload));
        SearchAttributes { indexed_fields: known.map(|(name, payload)| (name.clone(), payload.clone())).collect() }
    }
}

impl Place {
    fn of(record: &Record) -> Self {
        Self {
            closed: Reverse(record.close_time.map_or(i64::MAX, Time::unix_nanos)),
            started: Reverse(record.start_time.unix_nanos()),
            run_id: record.run_id.clone(),
        }
    }

    /// As a page token.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut token = Vec::with_capacity(16 + self.run_id.len());
        token.extend(self.closed.0.to_be_bytes());
        token.extend(self.started.0.to_be_bytes());
        token.extend(self.run_id.as_bytes());
        token
    }

    /// The place of a page token. `None` if it is none.
    pub(super) fn decode(token: &[u8]) -> Option<Self> {
        let (closed, rest) = token.split_first_chunk()?;
        let (started, run_id) = rest.split_first_chunk()?;
        Some(Self {
            closed: Reverse(i64::from_be_bytes(*closed)),
            started: Reverse(i64::from_be_bytes(*started)),
            run_id: str::from_utf8(run_id).ok()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, run_id: &str, started: i64, closed: Option<i64>) -> Record {
        Record {
            id: id.to_owned(),
            run_id: run_id.to_owned(),
            start_time: Time::from_unix_nanos(started),
            close_time: closed.map(Time::from_unix_nanos),
            ..Record::default()
        }
    }

    fn runs<'a>(rows: impl Iterator<Item = (&'a Place, &'a Row)>) -> Vec<&'a str> {
        rows.map(|(_, row)| row.record.run_id.as_str()).collect()
    }

    #[test]
    fn open_ones_come_first_then_the_last_closed() {
        let mut index = Index::default();
        index.upsert(record("a", "closed early", 9, Some(10)));
        index.upsert(record("a", "closed late", 1, Some(20)));
        index.upsert(record("b", "open old", 1, None));
        index.upsert(record("b", "open young 2", 5, None));
        index.upsert(record("c", "open young 1", 5, None));
        let order = ["open young 1", "open young 2", "open old", "closed late", "closed early"];
        assert_eq!(runs(index.after(None)), order);
        assert_eq!(runs(index.with_ids(&BTreeSet::from(["a", "b"]), None)), order[1..]);
    }

    #[test]
    fn a_place_survives_its_record_and_its_encoding() {
        let mut index = Index::default();
        for started in 1..=4 {
            index.upsert(record("w", &format!("run {started}"), started, None));
        }
        let place = index.after(None).nth(1).map(|(place, _)| place.clone()).unwrap();
        let place = Place::decode(&place.encode()).unwrap();
        index.remove("run 3");
        index.upsert(record("w", "run 5", 5, None));
        assert_eq!(runs(index.after(Some(&place))), ["run 2", "run 1"]);
        assert_eq!(runs(index.with_ids(&BTreeSet::from(["w"]), Some(&place))), ["run 2", "run 1"]);
        assert_eq!(runs(index.with_runs(&BTreeSet::from(["run 1", "run 5"]), Some(&place))), ["run 1"]);
    }

    #[test]
    fn an_upsert_replaces_the_record_of_its_run_everywhere() {
        let mut index = Index::default();
        index.upsert(record("w", "run", 1, None));
        index.upsert(record("w", "run", 1, Some(2)));
        assert_eq!(index.len(), 1);
        assert_eq!(index.with_ids(&BTreeSet::from(["w"]), None).count(), 1);
        let removed = index.remove("run").unwrap();
        assert_eq!(removed.close_time, Some(Time::from_unix_nanos(2)));
        assert_eq!((index.len(), index.by_id.len(), index.by_run.len()), (0, 0, 0));
    }
}
