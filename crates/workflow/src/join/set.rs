//! A set of tasks whose results come as they are ready.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::context;
use crate::definition::LocalBoxFuture;
use crate::error::Cancelled;
use crate::ops::wait::wait_until;
use crate::spawn::spawn;

/// A set of tasks of this workflow. Dropping it ends them, which cancels what they wait for.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<Vec<u64>> {
///     let mut naps = workflow::JoinSet::new();
///     for seconds in [3, 1, 2] {
///         naps.spawn(async move { workflow::sleep(Duration::from_secs(seconds)).await.map(|()| seconds) });
///     }
///     let mut order = Vec::new();
///     while let Some(nap) = naps.join_next().await? {
///         order.push(nap?);
///     }
///     Ok(order)
/// }
/// ```
pub struct JoinSet<T> {
    tasks: Vec<Rc<RefCell<Slot>>>,
    results: Rc<RefCell<VecDeque<T>>>,
    /// How many have not been joined.
    open: usize,
}

/// A task that can be ended from outside.
enum Slot {
    Waiting(LocalBoxFuture<'static, ()>, Option<Waker>),
    /// It is on the stack.
    Polled,
    Ended,
}

impl<T: 'static> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { tasks: Vec::new(), results: Rc::default(), open: 0 }
    }

    /// Adds a task, as [`spawn`](crate::spawn()) does.
    ///
    /// # Panics
    ///
    /// Outside of workflow code; in queries, validators and conditions.
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + 'static) {
        let results = Rc::clone(&self.results);
        let work = Box::pin(async move {
            let value = future.await;
            results.borrow_mut().push_back(value);
        });
        let slot = Rc::new(RefCell::new(Slot::Waiting(work, None)));
        self.tasks.retain(|task| !matches!(*task.borrow(), Slot::Ended));
        self.tasks.push(Rc::clone(&slot));
        self.open += 1;
        drop(spawn(poll_fn(move |cx| poll(&slot, cx))));
    }

    /// How many tasks have not been joined.
    pub fn len(&self) -> usize {
        self.open
    }

    /// Whether every task has been joined.
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// The result of the next task that ends, in the order in which they do. `None` if there is none left.
    ///
    /// # Errors
    ///
    /// If cancellation was requested first. The tasks hear of it too, so asking again in a
    /// [`shield`](crate::shield) tells how they ended.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped has taken no result.
    pub async fn join_next(&mut self) -> Result<Option<T>, Cancelled> {
        if self.open == 0 {
            return Ok(None);
        }
        wait_until(|| !self.results.borrow().is_empty()).await?;
        let result = self.results.borrow_mut().pop_front();
        self.open -= usize::from(result.is_some());
        Ok(result)
    }

    /// Ends all tasks. What they wait for is cancelled, and their results never come; those that came stay.
    pub fn abort_all(&mut self) {
        end(&mut self.tasks);
        self.open = self.results.borrow().len();
    }
}

fn poll(slot: &RefCell<Slot>, cx: &std::task::Context<'_>) -> Poll<()> {
    let Slot::Waiting(mut future, _) = slot.replace(Slot::Polled) else {
        slot.replace(Slot::Ended);
        return Poll::Ready(());
    };
    let polled = future.as_mut().poll(&mut std::task::Context::from_waker(cx.waker()));
    let mut slot = slot.borrow_mut();
    if polled.is_ready() || matches!(*slot, Slot::Ended) {
        *slot = Slot::Ended;
        return Poll::Ready(());
    }
    *slot = Slot::Waiting(future, Some(cx.waker().clone()));
    Poll::Pending
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        end(&mut self.tasks);
    }
}

/// Drops what the tasks do. Each looks up, sees that it is over, and leaves the executor; where the run is being dropped
/// nobody has to.
fn end(tasks: &mut Vec<Rc<RefCell<Slot>>>) {
    let is_inside = context::try_current().is_some();
    for task in tasks.drain(..) {
        if let Slot::Waiting(_, Some(waker)) = task.replace(Slot::Ended)
            && is_inside
        {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.open).finish()
    }
}
