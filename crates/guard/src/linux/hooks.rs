//! The functions of the C library that are watched, each as a weak symbol of its name.
//!
//! A weak symbol and not `#[no_mangle]`: a second crate that defines the same one is no error then.
//! Stable Rust has no weak functions, so the symbol is one jump in assembly to a function in Rust.
//!
//! None of them unwinds or allocates when nothing is watched. What they do for a watched thread (`see`) allocates; the C
//! library calls none of them from within its allocator, as its calls to itself do not go by these symbols. Another allocator
//! that held a lock of its own meanwhile would wait for itself.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{
    DIR, RTLD_NEXT, SYS_getrandom, addrinfo, clockid_t, cpu_set_t, mode_t, off64_t, pid_t, posix_spawn_file_actions_t,
    posix_spawnattr_t, pthread_attr_t, pthread_t, size_t, sockaddr, socklen_t, ssize_t, stat, stat64, statx, time_t,
    timespec, timeval,
};

use super::{is_watched, see};
use crate::Kind;

/// Calls that are let pass although they are watched.
mod pass {
    use super::{CStr, SYS_getrandom, c_char, c_long, c_uint, size_t};

    /// What std asks for the keys of a `HashMap`, once per thread.
    pub(super) fn seed_of_a_map(length: size_t, flags: c_uint) -> bool {
        flags == libc::GRND_INSECURE && length == 16 || length == 0
    }

    /// `RUST_BACKTRACE` and its like, which std and `anyhow` read whenever an error or a thread is made.
    pub(super) fn variable_of_std(name: *const c_char) -> bool {
        // SAFETY: the caller of `getenv` gives a string that ends with a zero; null is asked for first.
        !name.is_null() && unsafe { CStr::from_ptr(name) }.to_bytes().starts_with(b"RUST_")
    }

    /// Everything but random numbers: locks are held and waited for in this way, above all.
    pub(super) fn system_call(number: c_long) -> bool {
        number != SYS_getrandom
    }
}

/// The real function, looked up the first time.
fn real(cache: &AtomicUsize, name: &'static CStr) -> usize {
    match cache.load(Ordering::Relaxed) {
        0 => find(cache, name),
        address => address,
    }
}

#[cold]
fn find(cache: &AtomicUsize, name: &'static CStr) -> usize {
    let look_up = || {
        // SAFETY: the name ends with a zero.
        unsafe { libc::dlsym(RTLD_NEXT, name.as_ptr()) }.addr()
    };
    let address = super::suspended(look_up);
    if address == 0 {
        // A program that called a function that is nowhere would not have been loaded without the guard.
        std::process::abort();
    }
    cache.store(address, Ordering::Relaxed);
    address
}

