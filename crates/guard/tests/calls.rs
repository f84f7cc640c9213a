//! Each kind of call is seen, by the name of the C library's function, on the thread that makes it.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use stead_guard::{Kind, self_test, suspended, watch};

/// The name and kind of the first call that was seen.
fn seen<R>(f: impl FnOnce() -> R) -> Option<(&'static str, Kind)> {
    let (result, sighting) = watch(f);
    black_box(result);
    sighting.map(|sighting| (sighting.call(), sighting.kind()))
}

#[test]
fn the_clocks_are_seen() {
    assert_eq!(seen(SystemTime::now), Some(("clock_gettime", Kind::Clock)));
    assert_eq!(seen(Instant::now), Some(("clock_gettime", Kind::Clock)));
    // SAFETY: null is allowed.
    assert_eq!(seen(|| unsafe { libc::time(std::ptr::null_mut()) }), Some(("time", Kind::Clock)));
}

#[test]
fn a_sleep_is_seen() {
    assert_eq!(seen(|| std::thread::sleep(Duration::from_nanos(1))), Some(("clock_nanosleep", Kind::Sleep)));
}

#[test]
fn random_bytes_are_seen_and_come_all_the_same() {
    let mut bytes = [0_u8; 32];
    // SAFETY: the buffer is as long as said.
    let call = seen(|| unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 32, 0) });
    assert_eq!(call, Some(("getrandom", Kind::Randomness)));
    assert_ne!(bytes, [0; 32]);
    // SAFETY: as above.
    let call = seen(|| unsafe { libc::syscall(libc::SYS_getrandom, bytes.as_mut_ptr(), 32_usize, 0) });
    assert_eq!(call, Some(("syscall", Kind::Randomness)));
}

#[test]
fn the_seed_of_a_hash_map_is_let_pass() {
    let made = std::thread::spawn(|| seen(std::collections::HashMap::<u8, u8>::new)).join();
    assert_eq!(made.unwrap(), None);
}

