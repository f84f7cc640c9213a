//! A call that was seen.

use std::fmt;

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The time of day, or a clock that only goes forward.
    Clock,
    /// Random bytes.
    Randomness,
    /// That the thread sleeps.
    Sleep,
    /// Files and directories.
    Files,
    /// Sockets, and the addresses of names.
    Sockets,
    /// A new thread, or how many can run at once.
    Threads,
    /// Environment variables.
    Environment,
    /// Other processes.
    Processes,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Clock,
        Self::Randomness,
        Self::Sleep,
        Self::Files,
        Self::Sockets,
        Self::Threads,
        Self::Environment,
        Self::Processes,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clock => "clock",
            Self::Randomness => "randomness",
            Self::Sleep => "sleep",
            Self::Files => "files",
            Self::Sockets => "sockets",
            Self::Threads => "threads",
            Self::Environment => "environment",
            Self::Processes => "processes",
        })
    }
}

/// The first call that a [`watch`](crate::watch) saw. Shown as the function's name and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    call: &'static str,
    kind: Kind,
    /// Return addresses, the innermost first.
    addresses: Vec<usize>,
}

impl Sighting {
    #[allow(dead_code, reason = "nothing is seen where calls cannot be")]
    pub(crate) fn new(call: &'static str, kind: Kind, addresses: Vec<usize>) -> Self {
        Self { call, kind, addresses }
    }

    /// The function of the C library, such as `clock_gettime`.
    pub fn call(&self) -> &'static str {
        self.call
    }

    /// What it asks for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// From where it was called, the innermost frame first, at most 64; without names in a program that has no symbols.
    /// Reads the program's debug information, some milliseconds the first time, and is not watched itself.
    pub fn frames(&self) -> Vec<Frame> {
        crate::suspended(|| crate::system::frames(&self.addresses))
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.call, self.kind)
    }
}

/// One function of a backtrace. Shown as `name at file:line`, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// With its path and without its hash; empty if it is not known.
    pub function: String,
    /// As the compiler was given it.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.function.is_empty() { "?" } else { &self.function })?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " at {file}:{line}"),
            (Some(file), None) => write!(f, " at {file}"),
            (None, _) => Ok(()),
        }
    }
}
