use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, StatusCode};
use stead_codec::{CodecServer, Encryption, Key, Keys};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const UI: &str = "http://localhost:8233";

fn server() -> CodecServer {
    CodecServer::new(Encryption::new(Keys::new("k1", Key::new([1; 32])))).allow_origin(UI)
}

fn request(method: &str, path: &str, body: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("origin", UI).header("x-namespace", "shop");
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

async fn text(response: Response<Full<Bytes>>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// `json/plain` with `"Hello"`.
const HELLO: &str = r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"IkhlbGxvIg=="}]}"#;

#[tokio::test]
async fn payloads_are_encoded_and_decoded_below_any_path() {
    let server = server();
    let encoded = server.respond(request("POST", "/encode", HELLO)).await;
    assert_eq!(
        (encoded.status(), encoded.headers()["content-type"].as_bytes()),
        (StatusCode::OK, b"application/json".as_slice())
    );
    let encoded = text(encoded).await;
    assert!(encoded.contains("YmluYXJ5L2VuY3J5cHRlZA=="), "binary/encrypted: {encoded}");
    let decoded = server.respond(request("POST", "/codec/shop/decode", &encoded)).await;
    assert_eq!(text(decoded).await, HELLO);
}

#[tokio::test]
async fn browsers_are_told_what_the_web_ui_may_do() {
    let response = server().respond(request("OPTIONS", "/decode", "")).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let header = |name: &str| response.headers().get(name).map(|it| it.to_str().unwrap());
    assert_eq!(header("access-control-allow-origin"), Some(UI));
    assert_eq!(header("access-control-allow-methods"), Some("POST, OPTIONS"));
    assert_eq!(header("access-control-allow-headers"), Some("authorization, content-type, x-namespace"));
    assert_eq!(header("access-control-allow-credentials"), Some("true"));

    let answer = server().respond(request("POST", "/decode", HELLO)).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], UI);
    let refusal = server().respond(request("POST", "/decode", "?")).await;
    assert_eq!(refusal.headers()["access-control-allow-origin"], UI, "or the page cannot read why");
}

#[tokio::test]
async fn other_pages_are_not_let_in() {
    let mut foreign = request("OPTIONS", "/decode", "");
    foreign.headers_mut().insert("origin", "http://localhost:8234".parse().unwrap());
    let response = server().respond(foreign).await;
    assert_eq!(response.headers().get("access-control-allow-origin"), None);
    assert_eq!(response.headers()["vary"], "origin");
}

#[tokio::test]
async fn only_who_is_authorized_gets_an_answer() {
    let server = server().authorize(|caller| caller.bearer() == Some("t1") && caller.namespace() == Some("shop"));
    assert_eq!(server.respond(request("POST", "/decode", HELLO)).await.status(), StatusCode::UNAUTHORIZED);
    let mut known = request("POST", "/decode", HELLO);
    known.headers_mut().insert("authorization", "Bearer t1".parse().unwrap());
    assert_eq!(server.respond(known).await.status(), StatusCode::OK);
    // Browsers ask without credentials.
    assert_eq!(server.respond(request("OPTIONS", "/decode", "")).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_says_why() {
    let cases = [
        ("POST", "/", HELLO, StatusCode::NOT_FOUND, "the paths are /decode and /encode"),
        ("GET", "/decode", HELLO, StatusCode::METHOD_NOT_ALLOWED, "payloads come with POST"),
        ("POST", "/decode", "?", StatusCode::BAD_REQUEST, "no payloads: "),
        ("POST", "/decode", r#"{"payloads":[{"data":"?"}]}"#, StatusCode::BAD_REQUEST, "bytes that are no base64"),
        (
            "POST",
            "/decode",
            r#"{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA"}}]}"#,
            StatusCode::UNPROCESSABLE_ENTITY,
            "payload codec failed: there is no key ``, but k1",
        ),
    ];
    for (method, path, body, status, message) in cases {
        let response = server().respond(request(method, path, body)).await;
        assert_eq!(response.status(), status, "{method} {path} {body}");
        let said = text(response).await;
        assert!(said.starts_with(message), "{said}");
    }
    let small = server().max_body_size(10);
    let response = small.respond(request("POST", "/decode", HELLO)).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn it_is_served_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(server().serve(listener));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("POST /decode HTTP/1.1\r\nhost: codec\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", HELLO.len());
    stream.write_all(format!("{head}{HELLO}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(HELLO), "{answer}");
    serving.abort();
}
