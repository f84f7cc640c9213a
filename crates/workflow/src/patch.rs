//! Changing the code of workflows that are running.

use std::collections::BTreeMap;
use std::panic::Location;

use stead_activation::{CallSite, Command};

use crate::context;
use crate::runtime::Runtime;

/// Whether this run takes the new path of a change called `id`.
///
/// `true` for runs that get here for the first time with the new code, which is recorded in history; `false` for runs
/// whose history passed here before the change. The answer for an id stays the same within a run.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn pause() -> workflow::Result<()> {
///     let hours = if workflow::patched("shorter-pause") { 1 } else { 24 };
///     Ok(workflow::sleep(Duration::from_secs(hours * 3600)).await?)
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions, unless the code of the workflow has asked before.
#[track_caller]
pub fn patched(id: &str) -> bool {
    decide(&context::current(), id, false, Location::caller())
}

/// Says that the old path of the change called `id` is gone from the code.
///
/// Put it where [`patched`] was, once no run is left that took the old path. Remove it once no run is left whose history
/// has the marker.
///
/// # Panics
///
/// As [`patched`] does.
#[track_caller]
pub fn deprecate_patch(id: &str) {
    decide(&context::current(), id, true, Location::caller());
}

#[track_caller]
fn decide(runtime: &Runtime, id: &str, deprecated: bool, at: CallSite) -> bool {
    let is_replaying = runtime.moment().is_replaying;
    let mut patches = runtime.patches().borrow_mut();
    let known = patches.0.get(id).copied();
    if let Some(Patch::Decided(taken)) = known {
        return taken;
    }
    let taken = !is_replaying || known == Some(Patch::Recorded);
    runtime.assert_writable("decide on a patch");
    patches.0.insert(id.into(), Patch::Decided(taken));
    if taken {
        runtime.issue(Command::SetPatch { id: id.to_owned(), deprecated }, at);
    }
    taken
}

/// What is known of each patch.
pub(crate) struct Patches(BTreeMap<Box<str>, Patch>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patch {
    /// History holds its marker.
    Recorded,
    /// The code has asked and got this answer.
    Decided(bool),
}

impl Patches {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// History holds the marker of this patch.
    pub(crate) fn recorded(&mut self, id: String) {
        self.0.entry(id.into_boxed_str()).or_insert(Patch::Recorded);
    }
}
