#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;

pub use error::{Error, Result};

#[cfg(feature = "worker")]
pub use stead_activity as activity;
#[cfg(feature = "client")]
pub use stead_client as client;
pub use stead_data as data;
#[cfg(feature = "testing")]
pub use stead_testing as testing;
#[cfg(feature = "worker")]
pub use stead_worker as worker;
#[cfg(feature = "worker")]
pub use stead_workflow as workflow;

#[cfg(feature = "client")]
pub use stead_client::{Client, WorkflowHandle};
pub use stead_data::{DataConverter, Failure, IntoFailure, RetryPolicy, days, hours, millis, mins, secs};
#[cfg(all(feature = "macros", feature = "testing"))]
pub use stead_macros::test;
#[cfg(feature = "macros")]
pub use stead_macros::{IntoFailure, contract, nexus_service};
#[cfg(all(feature = "macros", feature = "worker"))]
pub use stead_macros::{activities, workflow};
#[cfg(feature = "server")]
pub use stead_server::{self as server, Server};
#[cfg(feature = "worker")]
pub use stead_worker::Worker;

/// Nexus services: what their handlers call and return.
#[cfg(feature = "worker")]
pub mod nexus {
    pub use stead_nexus::*;
    pub use stead_worker::nexus::{Starts, client, start};
}

/// What nearly every program needs, in one import.
pub mod prelude {
    pub use std::cell::{Cell, RefCell};
    pub use std::rc::Rc;

    #[cfg(all(feature = "macros", feature = "worker"))]
    pub use crate::activities;
    #[cfg(feature = "testing")]
    pub use crate::testing::TestEnv;
    #[cfg(feature = "worker")]
    pub use crate::workflow::State;
    #[cfg(feature = "client")]
    pub use crate::{Client, WorkflowHandle};
    pub use crate::{IntoFailure, RetryPolicy, days, hours, millis, mins, secs};
    #[cfg(feature = "worker")]
    pub use crate::{Worker, activity, nexus, workflow};
    #[cfg(feature = "macros")]
    pub use crate::{contract, nexus_service};
}

/// Paths that the macros write. Not a public interface.
#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "worker")]
    pub use stead_activity as activity;
    pub use stead_data as data;
    #[cfg(feature = "worker")]
    pub use stead_nexus as nexus;
    #[cfg(feature = "testing")]
    pub use stead_testing::__private::testing;
    #[cfg(feature = "worker")]
    pub use stead_workflow as workflow;
}
