//! What can go wrong between a value and its payload.

use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::{Failure, Payload};

use super::encoding_of;

/// The cause of a conversion error; shared, because errors are cloned.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A value could not be turned into a payload, or a payload into a value.
///
/// Indices count the payloads of one call from 0.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConversionError {
    /// The value refused to be serialized.
    Encode {
        /// Which argument.
        index: usize,
        /// The Rust type of the value.
        type_name: &'static str,
        /// Why.
        cause: Cause,
    },
    /// The payload does not hold what was asked for: the two sides disagree about the type.
    Decode {
        /// Which payload.
        index: usize,
        /// Its encoding.
        encoding: String,
        /// The Rust type that was wanted.
        type_name: &'static str,
        /// Why.
        cause: Cause,
    },
    /// Nothing here reads this encoding: a codec is missing, or a custom converter.
    UnknownEncoding {
        /// Which payload.
        index: usize,
        /// Its encoding; empty if it has none.
        encoding: String,
        /// The Rust type that was wanted.
        type_name: &'static str,
    },
    /// Fewer payloads came than are needed, and the missing one has no default.
    Missing {
        /// Which payload.
        index: usize,
        /// The Rust type that was wanted.
        type_name: &'static str,
    },
}

impl ConversionError {
    /// The failure that a custom converter ended the conversion with.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.source()?.downcast_ref()
    }
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode { index, type_name, .. } => {
                write!(f, "value at index {index} of type `{type_name}` could not be converted to a payload")
            }
            Self::Decode { index, encoding, type_name, .. } => {
                write!(f, "payload at index {index} with encoding {encoding:?} could not be converted to `{type_name}`")
            }
            Self::UnknownEncoding { index, encoding, type_name } => write!(
                f,
                "unknown payload encoding {encoding:?} at index {index}, where `{type_name}` is wanted: is a codec or a \
                 payload converter missing?"
            ),
            Self::Missing { index, type_name } => {
                write!(f, "no payload at index {index}, where `{type_name}` is wanted")
            }
        }
    }
}

impl Error for ConversionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode { cause, .. } | Self::Decode { cause, .. } => Some(&**cause),
            Self::UnknownEncoding { .. } | Self::Missing { .. } => None,
        }
    }
}

/// Why a conversion stopped, before it is known which value it was.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// The value is not of the one shape that is looked for. Nothing was written or read.
    Refused,
    /// No encoding is known that the payload could have.
    UnknownEncoding,
    /// An element of a tuple failed: it knows its own index.
    Element(ConversionError),
    /// Anything else.
    Cause(Cause),
}

impl Interrupt {
    pub(super) fn caused_by(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Cause(Arc::from(cause.into()))
    }

    pub(super) fn while_writing<T: ?Sized>(self, index: usize) -> ConversionError {
        let type_name = type_name::<T>();
        match self {
            Self::Element(error) => error,
            Self::Cause(cause) => ConversionError::Encode { index, type_name, cause },
            other => ConversionError::Encode { index, type_name, cause: Arc::new(other) },
        }
    }

    pub(super) fn while_reading<T>(self, index: usize, payload: Option<&Payload>) -> ConversionError {
        let type_name = type_name::<T>();
        let encoding = || payload.map(encoding_of).unwrap_or_default();
        match (self, payload) {
            (Self::Element(error), _) => error,
            (Self::UnknownEncoding, _) => ConversionError::UnknownEncoding { index, encoding: encoding(), type_name },
            (_, None) => ConversionError::Missing { index, type_name },
            (Self::Cause(cause), Some(_)) => ConversionError::Decode { index, encoding: encoding(), type_name, cause },
            (other, Some(_)) => {
                ConversionError::Decode { index, encoding: encoding(), type_name, cause: Arc::new(other) }
            }
        }
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("several arguments must be a tuple with one element for each"),
            Self::UnknownEncoding => f.write_str("unknown payload encoding"),
            Self::Element(error) => error.fmt(f),
            Self::Cause(cause) => cause.fmt(f),
        }
    }
}

impl Error for Interrupt {}

impl serde::ser::Error for Interrupt {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::caused_by(message.to_string())
    }
}

impl serde::de::Error for Interrupt {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::caused_by(message.to_string())
    }
}
