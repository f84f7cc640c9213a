//! What Temporal's users set by `--dynamic-config-value KEY=VALUE`, as far as there is something to set here.

use stead_server::engine::Limits;

/// One of them, as it was given.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    key: String,
    value: String,
}

impl Setting {
    /// Reads `KEY=VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("say KEY=VALUE, such as limit.historyCount.error=1000")?;
        // Temporal's CLI reads values as JSON, and its server compares keys without regard to case.
        Ok(Self { key: key.trim().to_owned(), value: value.trim().trim_matches('"').to_owned() })
    }

    /// Sets it. What there is to say about it, if it changes nothing.
    pub(crate) fn apply(&self, limits: &mut Limits) -> Result<Option<String>, String> {
        let Self { key, value } = self;
        let wrong = |kind: &str| format!("dynamic configuration `{key}`: `{value}` is not {kind}");
        if let Some(set) = limit(key) {
            let number = value.parse().ok().filter(|number| *number > 0);
            set(limits, number.ok_or_else(|| wrong("a number from 1 on"))?);
            return Ok(None);
        }
        let Some((_, is)) = FIXED.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)) else {
            return Ok(Some(format!("dynamic configuration `{key}` has no effect: this server has no such setting")));
        };
        let asked: bool = value.to_ascii_lowercase().parse().map_err(|_| wrong("`true` or `false`"))?;
        Ok((asked != *is)
            .then(|| format!("dynamic configuration `{key}={asked}` has no effect: it is always {is} here")))
    }
}

/// What of the features that Temporal's server can switch is always so here.
const FIXED: [(&str, bool); 17] = [
    ("activity.enableCallbacks", true),
    ("activity.enableStandalone", true),
    ("activity.startDelayEnabled", true),
    ("component.nexusoperations.recordCancelRequestCompletionEvents", true),
    ("frontend.activityAPIsEnabled", true),
    ("frontend.enableCancelWorkerPollsOnShutdown", true),
    ("frontend.enableExecuteMultiOperation", true),
    ("frontend.enableServerVersionCheck", false),
    ("frontend.enableUpdateWorkflowExecution", true),
    ("frontend.enableUpdateWorkflowExecutionAsyncAccepted", true),
    ("frontend.workerVersioningDataAPIs", true),
    ("frontend.workerVersioningWorkflowAPIs", true),
    ("frontend.WorkflowTimeSkippingEnabled", true),
    ("nexusoperation.enableStandalone", true),
    ("system.enableDeploymentVersions", true),
    ("system.enableEagerWorkflowStart", true),
    ("system.forceSearchAttributesCacheRefreshOnRead", true),
];

type Set = fn(&mut Limits, u32);

/// How the limit of this name is set.
fn limit(key: &str) -> Option<Set> {
    const LIMITS: [(&str, Set); 19] = [
        ("component.nexusoperations.limit.operation.concurrency", |limits, n| limits.nexus_operations = count(n)),
        ("frontend.historyMaxPageSize", |limits, n| limits.history_page = count(n)),
        ("frontend.MaxConcurrentBatchOperationPerNamespace", |limits, n| limits.batch_operations = count(n)),
        ("history.maxInFlightUpdatePayloads", |limits, n| limits.updates_size = count(n)),
        ("history.maxInFlightUpdates", |limits, n| limits.updates_in_flight = count(n)),
        ("history.maximumBufferedEventsBatch", |limits, n| limits.buffered_events = count(n)),
        ("history.maximumSignalsPerExecution", |limits, n| limits.signals = count(n)),
        ("history.maxTotalUpdates", |limits, n| limits.updates_total = count(n)),
        ("limit.blobSize.error", |limits, n| limits.blob = count(n)),
        ("limit.historyCount.error", |limits, n| limits.history_events = n.into()),
        ("limit.historyCount.suggestContinueAsNew", |limits, n| limits.history_events_suggest = n.into()),
        ("limit.historySize.error", |limits, n| limits.history_size = count(n)),
        ("limit.historySize.suggestContinueAsNew", |limits, n| limits.history_size_suggest = count(n)),
        ("limit.maxIDLength", |limits, n| limits.id_length = count(n)),
        ("limit.memoSize.error", |limits, n| limits.memo = count(n)),
        // Here they are one.
        ("limit.numPendingActivities.error", |limits, n| limits.pending = count(n)),
        ("limit.numPendingCancelRequests.error", |limits, n| limits.pending = count(n)),
        ("limit.numPendingChildExecutions.error", |limits, n| limits.pending = count(n)),
        ("limit.numPendingSignals.error", |limits, n| limits.pending = count(n)),
    ];
    LIMITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, set)| *set)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str, limits: &mut Limits) -> Result<Option<String>, String> {
        Setting::parse(text).unwrap().apply(limits)
    }

    #[test]
    fn a_limit_is_set_whatever_the_case_of_its_name() {
        let mut limits = Limits::default();
        assert_eq!(applied("limit.historycount.suggestcontinueasnew=50", &mut limits), Ok(None));
        assert_eq!(limits.history_events_suggest, 50);
        for wrong in ["limit.historyCount.error=many", "limit.historyCount.error=0", "limit.historyCount.error=-1"] {
            assert!(applied(wrong, &mut limits).unwrap_err().contains("`limit.historyCount.error`"));
        }
        assert_eq!(limits.history_events, Limits::default().history_events);
    }

    #[test]
    fn what_is_always_so_needs_no_word_and_all_else_gets_one() {
        let said = |text| applied(text, &mut Limits::default()).unwrap().unwrap_or_default();
        assert_eq!(said("frontend.enableServerVersionCheck=false"), "");
        assert_eq!(said("system.enableEagerWorkflowStart=\"true\""), "");
        assert!(said("system.enableEagerWorkflowStart=false").ends_with("it is always true here"));
        assert!(said("history.shards=4").contains("`history.shards` has no effect"));
        assert!(Setting::parse("history.shards").is_err());
    }
}
