//! A server on SQLite.

use stead_server::Server;

use crate::live::Live;
use crate::support::complete_workflow;

#[tokio::test]
async fn a_server_goes_on_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.db");
    let live = Live::start(Server::sqlite(&path)).await;
    live.start_workflow("w").await.unwrap();
    drop(live);
    let live = Live::start(Server::sqlite(&path)).await;
    live.step(vec![complete_workflow()]).await;
    live.closed("w").await;
    live.server.shutdown().await;
    let live = Live::start(Server::sqlite(&path)).await;
    assert_eq!(live.events("w").await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_file_that_another_server_uses_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.db");
    let first = Server::sqlite(&path).start().await.unwrap();
    let error = Server::sqlite(&path).start().await.unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()) && error.contains("in use"), "{error}");
    first.shutdown().await;
    Server::sqlite(&path).start().await.unwrap();
}