#[cfg(target_arch = "x86_64")]
macro_rules! jump {
    () => {
        "jmp {function}"
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! jump {
    () => {
        "b {function}"
    };
}

macro_rules! hooks {
    ($($kind:ident { $($name:ident($($argument:ident: $type:ty),*) -> $result:ty $(, pass if $pass:expr)?;)* })*) => {
        // By themselves, as some types have the names of functions.
        mod functions { $($(
            mod $name {
                use super::super::*;

                /// # Safety
                ///
                /// As for the function of the C library of that name.
                unsafe extern "C" fn hook($($argument: $type),*) -> $result {
                    if is_watched() $(&& !$pass)? {
                        see(stringify!($name), Kind::$kind);
                    }
                    static REAL: AtomicUsize = AtomicUsize::new(0);
                    let real = real(&REAL, const {
                        match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                            Ok(name) => name,
                            Err(_) => unreachable!(),
                        }
                    });
                    // SAFETY: the address is that of the C library's function of this name, whose type this is. Where C
                    // has optional arguments, they are integers or pointers, which both processors pass in registers in
                    // the same way whether they are named or not; one that was not given is read and passed on unused.
                    let real = unsafe {
                        std::mem::transmute::<usize, unsafe extern "C" fn($($type),*) -> $result>(real)
                    };
                    // SAFETY: the arguments are the caller's, who holds to the contract of that function.
                    unsafe { real($($argument),*) }
                }

                core::arch::global_asm!(
                    concat!(".pushsection .text.stead_guard_", stringify!($name), ",\"ax\",@progbits"),
                    concat!(".weak ", stringify!($name)),
                    concat!(".type ", stringify!($name), ",@function"),
                    ".p2align 4",
                    concat!(stringify!($name), ":"),
                    jump!(),
                    concat!(".size ", stringify!($name), ", . - ", stringify!($name)),
                    ".popsection",
                    function = sym hook,
                );
            }
        )*)* }

        /// Needs every symbol, so that every linker takes this object.
        pub(super) static TABLE: Table = Table([$($(libc::$name as *const c_void),*),*]);

        const COUNT: usize = [$($(stringify!($name)),*),*].len();
    };
}

pub(super) struct Table(#[expect(dead_code, reason = "only a linker reads it")] [*const c_void; COUNT]);

// SAFETY: addresses of functions, which are never written to nor read through.
unsafe impl Sync for Table {}

hooks! {
    Clock {
        clock_gettime(id: clockid_t, to: *mut timespec) -> c_int;
        gettimeofday(to: *mut timeval, zone: *mut c_void) -> c_int;
        time(to: *mut time_t) -> time_t;
    }
    Randomness {
        getrandom(to: *mut c_void, length: size_t, flags: c_uint) -> ssize_t, pass if pass::seed_of_a_map(length, flags);
        getentropy(to: *mut c_void, length: size_t) -> c_int;
        syscall(number: c_long, a: c_long, b: c_long, c: c_long, d: c_long, e: c_long, f: c_long) -> c_long,
            pass if pass::system_call(number);
    }
    Sleep {
        nanosleep(time: *const timespec, rest: *mut timespec) -> c_int;
        clock_nanosleep(id: clockid_t, flags: c_int, time: *const timespec, rest: *mut timespec) -> c_int;
    }
    Files {
        open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
        open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
        openat(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
        openat64(at: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
        opendir(path: *const c_char) -> *mut DIR;
        stat(path: *const c_char, to: *mut stat) -> c_int;
        stat64(path: *const c_char, to: *mut stat64) -> c_int;
        lstat64(path: *const c_char, to: *mut stat64) -> c_int;
        statx(at: c_int, path: *const c_char, flags: c_int, mask: c_uint, to: *mut statx) -> c_int;
        access(path: *const c_char, mode: c_int) -> c_int;
        readlink(path: *const c_char, to: *mut c_char, length: size_t) -> ssize_t;
        realpath(path: *const c_char, to: *mut c_char) -> *mut c_char;
        truncate64(path: *const c_char, length: off64_t) -> c_int;
        mkdir(path: *const c_char, mode: mode_t) -> c_int;
        rmdir(path: *const c_char) -> c_int;
        unlink(path: *const c_char) -> c_int;
        rename(from: *const c_char, to: *const c_char) -> c_int;
    }
    Sockets {
        socket(family: c_int, kind: c_int, protocol: c_int) -> c_int;
        connect(socket: c_int, address: *const sockaddr, length: socklen_t) -> c_int;
        getaddrinfo(node: *const c_char, service: *const c_char, hints: *const addrinfo, to: *mut *mut addrinfo) -> c_int;
    }
    Threads {
        pthread_create(
            to: *mut pthread_t,
            with: *const pthread_attr_t,
            main: extern "C" fn(*mut c_void) -> *mut c_void,
            argument: *mut c_void
        ) -> c_int;
        sched_getaffinity(of: pid_t, size: size_t, to: *mut cpu_set_t) -> c_int;
    }
    Environment {
        getenv(name: *const c_char) -> *mut c_char, pass if pass::variable_of_std(name);
        setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int;
        unsetenv(name: *const c_char) -> c_int;
    }
    Processes {
        posix_spawn(
            to: *mut pid_t,
            path: *const c_char,
            actions: *const posix_spawn_file_actions_t,
            with: *const posix_spawnattr_t,
            arguments: *const *mut c_char,
            environment: *const *mut c_char
        ) -> c_int;
        posix_spawnp(
            to: *mut pid_t,
            file: *const c_char,
            actions: *const posix_spawn_file_actions_t,
            with: *const posix_spawnattr_t,
            arguments: *const *mut c_char,
            environment: *const *mut c_char
        ) -> c_int;
        fork() -> pid_t;
    }
}
