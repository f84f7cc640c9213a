//! The seam for what failures look like on the wire.

use std::error::Error;

use serde::{Deserialize, Serialize};
use stead_proto::common::v1::Payload;

use crate::context::SerializationContext;
use crate::convert::DataConverter;

use super::Failure;

/// Changes failures on their way to the server and back, before and after the codec.
///
/// Users' errors become failures by [`IntoFailure`](super::IntoFailure), and failures become errors by
/// [`FromFailure`](super::FromFailure); this is for what all failures have in common, whoever made them. It must be
/// quick, and pure on the way in: a workflow that is replayed has to see the same failure again.
pub trait FailureConverter: Send + Sync + 'static {
    /// Changes a failure that is about to be sent.
    ///
    /// # Errors
    ///
    /// When it cannot be sent as it is. An application failure is sent in its place, which says
    /// `Failed building exception result` and the error.
    fn encode(&self, failure: Failure, context: &SerializationContext)
    -> Result<Failure, Box<dyn Error + Send + Sync>>;

    /// Changes a failure that was received, after its payloads were decoded.
    ///
    /// # Errors
    ///
    /// When it cannot be read. It stays as it came then.
    fn decode(
        &self,
        failure: Failure,
        _context: &SerializationContext,
    ) -> Result<Failure, Box<dyn Error + Send + Sync>> {
        Ok(failure)
    }
}

/// Puts message and stack trace of all failures in a payload, so that a codec encrypts them. The server, its web page
/// and whoever has not the key see the message `Encoded failure`.
///
/// Reading needs no converter: failures that came so are restored always.
#[derive(Debug, Clone, Copy, Default)]
pub struct EncodedAttributes;

impl FailureConverter for EncodedAttributes {
    fn encode(&self, failure: Failure, _: &SerializationContext) -> Result<Failure, Box<dyn Error + Send + Sync>> {
        Ok(failure.with_encoded_attributes()?)
    }
}

/// The message of a failure whose own is in its encoded attributes.
pub(super) const ENCODED_MESSAGE: &str = "Encoded failure";

/// What the encoded attributes hold, in the order and by the names that all SDKs use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Attributes {
    pub(super) message: String,
    #[serde(default)]
    pub(super) stack_trace: String,
}

impl Attributes {
    /// `None` if the payload holds something else, as one does whose codec is not here.
    pub(super) fn read(payload: &Payload) -> Option<Self> {
        DataConverter::new().from_payload(payload).ok()
    }

    pub(super) fn write(&self) -> Result<Payload, crate::ConversionError> {
        DataConverter::new().to_payload(self)
    }
}
