//! The typed tree of failures that travels between workflows, activities and their callers.
//!
//! A failure is what the wire holds: reading one and writing it again gives the same bytes, so one that came from
//! another SDK is passed on as it was.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_proto::common::v1::Payload;

use crate::convert::{ConversionError, DataConverter};

use self::converter::Attributes;

mod converter;
mod enums;
mod foreign;
mod proto;
mod typed;

pub use self::converter::{EncodedAttributes, FailureConverter};
pub use self::enums::{FailureCategory, NexusRetryBehavior, RetryState, TimeoutKind};
#[doc(hidden)]
pub use self::foreign::Foreign;
pub use self::typed::{FromFailure, IntoFailure};

/// How many causes a failure keeps. The wire allows a hundred levels of messages, so a real one has fewer.
const MAX_DEPTH: usize = 128;
const PAYLOAD_VALIDATION: &str = "PayloadValidationError";
const CAUSES_DROPPED: &str = " (further causes were dropped)";

/// Why a workflow, an activity or another operation did not succeed.
///
/// ```
/// use stead_data::Failure;
///
/// let failure = Failure::application("card declined").type_name("PaymentError").non_retryable();
/// assert_eq!(failure.to_string(), "PaymentError: card declined");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// What happened. [`Display`](fmt::Display) puts words of its own in the place of an empty one.
    pub message: String,
    /// Where it happened, in the words of the language that it happened in; may be empty.
    pub stack_trace: String,
    /// What kind of failure this is.
    pub kind: FailureKind,
    /// What caused it.
    pub cause: Option<Box<Failure>>,
    origin: Option<Box<Origin>>,
}

/// What only few failures carry.
#[derive(Debug, Clone, PartialEq, Default)]
struct Origin {
    sdk: String,
    encoded_attributes: Option<Payload>,
    /// What stood in the places of message and stack trace while these were in the encoded attributes.
    placeholders: Option<(String, String)>,
}

/// The kinds of failures.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum FailureKind {
    /// Thrown by a workflow, an activity or a Nexus handler.
    Application(Box<ApplicationFailure>),
    /// Cancelled, as somebody asked for.
    Cancelled {
        /// What was said about it.
        details: Vec<Payload>,
        /// Who cancelled it, where that is known.
        identity: String,
    },
    /// Took too long.
    Timeout {
        /// Which of the timeouts.
        kind: TimeoutKind,
        /// What the activity's last heartbeat said.
        last_heartbeat_details: Vec<Payload>,
    },
    /// Terminated from outside, without a chance to clean up.
    Terminated {
        /// Who terminated it.
        identity: String,
    },
    /// The server failed.
    Server {
        /// Whether trying again is of no use.
        non_retryable: bool,
    },
    /// The activity was running when its workflow was reset.
    ResetWorkflow {
        /// What the activity's last heartbeat said.
        last_heartbeat_details: Vec<Payload>,
    },
    /// An activity did not succeed; the cause says why.
    Activity(Box<ActivityFailure>),
    /// A child workflow did not succeed; the cause says why.
    ChildWorkflow(Box<ChildWorkflowFailure>),
    /// A Nexus operation did not succeed; the cause says why.
    NexusOperation(Box<NexusOperationFailure>),
    /// A Nexus handler refused the call or failed.
    NexusHandler(Box<NexusHandlerFailure>),
    /// Nothing more is known.
    #[default]
    Other,
}

/// A failure that user code returned.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ApplicationFailure {
    /// What kind of error it was, by a name that callers and retry policies can tell apart.
    pub type_name: String,
    /// Whether trying again is of no use.
    pub non_retryable: bool,
    /// What a program can read about it.
    pub details: Vec<Payload>,
    /// Wait this long before the next attempt, instead of what the retry policy says.
    pub next_retry_delay: Option<Duration>,
    /// How bad it is.
    pub category: FailureCategory,
}

