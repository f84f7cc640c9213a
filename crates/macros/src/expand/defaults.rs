//! What a definition of an activity says about its calls.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Lit;

use super::Paths;
use crate::model::Handler;
use crate::parse::attr::{CallDefaults, RetryOptions};

/// The type of a reference whose definition bounds the activity.
pub(super) fn bounded_reference_type(handler: &Handler, paths: &Paths) -> TokenStream {
    let (data, input, output) = (&paths.data, handler.input(), handler.output());
    quote!(#data::Activity<Self, #input, #output, #data::Bounded>)
}

/// `.with_defaults(|| ..)`, if there are any.
pub(super) fn with_defaults(defaults: &CallDefaults, paths: &Paths) -> Option<TokenStream> {
    if defaults.is_empty() {
        return None;
    }
    let data = &paths.data;
    let CallDefaults { start_to_close, schedule_to_close, schedule_to_start, heartbeat, task_queue, retry } = defaults;
    let start_to_close = start_to_close.map(|limit| setter(&quote!(start_to_close), limit));
    let schedule_to_close = schedule_to_close.map(|limit| setter(&quote!(schedule_to_close), limit));
    let schedule_to_start = schedule_to_start.map(|limit| setter(&quote!(schedule_to_start), limit));
    let heartbeat = heartbeat.map(|limit| setter(&quote!(heartbeat), limit));
    let task_queue = task_queue.as_ref().map(|name| &name.0).map(|name| quote!(.task_queue(#name)));
    let retry = retry.as_ref().map(|options| retry_policy(options, data)).map(|policy| quote!(.retry(#policy)));
    Some(quote! {
        .with_defaults(|| {
            #data::ActivityDefaults::new()
                #schedule_to_start #heartbeat #task_queue #retry #start_to_close #schedule_to_close
        })
    })
}

fn retry_policy(options: &RetryOptions, data: &TokenStream) -> TokenStream {
    let RetryOptions { initial_interval, max_interval, backoff, max_attempts, non_retryable } = options;
    let initial_interval = initial_interval.map(|interval| setter(&quote!(initial_interval), interval));
    let max_interval = max_interval.map(|interval| setter(&quote!(max_interval), interval));
    let max_attempts = max_attempts.as_ref().map(|attempts| quote!(.max_attempts(#attempts)));
    let backoff = backoff.as_ref().map(|factor| match factor {
        Lit::Int(factor) => quote!(.backoff(f64::from(#factor))),
        factor => quote!(.backoff(#factor)),
    });
    let non_retryable = (!non_retryable.is_empty()).then(|| quote!(.non_retryable([#(#non_retryable),*])));
    quote!(#data::RetryPolicy::default() #initial_interval #max_interval #max_attempts #backoff #non_retryable)
}

fn setter(name: &TokenStream, duration: Duration) -> TokenStream {
    // Written as milliseconds in a `u64`, or it would not have been read.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(.#name(::core::time::Duration::from_millis(#millis)))
}
