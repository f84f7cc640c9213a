//! Changing the code of workflows that are running.

use std::collections::BTreeMap;
use std::panic::Location;

use stead_activation::{CallSite, Command};

use crate::context;
use crate::info::Info;
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

/// Which version of a change this run takes: the newest one, for runs that get here for the first time; for others the
/// one that was the newest when they did, and the oldest for those that had passed here before there was a change. See
/// [`versioned!`](crate::versioned).
///
/// # Panics
///
/// As [`patched`] does.
#[track_caller]
pub fn version<V: Version>() -> V {
    let (runtime, at) = (context::current(), Location::caller());
    if let Some((version, _)) = V::NEWER.iter().rev().find(|(_, id)| decide(&runtime, id, false, at)) {
        return *version;
    }
    let (oldest, id) = V::OLDEST;
    if runtime.patches().borrow().0.contains_key(id) {
        // It was the newest once, and its marker is expected to be asked for.
        decide(&runtime, id, true, at);
    }
    oldest
}

/// The versions of a change to a workflow's code, from the oldest. Made by [`versioned!`](crate::versioned).
pub trait Version: Copy + Ord + 'static {
    /// The code as it was before, or the oldest that is still there, with the id of its patch.
    const OLDEST: (Self, &'static str);
    /// Those that came after it, with the ids of their patches.
    const NEWER: &'static [(Self, &'static str)];
}

/// Several versions of a change, side by side: the readable form of several [patches](patched).
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// workflow::versioned! {
///     /// How long a customer has to pay.
///     enum Patience { V1, V2, V3 }
/// }
///
/// async fn wait() -> workflow::Result<()> {
///     let hours = workflow::versioned!(Patience {
///         V1 => 24,
///         V2 => 48,
///         V3 => 1,
///     });
///     workflow::sleep(Duration::from_secs(hours * 3600)).await?;
///     if workflow::version::<Patience>() >= Patience::V2 {
///         workflow::sleep(Duration::from_secs(60)).await?;
///     }
///     Ok(())
/// }
/// ```
///
/// The first form names the versions from the oldest to the newest; what has not changed yet is the oldest. New runs take
/// the newest and record that; a run that has decided stays with its version, wherever it asks. The second form is a
/// `match` that must know all of them.
///
/// To add a version, add it at the end. Once no run is left that takes the oldest one, remove it at the front. The names
/// of enum and variants are in histories, as `Patience::V2`: renaming one is as good as removing it.
#[macro_export]
macro_rules! versioned {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $name:ident {
            $(#[$oldest_attribute:meta])* $oldest:ident
            $(, $(#[$newer_attribute:meta])* $newer:ident)*
            $(,)?
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $name {
            $(#[$oldest_attribute])*
            #[allow(dead_code)]
            $oldest,
            $($(#[$newer_attribute])* $newer,)*
        }

        impl $crate::Version for $name {
            const OLDEST: (Self, &'static str) =
                (Self::$oldest, ::core::concat!(::core::stringify!($name), "::", ::core::stringify!($oldest)));
            const NEWER: &'static [(Self, &'static str)] = &[
                $((Self::$newer, ::core::concat!(::core::stringify!($name), "::", ::core::stringify!($newer))),)*
            ];
        }
    };
    ($name:ident { $($($version:ident)|+ => $value:expr),+ $(,)? }) => {
        match $crate::version::<$name>() {
            $($($name::$version)|+ => $value,)+
        }
    };
}

#[track_caller]
fn decide(runtime: &Runtime, id: &str, deprecated: bool, at: CallSite) -> bool {
    let known = runtime.patches().borrow().0.get(id).copied();
    if let Some(Patch::Decided(taken)) = known {
        return taken;
    }
    runtime.assert_writable("decide on a patch");
    // After the end of the run nothing is recorded any more, and a replay would find nothing.
    let is_new = !runtime.moment().is_replaying && !runtime.is_finished();
    let taken = known == Some(Patch::Recorded) || is_new && (deprecated || runtime.activates_patch(id));
    runtime.patches().borrow_mut().0.insert(id.into(), Patch::Decided(taken));
    if taken {
        runtime.issue(Command::SetPatch { id: id.to_owned(), deprecated }, at);
    }
    taken
}

/// A patch that a run asks for the first time, of which history knows nothing: the worker may decline it, so that a change
/// is deployed to all workers before any run takes it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PatchActivation<'a> {
    /// Id of the patch.
    pub id: &'a str,
    /// The run.
    pub info: &'a Info,
}

/// Says whether a patch is taken.
pub type ActivatesPatch = dyn Fn(&PatchActivation<'_>) -> bool + Send + Sync;

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
