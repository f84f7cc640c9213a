//! Reading payloads that came without a type.

use serde::de::DeserializeOwned;
use stead_data::{DataConverter, Raw};

use crate::context;
use crate::error::{self, Result};

/// The converter that this workflow's arguments and results go through.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn payload_converter() -> DataConverter {
    context::current().converter().clone()
}

/// Reads an argument of a dynamic workflow or handler.
///
/// # Errors
///
/// If it is not a `T`, which fails the workflow task, or the query, whatever is done with the error. Where the argument
/// may be anything, [`payload_converter`] reads without that.
///
/// # Panics
///
/// Outside of workflow code.
#[track_caller]
pub fn decode<T: DeserializeOwned>(argument: &Raw) -> Result<T> {
    let runtime = context::current();
    runtime.converter().from_payload(&argument.0).map_err(|problem| {
        let failure = error::conversion("Failed decoding an argument", &problem);
        runtime.fail_task(failure.clone());
        failure.into()
    })
}
