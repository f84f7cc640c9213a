//! Which callbacks may be attached to a workflow. (`chasm/lib/callback/validator.go` of Temporal's server.)

use stead_proto::common::v1::Callback;
use stead_proto::common::v1::callback::Variant;

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

/// `callback.maxPerExecution`, and the limits of a callback, of Temporal's server.
pub(crate) const MAX_CALLBACKS: usize = 2_000;
const MAX_URL: usize = 1_000;
const MAX_HEADER: usize = 8_192;