/// Which activity did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ActivityFailure {
    /// Type of the activity.
    pub activity_type: String,
    /// Id of the activity within its workflow.
    pub activity_id: String,
    /// Identity of the worker that ran it.
    pub identity: String,
    /// Event that scheduled it.
    pub scheduled_event_id: i64,
    /// Event that started it; 0 if it did not start.
    pub started_event_id: i64,
    /// Why it is not tried again.
    pub retry_state: RetryState,
}

/// Which child workflow did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChildWorkflowFailure {
    /// Its namespace.
    pub namespace: String,
    /// Its id.
    pub workflow_id: String,
    /// The run that failed.
    pub run_id: String,
    /// Its type.
    pub workflow_type: String,
    /// Event that initiated it.
    pub initiated_event_id: i64,
    /// Event that started it; 0 if it did not start.
    pub started_event_id: i64,
    /// Why it is not tried again.
    pub retry_state: RetryState,
}

/// Which Nexus operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NexusOperationFailure {
    /// The endpoint.
    pub endpoint: String,
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// What older servers call the token.
    pub operation_id: String,
    /// Token of an asynchronous operation; empty for a synchronous one.
    pub operation_token: String,
    /// Event that scheduled it.
    pub scheduled_event_id: i64,
}

/// How a Nexus handler failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NexusHandlerFailure {
    /// Kind of the error, such as `BAD_REQUEST`.
    pub type_name: String,
    /// Whether the call is tried again.
    pub retry_behavior: NexusRetryBehavior,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(message: impl Into<String>, kind: FailureKind) -> Self {
        Self { message: message.into(), stack_trace: String::new(), kind, cause: None, origin: None }
    }

    /// A failure of user code. It is retried, and has neither type nor details, until the setters say otherwise.
    pub fn application(message: impl Into<String>) -> Self {
        Self::new(message, FailureKind::Application(Box::default()))
    }

    /// The failure of a value that was converted and found not to be valid, with details for programs if there are any.
    /// It is not retried. A codec or a converter that returns it fails the workflow or the activity.
    pub fn payload_validation(details: Option<Payload>) -> Self {
        let mut failure = Self::application("Payload validation failed").type_name(PAYLOAD_VALIDATION);
        if let FailureKind::Application(application) = &mut failure.kind {
            application.non_retryable = true;
            application.details.extend(details);
        }
        failure
    }

    /// Whether this is the failure of a value that was converted and found [not to be valid](Self::payload_validation).
    #[must_use]
    pub fn is_payload_validation(&self) -> bool {
        self.as_application().is_some_and(|it| it.non_retryable && it.type_name == PAYLOAD_VALIDATION)
    }

    /// A cancellation.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(message, FailureKind::Cancelled { details: Vec::new(), identity: String::new() })
    }

    /// A timeout.
    pub fn timeout(message: impl Into<String>, kind: TimeoutKind) -> Self {
        Self::new(message, FailureKind::Timeout { kind, last_heartbeat_details: Vec::new() })
    }

    /// An application failure with the text, the type name and the causes of any error.
    ///
    /// The type is the last segment of the path of `E`; a cause that is itself a [`Failure`] stays what it is.
    pub fn from_error<E: Error + 'static>(error: &E) -> Self {
        Self::from_dyn_error(error).type_name(short_type_name::<E>())
    }

    /// An application failure with the text and the causes of any error, but without a type name: a trait object has
    /// forgotten it.
    pub fn from_dyn_error(error: &(dyn Error + 'static)) -> Self {
        let mut levels = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next.take_if(|_| levels.len() < MAX_DEPTH) {
            match error.downcast_ref::<Self>() {
                Some(failure) => levels.push(failure.clone()),
                None => {
                    levels.push(Self::application(error.to_string()));
                    next = error.source();
                }
            }
        }
        chain(levels, next.is_some()).unwrap_or_else(|| Self::application(error.to_string()))
    }

    /// Names the type of the error. Makes this an application failure if it was not one.
    #[must_use]
    pub fn type_name(self, name: impl Into<String>) -> Self {
        self.with_application(|application| application.type_name = name.into())
    }

    /// Says that trying again is of no use. Makes this an application failure if it was not one.
    #[must_use]
    pub fn non_retryable(self) -> Self {
        self.with_application(|application| application.non_retryable = true)
    }

    /// Adds what a program can read about the error, as JSON. Makes this an application failure if it was not one.
    ///
    /// Details that refuse to be serialized are left out, and the message says so: a failure must not get lost because
    /// its details did.
    #[must_use]
    pub fn details<T: Serialize + ?Sized>(mut self, details: &T) -> Self {
        let payload = DataConverter::new().to_payload(details);
        if let Err(error) = &payload {
            self.message.push_str(&format!(" (without details: {error})"));
        }
        self.with_application(|application| application.details.extend(payload))
    }

    /// Sets the details as payloads. Makes this an application failure if it was not one.
    #[must_use]
    pub fn details_raw(self, details: Vec<Payload>) -> Self {
        self.with_application(|application| application.details = details)
    }

    /// Sets the wait before the next attempt, instead of what the retry policy says. Makes this an application failure
    /// if it was not one.
    #[must_use]
    pub fn next_retry_delay(self, delay: Duration) -> Self {
        self.with_application(|application| application.next_retry_delay = Some(delay))
    }

    /// Says that the failure is expected: it is not counted or logged as an error. Makes this an application failure
    /// if it was not one.
    #[must_use]
    pub fn benign(self) -> Self {
        self.with_application(|application| application.category = FailureCategory::Benign)
    }

    /// Sets what caused it. Of a chain that is deeper than any the wire allows, the end is dropped.
    #[must_use]
    pub fn cause(mut self, cause: Failure) -> Self {
        let (mut levels, mut next) = (Vec::new(), Some(Box::new(cause)));
        while let Some(mut failure) = next.take_if(|_| levels.len() < MAX_DEPTH - 1) {
            next = failure.cause.take();
            levels.push(*failure);
        }
        self.cause = chain(levels, next.is_some()).map(Box::new);
        self
    }

    /// Sets the stack trace.
    #[must_use]
    pub fn stack_trace(mut self, trace: impl Into<String>) -> Self {
        self.stack_trace = trace.into();
        self
    }

    /// The SDK that made the failure, as it calls itself (`GoSDK`); empty if it does not.
    #[must_use]
    pub fn sdk(&self) -> &str {
        self.origin.as_ref().map_or("", |origin| &origin.sdk)
    }

    /// What a sender moved out of the message and the stack trace so that a codec could encrypt it. Where that can be
    /// read, the two are restored.
    #[must_use]
    pub fn encoded_attributes(&self) -> Option<&Payload> {
        self.origin.as_ref()?.encoded_attributes.as_ref()
    }

    /// Sends message and stack trace, also of the causes, in a payload, which a codec encrypts. See
    /// [`EncodedAttributes`].
    ///
    /// # Errors
    ///
    /// When the payload cannot be written.
    pub fn with_encoded_attributes(mut self) -> Result<Self, ConversionError> {
        let mut next = Some(&mut self);
        while let Some(failure) = next {
            failure.encode_attributes()?;
            next = failure.cause.as_deref_mut();
        }
        Ok(self)
    }

    fn encode_attributes(&mut self) -> Result<(), ConversionError> {
        if self.encoded_attributes().is_some() {
            // It came so, and goes on as it came.
            return Ok(());
        }
        let attributes = Attributes { message: self.message.clone(), stack_trace: self.stack_trace.clone() };
        let origin = self.origin.get_or_insert_default();
        origin.encoded_attributes = Some(attributes.write()?);
        origin.placeholders = Some((converter::ENCODED_MESSAGE.to_owned(), String::new()));
        Ok(())
    }

    /// Whether this is a cancellation, or an activity, child workflow or Nexus operation that was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.reason().kind, FailureKind::Cancelled { .. })
    }

    /// Whether this is a timeout, or an activity, child workflow or Nexus operation that timed out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.reason().kind, FailureKind::Timeout { .. })
    }

    /// The application failure of this kind, if it is one itself.
    #[must_use]
    pub fn as_application(&self) -> Option<&ApplicationFailure> {
        match &self.kind {
            FailureKind::Application(application) => Some(application),
            _ => None,
        }
    }

    /// The first application failure among this and its causes.
    #[must_use]
    pub fn find_application(&self) -> Option<(&Failure, &ApplicationFailure)> {
        self.applications().next()
    }

    /// The user's error that this failure was made from, searched among this and its causes.
    #[must_use]
    pub fn application_as<E: FromFailure>(&self) -> Option<E> {
        self.applications().find_map(|(failure, application)| E::from_failure(failure, application))
    }

    /// This failure and its causes, outermost first.
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        std::iter::successors(Some(self), |failure| failure.cause.as_deref())
    }

    fn applications(&self) -> impl Iterator<Item = (&Failure, &ApplicationFailure)> {
        self.chain().filter_map(|failure| Some((failure, failure.as_application()?)))
    }

    /// What is inside of the wrappers that say which operation it happened to.
    fn reason(&self) -> &Failure {
        self.chain().find(|failure| !failure.kind.is_wrapper() || failure.cause.is_none()).unwrap_or(self)
    }

    fn with_application(mut self, set: impl FnOnce(&mut ApplicationFailure)) -> Self {
        let mut application = match self.kind {
            FailureKind::Application(application) => application,
            _ => Box::default(),
        };
        set(&mut application);
        self.kind = FailureKind::Application(application);
        self
    }
}

