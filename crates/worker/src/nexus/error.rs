//! What goes wrong with a request, as its caller is told.

use stead_client::{Code, RpcError};
use stead_data::failure::Foreign;
use stead_data::{CodecError, Failure, FailureKind, NexusHandlerFailure, NexusRetryBehavior};
use stead_nexus::{Error, ErrorKind, HandlerError, HandlerErrorKind, INVALID_INPUT};

/// The operation has ended, or the request failed.
#[derive(Debug, PartialEq)]
pub(super) enum Reported {
    /// For good.
    Operation(Failure),
    Handler(HandlerError),
}

pub(super) fn reported(error: Error) -> Reported {
    Reported::Handler(match error.into_kind() {
        ErrorKind::Operation(failure) => return Reported::Operation(*failure),
        ErrorKind::Handler(error) => *error,
        ErrorKind::Failure(failure) => {
            let retryable = !failure.as_application().is_some_and(|application| application.non_retryable);
            HandlerError::internal(*failure, Some(retryable))
        }
        ErrorKind::Foreign(error) => foreign(error),
    })
}

fn foreign(error: Foreign) -> HandlerError {
    let known = of_client(&error);
    let cause = error.into_failure();
    match known {
        Some((kind, retryable)) => {
            let mut error = HandlerError::internal(cause, retryable);
            if let Some(cause) = &error.cause {
                error.message.clone_from(&cause.message);
            }
            error.kind = kind;
            error
        }
        None => HandlerError::internal(cause, None),
    }
}

/// Looks for what the client's operations fail with.
fn of_client(error: &Foreign) -> Option<(HandlerErrorKind, Option<bool>)> {
    use stead_client::{self as client, StartActivityError, StartError};
    if matches!(error.downcast_ref(), Some(StartError::AlreadyStarted { .. }))
        || matches!(error.downcast_ref(), Some(StartActivityError::AlreadyStarted { .. }))
    {
        return Some((HandlerErrorKind::Internal, Some(false)));
    }
    macro_rules! rpc {
        ($($error:ident),*) => {
            None$(.or_else(|| error.downcast_ref::<client::$error>().and_then(|error| error.rpc().or_else(|| source(error)))))*
        };
    }
    let rpc = error.downcast_ref::<RpcError>().or_else(|| {
        rpc!(
            StartError,
            ExecuteError,
            ResultError,
            SignalError,
            QueryError,
            UpdateError,
            CancelError,
            TerminateError,
            DescribeError,
            StartActivityError,
            ActivityResultError,
            StartNexusError,
            NexusResultError
        )
    });
    rpc.map(of_rpc)
}

/// The failed call that an error of the client tells more of.
fn source(error: &dyn std::error::Error) -> Option<&RpcError> {
    error.source()?.downcast_ref()
}

/// What the answer of the server means to the caller. That it does not let the handler in is no fault of the caller's.
fn of_rpc(error: &RpcError) -> (HandlerErrorKind, Option<bool>) {
    use HandlerErrorKind as Kind;
    match error.code() {
        Code::InvalidArgument => (Kind::BadRequest, None),
        Code::AlreadyExists | Code::FailedPrecondition | Code::OutOfRange => (Kind::Internal, Some(false)),
        Code::Aborted | Code::Unavailable => (Kind::Unavailable, None),
        Code::NotFound => (Kind::NotFound, None),
        Code::ResourceExhausted => (Kind::ResourceExhausted, None),
        Code::Unimplemented => (Kind::NotImplemented, None),
        Code::DeadlineExceeded => (Kind::UpstreamTimeout, None),
        _ => (Kind::Internal, None),
    }
}

/// The failure that the server is told.
pub(super) fn into_failure(error: HandlerError) -> Failure {
    let mut handler = NexusHandlerFailure::default();
    handler.type_name = error.kind.name().to_owned();
    handler.retry_behavior = match error.retryable {
        None => NexusRetryBehavior::default(),
        Some(true) => NexusRetryBehavior::Retryable,
        Some(false) => NexusRetryBehavior::NonRetryable,
    };
    let failure = Failure::new(error.message, FailureKind::NexusHandler(Box::new(handler)));
    match error.cause {
        Some(cause) => failure.cause(cause),
        None => failure,
    }
}

/// The input cannot be decoded.
pub(super) fn undecodable(error: &CodecError) -> Error {
    if let Some(failure) = error.failure().filter(|failure| failure.is_payload_validation()) {
        return Error::handler(HandlerErrorKind::BadRequest, INVALID_INPUT).cause(failure.clone());
    }
    let cause = Failure::from_error(error);
    match error.is_of_storage() {
        true => {
            let message = "Failed to retrieve Nexus operation input from external storage";
            Error::handler(HandlerErrorKind::Internal, message).retryable(true).cause(cause)
        }
        false => {
            let message = "Payload codec failed to decode Nexus operation input";
            Error::handler(HandlerErrorKind::Internal, message).cause(cause)
        }
    }
}

pub(super) fn panicked(message: &str) -> Error {
    Failure::application(format!("the handler panicked: {message}")).type_name("Panic").into()
}

pub(super) fn shutting_down() -> Error {
    Error::handler(HandlerErrorKind::Unavailable, "the worker is shutting down")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(error: Error) -> HandlerError {
        match reported(error) {
            Reported::Handler(error) => error,
            Reported::Operation(failure) => panic!("the operation has ended: {failure}"),
        }
    }

    #[test]
    fn nx_9_what_cannot_be_decoded_is_the_callers_fault_only_if_it_can_never_be() {
        let codec = handler(undecodable(&CodecError::new("the key is gone")));
        assert_eq!((codec.kind, codec.retryable), (HandlerErrorKind::Internal, None));
        assert_eq!(codec.message, "Payload codec failed to decode Nexus operation input");
        let invalid = handler(undecodable(&CodecError::from_failure(Failure::payload_validation(None))));
        assert_eq!((invalid.kind, invalid.message.as_str()), (HandlerErrorKind::BadRequest, "Invalid operation input"));
    }

    #[test]
    fn nx_8_errors_are_internal_unless_they_say_otherwise() {
        let error = handler("broken".into());
        assert_eq!((error.kind, error.retryable), (HandlerErrorKind::Internal, None));
        assert_eq!(error.message, "Internal handler error");
        assert_eq!(error.cause.expect("has a cause").message, "broken");
        assert_eq!(handler(Failure::application("no").into()).retryable, Some(true));
        assert_eq!(handler(Failure::application("no").non_retryable().into()).retryable, Some(false));
        let named = handler(Error::handler(HandlerErrorKind::Conflict, "busy").retryable(true));
        assert_eq!((named.kind, named.retryable), (HandlerErrorKind::Conflict, Some(true)));
    }
}
