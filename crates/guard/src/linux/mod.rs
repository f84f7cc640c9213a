//! The watch of a thread, and the functions of the C library that tell it of their calls.

mod hooks;

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;
use std::time::{Duration, SystemTime};

use crate::{Frame, Kind, Sighting};

pub(crate) const IS_SUPPORTED: bool = true;

/// So deep is a backtrace at most.
const FRAMES: usize = 64;

thread_local! {
    /// Null unless this thread is watched. Without a lazy start and without a destructor, so that it can be read from
    /// within any function of the C library, at any time of a thread's life.
    static WATCH: Cell<*const Watch> = const { Cell::new(ptr::null()) };
}

/// Lives on the stack of [`watch`].
#[derive(Default)]
struct Watch {
    first: RefCell<Option<Sighting>>,
}

pub(crate) fn watch<R>(f: impl FnOnce() -> R) -> (R, Option<Sighting>) {
    // A linker takes an object out of an archive only for a symbol that something needs; the table needs them all.
    black_box(&hooks::TABLE);
    let watch = Watch::default();
    let result = {
        let _entered = Entered::new(&watch);
        f()
    };
    (result, watch.first.into_inner())
}

pub(crate) fn suspended<R>(f: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(ptr::null());
    f()
}

/// Puts back what was there before, also when a panic unwinds.
struct Entered(*const Watch);

impl Entered {
    fn new(watch: *const Watch) -> Self {
        Self(WATCH.replace(watch))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        WATCH.set(self.0);
    }
}

/// Whether a call on this thread, now, is to be told of.
#[inline]
fn is_watched() -> bool {
    !WATCH.get().is_null()
}

#[cold]
#[inline(never)]
fn see(call: &'static str, kind: Kind) {
    // The panic hook reads the environment, the clock and the program's file. A panic has its own report.
    if std::thread::panicking() {
        return;
    }
    let watch = WATCH.get();
    suspended(|| {
        // SAFETY: a pointer that is not null was set by `watch` on this thread and is replaced before the frame that it
        // points into is gone (`Entered`), so it lives while this function, called from within, runs. Only shared
        // references are made of it, and only on this thread.
        let Some(watch) = (unsafe { watch.as_ref() }) else { return };
        // Cannot be borrowed now: it is only here and after the watch, and what is called here is not watched.
        let mut first = watch.first.borrow_mut();
        if first.is_none() {
            *first = Some(Sighting::new(call, kind, addresses()));
        }
    });
}

fn addresses() -> Vec<usize> {
    let mut addresses = Vec::with_capacity(FRAMES);
    // SAFETY: what must be synchronised is Windows' dbghelp; here it is the unwinder of libgcc, which may be called from
    // several threads. The lock of the synchronised form could be held by the code that makes the call.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            addresses.push(frame.ip().addr());
            addresses.len() < FRAMES
        });
    }
    addresses
}

pub(crate) fn frames(addresses: &[usize]) -> Vec<Frame> {
    let mut frames = Vec::new();
    for &address in addresses {
        // The address is where the call returns to, which may be another line's.
        backtrace::resolve(ptr::without_provenance_mut::<c_void>(address.saturating_sub(1)), |symbol| {
            frames.push(Frame {
                function: symbol.name().map(|name| format!("{name:#}")).unwrap_or_default(),
                file: symbol.filename().map(|path| path.display().to_string()),
                line: symbol.lineno(),
            });
        });
    }
    let is_guards = |frame: &Frame| ["stead_guard::", "backtrace::"].iter().any(|own| frame.function.starts_with(own));
    let own = frames.iter().position(|frame| !is_guards(frame)).unwrap_or(frames.len());
    frames.drain(..own);
    frames.truncate(FRAMES);
    frames
}

/// Makes a call of the kind, by way of std where it has one.
pub(crate) fn probe(kind: Kind) {
    match kind {
        Kind::Clock => drop(black_box(SystemTime::now())),
        Kind::Randomness => {
            let mut byte = [0_u8; 1];
            // SAFETY: the buffer is writable and as long as said.
            unsafe { libc::getrandom(byte.as_mut_ptr().cast(), byte.len(), 0) };
            black_box(byte);
        }
        Kind::Sleep => std::thread::sleep(Duration::from_nanos(1)),
        Kind::Files => drop(black_box(std::fs::File::open(""))),
        // SAFETY: takes three numbers; there is no such family, so no socket is made.
        Kind::Sockets => drop(black_box(unsafe { libc::socket(-1, 0, 0) })),
        Kind::Threads => drop(std::thread::Builder::new().spawn(|| ()).map(std::thread::JoinHandle::join)),
        Kind::Environment => drop(black_box(std::env::var_os("STEAD_GUARD"))),
        Kind::Processes => drop(black_box(std::process::Command::new("").spawn())),
    }
}
