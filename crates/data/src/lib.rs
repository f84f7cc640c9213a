//! Everything typed that crosses a boundary of the stead SDK for Temporal.
//!
//! A value becomes a [`Payload`] and back through the [`DataConverter`]; an error becomes a [`Failure`] and back
//! through [`IntoFailure`] and [`FromFailure`]; a handler is named by a typed reference such as [`Signal`], which
//! carries the types of its arguments and result, so that a caller in another crate is checked by the compiler.
//!
//! What is not here: any runtime, transport or clock. A crate of contracts depends on this crate alone.

mod activity_defaults;
mod codec;
mod context;
pub mod convert;
#[doc(hidden)]
pub mod current;
mod extensions;
pub mod failure;
pub mod history;
pub mod metrics;
pub mod nexus;
mod options;
mod references;
mod retry;
#[cfg(feature = "schemars")]
mod schema;
mod search_attributes;
pub mod storage;
pub mod time;

pub use activity_defaults::{ActivityDefaults, Bounded, Unbounded};
pub use codec::{BoxFuture, CodecError, HeaderCodec, PayloadCodec};
pub use context::{ActivityContext, NexusContext, SerializationContext, WorkflowContext};
pub use convert::{Binary, ConversionError, DataConverter, PayloadConverter, Proto, ProtoJson, Raw};
pub use extensions::Extensions;
pub use failure::{
    ActivityFailure, ApplicationFailure, ChildWorkflowFailure, EncodedAttributes, Failure, FailureCategory,
    FailureConverter, FailureKind, FromFailure, IntoFailure, NexusHandlerFailure, NexusOperationFailure,
    NexusRetryBehavior, RetryState, TimeoutKind, short_type_name,
};
pub use nexus::NexusService;
pub use options::{
    DeploymentVersion, DeploymentVersionError, Headers, ParentClosePolicy, PayloadMap, Priority, VersioningOverride,
    WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
};
pub use references::{Activity, Arg, Operation, Query, Returns, Signal, Untyped, Update, WorkflowFn, WorkflowType};
pub use retry::{InvalidRetryPolicy, RetryPolicy};
#[cfg(feature = "schemars")]
pub use schema::HandlerSchema;
/// The crate that derives [`JsonSchema`](schemars::JsonSchema), in the version that is used here.
#[cfg(feature = "schemars")]
pub use schemars;
pub use search_attributes::{
    Bool, Datetime, Double, Int, Keyword, KeywordList, SearchAttribute, SearchAttributeError, SearchAttributeType,
    SearchAttributeUpdate, SearchAttributes, Text,
};
/// A serialized value with its metadata, as it travels on the wire.
pub use stead_proto::common::v1::Payload;
pub use storage::{ExternalStorage, StorageClaim, StorageDriver, StorageError, StorageReference};
pub use time::{days, hours, millis, mins, secs};

/// What the macros' expansions name. Not a public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate as data;
    pub use serde;
    pub use stead_proto as proto;
}
