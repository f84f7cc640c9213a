//! Sagas: what was done is undone if what follows fails.

use std::cell::RefCell;
use std::fmt;
use std::future::IntoFuture;

use stead_data::Failure;

use crate::definition::LocalBoxFuture;
use crate::error::{Error, Result};
use crate::scope::shield;

/// Runs `body`, and undoes what it has done if it fails or is cancelled: the compensations that it gave to the [`Saga`],
/// in reverse order, [shielded](shield) from cancellation. The result is the body's.
///
/// ```
/// use std::time::Duration;
/// use stead_workflow as workflow;
///
/// async fn journey() -> workflow::Result<()> {
///     workflow::saga(async |saga| {
///         for what in ["flight", "hotel", "car"] {
///             let limit = Duration::from_secs(10);
///             workflow::activity_named::<()>("book", what).start_to_close(limit).await?;
///             saga.undo_by(workflow::activity_named::<()>("give-back", what).start_to_close(limit));
///         }
///         Ok(())
///     })
///     .await
/// }
/// ```
///
/// A compensation that fails does not keep the others from running. The result is then a failure of type
/// `CompensationFailed`, which says what had gone wrong before, with the compensation's failure as its cause.
///
/// [`continue_as_new`](crate::continue_as_new()) is no failure: nothing is undone, and the compensations are forgotten.
///
/// # Errors
///
/// Those of `body`, or of the compensations.
pub async fn saga<'a, T, F>(body: F) -> Result<T>
where
    F: AsyncFnOnce(&Saga<'a>) -> Result<T>,
{
    let saga = Saga::new();
    match body(&saga).await {
        Err(error) if error.failure().is_some() => Err(saga.undo_for(error).await),
        outcome => outcome,
    }
}

/// What has to be done to undo what was done. See [`saga`](saga()); one of its own is for code that decides by itself when
/// to [undo](Self::undo).
#[derive(Default)]
pub struct Saga<'a> {
    compensations: RefCell<Vec<LocalBoxFuture<'a, Result<()>>>>,
}

impl<'a> Saga<'a> {
    /// A saga with nothing to undo.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something was done, and this undoes it: a call that was not awaited, or an async block. Nothing of it runs unless
    /// it is needed.
    ///
    /// Give it before what it undoes is done, if that may have had an effect even though it failed.
    pub fn undo_by<C, T, E>(&self, compensation: C)
    where
        C: IntoFuture<Output = std::result::Result<T, E>>,
        C::IntoFuture: 'a,
        E: Into<Error>,
    {
        let compensation = compensation.into_future();
        let compensation = async move { compensation.await.map(drop).map_err(Into::into) };
        self.compensations.borrow_mut().push(Box::pin(compensation));
    }

    /// Runs the compensations, the last one first, shielded from cancellation, and forgets them. All of them run, whatever
    /// comes of each.
    ///
    /// # Errors
    ///
    /// That of the first one that failed.
    pub async fn undo(&self) -> Result<()> {
        shield(self.undo_all()).await.map_or(Ok(()), |(first, _)| Err(first))
    }

    /// The first error, if there is one, and how many there are.
    async fn undo_all(&self) -> Option<(Error, usize)> {
        let mut failed: Option<(Error, usize)> = None;
        while let Some(compensation) = self.next() {
            if let Err(error) = compensation.await {
                failed = match failed {
                    Some((first, count)) => Some((first, count + 1)),
                    None => Some((error, 1)),
                };
            }
        }
        failed
    }

    fn next(&self) -> Option<LocalBoxFuture<'a, Result<()>>> {
        self.compensations.borrow_mut().pop()
    }

    /// Undoes everything because of `error`; returns what is to be said of it.
    async fn undo_for(&self, error: Error) -> Error {
        let Some((first, count)) = shield(self.undo_all()).await else { return error };
        let failure = Failure::application(format!("{count} of the compensations failed after: {error}"));
        let cause = first.failure().cloned();
        let cause = cause.unwrap_or_else(|| Failure::application("Cannot continue as new from a compensation"));
        failure.type_name("CompensationFailed").cause(cause).into()
    }
}

impl fmt::Debug for Saga<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saga").field("compensations", &self.compensations.borrow().len()).finish()
    }
}
