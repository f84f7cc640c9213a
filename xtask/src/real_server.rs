//! `cargo xtask real-server [--stop]`: Temporal's own server, for the tests that want the truth.
//!
//! Starts it on free ports with its store in memory, prepares the namespace `default` and search attributes of every
//! type, and prints its address as the only line on stdout. The server outlives this process; a second run prints the
//! address of the one that runs. It speaks to the server by a few messages written out here (`rpc`) and not by
//! `stead-proto`, so that `cargo xtask codegen` works when the generated code does not compile.

mod config;
mod install;
mod process;
mod ready;
mod rpc;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

pub(crate) use ready::Readiness;

/// From spawn until workflows can be started; it takes about two seconds on an idle machine.
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// Of the server that tests use, within the target folder.
const FOLDER: &str = "real-server";

/// The free ports are found before the server binds them: somebody else may be faster.
const START_ATTEMPTS: usize = 3;

/// Prints the address of the running server, which it starts if need be.
pub(crate) fn run() -> Result<()> {
    println!("{}", ensure_running()?);
    Ok(())
}

/// The address of a server that answers, `127.0.0.1:PORT`; starts one if need be.
pub(crate) fn ensure_running() -> Result<String> {
    let folder = Folder::open(FOLDER)?;
    if let Some(address) = folder.running() {
        eprintln!("real-server: already running, log in {}", folder.log().display());
        return Ok(address);
    }
    folder.end()?;
    start(&folder, &binary()?)
}

/// A server that was started to be measured, beside the one that runs for tests.
pub(crate) struct Measured {
    pub(crate) address: String,
    pub(crate) pid: u32,
    /// From its start until a workflow was started and its first task taken.
    pub(crate) start: Duration,
    folder: Folder,
}

/// Starts a server that knows nothing yet.
pub(crate) fn start_measured() -> Result<Measured> {
    let folder = Folder::open("measured-server")?;
    folder.end()?;
    let binary = binary()?;
    let began = Instant::now();
    let address = start(&folder, &binary)?;
    let start = began.elapsed();
    let pid = folder.pid().context("the server that was just started does not run")?;
    Ok(Measured { address, pid, start, folder })
}

impl Drop for Measured {
    fn drop(&mut self) {
        // If it does not end, the next one that is started in its folder says so.
        let _ = self.folder.end();
    }
}

fn binary() -> Result<PathBuf> {
    install::binary(&crate::target_folder().join(FOLDER).join("bin"))
}

/// Ends the server that runs, if any.
pub(crate) fn stop() -> Result<()> {
    let ended = Folder::open(FOLDER)?.end()?;
    eprintln!("real-server: {}", if ended { "stopped" } else { "was not running" });
    Ok(())
}

fn start(folder: &Folder, binary: &Path) -> Result<String> {
    let mut attempts = 1;
    loop {
        let ports = config::write(&folder.0)?;
        match start_on(folder, binary, ports.frontend) {
            Err(_) if attempts < START_ATTEMPTS && folder.lost_a_port() => attempts += 1,
            result => return result,
        }
    }
}

fn start_on(folder: &Folder, binary: &Path, port: u16) -> Result<String> {
    let address = format!("127.0.0.1:{port}");
    eprintln!("real-server: starting on {address}, log in {}", folder.log().display());
    let mut child = spawn(folder, binary)?;
    folder.record(child.id(), &address)?;
    match wait_until_ready(&mut child, &address) {
        Ok(()) => Ok(address),
        Err(error) => {
            let log = folder.log_tail();
            folder.end()?;
            Err(error.context(format!("Temporal's server did not start; the end of its log:\n{log}")))
        }
    }
}

fn spawn(folder: &Folder, binary: &Path) -> Result<Child> {
    let log = File::create(folder.log())?;
    let mut command = Command::new(binary);
    command
        .current_dir(&folder.0)
        .arg("--config-file")
        .arg(folder.0.join(config::FILE))
        .args(["--allow-no-auth", "start"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    process::detach(&mut command);
    command.spawn().with_context(|| format!("cannot run {}", binary.display()))
}

fn wait_until_ready(child: &mut Child, address: &str) -> Result<()> {
    let started = Instant::now();
    let mut readiness = Readiness::new(address)?;
    loop {
        if let Some(status) = child.try_wait()? {
            bail!("the server ended by itself: {status}");
        }
        match readiness.advance() {
            Ok(()) => break,
            Err(error) if started.elapsed() > START_TIMEOUT => {
                return Err(error.context(format!("not ready after {START_TIMEOUT:?}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    eprintln!("real-server: ready after {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// `target/real-server`: the cached binary, what the running server was started with, and its log. One that is measured has
/// a folder of its own.
struct Folder(PathBuf, #[expect(dead_code, reason = "held until drop: one starter at a time")] File);

impl Folder {
    fn open(name: &str) -> Result<Self> {
        let path = crate::target_folder().join(name);
        fs::create_dir_all(&path)?;
        let lock = File::create(path.join("lock"))?;
        lock.lock()?;
        Ok(Self(path, lock))
    }

    fn log(&self) -> PathBuf {
        self.0.join("server.log")
    }

    fn record(&self, pid: u32, address: &str) -> Result<()> {
        fs::write(self.0.join("pid"), pid.to_string())?;
        fs::write(self.0.join("address"), address)?;
        Ok(())
    }

    fn running(&self) -> Option<String> {
        self.pid()?;
        let address = fs::read_to_string(self.0.join("address")).ok()?;
        ready::answers(&address).then_some(address)
    }

    /// The recorded process, if it still runs and is the server of this folder and not a later owner of its id.
    fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.0.join("pid")).ok()?.parse().ok()?;
        process::command_line(pid)?.contains(self.0.join(config::FILE).to_str()?).then_some(pid)
    }

    /// Ends the recorded process; whether there was one.
    fn end(&self) -> Result<bool> {
        let pid = self.pid();
        if let Some(pid) = pid {
            process::end(pid)?;
        }
        for file in ["pid", "address"] {
            let _ = fs::remove_file(self.0.join(file));
        }
        Ok(pid.is_some())
    }

    fn lost_a_port(&self) -> bool {
        fs::read_to_string(self.log()).is_ok_and(|log| log.contains("address already in use"))
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
