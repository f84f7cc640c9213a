//! [`ActivityHandle`]: an activity that no workflow started, from outside.

use std::{fmt, marker::PhantomData};

use serde::de::DeserializeOwned;

use super::{
    ActivityError, ActivityResult, CancelActivity, DescribeActivity, PauseActivity, ResetActivity, TerminateActivity,
    UnpauseActivity, UpdateActivityOptions,
};
use crate::{activity::AsyncActivity, client::Client, connection::RpcError};

/// An activity that no workflow started, from outside: await, describe, cancel, terminate, pause it. Cheap to clone.
///
/// A handle that came of starting an activity, or of [`with_run_id`](Self::with_run_id), means that run; one of
/// [`Client::activity`] whichever was started last with its id.
pub struct ActivityHandle<O> {
    client: Client,
    id: String,
    run_id: Option<String>,
    output: PhantomData<fn() -> O>,
}

impl<O> ActivityHandle<O> {
    pub(crate) fn new(client: Client, id: String, run_id: Option<String>) -> Self {
        Self { client, id, run_id, output: PhantomData }
    }

    /// The activity's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The run that the handle means; `None` for the last.
    pub fn run_id(&self) -> Option<&str> {
        self.run_id.as_deref()
    }

    /// The client that the handle uses.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The same activity, kept to one run.
    #[must_use]
    pub fn with_run_id(&self, run_id: impl Into<String>) -> Self {
        Self::new(self.client.clone(), self.id.clone(), Some(run_id.into()))
    }

    /// Waits for the result as an `R`, whatever the handle's type says. See [`result`](Self::result).
    pub fn result_as<R: DeserializeOwned>(&self) -> ActivityResult<R> {
        ActivityResult::new(self.client.clone(), self.id.clone(), self.run_id.clone())
    }

    /// What the server knows of the activity.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn describe(&self) -> DescribeActivity {
        DescribeActivity::new(self.client.clone(), self.named())
    }

    /// Asks the activity to cancel itself; it hears of it with its next heartbeat.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn cancel(&self) -> CancelActivity {
        CancelActivity::new(self.client.clone(), self.named())
    }

    /// Ends the activity at once.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn terminate(&self) -> TerminateActivity {
        TerminateActivity::new(self.client.clone(), self.named())
    }

    /// Pauses the activity: no attempt starts until it is unpaused, and a running one is told.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn pause(&self) -> PauseActivity {
        PauseActivity::new(self.client.clone(), self.named())
    }

    /// Lets a paused activity go on.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn unpause(&self) -> UnpauseActivity {
        UnpauseActivity::new(self.client.clone(), self.named())
    }

    /// Makes the next attempt the first again.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn reset(&self) -> ResetActivity {
        ResetActivity::new(self.client.clone(), self.named())
    }

    /// Changes options of the activity while it runs: those that are set, and only those.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityError`](super::ActivityError).
    pub fn update_options(&self) -> UpdateActivityOptions {
        UpdateActivityOptions::new(self.client.clone(), self.named())
    }

    /// The activity as one that is completed from here, after its code has returned
    /// `Err(activity::Error::complete_async())`.
    pub fn completion(&self) -> AsyncActivity {
        let activity = AsyncActivity::by_id(self.client.clone(), String::new(), self.id.clone());
        activity.run(self.run_id.clone().unwrap_or_default())
    }

    fn named(&self) -> StandaloneActivity {
        StandaloneActivity { activity_id: self.id.clone(), run_id: self.run_id.clone() }
    }
}

impl<O: DeserializeOwned> ActivityHandle<O> {
    /// Waits until the activity has ended, and returns its result.
    ///
    /// # Errors
    ///
    /// At the await, see [`ActivityResultError`](super::ActivityResultError).
    pub fn result(&self) -> ActivityResult<O> {
        self.result_as()
    }
}

impl<O> Clone for ActivityHandle<O> {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), self.id.clone(), self.run_id.clone())
    }
}

impl<O> fmt::Debug for ActivityHandle<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityHandle").field("id", &self.id).field("run_id", &self.run_id).finish_non_exhaustive()
    }
}

/// An activity that no workflow started, as interceptors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StandaloneActivity {
    /// Its id.
    pub activity_id: String,
    /// The run; `None` for the last.
    pub run_id: Option<String>,
}

impl StandaloneActivity {
    /// What the server said of this activity, its error as the activity's.
    pub(super) fn answered<T>(&self, answer: Result<T, RpcError>) -> Result<T, ActivityError> {
        answer.map_err(|error| ActivityError::of_call(&self.activity_id, error))
    }
}
