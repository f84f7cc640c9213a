//! Nexus endpoints: what they may be, their versions, how they are found, and that they are kept.

use stead_proto::common::v1::Payload;
use stead_proto::nexus::v1::endpoint_target::{External, Variant, Worker};
use stead_proto::nexus::v1::{Endpoint, EndpointSpec, EndpointTarget};
use stead_proto::operatorservice::v1 as api;
use stead_server::engine::{Code, Refusal};

use crate::call;
use crate::restart::{durable, restarted};
use crate::support::{NAMESPACE, Server};

pub(crate) fn worker(namespace: &str, task_queue: &str) -> Option<EndpointTarget> {
    let worker = Worker { namespace: namespace.to_owned(), task_queue: task_queue.to_owned() };
    Some(EndpointTarget { variant: Some(Variant::Worker(worker)) })
}

fn external(url: &str) -> Option<EndpointTarget> {
    Some(EndpointTarget { variant: Some(Variant::External(External { url: url.to_owned() })) })
}

pub(crate) fn spec(name: &str, target: Option<EndpointTarget>) -> EndpointSpec {
    EndpointSpec { name: name.to_owned(), description: None, target }
}

impl Server {
    /// Creates an endpoint for the workers at a queue of the default namespace.
    pub(crate) fn endpoint(&mut self, name: &str, task_queue: &str) -> Endpoint {
        let spec = Some(spec(name, worker(NAMESPACE, task_queue)));
        call!(self, CreateNexusEndpoint, api::CreateNexusEndpointRequest { spec }).endpoint.expect("an endpoint")
    }

    fn refuses(&mut self, spec: EndpointSpec) -> Refusal {
        self.try_call(api::CreateNexusEndpointRequest { spec: Some(spec) }).expect_err("it is not an endpoint")
    }

    fn update(&mut self, known: &Endpoint, version: i64, name: &str) -> Result<Endpoint, Refusal> {
        let spec = Some(spec(name, worker(NAMESPACE, "other")));
        let request = api::UpdateNexusEndpointRequest { id: known.id.clone(), version, spec };
        match self.try_call(request)? {
            stead_server::engine::Response::UpdateNexusEndpoint(response) => Ok(response.endpoint.expect("one")),
            other => panic!("{other:?}"),
        }
    }

    fn found(&mut self, name: &str) -> Vec<Endpoint> {
        let request = api::ListNexusEndpointsRequest { name: name.to_owned(), ..Default::default() };
        call!(self, ListNexusEndpoints, request).endpoints
    }
}

