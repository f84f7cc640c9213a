//! More tasks in one run.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::context;

/// Runs `future` as another task of this run, next to `run` and the handlers.
///
/// It is polled first when the current task waits, and takes its turn after the tasks that were there before it. It ends
/// with the run. In a [`shield`](crate::shield) the task is shielded too. Keep the handle to await the value, or drop
/// it: the task goes on.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn run() -> workflow::Result<u32> {
///     let slow = workflow::spawn(async {
///         workflow::sleep(Duration::from_secs(60)).await?;
///         Ok::<_, workflow::Error>(7)
///     });
///     workflow::sleep(Duration::from_secs(30)).await?;
///     slow.await
/// }
/// ```
///
/// # Panics
///
/// Outside of workflow code; in queries, validators and conditions.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let runtime = context::current();
    runtime.assert_writable("spawn a task");
    let result = Rc::new(RefCell::new(TaskResult::Pending(None)));
    let task = {
        let result = Rc::clone(&result);
        async move {
            let value = future.await;
            let before = result.replace(TaskResult::Ready(value));
            before.wake();
        }
    };
    runtime.spawn(Box::pin(task));
    JoinHandle { result }
}

/// The value of a task to come; made by [`spawn`].
pub struct JoinHandle<T> {
    result: Rc<RefCell<TaskResult<T>>>,
}

enum TaskResult<T> {
    Pending(Option<Waker>),
    Ready(T),
    Taken,
}

impl<T> JoinHandle<T> {
    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.result.borrow(), TaskResult::Pending(_))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut result = self.result.borrow_mut();
        match std::mem::replace(&mut *result, TaskResult::Taken) {
            TaskResult::Ready(value) => Poll::Ready(value),
            TaskResult::Pending(_) => {
                *result = TaskResult::Pending(Some(cx.waker().clone()));
                Poll::Pending
            }
            TaskResult::Taken => panic!("a task's handle was polled after it had given its value"),
        }
    }
}

impl<T> TaskResult<T> {
    fn wake(self) {
        if let Self::Pending(Some(waker)) = self {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("is_finished", &self.is_finished()).finish()
    }
}
