//! The warning about handlers that still run when their workflow ends.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::call::HandlerCall;
use crate::runtime::Runtime;

/// Warns of the handlers that the end of the run stopped, unless their definitions say that it does not matter.
pub(crate) fn warn(runtime: &Runtime, stopped: &[Rc<HandlerCall>]) {
    if runtime.moment().is_replaying {
        return;
    }
    let calls = || stopped.iter().filter(|call| call.is_to_be_warned_of());
    let updates: Vec<_> = calls().filter_map(|call| Some((call.name(), call.update_id()?))).collect();
    let mut signals = BTreeMap::<_, usize>::new();
    for call in calls().filter(|call| call.update_id().is_none()) {
        *signals.entry(call.name()).or_default() += 1;
    }
    let info = runtime.info();
    let (workflow_id, run_id, workflow_type) = (info.workflow_id(), info.run_id(), info.workflow_type());
    if !updates.is_empty() {
        let handlers = list(updates.iter().map(|(name, id)| format!("{{\"name\":{name:?},\"id\":{id:?}}}")));
        tracing::warn!(
            target: "stead::workflow", workflow_id, run_id, workflow_type, handlers,
            "[TMPRL1102] the workflow finished while update handlers were still running: what they were at may be half \
             done, and their callers get an error; await `workflow::all_handlers_finished()` before `run` returns, or \
             silence this with `#[update(unfinished = abandon)]`",
        );
    }
    if !signals.is_empty() {
        let handlers = list(signals.iter().map(|(name, count)| format!("{{\"name\":{name:?},\"count\":{count}}}")));
        tracing::warn!(
            target: "stead::workflow", workflow_id, run_id, workflow_type, handlers,
            "[TMPRL1102] the workflow finished while signal handlers were still running: what they were at may be half \
             done; await `workflow::all_handlers_finished()` before `run` returns, or silence this with \
             `#[signal(unfinished = abandon)]`",
        );
    }
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(","))
}
