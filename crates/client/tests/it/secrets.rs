//! No secret is ever shown: every public option struct is formatted with one inside.

use stead_client::{CallOptions, Client, ClientConfig, ConfigLoader, HttpProxy, Metadata, Secret};

use crate::fake::Fake;

const SENTINEL: &str = "sentinel";

const FILE: &str = r#"
[profile.default]
address = "localhost:7233"
api_key = "sentinel"
[profile.default.tls]
disabled = true
client_cert_data = "sentinel"
client_key_data = "sentinel"
server_ca_cert_data = "sentinel"
[profile.default.codec]
auth = "sentinel"
[profile.default.grpc_meta]
authorization = "sentinel"
"#;

fn metadata() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("authorization", SENTINEL).unwrap();
    metadata.insert("x-token-bin", SENTINEL).unwrap();
    metadata
}

#[tokio::test]
async fn no_option_shows_a_secret() {
    let proxy = HttpProxy::new("proxy:3128").basic_auth("ada", SENTINEL);
    let loader = ConfigLoader::new().toml(FILE).variables([("TEMPORAL_API_KEY", SENTINEL)]);
    let profile = loader.load().unwrap();
    let connect = profile.connect().unwrap().http_proxy(proxy.clone()).metadata("x-token", SENTINEL);
    let with_credentials = Client::connect("user:sentinel@localhost:7233");
    let client = Fake::new().connect().api_key(SENTINEL).metadata("x-token", SENTINEL).await.unwrap();
    let mut shown = vec![
        format!("{:?}", Secret::from(SENTINEL)),
        format!("{proxy:?} {:?}", metadata()),
        format!("{loader:?} {profile:?} {:?}", ClientConfig::from_toml(FILE).unwrap()),
        format!("{connect:?} {with_credentials:?} {client:?} {:?}", client.connection()),
        format!("{:?}", CallOptions::new().metadata(metadata())),
        format!("{:?}", client.activity_by_token(SENTINEL)),
        format!("{:?}", client.start_workflow_named("W", ()).id("w").task_queue("q").rpc_metadata(metadata())),
        format!("{:?}", client.start_activity_named::<()>("A", SENTINEL).id("a").rpc_metadata(metadata())),
        format!("{:?}", client.workflow_named("w").signal_named("s", ()).rpc_metadata(metadata())),
        format!("{:?}", client.workflow_named("w").describe().rpc_metadata(metadata())),
        format!("{:?}", client.list_workflows("").rpc_metadata(metadata())),
        format!("{:?}", client.count_workflows("").rpc_metadata(metadata())),
        format!("{:?}", client.schedule("s").pause().rpc_metadata(metadata())),
        format!("{:?}", client.create_schedule("s").rpc_metadata(metadata())),
    ];
    #[cfg(feature = "tls")]
    {
        let tls = stead_client::Tls::new().ca_certificate(SENTINEL).client_certificate(SENTINEL, SENTINEL);
        shown.push(format!("{tls:?} {:?}", stead_client::TlsMode::from(tls.clone())));
        let error = Client::connect("localhost:7233").tls(tls).await.unwrap_err();
        shown.push(format!("{error:?} {error}"));
    }
    for text in shown {
        assert!(!text.contains(SENTINEL), "{text}");
    }
}
