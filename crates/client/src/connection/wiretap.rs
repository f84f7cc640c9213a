//! Requests and responses in the log, at level trace and target `stead::client::calls`.
//!
//! Bytes are shown as their number: they are payloads, which may be anybody's, and tokens. Headers, where API keys are,
//! are not shown at all, nor are messages of Temporal Cloud, which hand out keys.

use std::fmt::{self, Debug, Write};

use super::error::RpcError;

const CLOUD: &str = "/temporal.api.cloud.";

pub(super) fn request(path: &str, rpc: &str, namespace: Option<&str>, request: &dyn Debug) {
    tracing::trace!(
        target: "stead::client::calls",
        rpc, namespace, request = %Shown { message: request, is_hidden: path.starts_with(CLOUD) }, "request"
    );
}

pub(super) fn response(path: &str, rpc: &str, response: &dyn Debug) {
    tracing::trace!(
        target: "stead::client::calls",
        rpc, response = %Shown { message: response, is_hidden: path.starts_with(CLOUD) }, "response"
    );
}

pub(super) fn failure(rpc: &str, error: &RpcError) {
    tracing::trace!(target: "stead::client::calls", rpc, %error, "failure");
}

struct Shown<'a> {
    message: &'a dyn Debug,
    is_hidden: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_hidden {
            return f.write_str("(not shown)");
        }
        let mut out = WithoutBytes { out: f, place: Place::Outside { before: ['\0'; 2] }, left: MOST };
        match write!(out, "{:?}", self.message) {
            Err(_) if out.left == 0 => out.out.write_str("…"),
            written => written,
        }
    }
}

/// Copies what `Debug` writes, with byte strings replaced by their length.
struct WithoutBytes<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    place: Place,
    /// How many more characters are shown.
    left: usize,
}

/// ```text
///            `"`                          `b"` after what is no letter
///   Text ◀──────── Outside { the two before } ────────▶ Bytes
///     └─── `"` ──────▶ ▲ ◀──────────── `"` ───────────────┘
/// ```
#[derive(Clone, Copy)]
enum Place {
    Outside { before: [char; 2] },
    Text { escaped: bool },
    Bytes { escaped: bool, length: usize },
}

impl Write for WithoutBytes<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| self.char(char))
    }
}

impl WithoutBytes<'_, '_> {
    fn char(&mut self, char: char) -> fmt::Result {
        self.place = match self.place {
            Place::Outside { before: [earlier, 'b'] } if char == '"' && !is_of_name(earlier) => {
                Place::Bytes { escaped: false, length: 0 }
            }
            Place::Outside { before: [_, last] } => {
                self.copy(char)?;
                match char {
                    '"' => Place::Text { escaped: false },
                    _ => Place::Outside { before: [last, char] },
                }
            }
            Place::Text { escaped } => {
                self.copy(char)?;
                match (escaped, char) {
                    (false, '"') => OUTSIDE,
                    (false, '\\') => Place::Text { escaped: true },
                    _ => Place::Text { escaped: false },
                }
            }
            Place::Bytes { escaped: false, length } if char == '"' => {
                write!(self.out, "[{length}]")?;
                OUTSIDE
            }
            // `\n` is one byte and `\x00` is one byte: the two digits after an escaped `x` are not counted.
            Place::Bytes { escaped: false, length } if char == '\\' => Place::Bytes { escaped: true, length },
            Place::Bytes { escaped: true, length } if char == 'x' => {
                Place::Bytes { escaped: false, length: length.saturating_sub(1) }
            }
            Place::Bytes { length, .. } => Place::Bytes { escaped: false, length: length + 1 },
        };
        Ok(())
    }

    fn copy(&mut self, char: char) -> fmt::Result {
        self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
        self.out.write_char(char)
    }
}

fn is_of_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

const OUTSIDE: Place = Place::Outside { before: ['\0'; 2] };

/// Nobody reads on after so many characters.
const MOST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "shown by Debug")]
    struct Message {
        name: &'static str,
        data: Bytes,
        verb: &'static str,
    }

    fn shown(message: &dyn Debug) -> String {
        Shown { message, is_hidden: false }.to_string()
    }

    #[test]
    fn bytes_are_shown_as_their_number_and_text_as_it_is() {
        let data = Bytes::from_static(b"se\"cret\n\x00\xff\\b\"x");
        let message = Message { name: "a \"b\" \\", data: data.clone(), verb: "b\"" };
        let expected = format!(r#"Message {{ name: "a \"b\" \\", data: b[{}], verb: "b\"" }}"#, data.len());
        assert_eq!(shown(&message), expected);
        assert_eq!(shown(&Bytes::new()), "b[0]");
        assert_eq!(shown(&"b"), "\"b\"");
    }

    #[test]
    fn what_is_long_is_cut() {
        let text = shown(&"x".repeat(2 * MOST));
        assert!(text.ends_with("x…") && text.len() < MOST + 10, "{}", text.len());
    }
}
