//! Ways to the server: lazily, through a proxy, to all addresses of a name; and its health.

use stead::client::{CallOptions, Client, DnsLoadBalancing, HttpProxy};
use stead::prelude::*;
use stead_tests::{Env, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Echo;

#[workflow]
impl Echo {
    #[run]
    async fn run(&self, text: String) -> workflow::Result<String> {
        Ok(text)
    }
}

/// Runs a workflow, with the client for everything.
async fn echoes(env: &Env, client: &Client) {
    let queue = format!("{}-echo", env.task_queue);
    let worker = Worker::builder(client, &queue).workflow::<Echo>().build().unwrap();
    let work = async {
        let echo = client.execute_workflow(Echo::run, "there").id(env.id("echo")).task_queue(&queue);
        assert_eq!(echo.await.unwrap(), "there");
    };
    worker.run_while(work).await.unwrap();
}

#[tokio::test]
async fn a_worker_runs_on_a_client_that_connects_when_it_is_needed() {
    let env = Env::new().await;
    let client = Client::connect(server()).lazy().await.unwrap();
    assert!(client.connection().capabilities().is_none());
    echoes(&env, &client).await;
}

#[tokio::test]
async fn client_and_worker_go_through_a_proxy() {
    let env = Env::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = HttpProxy::new(listener.local_addr().unwrap().to_string());
    let relaying = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(relay(stream));
        }
    });
    let client = Client::connect(server()).http_proxy(proxy).await.unwrap();
    echoes(&env, &client).await;
    relaying.abort();
}

async fn relay(mut client: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let mut server = TcpStream::connect(target).await.unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    // It ends when one of the two does.
    let _ended = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn client_and_worker_take_turns_among_the_addresses_of_a_name() {
    let env = Env::new().await;
    let balancing = DnsLoadBalancing::default().interval(millis(20));
    let client = Client::connect(server()).dns_load_balancing(balancing).await.unwrap();
    echoes(&env, &client).await;
    let error = Client::connect("no-such-host.invalid:7233").dns_load_balancing(balancing).await.unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[tokio::test]
async fn a_server_says_that_it_is_well() {
    let env = Env::new().await;
    assert!(env.client.connection().check_health(CallOptions::new()).await.unwrap());
}
