//! Nexus operations: called from here without a workflow, and what ties other calls to them.

mod describe;
mod handle;
mod list;
mod start;

pub use {describe::*, handle::*, list::*, start::*};

use stead_data::nexus::{Callback, Link};
use stead_proto::{
    common::v1::{self as common, callback},
    workflow::v1::OnConflictOptions,
};

/// Callbacks as they go on the wire. The links lead to who is called back.
pub(crate) fn callbacks(callbacks: Vec<Callback>, links: &[Link]) -> Vec<common::Callback> {
    let links = Link::all_to_proto(links);
    callbacks
        .into_iter()
        .map(|Callback { url, headers, .. }| common::Callback {
            links: links.clone(),
            variant: Some(callback::Variant::Nexus(callback::Nexus { url, header: headers })),
        })
        .collect()
}

/// What becomes of links and callbacks if there is one of this id already, and it is taken: it gets them, too.
pub(crate) fn on_conflict(links: &[Link], callbacks: &[Callback]) -> Option<OnConflictOptions> {
    is_tied(links, callbacks).then_some(OnConflictOptions {
        attach_request_id: true,
        attach_completion_callbacks: true,
        attach_links: true,
    })
}

/// The same of an activity.
pub(crate) fn on_activity_conflict(links: &[Link], callbacks: &[Callback]) -> Option<common::OnConflictOptions> {
    is_tied(links, callbacks).then_some(common::OnConflictOptions {
        attach_request_id: true,
        attach_completion_callbacks: true,
        attach_links: true,
    })
}

fn is_tied(links: &[Link], callbacks: &[Callback]) -> bool {
    !links.is_empty() || !callbacks.is_empty()
}

/// The link that came with an answer.
pub(crate) fn link(link: Option<&common::Link>) -> Option<Link> {
    link.and_then(Link::from_proto)
}
