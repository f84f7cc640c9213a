//! Which callbacks and links may be attached to a workflow. (`chasm/lib/callback/validator.go` and `common/links` of
//! Temporal's server.)

use prost::Message;
use stead_proto::common::v1::callback::Variant;
use stead_proto::common::v1::{Callback, Link, link};
use stead_proto::enums::v1::EventType;

use super::URL;
use crate::engine::Refusal;

/// Refuses callbacks that cannot be, and puts the names of their headers into lower case.
pub(crate) fn check_callbacks(callbacks: &mut [Callback]) -> Result<(), Refusal> {
    if callbacks.len() > MAX_CALLBACKS {
        return Err(Refusal::invalid(format!("cannot attach more than {MAX_CALLBACKS} callbacks to an execution")));
    }
    callbacks.iter_mut().try_for_each(check_callback)
}

fn check_callback(callback: &mut Callback) -> Result<(), Refusal> {
    let nexus = match &mut callback.variant {
        Some(Variant::Nexus(nexus)) => nexus,
        Some(Variant::Internal(_)) => {
            return Err(Refusal::unimplemented("callbacks of this kind are for the server's own use"));
        }
        Some(Variant::NexusHandler(_)) => {
            return Err(Refusal::unimplemented("unknown callback variant: *common.Callback_NexusHandler_"));
        }
        None => return Err(Refusal::unimplemented("unknown callback variant: <nil>")),
    };
    if nexus.url.len() > MAX_URL {
        let message = format!("invalid url: url length longer than max length allowed of {MAX_URL}");
        return Err(Refusal::invalid(message));
    }
    check_url(&nexus.url)?;
    let size: usize = nexus.header.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_HEADER {
        let message = format!("invalid header: header size longer than max allowed size of {MAX_HEADER}");
        return Err(Refusal::invalid(message));
    }
    nexus.header = std::mem::take(&mut nexus.header).into_iter().map(|(key, it)| (key.to_lowercase(), it)).collect();
    Ok(())
}

/// The server's own URL is the only one: it makes no HTTP calls.
fn check_url(url: &str) -> Result<(), Refusal> {
    if url == URL {
        return Ok(());
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    Err(Refusal::invalid(match scheme {
        "http" | "https" if rest.is_empty() || rest.starts_with('/') => "invalid url: missing host".to_owned(),
        "http" | "https" => format!(
            "invalid url: url does not match any configured callback address: {url} (this server makes no HTTP calls: \
             only its own operations, by {URL}, can be called back)"
        ),
        _ => format!("invalid url: unknown scheme: {url}"),
    }))
}

/// Refuses links that cannot be.
pub(crate) fn check_links<'a>(links: impl Iterator<Item = &'a Link> + Clone) -> Result<(), Refusal> {
    let count = links.clone().count();
    if count > MAX_LINKS {
        let message = format!("cannot attach more than {MAX_LINKS} links per request, got {count}");
        return Err(Refusal::invalid(message));
    }
    links.into_iter().try_for_each(check_link)
}

fn check_link(link: &Link) -> Result<(), Refusal> {
    let size = link.encoded_len();
    if size > MAX_LINK {
        return Err(Refusal::invalid(format!("link exceeds allowed size of {MAX_LINK}, got {size}")));
    }
    let (kind, fields): (_, Vec<(&str, &str)>) = match &link.variant {
        Some(link::Variant::WorkflowEvent(event)) => {
            check_event(event)?;
            let fields = vec![("workflow ID", &*event.workflow_id), ("run ID", &*event.run_id)];
            ("workflow event", [vec![("namespace", &*event.namespace)], fields].concat())
        }
        Some(link::Variant::NexusOperation(it)) => {
            let ids = vec![("operation ID", &*it.operation_id), ("run ID", &*it.run_id)];
            ("nexus operation", [vec![("namespace", &*it.namespace)], ids].concat())
        }
        Some(link::Variant::Activity(it)) => {
            let ids = vec![("activity ID", &*it.activity_id), ("run ID", &*it.run_id)];
            ("activity", [vec![("namespace", &*it.namespace)], ids].concat())
        }
        Some(link::Variant::BatchJob(job)) if job.job_id.is_empty() => {
            return Err(Refusal::invalid("batch job link must not have an empty job ID"));
        }
        _ => return Ok(()),
    };
    match fields.into_iter().find(|(_, value)| value.is_empty()) {
        Some((field, _)) => Err(Refusal::invalid(format!("{kind} link must not have an empty {field} field"))),
        None => Ok(()),
    }
}

fn check_event(event: &link::WorkflowEvent) -> Result<(), Refusal> {
    match &event.reference {
        Some(link::workflow_event::Reference::EventRef(event))
            if event.event_type() == EventType::Unspecified && event.event_id != 0 =>
        {
            let message = "workflow event link ref cannot have an unspecified event type and a non-zero event ID";
            Err(Refusal::invalid(message))
        }
        _ => Ok(()),
    }
}

/// `callback.maxPerExecution`, and the limits of a callback and of links, of Temporal's server.
pub(super) const MAX_CALLBACKS: usize = 2_000;
const MAX_URL: usize = 1_000;
const MAX_HEADER: usize = 8_192;
const MAX_LINKS: usize = 10;
const MAX_LINK: usize = 4_000;