/// By default the message; with the type before it where there is one, and words for what has no message.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = if self.message.is_empty() { self.kind.default_message() } else { &self.message };
        match &self.kind {
            FailureKind::Application(application) if !application.type_name.is_empty() => {
                write!(f, "{}: {message}", application.type_name)
            }
            _ => f.write_str(message),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl FailureKind {
    /// Whether this says to which operation something happened, and the cause says what.
    fn is_wrapper(&self) -> bool {
        matches!(self, Self::Activity(_) | Self::ChildWorkflow(_) | Self::NexusOperation(_))
    }

    /// What is shown where a failure came without a message.
    fn default_message(&self) -> &'static str {
        match self {
            Self::Application(_) => "Application error",
            Self::Cancelled { .. } => "Cancelled",
            Self::Timeout { .. } => "Timeout",
            Self::Terminated { .. } => "Terminated",
            Self::Server { .. } => "Server error",
            Self::Activity(_) => "Activity error",
            Self::ChildWorkflow(_) => "Child workflow error",
            Self::NexusOperation(_) => "Nexus operation error",
            Self::NexusHandler(_) => "Nexus handler error",
            Self::ResetWorkflow { .. } | Self::Other => "Failure error",
        }
    }
}

impl ApplicationFailure {
    /// Reads one of the details, counted from 0.
    ///
    /// # Errors
    ///
    /// When there is no such detail, or it does not hold a `T`.
    pub fn detail<T: DeserializeOwned>(&self, index: usize) -> Result<T, ConversionError> {
        DataConverter::new().read(index, self.details.get(index))
    }
}

/// The last segment of a type's path, without what its parameters are: `Error` for `shop::payments::Error<Card>`.
#[must_use]
pub fn short_type_name<T: ?Sized>() -> &'static str {
    let name = std::any::type_name::<T>();
    let name = name.split_once('<').map_or(name, |(name, _)| name);
    name.rsplit_once("::").map_or(name, |(_, name)| name)
}

/// Makes each level the cause of the one before it. The innermost says so if there were more.
fn chain(mut levels: Vec<Failure>, were_more: bool) -> Option<Failure> {
    if let Some(innermost) = levels.last_mut().filter(|_| were_more) {
        innermost.message.push_str(CAUSES_DROPPED);
    }
    let outwards = levels.into_iter().rev();
    outwards.reduce(|cause, failure| Failure { cause: Some(Box::new(cause)), ..failure })
}
