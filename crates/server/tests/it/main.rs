//! The server as its callers see it.

mod namespaces;
mod support;
