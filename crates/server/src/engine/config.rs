//! [`Config`]: what an engine is told once.

use std::collections::BTreeMap;
use std::time::Duration;

use stead_proto::enums::v1::IndexedValueType;

use super::Refusal;
use super::search_attributes::check_definitions;

/// What an engine is told once. The defaults are those of a Temporal server with the features on that its tests turn
/// on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Seed of run ids and other random choices. 0 by default: a server with a store of its own should draw one.
    pub seed: u64,
    /// Whether rows come out to be kept. False by default.
    pub durable: bool,
    /// Namespaces that exist from the beginning. `default` alone by default.
    pub namespaces: Vec<String>,
    /// Retention of the namespaces above. A day by default.
    pub retention: Duration,
    /// Limits of sizes and counts.
    pub limits: Limits,
    /// Whether tasks of the same priority take turns by their fairness keys. False by default, as
    /// `matching.enableFairness` of Temporal's server is.
    pub fairness: bool,
    /// Search attributes of the namespaces above, by name.
    search_attributes: BTreeMap<String, i32>,
}

impl Config {
    /// Defines a search attribute in the namespaces that exist from the beginning.
    ///
    /// # Errors
    ///
    /// When the name is the server's own, or a namespace cannot have more attributes of this type: it has 10 `Keyword`
    /// ones and 3 of each other type.
    pub fn define_search_attribute(
        &mut self,
        name: impl Into<String>,
        kind: IndexedValueType,
    ) -> Result<&mut Self, Refusal> {
        let mut defined = self.search_attributes.clone();
        defined.insert(name.into(), kind.into());
        check_definitions(&defined)?;
        self.search_attributes = defined;
        Ok(self)
    }

    pub(super) fn search_attributes(&self) -> &BTreeMap<String, i32> {
        &self.search_attributes
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            durable: false,
            namespaces: vec!["default".to_owned()],
            retention: Duration::from_secs(24 * 60 * 60),
            limits: Limits::default(),
            fairness: false,
            search_attributes: BTreeMap::new(),
        }
    }
}

/// Limits of sizes and counts, as the dynamic configuration of Temporal's server has them
/// (`common/dynamicconfig/constants.go` of 1.32.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a payload, or of several that travel in one field. 2 MiB.
    pub blob: usize,
    /// Bytes of a memo. 2 MiB.
    pub memo: usize,
    /// Activities, children, signals and cancellations under way of one run, each. 2,000.
    pub pending: usize,
    /// Nexus operations under way of one run. 30.
    pub nexus_operations: usize,
    /// Events of one run. 51,200.
    pub history_events: i64,
    /// Bytes of the history of one run. 50 MiB.
    pub history_size: usize,
    /// Events from which continue-as-new is suggested. 4,096.
    pub history_events_suggest: i64,
    /// Bytes of history from which continue-as-new is suggested. 4 MiB.
    pub history_size_suggest: usize,
    /// Events that wait for the end of a workflow task. 100.
    pub buffered_events: usize,
    /// Bytes of the events that wait for the end of a workflow task. 2 MiB.
    pub buffered_size: usize,
    /// Queries of one run that wait for the end of a workflow task. 1.
    pub buffered_queries: usize,
    /// Characters of an id. 1,000.
    pub id_length: usize,
    /// Updates under way of one run. 10.
    pub updates_in_flight: usize,
    /// Updates of one run in all. 2,000.
    pub updates_total: usize,
    /// Bytes of the updates of one run that wait for the workflow's decision. 20 MiB.
    pub updates_size: usize,
    /// Signals of one run. 10,000.
    pub signals: usize,
    /// Bytes of the histories of closed runs that stay in memory where there is a store to read them from. 16 MiB.
    pub closed_histories: usize,
    /// Events in a page of history. 256.
    pub history_page: usize,
    /// Batch operations under way in one namespace. 1.
    pub batch_operations: usize,
}

impl Limits {
    /// The same limits, so many times as low, so that a test reaches them with little; each is 1 at least. Ids may be as
    /// long as before, and pages of histories and what stays in memory of closed ones as large: they limit nothing that
    /// a caller sees.
    ///
    /// ```
    /// use stead_server::engine::Limits;
    /// assert_eq!(Limits::default().shrunk(100).history_events, 512);
    /// ```
    #[must_use]
    pub fn shrunk(self, by: usize) -> Self {
        let by = by.max(1);
        let fewer = |count: usize| (count / by).max(1);
        let less = |count: i64| (count / i64::try_from(by).unwrap_or(i64::MAX)).max(1);
        Self {
            blob: fewer(self.blob),
            memo: fewer(self.memo),
            pending: fewer(self.pending),
            nexus_operations: fewer(self.nexus_operations),
            history_events: less(self.history_events),
            history_size: fewer(self.history_size),
            history_events_suggest: less(self.history_events_suggest),
            history_size_suggest: fewer(self.history_size_suggest),
            buffered_events: fewer(self.buffered_events),
            buffered_size: fewer(self.buffered_size),
            buffered_queries: fewer(self.buffered_queries),
            updates_in_flight: fewer(self.updates_in_flight),
            updates_total: fewer(self.updates_total),
            updates_size: fewer(self.updates_size),
            signals: fewer(self.signals),
            batch_operations: fewer(self.batch_operations),
            id_length: self.id_length,
            closed_histories: self.closed_histories,
            history_page: self.history_page,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob: 2 << 20,
            memo: 2 << 20,
            pending: 2_000,
            nexus_operations: 30,
            history_events: 51_200,
            history_size: 50 << 20,
            history_events_suggest: 4_096,
            history_size_suggest: 4 << 20,
            buffered_events: 100,
            buffered_size: 2 << 20,
            buffered_queries: 1,
            id_length: 1_000,
            updates_in_flight: 10,
            updates_total: 2_000,
            updates_size: 20 << 20,
            signals: 10_000,
            closed_histories: 16 << 20,
            history_page: 256,
            batch_operations: 1,
        }
    }
}
