//! What an endpoint may be. (`service/frontend/nexus_endpoint_client.go` of Temporal's server.)

use prost::Message;
use stead_proto::common::v1::Payload;
use stead_proto::nexus::v1::EndpointSpec;
use stead_proto::nexus::v1::endpoint_target::{External, Variant, Worker};
use uuid::Uuid;

use crate::engine::{Engine, Refusal};

/// All that is wrong with a request, said at once.
#[derive(Debug, Default)]
pub(super) struct Issues(Vec<String>);

impl Issues {
    pub(super) fn push(&mut self, issue: String) {
        self.0.push(issue);
    }

    pub(super) fn refusal(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::invalid(self.0.join(", "))) }
    }
}

impl Engine {
    /// Checks an endpoint; the workers that it is for.
    pub(super) fn check_endpoint(&self, spec: &EndpointSpec) -> Result<Worker, Refusal> {
        let mut issues = check_name(&spec.name);
        let Some(target) = spec.target.as_ref().and_then(|target| target.variant.as_ref()) else {
            issues.push("empty target variant".to_owned());
            return Err(issues.refusal().err().unwrap_or_else(|| Refusal::invalid("empty target variant")));
        };
        match target {
            Variant::Worker(worker) => self.check_worker(worker, &mut issues)?,
            Variant::External(external) => check_url(external, &mut issues),
        }
        if spec.description.as_ref().map_or(0, Payload::encoded_len) > MAX_DESCRIPTION {
            issues.push(format!("description size exceeds limit of {MAX_DESCRIPTION}"));
        }
        issues.refusal()?;
        match target {
            Variant::Worker(worker) => Ok(worker.clone()),
            Variant::External(_) => Err(Refusal::unimplemented(
                "this server makes no HTTP calls, so an endpoint cannot have a URL as its target: give it a namespace and \
                 a task queue of this server, at which a worker with the handlers polls",
            )),
        }
    }

    fn check_worker(&self, worker: &Worker, issues: &mut Issues) -> Result<(), Refusal> {
        if worker.namespace.is_empty() {
            issues.push("target namespace not set".to_owned());
        } else if let Err(refusal) = self.namespaces.key(&worker.namespace) {
            return Err(Refusal::failed_precondition(format!(
                "could not verify namespace referenced by target exists: {}",
                refusal.message
            )));
        }
        let queue = &worker.task_queue;
        let issue = match queue.as_str() {
            "" => "taskQueue is not set",
            _ if queue.len() > self.config.limits.id_length => "taskQueue length exceeds limit",
            _ if queue.starts_with("/_sys/") => "task queue name cannot start with reserved prefix /_sys/",
            _ => return Ok(()),
        };
        issues.push(format!("invalid target task queue: \"{issue}\""));
        Ok(())
    }
}

fn check_name(name: &str) -> Issues {
    let mut issues = Issues::default();
    if name.is_empty() {
        issues.push("endpoint name not set".to_owned());
        return issues;
    }
    if name.len() > MAX_NAME {
        issues.push(format!("endpoint name exceeds length limit of {MAX_NAME}"));
    }
    if !is_name(name.as_bytes()) {
        issues.push(r#"endpoint name must match the regex: "^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$""#.to_owned());
    }
    issues
}

fn is_name(name: &[u8]) -> bool {
    match name {
        [first, middle @ .., last] => {
            let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            first.is_ascii_alphabetic() && middle.iter().all(fits) && last.is_ascii_alphanumeric()
        }
        _ => false,
    }
}

fn check_url(external: &External, issues: &mut Issues) {
    let url = &external.url;
    if url.is_empty() {
        issues.push("empty target URL".to_owned());
    } else if url.len() > MAX_URL {
        issues.push(format!("target URL length exceeds limit of {MAX_URL}"));
    } else {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        if !["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) {
            issues.push(format!("invalid target URL scheme: \"{scheme}\", expected http or https"));
        }
    }
}

/// Checks an endpoint's id.
pub(super) fn check_id(id: &str) -> Issues {
    let mut issues = Issues::default();
    if id.is_empty() {
        issues.push("endpoint ID not set".to_owned());
    } else if Uuid::try_parse(id).is_err() {
        let what = match id.len() {
            32 | 36 | 38 | 45 => "invalid UUID format".to_owned(),
            length => format!("invalid UUID length: {length}"),
        };
        issues.push(format!("malformed endpoint ID: \"{what}\""));
    }
    issues
}

/// `limit.endpointNameMaxLength`, `limit.endpointDescriptionMaxSize` and `limit.endpointExternalURLMaxLength` of
/// Temporal's server.
const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 20_000;
const MAX_URL: usize = 4 * 1_024;
