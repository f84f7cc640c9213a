//! The call of a handler that is running: what its tasks know of it.

use std::cell::Cell;
use std::rc::Rc;

use crate::context;
use crate::definition::UnfinishedPolicy;
use crate::runtime::Runtime;

/// A signal or an update that a handler was called for. The tasks that the handler spawns share it.
#[derive(Debug)]
pub(crate) struct HandlerCall {
    name: Box<str>,
    unfinished: Cell<UnfinishedPolicy>,
    update: Option<Ids>,
}

#[derive(Debug)]
struct Ids {
    id: Box<str>,
    protocol_instance_id: Box<str>,
}

impl HandlerCall {
    pub(crate) fn signal(name: String, unfinished: UnfinishedPolicy) -> Rc<Self> {
        Rc::new(Self { name: name.into(), unfinished: Cell::new(unfinished), update: None })
    }

    /// Of an update whose handler has not been looked up.
    pub(crate) fn update(name: String, id: String, protocol_instance_id: String) -> Rc<Self> {
        let update = Ids { id: id.into(), protocol_instance_id: protocol_instance_id.into() };
        Rc::new(Self { name: name.into(), unfinished: Cell::default(), update: Some(update) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The id that the caller gave an update; `None` for a signal.
    pub(crate) fn update_id(&self) -> Option<&str> {
        self.update.as_ref().map(|update| &*update.id)
    }

    /// What the answer to an update names it by; empty for a signal.
    pub(crate) fn protocol_instance_id(&self) -> String {
        self.update.as_ref().map(|update| String::from(&*update.protocol_instance_id)).unwrap_or_default()
    }

    pub(crate) fn is_to_be_warned_of(&self) -> bool {
        self.unfinished.get() == UnfinishedPolicy::WarnAndAbandon
    }

    pub(crate) fn set_unfinished(&self, policy: UnfinishedPolicy) {
        self.unfinished.set(policy);
    }
}

/// The update whose handler, or validator, calls this, or spawned the task that does; `None` elsewhere.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn current_update() -> Option<UpdateInfo> {
    let call = context::current().call()?;
    Some(UpdateInfo { id: call.update_id()?.to_owned(), name: call.name().to_owned() })
}

/// Which update it is. See [`current_update`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateInfo {
    /// The id that its caller gave it.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Makes `call` the current one until the guard is dropped.
pub(crate) fn enter(runtime: &Runtime, call: Option<Rc<HandlerCall>>) -> Entered<'_> {
    Entered { runtime, outer: runtime.replace_call(call) }
}

pub(crate) struct Entered<'a> {
    runtime: &'a Runtime,
    outer: Option<Rc<HandlerCall>>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.runtime.replace_call(self.outer.take());
    }
}
