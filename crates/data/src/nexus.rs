//! What callers and handlers of Nexus operations share: services, and what a handler may give.

mod link;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

pub use link::Link;

/// A Nexus service as its callers see it: a name that operations belong to.
///
/// `#[nexus_service]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a Nexus service",
    note = "declare it with `#[nexus_service]` on a trait, or on the impl block of its handlers"
)]
pub trait NexusService {
    /// The service on the wire.
    const NAME: &'static str;
}

/// An operation that goes on after its handler has returned: what is behind it, such as a workflow, tells the caller how
/// it ends, with an `O` if all goes well.
///
/// The handlers' `nexus::start_workflow` and its siblings make one. [`with_token`](Self::with_token) is for operations
/// that are completed by something else.
pub struct Started<O> {
    token: String,
    output: PhantomData<fn() -> O>,
}

impl<O> Started<O> {
    /// An operation that whoever knows the token completes by calling the caller's callback. The token is what the
    /// handler that cancels the operation gets; it is not empty.
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { token: token.into(), output: PhantomData }
    }

    /// What the operation is called from here on.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same for an operation that gives another type, such as where a workflow is named and its type is not known.
    #[must_use]
    pub fn cast<T>(self) -> Started<T> {
        Started::with_token(self.token)
    }

    /// The token alone.
    #[must_use]
    pub fn into_token(self) -> String {
        self.token
    }
}

impl<O> Clone for Started<O> {
    fn clone(&self) -> Self {
        Self::with_token(self.token.clone())
    }
}

impl<O> fmt::Debug for Started<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Started").field(&self.token).finish()
    }
}

/// What an operation has come to when its handler returns.
///
/// Exhaustive on purpose: there is no third.
#[derive(Debug, Clone)]
pub enum Response<O> {
    /// It is done.
    Done(O),
    /// It goes on.
    Started(Started<O>),
}

impl<O> From<Started<O>> for Response<O> {
    fn from(started: Started<O>) -> Self {
        Self::Started(started)
    }
}

/// What the handler of an operation that gives its callers an `O` may return: the `O`, [`Started`] or a [`Response`], or
/// a `Result` of one of them.
#[diagnostic::on_unimplemented(
    message = "a handler of this operation gives `{O}`, but `{Self}` was returned",
    note = "return `{O}`, `nexus::Started<{O}>` or `nexus::Response<{O}>`, or a `nexus::Result` of one of them"
)]
pub trait Answer<O> {
    /// The handler's error, [`Infallible`] if there is none.
    type Error;

    /// The answer as a result.
    ///
    /// # Errors
    ///
    /// The handler's own error.
    fn into_response(self) -> Result<Response<O>, Self::Error>;
}

impl<O> Answer<O> for O {
    type Error = Infallible;

    fn into_response(self) -> Result<Response<O>, Infallible> {
        Ok(Response::Done(self))
    }
}

impl<O> Answer<O> for Started<O> {
    type Error = Infallible;

    fn into_response(self) -> Result<Response<O>, Infallible> {
        Ok(self.into())
    }
}

impl<O> Answer<O> for Response<O> {
    type Error = Infallible;

    fn into_response(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

impl<O, E> Answer<O> for Result<O, E> {
    type Error = E;

    fn into_response(self) -> Result<Response<O>, E> {
        self.map(Response::Done)
    }
}

impl<O, E> Answer<O> for Result<Started<O>, E> {
    type Error = E;

    fn into_response(self) -> Result<Response<O>, E> {
        self.map(Response::Started)
    }
}

impl<O, E> Answer<O> for Result<Response<O>, E> {
    type Error = E;

    fn into_response(self) -> Self {
        self
    }
}

/// How the caller of an operation is told its outcome, where the operation goes on after its handler has returned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Callback {
    /// What is called.
    pub url: String,
    /// What goes with the call. The token in it lets nobody do anything but complete this operation.
    pub headers: BTreeMap<String, String>,
}

impl Callback {
    /// Calls this URL, with these headers.
    #[must_use]
    pub fn new(url: impl Into<String>, headers: BTreeMap<String, String>) -> Self {
        Self { url: url.into(), headers }
    }
}

/// Declares the kinds with their names on the wire, and whether callers try again.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $retryable:literal;)*) => {
        /// What kind of error a handler has, as the Nexus specification names them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum HandlerErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl HandlerErrorKind {
            /// The name on the wire, such as `BAD_REQUEST`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The kind of this name; `None` of a name that the specification does not have.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// Whether the server calls again, unless the error says otherwise.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self {
                    $(Self::$kind => $retryable,)*
                }
            }
        }
    };
}

kinds! {
    /// The request makes no sense, and never will.
    BadRequest "BAD_REQUEST" false;
    /// Nobody knows who is asking.
    Unauthenticated "UNAUTHENTICATED" false;
    /// Who is asking may not.
    Unauthorized "UNAUTHORIZED" false;
    /// There is no such service, operation or thing.
    NotFound "NOT_FOUND" false;
    /// The handler took too long.
    RequestTimeout "REQUEST_TIMEOUT" true;
    /// The request contradicts what is there.
    Conflict "CONFLICT" false;
    /// The handler has too much to do.
    ResourceExhausted "RESOURCE_EXHAUSTED" true;
    /// Something broke.
    Internal "INTERNAL" true;
    /// The handler does not know how.
    NotImplemented "NOT_IMPLEMENTED" false;
    /// The handler is not there at the moment.
    Unavailable "UNAVAILABLE" true;
    /// Somebody that the handler asked took too long.
    UpstreamTimeout "UPSTREAM_TIMEOUT" true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_returns_what_suits_it() {
        fn done<A: Answer<u8, Error: fmt::Debug>>(answer: A) -> Option<u8> {
            match answer.into_response().expect("it succeeds") {
                Response::Done(value) => Some(value),
                Response::Started(started) => {
                    assert_eq!(started.token(), "token");
                    None
                }
            }
        }
        let started = Started::<u8>::with_token("token");
        assert_eq!((done(7), done(Ok::<_, ()>(7))), (Some(7), Some(7)));
        assert_eq!((done(started.clone()), done(Ok::<_, ()>(started.clone()))), (None, None));
        let responses = [Response::Done(7), started.into()];
        assert_eq!(responses.map(|response| done(Ok::<_, ()>(response))), [Some(7), None]);
        assert_eq!(Answer::<u8>::into_response(Err::<u8, _>("no")).err(), Some("no"));
    }

    #[test]
    fn kinds_of_errors_are_known_by_the_names_of_the_specification() {
        assert_eq!(HandlerErrorKind::from_name("BAD_REQUEST"), Some(HandlerErrorKind::BadRequest));
        assert_eq!(HandlerErrorKind::from_name("bad request"), None);
        assert_eq!(HandlerErrorKind::UpstreamTimeout.name(), "UPSTREAM_TIMEOUT");
        assert!(HandlerErrorKind::Internal.is_retryable() && !HandlerErrorKind::Conflict.is_retryable());
    }
}
