//! Search attributes: what the server indexes a workflow by, with typed keys.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::time::SystemTime;

use bytes::Bytes;
use serde_json::Value;
use stead_proto::common::v1::Payload;

use crate::convert::{ConversionError, DataConverter, JSON, NULL, payload};
use crate::options::PayloadMap;
use crate::time::rfc3339;

/// The key under which a payload names the type of a search attribute.
const TYPE: &str = "type";

/// The name of a search attribute, with the type that the server has registered for it.
///
/// ```
/// use stead_data::{Keyword, SearchAttribute, SearchAttributes};
///
/// const STATUS: SearchAttribute<Keyword> = SearchAttribute::new("Status");
///
/// let attributes = SearchAttributes::from_iter([STATUS.set("shipped")]);
/// assert_eq!(attributes.get(STATUS)?.as_deref(), Some("shipped"));
/// # Ok::<(), stead_data::SearchAttributeError>(())
/// ```
pub struct SearchAttribute<T> {
    name: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> SearchAttribute<T> {
    /// Refers to the search attribute of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, kind: PhantomData }
    }

    /// The name that the server knows.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The change that removes the attribute.
    #[must_use]
    pub fn unset(self) -> SearchAttributeUpdate {
        SearchAttributeUpdate { name: self.name.to_owned(), value: None }
    }
}

impl<T: SearchAttributeType> SearchAttribute<T> {
    /// The change that sets the attribute.
    #[must_use]
    pub fn set(self, value: impl Into<T::Value>) -> SearchAttributeUpdate {
        let mut payload = payload(JSON, T::to_json(value.into()).to_string());
        payload.metadata.insert(TYPE.to_owned(), Bytes::from_static(T::NAME.as_bytes()));
        SearchAttributeUpdate { name: self.name.to_owned(), value: Some(payload) }
    }
}

impl<T> Clone for SearchAttribute<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SearchAttribute<T> {}

impl<T> fmt::Debug for SearchAttribute<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SearchAttribute({:?})", self.name)
    }
}

/// A search attribute that is set or removed.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchAttributeUpdate {
    name: String,
    value: Option<Payload>,
}

impl SearchAttributeUpdate {
    /// Name of the attribute.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The new value; `None` removes the attribute.
    #[must_use]
    pub fn value(&self) -> Option<&Payload> {
        self.value.as_ref()
    }

    /// The wire's form: a name, and a null where the attribute is removed.
    #[must_use]
    pub fn into_entry(self) -> (String, Payload) {
        (self.name, self.value.unwrap_or_else(|| payload(NULL, Bytes::new())))
    }
}

/// The search attributes of a workflow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchAttributes(PayloadMap);

impl SearchAttributes {
    /// The value of an attribute; `None` if it is not set.
    ///
    /// # Errors
    ///
    /// When what is stored is not of the type of the key.
    pub fn get<T: SearchAttributeType>(
        &self,
        key: SearchAttribute<T>,
    ) -> Result<Option<T::Value>, SearchAttributeError> {
        let Some(payload) = self.0.get(key.name) else {
            return Ok(None);
        };
        let error = |cause| SearchAttributeError { name: key.name, kind: T::NAME, cause };
        match DataConverter::new().from_payload(payload).map_err(|cause| error(Some(cause)))? {
            Value::Null => Ok(None),
            json => T::from_json(json).map(Some).ok_or_else(|| error(None)),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Applies changes to these attributes.
    pub fn apply(&mut self, updates: impl IntoIterator<Item = SearchAttributeUpdate>) {
        for SearchAttributeUpdate { name, value } in updates {
            match value {
                Some(value) => self.0.insert(name, value),
                None => self.0.remove(&name),
            };
        }
    }

    /// The wire's form.
    #[must_use]
    pub fn into_payloads(self) -> PayloadMap {
        self.0
    }

    /// Reads the wire's form; what is not of the expected type comes out when it is asked for.
    #[must_use]
    pub fn from_payloads(payloads: PayloadMap) -> Self {
        Self(payloads)
    }
}

impl FromIterator<SearchAttributeUpdate> for SearchAttributes {
    fn from_iter<I: IntoIterator<Item = SearchAttributeUpdate>>(updates: I) -> Self {
        let mut attributes = Self::default();
        attributes.apply(updates);
        attributes
    }
}

/// A search attribute holds something else than its key says.
#[derive(Debug, Clone)]
pub struct SearchAttributeError {
    name: &'static str,
    kind: &'static str,
    cause: Option<ConversionError>,
}

impl fmt::Display for SearchAttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "search attribute {:?} does not hold a value of type {}", self.name, self.kind)
    }
}

impl Error for SearchAttributeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}

/// A type that the server indexes. There are seven, and no others can be made.
pub trait SearchAttributeType: sealed::Sealed {
    /// What a Rust program sees.
    type Value;
    /// What the server calls it.
    const NAME: &'static str;

    #[doc(hidden)]
    fn to_json(value: Self::Value) -> Value;
    #[doc(hidden)]
    fn from_json(json: Value) -> Option<Self::Value>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident($value:ty), $to_json:expr, $from_json:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl sealed::Sealed for $name {}

        impl SearchAttributeType for $name {
            type Value = $value;
            const NAME: &'static str = stringify!($name);

            fn to_json(value: $value) -> Value {
                $to_json(value)
            }

            fn from_json(json: Value) -> Option<$value> {
                $from_json(json)
            }
        }
    )* };
}

types! {
    /// A string that is matched as a whole.
    Keyword(String), Value::from, |json| serde_json::from_value(json).ok();
    /// A string that is matched by its words.
    Text(String), Value::from, |json| serde_json::from_value(json).ok();
    /// A whole number.
    Int(i64), Value::from, |json: Value| json.as_i64();
    /// A number.
    Double(f64), Value::from, |json: Value| json.as_f64();
    /// Yes or no.
    Bool(bool), Value::from, |json: Value| json.as_bool();
    /// A point in time.
    Datetime(SystemTime), |time| Value::from(rfc3339::format(time)), |json: Value| rfc3339::parse(json.as_str()?);
    /// Several strings, each matched as a whole.
    KeywordList(Vec<String>), Value::from, |json| serde_json::from_value(json).ok();
}
