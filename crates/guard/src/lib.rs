//! Sees what code asks of the operating system while it is watched: the time, random numbers, files, sockets, threads,
//! environment variables, other processes. None of it is recorded in a workflow's history, so a workflow that uses it does
//! something else when it is replayed.
//!
//! ```
//! use stead_guard::{Kind, watch};
//!
//! let (sum, sighting) = watch(|| 3 + 4);
//! assert_eq!((sum, sighting.is_none()), (7, true));
//!
//! let (_, sighting) = watch(|| std::env::var("HOME"));
//! if stead_guard::IS_SUPPORTED {
//!     assert_eq!(sighting.expect("it was seen").kind(), Kind::Environment);
//! }
//! ```
//!
//! It looks on: each call goes on to the C library and gives what it always gives. Code that is correct only while a guard
//! answers for the system would break where there is none.
//!
//! **How.** The crate defines the functions of the C library anew, as weak symbols: what the program and its crates call is
//! linked to them, and they call the real ones. A program that defines such a function itself still links, and its own
//! is called; [`self_test`] tells. Only the thread that is in [`watch`] is watched; elsewhere a call costs a thread-local
//! load more.
//!
//! **Where.** Linux with glibc, linked dynamically, on x86-64 and AArch64 ([`IS_SUPPORTED`]); elsewhere it compiles to nothing, and
//! [`self_test`] says that it sees nothing.
//!
//! **What it does not see.** System calls without the C library (`rustix`, the processor's own clock), `env::vars`, files
//! and sockets that are open already, random numbers that were drawn before, statics, addresses. The seed of a std
//! `HashMap` is let pass: to make one is no fault, and in which order it iterates is for another layer to see. So is what
//! the panic hook does, and `RUST_*` in the environment, which std reads on its own.
//!
//! **What it takes for the code's doing, though it is not.** What a global allocator in place of the C library's asks for
//! while it allocates, and the files that formatting a backtrace reads; [`suspended`] is for the latter.

mod coverage;
mod sighting;

#[cfg_attr(
    all(
        target_os = "linux",
        target_env = "gnu",
        not(target_feature = "crt-static"),
        any(target_arch = "x86_64", target_arch = "aarch64")
    ),
    path = "linux/mod.rs"
)]
#[cfg_attr(
    not(all(
        target_os = "linux",
        target_env = "gnu",
        not(target_feature = "crt-static"),
        any(target_arch = "x86_64", target_arch = "aarch64")
    )),
    path = "elsewhere.rs"
)]
mod system;

pub use coverage::{Coverage, self_test};
pub use sighting::{Frame, Kind, Sighting};

/// Whether calls can be seen at all on this platform.
pub const IS_SUPPORTED: bool = system::IS_SUPPORTED;

/// Runs `f`, and returns what it gives with the first call that it made on this thread, if any. Watches nest: each sees what
/// is called within it and in no watch inside it.
///
/// # Panics
///
/// When `f` does; the watch is over then. To learn both, catch the panic within.
pub fn watch<R>(f: impl FnOnce() -> R) -> (R, Option<Sighting>) {
    system::watch(f)
}

/// Runs `f` unwatched: logging, codecs, the formatting of a backtrace.
///
/// # Panics
///
/// When `f` does; the watch goes on then.
pub fn suspended<R>(f: impl FnOnce() -> R) -> R {
    system::suspended(f)
}
