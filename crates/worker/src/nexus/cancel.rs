//! Cancelling an operation whose handler says nothing of it: what is behind the operation is cancelled.

use std::sync::Arc;

use stead_client::Client;
use stead_nexus::{Backing, Cancel, Error, HandlerErrorKind, Implementation, InvalidToken, OperationToken};

use crate::shared::Shared;

pub(super) fn default(shared: &Arc<Shared>) -> Cancel {
    let client = shared.client.subscribe();
    Implementation::asynchronous(move |token| {
        let client = client.borrow().clone();
        Box::pin(async move { cancel(&client, &token).await })
    })
}

async fn cancel(client: &Client, token: &OperationToken) -> stead_nexus::Result<()> {
    let backing = token.backing().map_err(|error: InvalidToken| {
        let message = "the token of the operation does not say what is behind it, and its handler has nothing that \
                       cancels it";
        Error::handler(HandlerErrorKind::NotFound, message).cause(error)
    })?;
    match backing {
        Backing::Workflow { namespace, workflow_id } => {
            client_of(client, &namespace)?.workflow_named(workflow_id).cancel().await?;
        }
        Backing::Activity { namespace, activity_id, run_id } => {
            let activity = client_of(client, &namespace)?.activity::<stead_data::Raw>(activity_id);
            let activity = match run_id {
                Some(run_id) => activity.with_run_id(run_id),
                None => activity,
            };
            activity.cancel().await?;
        }
        _ => {
            let message = "an update cannot be cancelled from outside: name what cancels the operation in its handler, \
                           `#[operation(cancel = ..)]`";
            return Err(Error::handler(HandlerErrorKind::NotImplemented, message));
        }
    }
    Ok(())
}

/// A handler cancels what it has started, and that is in its own namespace.
fn client_of<'a>(client: &'a Client, namespace: &str) -> Result<&'a Client, Error> {
    if client.namespace() == namespace {
        return Ok(client);
    }
    let message = format!("the token is of the namespace {namespace}, and this worker's is {}", client.namespace());
    Err(Error::handler(HandlerErrorKind::NotFound, message))
}
