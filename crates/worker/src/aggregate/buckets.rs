//! The buckets of histograms, as `temporalio-sdk-core` has them (`crates/common/src/telemetry/metrics.rs`).

/// The upper bounds, in milliseconds, of a metric by its name without a prefix.
pub(super) fn millis(metric: &str) -> &'static [f64] {
    match metric {
        "workflow_endtoend_latency" => &[
            100.0,
            500.0,
            1000.0,
            1500.0,
            2000.0,
            5000.0,
            10_000.0,
            30_000.0,
            60_000.0,
            120_000.0,
            300_000.0,
            600_000.0,
            1_800_000.0,
            3_600_000.0,
            30_600_000.0,
            86_400_000.0,
        ],
        "workflow_task_execution_latency" | "workflow_task_replay_latency" => {
            &[1.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
        }
        "activity_execution_latency" => &[50.0, 100.0, 500.0, 1000.0, 5000.0, 10_000.0, 60_000.0],
        "workflow_task_schedule_to_start_latency" | "activity_schedule_to_start_latency" => {
            &[100.0, 500.0, 1000.0, 5000.0, 10_000.0, 100_000.0, 1_000_000.0]
        }
        _ => &[50.0, 100.0, 500.0, 1000.0, 2500.0, 10_000.0],
    }
}
