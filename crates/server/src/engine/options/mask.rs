//! [`Mask`]: which fields of a message a call is about.

use std::collections::BTreeSet;

use prost_types::FieldMask;

/// Paths of fields in snake case, such as `retry_policy.maximum_attempts`. Callers also write them in other cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Mask(BTreeSet<String>);

impl Mask {
    pub(in crate::engine) fn new(mask: &FieldMask) -> Self {
        Self(mask.paths.iter().map(|path| snake_case(path)).collect())
    }

    pub(in crate::engine) fn has(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first path that is none of these.
    pub(in crate::engine) fn outside(&self, known: &[&str]) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|path| !known.contains(path))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The paths of parts of `field`.
    pub(in crate::engine) fn within(&self, field: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(move |path| path.strip_prefix(field)?.strip_prefix('.'))
    }
}

/// `RetryPolicy.maximumAttempts` is `retry_policy.maximum_attempts`.
fn snake_case(path: &str) -> String {
    let mut snake = String::with_capacity(path.len() + 4);
    for letter in path.chars() {
        let begins = snake.is_empty() || snake.ends_with(['.', '_']);
        if letter.is_ascii_uppercase() && !begins {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_the_same_in_every_case() {
        for path in ["retry_policy.maximum_attempts", "retryPolicy.maximumAttempts", "RetryPolicy.MaximumAttempts"] {
            let mask = Mask::new(&FieldMask { paths: vec![path.to_owned()] });
            assert!(mask.has("retry_policy.maximum_attempts"), "{mask:?}");
            assert_eq!(mask.within("retry_policy").collect::<Vec<_>>(), ["maximum_attempts"]);
        }
    }
}
