//! Groups of events, for people who look at histories.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use stead_activation::EventGroupMarker;
use stead_activation::event_group_marker::{Label, Variant};

use crate::context;
use crate::error;
use crate::scope::{self, Scope};

/// Names a group of events: what is asked for while a future [runs](EventGroup::run) in it is shown together. A label for
/// people, and an id that is the label unless another is given.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<()> {
///     let packing = workflow::event_group("packing");
///     packing.run(workflow::sleep(Duration::from_secs(60))).await?;
///     Ok(())
/// }
/// ```
///
/// Groups nest, and tasks that are spawned inside are in them. What runs in a [`shield`](crate::shield) is in the groups
/// inside of the shield alone, and local activities are in none.
pub fn event_group(label: impl Into<String>) -> EventGroup {
    EventGroup { id: None, label: label.into() }
}

/// See [`event_group`].
#[derive(Debug, Clone)]
#[must_use = "a group has no effect unless something runs in it"]
pub struct EventGroup {
    id: Option<String>,
    label: String,
}

impl EventGroup {
    /// What tells the group from others with the same label.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Runs `future` in the group. What is asked for in several runs is in the same group.
    ///
    /// # Panics
    ///
    /// Outside of workflow code.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let group = self.clone();
        async move {
            let scope = context::current().current_scope().grouped(group.marker());
            let mut future = pin!(future);
            poll_fn(|cx| {
                let runtime = context::current();
                let _scope = scope::enter(&runtime, Scope::Inner(Rc::clone(&scope)));
                future.as_mut().poll(cx)
            })
            .await
        }
    }

    fn marker(&self) -> EventGroupMarker {
        let runtime = context::current();
        let label = runtime.converter().to_payload(&self.label);
        let label = label.map_err(|problem| {
            runtime.fail_task(error::conversion("Failed encoding the label of a group", &problem));
        });
        let id = self.id.clone().unwrap_or_else(|| self.label.clone());
        EventGroupMarker { variant: Some(Variant::Label(Label { id, label: label.ok() })) }
    }
}
