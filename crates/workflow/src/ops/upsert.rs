//! Changing what the server knows of this run: search attributes and memo.

use std::panic::Location;

use serde::Serialize;
use stead_activation::{Command, PayloadMap};
use stead_data::{SearchAttributeUpdate, SearchAttributes};

use crate::context;
use crate::error;

/// Sets and removes search attributes of this workflow. What it knows of them changes at once.
///
/// ```
/// use stead_data::{Keyword, SearchAttribute};
/// use stead_workflow as workflow;
///
/// const STATUS: SearchAttribute<Keyword> = SearchAttribute::new("Status");
///
/// async fn run() -> workflow::Result<()> {
///     workflow::upsert_search_attributes([STATUS.set("shipped")]);
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions.
#[track_caller]
pub fn upsert_search_attributes(updates: impl IntoIterator<Item = SearchAttributeUpdate>) {
    let runtime = context::current();
    runtime.assert_writable("upsert search attributes");
    let updates: Vec<_> = updates.into_iter().collect();
    if updates.iter().any(|update| update.name() == PATCHES) && !runtime.moment().is_replaying {
        tracing::warn!(
            target: "stead::workflow",
            workflow_id = runtime.info().workflow_id(),
            "the search attribute {PATCHES} lists the patches of a workflow: setting it from its code has no effect"
        );
    }
    runtime.update_info(|info| {
        info.update_search_attributes(|known| {
            let mut attributes = SearchAttributes::from_payloads(std::mem::take(known));
            attributes.apply(updates.iter().cloned());
            *known = attributes.into_payloads();
        });
    });
    let entries = updates.into_iter().map(SearchAttributeUpdate::into_entry).collect();
    runtime.issue(Command::UpsertSearchAttributes(entries), Location::caller());
}

/// The search attribute that the SDK keeps by itself.
const PATCHES: &str = "TemporalChangeVersion";

/// The search attributes of this workflow, with those that it has set itself.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn search_attributes() -> SearchAttributes {
    SearchAttributes::from_payloads(context::current().info().search_attributes().clone())
}

/// Sets or removes (`None`) a field of this workflow's memo. What [`memo`](crate::memo) reads changes at once.
///
/// ```
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     workflow::upsert_memo("step", &Some("packing"));
///     workflow::upsert_memo("note", &None::<String>);
///     Ok(())
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions.
#[track_caller]
pub fn upsert_memo<T: Serialize + ?Sized>(key: impl Into<String>, value: &T) {
    let runtime = context::current();
    runtime.assert_writable("upsert the memo");
    let key = key.into();
    let payload = match runtime.converter().to_payload(value) {
        Ok(payload) => payload,
        Err(problem) => {
            return runtime
                .fail_task(error::conversion(&format!("Failed encoding the memo's value `{key}`"), &problem));
        }
    };
    let is_nothing = payload.metadata.get("encoding").is_some_and(|encoding| &**encoding == b"binary/null");
    runtime.update_info(|info| {
        info.update_memo(|known| match is_nothing {
            true => drop(known.remove(&key)),
            false => drop(known.insert(key.clone(), payload.clone())),
        });
    });
    runtime.issue(Command::UpsertMemo(PayloadMap::from([(key, payload)])), Location::caller());
}
