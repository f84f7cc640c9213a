//! The messages of the Temporal API, and the gRPC stubs of its services: the wire, as `prost` and `tonic` generate it.
//!
//! Paths are those of the API without the common part: `temporal.api.common.v1.Payload` is
//! [`common::v1::Payload`]. Bytes are [`bytes::Bytes`], so that payloads are moved and not copied; maps are ordered.
//! Well-known types are those of [`prost_types`].
//!
//! There is no logic here but [`visit`], which finds the payloads in a message, and [`system`], which puts requests into
//! the input of Nexus operations; and no build script: the code is generated once, by `cargo xtask codegen`, and committed.
//!
//! # Features
//!
//! None is on by default; then the crate is messages alone.
//!
//! - `client`: stubs to call services with, over any `tonic::client::GrpcService`. No transport and no compression is
//!   chosen here.
//! - `server`: traits to serve services with.
//! - `cloud`, `operator`, `test`: the services that few programs use.
//! - `descriptors`: the descriptors of the services that a server has, for gRPC reflection.
//! - `json`: histories in the JSON that Temporal's tools export, in the module `json`.
//!
//! # Example
//!
//! ```
//! use stead_proto::common::v1::{Payload, Payloads};
//!
//! let payload = Payload {
//!     data: r#""hello""#.into(),
//!     ..Payload::default()
//! };
//! let input = Payloads { payloads: vec![payload] };
//! assert_eq!(input.payloads[0].data.as_ref(), br#""hello""#);
//! ```

#[cfg(feature = "json")]
pub mod json;
pub mod system;
pub mod visit;

/// An encoded `google.protobuf.FileDescriptorSet` of the workflow, operator and test services and all that they import,
/// without comments and options.
#[cfg(feature = "descriptors")]
pub const SERVICE_DESCRIPTORS: &[u8] = include_bytes!("generated/services.descriptors.bin");

/// Includes a generated file.
macro_rules! generated {
    ($prefix:literal, $name:ident, $suffix:literal) => {
        include!(concat!("generated/temporal.api.", $prefix, stringify!($name), $suffix, ".rs"));
    };
}

/// Declares a module `name::v1` for each package, with its messages.
macro_rules! packages {
    ($prefix:literal: $($name:ident)+) => { $(
        #[doc = concat!("`temporal.api.", $prefix, stringify!($name), "`")]
        pub mod $name {
            #[doc = concat!("Messages of `temporal.api.", $prefix, stringify!($name), ".v1`.")]
            #[allow(missing_docs, clippy::all, reason = "generated")]
            pub mod v1 {
                generated!($prefix, $name, ".v1");
            }
        }
    )+ };
}

/// Declares a module `name::v1` for a package with a service: its messages, and its stubs behind their features.
macro_rules! service {
    ($prefix:literal: $name:ident) => {
        #[doc = concat!("`temporal.api.", $prefix, stringify!($name), "`")]
        pub mod $name {
            #[doc = concat!("Messages and stubs of `temporal.api.", $prefix, stringify!($name), ".v1`.")]
            #[allow(missing_docs, clippy::all, reason = "generated")]
            pub mod v1 {
                generated!($prefix, $name, ".v1");
                #[cfg(feature = "client")]
                generated!($prefix, $name, ".v1.client");
                #[cfg(feature = "server")]
                generated!($prefix, $name, ".v1.server");
            }
        }
    };
}

packages! { "":
    activity batch callback command common compute deployment enums errordetails export failure filter history
    namespace nexus nexusoperation notificationservice protocol query replication rules schedule sdk taskqueue update
    version worker workflow
}

service! { "": workflowservice }

#[cfg(feature = "operator")]
service! { "": operatorservice }

#[cfg(feature = "test")]
service! { "": testservice }

/// Services that a worker offers over Nexus.
pub mod nexusservices {
    packages! { "nexusservices.": workerservice }
}

/// The API of Temporal Cloud.
#[cfg(feature = "cloud")]
pub mod cloud {
    packages! { "cloud.":
        account auditlog billing connectivityrule identity namespace nexus operation region resource sink usage
    }

    service! { "cloud.": cloudservice }
}
