//! Errors of other crates, on their way to become failures.

use std::error::Error;
use std::fmt;

use crate::{ConversionError, Failure, short_type_name};

/// An error whose type is known by name alone: what `?` makes of any standard error.
pub struct Foreign {
    error: Box<dyn Error + Send + Sync>,
    type_name: &'static str,
}

impl Foreign {
    /// An error, unless it is a failure already, or what somebody ended a conversion with.
    ///
    /// # Errors
    ///
    /// That failure.
    pub fn new<E: Into<Box<dyn Error + Send + Sync>>>(error: E) -> Result<Self, Box<Failure>> {
        let error = error.into().downcast::<Failure>().map_or_else(Ok, Err)?;
        match error.downcast_ref::<ConversionError>().and_then(ConversionError::failure) {
            Some(failure) => Err(Box::new(failure.clone())),
            None => Ok(Self { error, type_name: error_type::<E>() }),
        }
    }

    /// The error, if it is an `E`. One that is wrapped in another is not seen.
    ///
    /// # Errors
    ///
    /// Gives the error back.
    pub fn downcast<E: Error + 'static>(self) -> Result<Box<E>, Self> {
        let type_name = self.type_name;
        self.error.downcast::<E>().map_err(|error| Self { error, type_name })
    }

    /// The error, if it is an `E`. One that is wrapped in another is not seen.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error.downcast_ref()
    }

    /// An application failure with the error's text, its sources as causes and the last segment of its type's name.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        Failure::from_dyn_error(&*self.error).type_name(self.type_name)
    }
}

/// The name of the type of an error. Texts and boxes have none: their type says nothing.
fn error_type<E>() -> &'static str {
    match short_type_name::<E>() {
        "&str" | "String" | "Cow" | "Box" => "",
        name => name,
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.error, f)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}
