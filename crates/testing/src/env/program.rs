//! [`ServerProgram`]: a server that is a program of its own, for as long as a test needs it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stead_client::Client;
use tokio::time::{Instant, sleep};

use crate::error::TestError;

/// A program that is a Temporal server, to be started for a test by [`TestEnv::on`](super::TestEnv::on), on a free port
/// of the loopback interface.
///
/// ```no_run
/// # use stead_testing::{ServerProgram, TestEnv};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stead_testing::TestError> {
/// let env = TestEnv::on(ServerProgram::temporal("temporal")).await?;
/// # let _ = env;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is started by `TestEnv::on`"]
pub struct ServerProgram {
    program: OsString,
    arguments: Vec<OsString>,
    patience: Duration,
}

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(super) struct RunningProgram(Child);

impl ServerProgram {
    /// Any program: a path, or a name that is found as a shell finds it. `{port}` in its [arguments](Self::arg) is where
    /// the port is put.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), arguments: Vec::new(), patience: PATIENCE }
    }

    /// The program `stead`.
    pub fn stead(program: impl AsRef<OsStr>) -> Self {
        Self::new(program).args(["server", "--listen", "127.0.0.1:{port}"])
    }

    /// Temporal's command line, whose server for development is started.
    pub fn temporal(program: impl AsRef<OsStr>) -> Self {
        Self::new(program).args(["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", "{port}"])
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets how long it may take until it answers. Default: 30 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts it, and waits until it answers.
    pub(super) async fn start(self) -> Result<(RunningProgram, Client), TestError> {
        let failed = |why: String| TestError::Program { program: self.program.clone(), why };
        let port = free_port().map_err(|error| failed(format!("no port is free: {error}")))?;
        let arguments = self.arguments.iter().map(|argument| match argument.to_str() {
            Some(text) => text.replace("{port}", &port.to_string()).into(),
            None => argument.clone(),
        });
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut running = RunningProgram(child);
        let until = Instant::now() + self.patience;
        loop {
            let address = format!("127.0.0.1:{port}");
            let error = match Client::connect(address).connect_timeout(ATTEMPT).await {
                Ok(client) => return Ok((running, client)),
                Err(error) => error,
            };
            if let Some(status) = running.ended() {
                return Err(failed(format!("it ended with {status}")));
            }
            if Instant::now() >= until {
                return Err(failed(format!("it did not answer within {:?}: {error}", self.patience)));
            }
            sleep(BETWEEN_ATTEMPTS).await;
        }
    }
}

impl RunningProgram {
    /// How it ended, if it has.
    fn ended(&mut self) -> Option<impl fmt::Display + use<>> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        // One that has ended needs no more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

const PATIENCE: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(1);
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
