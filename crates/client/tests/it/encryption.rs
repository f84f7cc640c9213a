//! TLS, and what may not travel without it.

use std::{sync::Arc, time::Duration};

use stead_client::{Client, Connect, ConnectError, SetApiKeyError, Tls};
use tokio::{io::AsyncReadExt, net::TcpListener, task::JoinHandle};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

#[tokio::test]
async fn an_api_key_is_not_sent_in_plain_text() {
    for connect in
        [Client::connect("temporal.example.com:7233").tls(false), Client::connect("http://temporal.example.com:7233")]
    {
        let error = connect.api_key("sentinel").await.unwrap_err();
        assert!(matches!(&error, ConnectError::ApiKeyWithoutTls { .. }), "{error:?}");
        assert!(error.to_string().contains("temporal.example.com"), "{error}");
        assert!(!format!("{error} {error:?}").contains("sentinel"));
    }
}

#[tokio::test]
async fn an_api_key_may_be_sent_in_plain_text_to_this_machine() {
    Client::connect("localhost:7233").tls(false).api_key("key").lazy().await.unwrap();
}

#[tokio::test]
async fn a_plain_connection_does_not_take_an_api_key_later() {
    let client = Client::connect("temporal.example.com:7233").lazy().await.unwrap();
    let error = client.connection().set_api_key("sentinel").unwrap_err();
    assert!(matches!(error, SetApiKeyError::NotEncrypted { .. }));
    assert!(!error.to_string().contains("sentinel"));
}

#[tokio::test]
async fn an_api_key_turns_encryption_on() {
    assert_eq!(first_byte(|address| Client::connect(address).api_key("key")).await, TLS_HANDSHAKE);
}

#[tokio::test]
async fn an_https_address_turns_encryption_on() {
    assert_eq!(first_byte(|address| Client::connect(format!("https://{address}"))).await, TLS_HANDSHAKE);
}

#[tokio::test]
async fn without_either_the_connection_is_plain() {
    assert_eq!(first_byte(Client::connect).await, b'P', "the first letter of HTTP/2's preface");
}

#[tokio::test]
async fn certificates_that_are_none_are_refused() {
    let tls = Tls::new().client_certificate("not a certificate", "sentinel");
    let error = Client::connect("localhost:7233").tls(tls).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Tls { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("sentinel"));
}

#[tokio::test]
async fn the_server_is_known_by_its_certificate_and_the_client_by_its_own() {
    let tls = Tls::new().ca_certificate(CA).server_name("temporal.test").client_certificate(CLIENT, CLIENT_KEY);
    let (address, seen) = encrypted_server().await;
    let connecting = tokio::spawn(Client::connect(address).tls(tls).into_future());
    let handshake = seen.await.unwrap().unwrap();
    assert_eq!(handshake.protocol.as_deref(), Some(&b"h2"[..]));
    assert_eq!(handshake.client, [CertificateDer::from_pem_slice(CLIENT).unwrap()]);
    assert_eq!(&handshake.preface, b"PRI * HTTP/2.0");
    connecting.abort();
}

#[cfg(feature = "http1")]
#[tokio::test]
async fn a_post_over_http_1_is_encrypted_likewise() {
    let tls = Tls::new().ca_certificate(CA).server_name("temporal.test").client_certificate(CLIENT, CLIENT_KEY);
    let (address, seen) = encrypted_server().await;
    let mut posts = Client::connect(format!("{address}/v1/x")).tls(tls).api_key("key").into_http1().unwrap();
    let posting = tokio::spawn(async move { posts.post("/", "text/plain", "hello".into()).await });
    let handshake = seen.await.unwrap().unwrap();
    assert_eq!(handshake.protocol.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(handshake.client, [CertificateDer::from_pem_slice(CLIENT).unwrap()]);
    assert_eq!(&handshake.preface, b"POST /v1/x HTT");
    let error = posting.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("connection"), "{error}");
}

