//! [`QueueSettings`]: what `UpdateTaskQueueConfig` has set, as it is stored.

use bytes::{BufMut, Bytes, BytesMut};
use stead_proto::taskqueue::v1::{RateLimitConfig, TaskQueueConfig};

use super::{QueueKind, QueueName, RateLimits};
use crate::engine::namespaces::NamespaceKey;
use crate::engine::rows::{Changes, RowKey, Rows};
use crate::store::Table;

/// The settings of all queues that have some.
#[derive(Debug, Default)]
pub(crate) struct QueueSettings {
    rows: Rows<QueueName, TaskQueueConfig>,
}

impl RowKey for QueueName {
    fn put(&self, key: &mut BytesMut) {
        key.put_u64(self.namespace.0);
        key.put_u8(match self.kind {
            QueueKind::Workflow => 1,
            QueueKind::Activity => 2,
            QueueKind::Nexus => 3,
            QueueKind::Sticky => 4,
        });
        key.put_slice(self.name.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (namespace, rest) = bytes.split_first_chunk()?;
        let (kind, name) = rest.split_first()?;
        let kind = match kind {
            1 => QueueKind::Workflow,
            2 => QueueKind::Activity,
            3 => QueueKind::Nexus,
            4 => QueueKind::Sticky,
            _ => return None,
        };
        let namespace = NamespaceKey(u64::from_be_bytes(*namespace));
        Some(Self { namespace, kind, name: String::from_utf8(name.to_vec()).ok()? })
    }
}

impl QueueSettings {
    pub(in crate::engine) fn write(&mut self, changes: &mut Changes) {
        self.rows.write(Table::TaskQueues, &[], changes);
    }

    /// Takes a stored row. `None` if it cannot be read.
    pub(in crate::engine) fn load(&mut self, key: &[u8], value: Bytes) -> Option<()> {
        self.rows.load(key, value)
    }

    pub(in crate::engine) fn names(&self) -> impl Iterator<Item = &QueueName> {
        self.rows.keys()
    }

    pub(super) fn get(&self, queue: &QueueName) -> Option<&TaskQueueConfig> {
        self.rows.get(queue)
    }

    pub(super) fn set(&mut self, queue: QueueName, config: TaskQueueConfig) {
        self.rows.insert(queue, config);
    }

    /// Forgets the settings of all queues of a namespace.
    pub(in crate::engine) fn forget(&mut self, namespace: NamespaceKey) {
        let queues: Vec<_> = self.rows.keys().filter(|queue| queue.namespace == namespace).cloned().collect();
        for queue in queues {
            self.rows.remove(&queue);
        }
    }

    /// What the settings of a queue mean for its tasks.
    pub(in crate::engine) fn rate_limits(&self, queue: &QueueName) -> RateLimits {
        let Some(config) = self.rows.get(queue) else { return RateLimits::default() };
        let rate = |config: Option<&RateLimitConfig>| {
            config.and_then(|config| config.rate_limit.as_ref()).map(|limit| f64::from(limit.requests_per_second))
        };
        RateLimits {
            queue: rate(config.queue_rate_limit.as_ref()),
            fairness_key: rate(config.fairness_keys_rate_limit_default.as_ref()),
            fairness_weights: config.fairness_weight_overrides.clone(),
        }
    }
}
