//! What `#[activities]` implements and a worker runs.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stead_data::{BoxFuture, DataConverter, Failure, Headers, Payload};

use crate::{Error, Result};

/// A type whose methods are activities. Implemented by `#[activities]`.
#[diagnostic::on_unimplemented(message = "`{Self}` has no activities", note = "add `#[activities]` to its impl block")]
pub trait Activities: Send + Sync + 'static {
    /// The activities, bound to this instance.
    fn definitions(self: Arc<Self>) -> Vec<Definition>;
}

/// An activity that a worker can run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Definition {
    /// Type of the activity on the wire; of a dynamic one, what it is called where it is written.
    pub name: &'static str,
    /// Its code.
    pub implementation: Implementation,
    /// Whether it takes every type that no other activity of its worker has.
    pub is_dynamic: bool,
    /// What a process of its own runs, where `implementation` starts one.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no such processes"))]
    pub(crate) in_process: Option<Implementation>,
}

impl Definition {
    /// An activity of this type.
    pub fn new(name: &'static str, implementation: Implementation) -> Self {
        Self { name, implementation, is_dynamic: false, in_process: None }
    }

    /// An activity of this type that runs in a process of its own. See [`process`](crate::process).
    pub fn in_process(name: &'static str, code: impl Fn(Input) -> Result<Payload> + Send + Sync + 'static) -> Self {
        let implementation = Implementation::Blocking(Arc::new(move |input| crate::process::call(name, input)));
        let in_process = Some(Implementation::Blocking(Arc::new(code)));
        Self { name, implementation, is_dynamic: false, in_process }
    }

    /// The same for every type that no other activity of its worker has.
    #[must_use]
    pub fn dynamic(self) -> Self {
        Self { is_dynamic: true, ..self }
    }
}

/// The code of an activity, with its types erased.
///
/// Exhaustive on purpose: a new kind must break every worker at compile time.
#[derive(Clone)]
pub enum Implementation {
    /// Runs on the asynchronous runtime.
    Async(Arc<dyn Fn(Input) -> BoxFuture<'static, Result<Payload>> + Send + Sync>),
    /// Runs on a thread of its own for as long as it takes.
    Blocking(Arc<dyn Fn(Input) -> Result<Payload> + Send + Sync>),
}

impl fmt::Debug for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Async",
            Self::Blocking(_) => "Blocking",
        })
    }
}

/// What an activity is called with, encoded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Input {
    /// Arguments, one payload each.
    pub arguments: Vec<Payload>,
    /// Headers that the caller's interceptors set.
    pub headers: Headers,
    /// Reads the arguments and writes the result.
    pub converter: DataConverter,
}

impl Input {
    /// Arguments without headers, and the converter that reads them.
    pub fn new(arguments: Vec<Payload>, converter: DataConverter) -> Self {
        Self { arguments, headers: Headers::new(), converter }
    }

    /// Reads the arguments: one of type `T`, or a tuple if there are several.
    ///
    /// # Errors
    ///
    /// A retryable failure with the text `Failed decoding arguments` and the reason as its cause: the worker may be
    /// one version behind its callers.
    pub fn decode<T: DeserializeOwned>(&self, arity: usize) -> Result<T> {
        self.converter
            .from_payloads(&self.arguments, arity)
            .map_err(|error| Error::failure(conversion_failure("Failed decoding arguments", &error)))
    }

    /// Writes a result.
    ///
    /// # Errors
    ///
    /// A retryable failure with the text `Failed encoding result` if `value` cannot be serialized.
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Payload> {
        self.converter
            .to_payload(value)
            .map_err(|error| Error::failure(conversion_failure("Failed encoding result", &error)))
    }
}

pub(crate) fn conversion_failure(message: &str, error: &stead_data::ConversionError) -> Failure {
    let cause = Failure::application(error.to_string()).type_name("ConversionError");
    Failure::application(message).type_name("ConversionError").cause(cause)
}
