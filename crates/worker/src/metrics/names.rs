//! The metrics, as `temporalio-sdk-core` names them (`crates/sdk-core/src/telemetry/metrics.rs`).

use stead_data::metrics::{Metric, MetricKind};

macro_rules! metrics {
    ($($constant:ident: $kind:ident $name:literal, $description:literal;)*) => {
        $(pub(crate) const $constant: Metric<'static> = Metric::sdk(MetricKind::$kind, $name, $description);)*
    };
}

metrics! {
    WORKFLOW_COMPLETED: Counter "workflow_completed", "Workflows that completed";
    WORKFLOW_CANCELED: Counter "workflow_canceled", "Workflows that ended as cancelled";
    WORKFLOW_FAILED: Counter "workflow_failed", "Workflows that failed";
    WORKFLOW_CONTINUE_AS_NEW: Counter "workflow_continue_as_new", "Workflows that continued as new";
    WORKFLOW_ENDTOEND_LATENCY: Histogram "workflow_endtoend_latency", "From the start of a workflow to its end";
    WORKFLOW_TASK_QUEUE_POLL_EMPTY: Counter "workflow_task_queue_poll_empty", "Polls that ended without a workflow task";
    WORKFLOW_TASK_QUEUE_POLL_SUCCEED: Counter "workflow_task_queue_poll_succeed", "Polls that ended with a workflow task";
    WORKFLOW_TASK_EXECUTION_FAILED: Counter "workflow_task_execution_failed", "Workflow tasks that failed";
    WORKFLOW_TASK_SCHEDULE_TO_START_LATENCY: Histogram "workflow_task_schedule_to_start_latency", "How long workflow tasks waited for a worker";
    WORKFLOW_TASK_EXECUTION_LATENCY: Histogram "workflow_task_execution_latency", "How long workflow tasks took";
    WORKFLOW_TASK_REPLAY_LATENCY: Histogram "workflow_task_replay_latency", "How long it took to come to the end of a task's history";
    ACTIVITY_POLL_NO_TASK: Counter "activity_poll_no_task", "Polls that ended without an activity";
    ACTIVITY_TASK_RECEIVED: Counter "activity_task_received", "Activities received";
    ACTIVITY_SCHEDULE_TO_START_LATENCY: Histogram "activity_schedule_to_start_latency", "How long activities waited for a worker";
    ACTIVITY_EXECUTION_LATENCY: Histogram "activity_execution_latency", "How long attempts of activities took";
    ACTIVITY_SUCCEED_ENDTOEND_LATENCY: Histogram "activity_succeed_endtoend_latency", "From scheduling an activity to its success";
    ACTIVITY_EXECUTION_FAILED: Counter "activity_execution_failed", "Attempts of activities that failed";
    LOCAL_ACTIVITY_TOTAL: Counter "local_activity_total", "Attempts of local activities";
    LOCAL_ACTIVITY_EXECUTION_CANCELLED: Counter "local_activity_execution_cancelled", "Attempts of local activities that ended as cancelled";
    LOCAL_ACTIVITY_EXECUTION_FAILED: Counter "local_activity_execution_failed", "Attempts of local activities that failed";
    LOCAL_ACTIVITY_EXECUTION_LATENCY: Histogram "local_activity_execution_latency", "How long attempts of local activities took";
    LOCAL_ACTIVITY_SUCCEED_ENDTOEND_LATENCY: Histogram "local_activity_succeed_endtoend_latency", "From scheduling a local activity to its success";
    NEXUS_POLL_NO_TASK: Counter "nexus_poll_no_task", "Polls that ended without a Nexus task";
    NEXUS_TASK_SCHEDULE_TO_START_LATENCY: Histogram "nexus_task_schedule_to_start_latency", "How long Nexus tasks waited for a worker";
    NEXUS_TASK_EXECUTION_LATENCY: Histogram "nexus_task_execution_latency", "How long handlers of Nexus tasks took";
    NEXUS_TASK_ENDTOEND_LATENCY: Histogram "nexus_task_endtoend_latency", "From scheduling a Nexus task to its answer";
    NEXUS_TASK_EXECUTION_FAILED: Counter "nexus_task_execution_failed", "Nexus tasks that failed";
    WORKER_START: Counter "worker_start", "Workers that started";
    NUM_POLLERS: Gauge "num_pollers", "Polls that are open";
    WORKER_TASK_SLOTS_AVAILABLE: Gauge "worker_task_slots_available", "Slots without a task";
    WORKER_TASK_SLOTS_USED: Gauge "worker_task_slots_used", "Slots with a task";
    STICKY_CACHE_HIT: Counter "sticky_cache_hit", "Workflow tasks whose run was in memory";
    STICKY_CACHE_MISS: Counter "sticky_cache_miss", "Workflow tasks whose run should have been in memory and was not";
    STICKY_CACHE_SIZE: Gauge "sticky_cache_size", "Runs in memory";
    STICKY_CACHE_BYTES: Gauge "sticky_cache_bytes", "Bytes of history that the runs in memory were sent";
    STICKY_CACHE_TOTAL_FORCED_EVICTION: Counter "sticky_cache_total_forced_eviction", "Runs dropped from memory before they ended";
}