#[test]
fn files_are_seen_and_read_all_the_same() {
    let (read, sighting) = watch(|| std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")));
    assert!(read.unwrap().contains("stead-guard"));
    assert_eq!(sighting.map(|sighting| sighting.call()), Some("open64"));
    assert_eq!(seen(|| std::fs::metadata("/")), Some(("statx", Kind::Files)));
    assert_eq!(seen(|| std::fs::read_dir("/")), Some(("opendir", Kind::Files)));
    assert_eq!(seen(|| std::fs::remove_file("/none/such")), Some(("unlink", Kind::Files)));
    assert_eq!(seen(|| std::fs::rename("/none/such", "/none/other")), Some(("rename", Kind::Files)));
    assert_eq!(seen(|| std::fs::create_dir("/none/such")), Some(("mkdir", Kind::Files)));
    assert_eq!(seen(|| std::fs::canonicalize("/none/such")), Some(("realpath", Kind::Files)));
    assert_eq!(seen(|| std::fs::read_link("/none/such")), Some(("readlink", Kind::Files)));
}

#[test]
fn a_file_that_is_created_has_the_rights_that_it_was_given() {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let path = std::env::temp_dir().join(format!("stead-guard-{}", std::process::id()));
    let create = || std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let (file, sighting) = watch(create);
    let mode = file.unwrap().metadata().unwrap().permissions().mode();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((mode & 0o777, sighting.unwrap().kind()), (0o600, Kind::Files));
}

#[test]
fn sockets_are_seen() {
    assert_eq!(seen(|| std::net::TcpStream::connect("127.0.0.1:1")), Some(("socket", Kind::Sockets)));
    assert_eq!(seen(|| std::net::UdpSocket::bind("127.0.0.1:0")), Some(("socket", Kind::Sockets)));
    assert_eq!(seen(|| std::net::TcpStream::connect("localhost:1")), Some(("getaddrinfo", Kind::Sockets)));
}

#[test]
fn threads_are_seen_and_started_all_the_same() {
    let (joined, sighting) = watch(|| std::thread::spawn(|| 7).join());
    assert_eq!(joined.unwrap(), 7);
    assert_eq!(sighting.map(|sighting| sighting.kind()), Some(Kind::Threads));
    // By way of the files of the control group, on newer versions of std.
    assert!(seen(std::thread::available_parallelism).is_some());
}

#[test]
fn the_environment_is_seen() {
    let (home, sighting) = watch(|| std::env::var("CARGO_PKG_NAME"));
    assert_eq!(home.as_deref(), Ok("stead-guard"));
    assert_eq!(sighting.unwrap().to_string(), "getenv (environment)");
}

#[test]
fn what_std_reads_on_its_own_is_let_pass() {
    assert_eq!(seen(std::backtrace::Backtrace::capture), None);
    assert_eq!(seen(|| std::panic::catch_unwind(|| panic!("its hook prints, and reads RUST_BACKTRACE"))), None);
}

#[test]
fn processes_are_seen() {
    let (status, sighting) = watch(|| std::process::Command::new("true").status());
    assert!(status.unwrap().success());
    assert_eq!(sighting.map(|sighting| sighting.kind()), Some(Kind::Processes));
}

#[test]
fn plain_code_and_locks_are_not_seen() {
    let mutex = std::sync::Mutex::new(vec![1]);
    assert_eq!(seen(|| mutex.lock().unwrap().extend(0..1_000)), None);
}

#[test]
fn other_threads_are_not_watched() {
    let ((), sighting) = watch(|| {
        std::thread::scope(|scope| {
            suspended(|| scope.spawn(SystemTime::now));
        });
    });
    assert_eq!(sighting, None);
}

#[test]
fn a_suspended_call_is_not_seen_and_the_next_one_is() {
    let ((), sighting) = watch(|| {
        suspended(|| black_box(SystemTime::now()));
        black_box(std::env::var_os("HOME"));
    });
    assert_eq!(sighting.unwrap().call(), "getenv");
}

#[test]
fn watches_nest_and_each_has_its_own() {
    let (inner, outer) = watch(|| seen(SystemTime::now));
    assert_eq!((inner, outer), (Some(("clock_gettime", Kind::Clock)), None));
    let (inner, outer) = watch(|| {
        black_box(std::env::var_os("HOME"));
        seen(|| ())
    });
    assert_eq!((inner, outer.unwrap().call()), (None, "getenv"));
}

#[test]
fn a_panic_ends_the_watch_and_no_other() {
    let ((), sighting) = watch(|| {
        let panicked = std::panic::catch_unwind(|| watch(|| panic!("as it was told to")));
        assert!(panicked.is_err());
        black_box(SystemTime::now());
    });
    assert_eq!(sighting.unwrap().kind(), Kind::Clock);
    assert_eq!(seen(|| ()), None);
}

#[inline(never)]
fn helper_that_reads_the_clock() -> SystemTime {
    black_box(SystemTime::now())
}

#[test]
fn a_sighting_knows_from_where_it_was_called() {
    let (_, sighting) = watch(helper_that_reads_the_clock);
    let (frames, sighting) = watch(|| sighting.unwrap().frames());
    assert_eq!(sighting, None, "it looks at files while it finds the names");
    let helper = frames.iter().find(|frame| frame.function.ends_with("helper_that_reads_the_clock"));
    let helper = helper.unwrap_or_else(|| panic!("{frames:#?}"));
    assert!(helper.file.as_ref().is_some_and(|file| file.ends_with("calls.rs")), "{helper}");
    assert!(!frames[0].function.starts_with("stead_guard"), "{}", frames[0]);
}

/// As when an error with a backtrace is shown by watched code.
#[test]
fn a_backtrace_that_is_formatted_while_watched_does_not_hang() {
    let call = seen(|| std::backtrace::Backtrace::force_capture().to_string());
    // Names that somebody else has looked up already are not looked up again.
    assert!(call.is_none_or(|(_, kind)| kind == Kind::Files));
}

#[test]
fn the_self_test_sees_every_kind_in_this_program_and_says_so() {
    let coverage = self_test();
    assert_eq!((coverage.seen.as_slice(), coverage.unseen.len()), (&Kind::ALL[..], 0));
    let line = "determinism guard watches clock, randomness, sleep, files, sockets, threads, environment, processes";
    assert_eq!(coverage.to_string(), line);
}
