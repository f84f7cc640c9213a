//! The seam for encryption and compression: payloads in, payloads out.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::context::SerializationContext;
use crate::{Failure, Payload};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Transforms payloads on their way to the server and back, for example to encrypt them.
///
/// A codec sees payloads only, never values. It runs concurrently and outside of workflow code, so it may wait for a
/// key service. Each call brings payloads of one [context](SerializationContext), and the same context comes with them
/// again when they are decoded. Search attributes are never given to a codec: the server has to read them.
///
/// ```
/// use stead_data::{BoxFuture, CodecError, Payload, PayloadCodec, SerializationContext};
///
/// /// Turns every byte around. Nothing is safer for it.
/// struct Around;
///
/// fn around(mut payload: Payload) -> Payload {
///     payload.data = payload.data.iter().map(|byte| !byte).collect();
///     payload
/// }
///
/// impl PayloadCodec for Around {
///     fn encode<'a>(
///         &'a self,
///         payloads: Vec<Payload>,
///         _context: &'a SerializationContext,
///     ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
///         Box::pin(async { Ok(payloads.into_iter().map(around).collect()) })
///     }
///
///     fn decode<'a>(
///         &'a self,
///         payloads: Vec<Payload>,
///         context: &'a SerializationContext,
///     ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>> {
///         self.encode(payloads, context)
///     }
/// }
/// ```
pub trait PayloadCodec: Send + Sync + 'static {
    /// Encodes payloads that are about to be sent, one for one and in order.
    fn encode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>>;

    /// Decodes payloads that were received. Payloads that this codec did not encode must come back as they are.
    fn decode<'a>(
        &'a self,
        payloads: Vec<Payload>,
        context: &'a SerializationContext,
    ) -> BoxFuture<'a, Result<Vec<Payload>, CodecError>>;
}

/// Which headers go through the codec, where there is one. They are interceptors', such as those of traces, and the other
/// side has to decide the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum HeaderCodec {
    /// None: interceptors encode them as they like.
    #[default]
    Never,
    /// Those of workflow tasks: what workflows get and send. What clients send and activities get is left alone.
    InWorkflows,
    /// All.
    Always,
}

const CODEC: &str = "payload codec";
const STORAGE: &str = "external storage";

/// A codec could not transform payloads, or [external storage](crate::ExternalStorage) could not keep them.
///
/// What that means: on the client it is the error of the call. On a worker it fails the workflow task or the attempt of
/// the activity, which are tried again, because the key may be back by then. An error that is made [from a
/// failure](Self::from_failure) that is not retryable is final instead: it fails the workflow whose payloads came, or
/// the activity.
#[derive(Debug, Clone)]
pub struct CodecError(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    /// Which stage failed.
    stage: &'static str,
    message: String,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    failure: Option<Failure>,
}

impl CodecError {
    /// An error with a message for people. It must not contain what the codec protects.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(CODEC, message.into())
    }

    /// An error that a workflow or an activity is to fail with, such as
    /// [`Failure::payload_validation`].
    #[must_use]
    pub fn from_failure(failure: Failure) -> Self {
        let mut error = Self::of(CODEC, failure.to_string());
        error.0.failure = Some(failure);
        error
    }

    pub(crate) fn of_storage(message: String, cause: Option<Arc<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::of(STORAGE, message);
        error.0.cause = cause;
        error
    }

    /// A custom payload converter refused a value of the type.
    pub(crate) fn of_conversion(type_name: &str, cause: Box<dyn Error + Send + Sync>) -> Self {
        let message = format!("a value of type `{type_name}` could not be converted to a payload");
        let mut error = Self::of("payload converter", message);
        error.0.failure = cause.downcast_ref::<Failure>().cloned();
        error.0.cause = Some(Arc::from(cause));
        error
    }

    fn of(stage: &'static str, message: String) -> Self {
        Self(Box::new(Parts { stage, message, cause: None, failure: None }))
    }

    /// Adds what caused it.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    /// Whether it was external storage that failed, and not the codec.
    #[must_use]
    pub fn is_of_storage(&self) -> bool {
        self.0.stage == STORAGE
    }

    /// The failure that it was made from.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.0.failure.as_ref()
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}", self.0.stage, self.0.message)
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as _)
    }
}
