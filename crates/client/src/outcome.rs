//! Waiting for how something that no workflow has called ends.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep_until};
use tonic::Code;

use crate::connection::RpcError;

/// From one question to the next, if the server has no news and does not wait for any.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Asks until there is an outcome: a server ends questions that have waited long, and so does the deadline.
pub(crate) async fn wait_for<A, T, F>(ask: impl Fn() -> F, outcome_of: impl Fn(A) -> Option<T>) -> Result<T, RpcError>
where
    F: Future<Output = Result<A, RpcError>>,
{
    loop {
        let soonest = Instant::now() + MIN_INTERVAL;
        match ask().await.map(&outcome_of) {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => {}
            Err(error) if error.code() == Code::DeadlineExceeded => {}
            Err(error) => return Err(error),
        }
        sleep_until(soonest).await;
    }
}
