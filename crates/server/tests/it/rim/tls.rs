//! Connections that are encrypted, and clients that show who they are.

use std::time::Duration;

use stead_client::{Client, ConnectError, RetryOptions, Tls as ClientTls};
use stead_server::{Server, StartError, Tls, TlsPart};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::describe;

async fn listening(tls: Tls) -> (Server, String) {
    let server = Server::in_memory().listen(0).tls(tls).start().await.unwrap();
    let address = server.address().unwrap().to_string();
    (server, address)
}

/// A client that trusts the server of these tests.
fn trusting() -> ClientTls {
    ClientTls::new().ca_certificate(CA).server_name("temporal.test")
}

async fn connect(address: &str, tls: impl Into<stead_client::TlsMode>) -> Result<Client, ConnectError> {
    let once = RetryOptions::default().max_attempts(1);
    Client::connect(address).tls(tls).retry(once).connect_timeout(Duration::from_secs(60)).await
}

#[tokio::test]
async fn a_client_that_trusts_the_server_is_served_over_tls() {
    let (server, address) = listening(Tls::new(SERVER, SERVER_KEY)).await;
    let client = connect(&address, trusting()).await.unwrap();
    assert_eq!(describe(&client, "default").await.unwrap(), "default");
    server.shutdown().await;
}

#[tokio::test]
async fn whoever_speaks_plainly_to_an_encrypted_port_is_not_served_and_the_next_one_is() {
    let (_server, address) = listening(Tls::new(SERVER, SERVER_KEY)).await;
    assert!(connect(&address, false).await.is_err());
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    // It ends, by a close or by a reset.
    let _ = stream.read_to_end(&mut Vec::new()).await;
    let client = connect(&address, trusting()).await.unwrap();
    assert_eq!(describe(&client, "default").await.unwrap(), "default");
}

#[tokio::test]
async fn peers_that_do_not_shake_hands_do_not_hold_the_server_up() {
    let (server, address) = listening(Tls::new(SERVER, SERVER_KEY)).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&address).await.unwrap());
    }
    let client = connect(&address, trusting()).await.unwrap();
    assert_eq!(describe(&client, "default").await.unwrap(), "default");
    drop(client);
    server.shutdown().await;
    for mut stream in silent {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

#[tokio::test]
async fn only_clients_of_the_authority_are_served_with_mutual_tls() {
    let (_server, address) = listening(Tls::new(SERVER, SERVER_KEY).client_ca(CA)).await;
    let known = trusting().client_certificate(CLIENT, CLIENT_KEY);
    let client = connect(&address, known).await.unwrap();
    assert_eq!(describe(&client, "default").await.unwrap(), "default");
    let error = connect(&address, trusting()).await.unwrap_err();
    assert!(format!("{error:?}").contains("CertificateRequired"), "{error:?}");
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused() {
    let (_server, address) = listening(Tls::new(SERVER, SERVER_KEY).client_ca(SERVER)).await;
    let error = connect(&address, trusting().client_certificate(CLIENT, CLIENT_KEY)).await.unwrap_err();
    assert!(format!("{error:?}").contains("UnknownCA"), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_used_is_named_at_the_start_and_no_key_is_shown() {
    let none = "no PEM section";
    let wrong: [(Tls, TlsPart, &str); 6] = [
        (Tls::new("sentinel", SERVER_KEY), TlsPart::Certificate, none),
        (Tls::new(SERVER_KEY, SERVER_KEY), TlsPart::Certificate, none),
        (Tls::new(SERVER, "sentinel"), TlsPart::Key, none),
        (Tls::new(SERVER, CLIENT_KEY), TlsPart::Key, "not the key of the certificate"),
        (Tls::new(SERVER, SERVER_KEY).client_ca("sentinel"), TlsPart::ClientCa, none),
        (Tls::new("-----BEGIN CERTIFICATE-----\nsentinel", SERVER_KEY), TlsPart::Certificate, "no PEM"),
    ];
    for (tls, part, reason) in wrong {
        let builder = Server::in_memory().listen(0).tls(tls);
        assert!(!format!("{builder:?}").contains("sentinel"));
        let error = builder.start().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("sentinel"), "{error}");
        let StartError::Tls(error) = error else { panic!("{error:?}") };
        assert_eq!(error.part, part, "{error}");
        assert!(error.reason.contains(reason), "{error}");
    }
}

// Made for tests: a certificate authority whose key is gone, and what it signed.
const CA: &[u8] = include_bytes!("../../../../client/tests/it/certificates/ca.pem");
const SERVER: &[u8] = include_bytes!("../../../../client/tests/it/certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../../../client/tests/it/certificates/server.key");
const CLIENT: &[u8] = include_bytes!("../../../../client/tests/it/certificates/client.pem");
const CLIENT_KEY: &[u8] = include_bytes!("../../../../client/tests/it/certificates/client.key");