#[test]
fn what_cannot_be_an_endpoint_is_refused_with_all_that_is_wrong() {
    let mut server = Server::new();
    let regex = r#"endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$""#;
    let fits = || worker(NAMESPACE, "q");
    let cases = [
        (spec("", None), "endpoint name not set, empty target variant".to_owned()),
        (spec("a", fits()), regex.to_owned()),
        (spec("1ab", fits()), regex.to_owned()),
        (spec("ab-", fits()), regex.to_owned()),
        (spec(&"x".repeat(201), fits()), "endpoint name exceeds length limit of 200".to_owned()),
        (spec("ok", Some(EndpointTarget { variant: None })), "empty target variant".to_owned()),
        (spec("ok", worker("", "q")), "target namespace not set".to_owned()),
        (spec("ok", worker(NAMESPACE, "")), r#"invalid target task queue: "taskQueue is not set""#.to_owned()),
        (
            spec("-bad", worker("", "")),
            format!(r#"{regex}, target namespace not set, invalid target task queue: "taskQueue is not set""#),
        ),
        (spec("ok", external("")), "empty target URL".to_owned()),
        (spec("ok", external("ftp://x")), r#"invalid target URL scheme: "ftp", expected http or https"#.to_owned()),
    ];
    for (spec, message) in cases {
        assert_eq!(server.refuses(spec), Refusal { code: Code::InvalidArgument, message, details: Vec::new() });
    }
    let large = Payload { data: vec![b'x'; 20_001].into(), ..Default::default() };
    let large = EndpointSpec { description: Some(large), ..spec("ok", fits()) };
    assert_eq!(server.refuses(large).message, "description size exceeds limit of 20000");
    let elsewhere = server.refuses(spec("ok", worker("nope", "q")));
    assert_eq!(elsewhere.code, Code::FailedPrecondition);
    let message = "could not verify namespace referenced by target exists: Namespace nope is not found.";
    assert_eq!(elsewhere.message, message);
}

#[test]
fn an_endpoint_with_a_url_is_refused_with_the_reason() {
    let refusal = Server::new().refuses(spec("ok", external("https://example.com")));
    assert_eq!(refusal.code, Code::Unimplemented);
    assert!(refusal.message.contains("makes no HTTP calls"), "{}", refusal.message);
}

#[test]
fn a_name_is_taken_once() {
    let mut server = Server::new();
    let endpoint = server.endpoint("payments", "q");
    assert_eq!(endpoint.version, 1);
    assert_eq!(endpoint.url_prefix, format!("/nexus/endpoints/{}/services", endpoint.id));
    assert!(endpoint.created_time.is_some() && endpoint.last_modified_time.is_none(), "{endpoint:?}");
    let refusal = server.refuses(spec("payments", worker(NAMESPACE, "q")));
    assert_eq!(refusal.code, Code::AlreadyExists);
    assert_eq!(refusal.message, "error creating Nexus endpoint. Endpoint with name payments already registered");
}

#[test]
fn an_update_needs_the_version_and_frees_the_old_name() {
    let mut server = Server::new();
    let endpoint = server.endpoint("payments", "q");
    server.endpoint("taken", "q");
    let refusal = server.update(&endpoint, 9, "billing").unwrap_err();
    assert_eq!(refusal.code, Code::FailedPrecondition);
    assert_eq!(refusal.message, "nexus endpoint version mismatch. received: 9 expected 1");
    assert_eq!(server.update(&endpoint, 1, "taken").unwrap_err().code, Code::AlreadyExists);
    let updated = server.update(&endpoint, 1, "billing").expect("the version is right");
    assert_eq!((updated.version, &updated.id), (2, &endpoint.id));
    assert!(updated.last_modified_time.is_some(), "{updated:?}");
    assert_eq!(server.found("billing"), [updated]);
    assert_eq!(server.found("payments"), []);
    server.endpoint("payments", "q");
}

#[test]
fn a_deleted_endpoint_is_gone() {
    let mut server = Server::new();
    let Endpoint { id, .. } = server.endpoint("payments", "q");
    let deletion = |id: &str, version| api::DeleteNexusEndpointRequest { id: id.to_owned(), version };
    let refusal = server.try_call(deletion("zz", 0)).unwrap_err();
    let malformed = "malformed endpoint ID: \"invalid UUID length: 2\"";
    assert_eq!(refusal.message, format!("{malformed}, endpoint version is non-positive"));
    call!(server, DeleteNexusEndpoint, deletion(&id, 1));
    let refusal = server.try_call(deletion(&id, 1)).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message),
        (Code::NotFound, format!("error deleting nexus endpoint with ID: {id}"))
    );
    let refusal = server.try_call(api::GetNexusEndpointRequest { id: id.clone() }).unwrap_err();
    assert_eq!((refusal.code, refusal.message), (Code::NotFound, format!("Nexus endpoint with ID `{id}` not found")));
    assert_eq!(server.found("payments"), []);
}

#[test]
fn pages_hold_each_endpoint_once() {
    let mut server = Server::new();
    let mut names: Vec<_> = (0..5).map(|n| format!("endpoint-{n}")).collect();
    names.iter().for_each(|name| _ = server.endpoint(name, "q"));
    let mut request = api::ListNexusEndpointsRequest { page_size: 2, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = call!(server, ListNexusEndpoints, request.clone());
        assert!((1..=2).contains(&page.endpoints.len()), "{page:?}");
        seen.extend(page.endpoints.into_iter().filter_map(|endpoint| endpoint.spec).map(|spec| spec.name));
        request.next_page_token = page.next_page_token;
        if request.next_page_token.is_empty() {
            break;
        }
    }
    seen.sort();
    names.sort();
    assert_eq!(seen, names);
    for (page_size, message) in [(-1, "page_size is negative"), (1_001, "page_size exceeds limit of 1000")] {
        let request = api::ListNexusEndpointsRequest { page_size, ..Default::default() };
        assert_eq!(server.try_call(request).unwrap_err().message, message);
    }
}

#[test]
fn endpoints_are_known_after_a_restart() {
    let mut server = Server::with(durable());
    let endpoint = server.endpoint("payments", "q");
    let gone = server.endpoint("gone", "q");
    call!(server, DeleteNexusEndpoint, api::DeleteNexusEndpointRequest { id: gone.id, version: 1 });
    let mut server = restarted(server);
    assert_eq!(server.found("payments"), [endpoint]);
    assert_eq!(server.found("gone"), []);
}

#[test]
fn workers_learn_that_the_server_knows_nexus() {
    let mut server = Server::new();
    let info = call!(server, GetSystemInfo, stead_proto::workflowservice::v1::GetSystemInfoRequest {});
    assert!(info.capabilities.expect("there are").nexus);
}