#[tokio::test]
async fn a_server_of_another_name_is_not_trusted() {
    let tls = Tls::new().ca_certificate(CA).server_name("other.test");
    let (address, _seen) = encrypted_server().await;
    let error = Client::connect(&address).tls(tls).connect_timeout(Duration::from_secs(30)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
}

#[tokio::test]
async fn a_server_with_a_certificate_of_nobody_is_not_trusted() {
    let (address, _seen) = encrypted_server().await;
    let error = Client::connect(&address).tls(Tls::new().ca_certificate(CLIENT)).await.unwrap_err();
    assert!(format!("{error:?}").contains("InvalidCertificate"), "{error:?}");
}

#[test]
fn keys_are_not_shown() {
    let shown = format!("{:?}", Tls::new().client_certificate("sentinel", "sentinel").server_name("temporal"));
    assert!(shown.contains("temporal") && !shown.contains("sentinel"), "{shown}");
}

#[tokio::test]
async fn the_name_in_the_certificate_may_be_another_than_the_one_asked_for() {
    let (address, seen) = encrypted_server().await;
    let tls = Tls::new().ca_certificate(CA).client_certificate(CLIENT, CLIENT_KEY).server_name("asked.test");
    let connecting = tokio::spawn(Client::connect(address).tls(tls.verified_name("temporal.test")).into_future());
    let handshake = seen.await.unwrap().unwrap();
    assert_eq!(handshake.asked_for.as_deref(), Some("asked.test"));
    connecting.abort();

    let (address, _seen) = encrypted_server().await;
    let tls = Tls::new().ca_certificate(CA).server_name("temporal.test").verified_name("other.test");
    let error = Client::connect(address).tls(tls).await.unwrap_err();
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_used_for_the_next_connection() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key, ca] = ["client.pem", "client.key", "ca.pem"].map(|name| folder.path().join(name));
    let write = |client: &[u8], client_key: &[u8]| {
        std::fs::write(&certificate, client).unwrap();
        std::fs::write(&key, client_key).unwrap();
    };
    write(CLIENT, CLIENT_KEY);
    std::fs::write(&ca, CA).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tls = Tls::new().ca_certificate_file(&ca).server_name("temporal.test");
    let tls = tls.client_certificate_files(&certificate, &key);
    let client = Client::connect(listener.local_addr().unwrap().to_string()).tls(tls).lazy().await.unwrap();
    let calling = tokio::spawn(async move { client.workflow_named("w").describe().await });

    // The call is tried again when its connection breaks.
    let acceptor = TlsAcceptor::from(Arc::new(server_config()));
    for (expected, next) in [(CLIENT, Some((RENEWED_CLIENT, RENEWED_CLIENT_KEY))), (RENEWED_CLIENT, None)] {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        stream.read_exact(&mut [0; 14]).await.unwrap();
        let seen = stream.get_ref().1.peer_certificates().unwrap().to_vec();
        assert_eq!(seen, [CertificateDer::from_pem_slice(expected).unwrap()]);
        if let Some((client, client_key)) = next {
            write(client, client_key);
        }
    }
    calling.abort();
}

#[tokio::test]
async fn certificates_in_files_that_are_not_there_are_named() {
    let tls = Tls::new().client_certificate_files("/no/such/client.pem", "/no/such/client.key");
    let error = Client::connect("localhost:7233").tls(tls).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Tls { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("/no/such/client.pem"), "{error:?}");
}

/// What a server learns from a client that connects.
struct Handshake {
    asked_for: Option<String>,
    protocol: Option<Vec<u8>>,
    client: Vec<CertificateDer<'static>>,
    preface: [u8; 14],
}

/// A server that takes one connection, of a client with a certificate.
async fn encrypted_server() -> (String, JoinHandle<std::io::Result<Handshake>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let acceptor = TlsAcceptor::from(Arc::new(server_config()));
    let seen = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = acceptor.accept(stream).await?;
        let mut preface = [0; 14];
        stream.read_exact(&mut preface).await?;
        let (_, connection) = stream.get_ref();
        Ok(Handshake {
            asked_for: connection.server_name().map(str::to_owned),
            protocol: connection.alpn_protocol().map(<[u8]>::to_vec),
            client: connection.peer_certificates().unwrap_or_default().to_vec(),
            preface,
        })
    });
    (address, seen)
}

fn server_config() -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in [CA, RENEWED_CA] {
        roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key);
    let mut config = config.unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// What a client sends first.
async fn first_byte(connect: impl FnOnce(String) -> Connect) -> u8 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connecting = tokio::spawn(connect(address).into_future());
    let (mut stream, _) = listener.accept().await.unwrap();
    let byte = stream.read_u8().await.unwrap();
    connecting.abort();
    byte
}

const TLS_HANDSHAKE: u8 = 0x16;

// Made for these tests: certificate authorities whose keys are gone, and what they signed.
const CA: &[u8] = include_bytes!("certificates/ca.pem");
const SERVER: &[u8] = include_bytes!("certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("certificates/server.key");
const CLIENT: &[u8] = include_bytes!("certificates/client.pem");
const CLIENT_KEY: &[u8] = include_bytes!("certificates/client.key");
const RENEWED_CA: &[u8] = include_bytes!("certificates/renewed-ca.pem");
const RENEWED_CLIENT: &[u8] = include_bytes!("certificates/renewed-client.pem");
const RENEWED_CLIENT_KEY: &[u8] = include_bytes!("certificates/renewed-client.key");
