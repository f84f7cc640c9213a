//! What the examples share.

use stead::{Client, Server};

/// A client of the server that `TEMPORAL_ADDRESS` names; without it, of a new one in this process, which lives as long
/// as what is returned with the client.
///
/// # Errors
///
/// If the server is not reached, or does not start.
pub async fn connect() -> stead::Result<(Client, Option<Server>)> {
    if std::env::var_os("TEMPORAL_ADDRESS").is_some() {
        return Ok((Client::from_env().await?, None));
    }
    let server = Server::in_memory().start().await?;
    let client = Client::with_service(server.service()).await?;
    Ok((client, Some(server)))
}
