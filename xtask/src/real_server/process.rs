//! What the standard library has no portable call for: detaching, finding and ending another process.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// A server that is told to stop has this long to do so before it is killed.
const GRACE: Duration = Duration::from_secs(15);

/// Keeps a Ctrl-C meant for this program from reaching `command`.
#[cfg(unix)]
pub(super) fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// Keeps a Ctrl-C meant for this program from reaching `command`.
#[cfg(windows)]
pub(super) fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// The command line of a process that runs.
#[cfg(unix)]
pub(super) fn command_line(pid: u32) -> Option<String> {
    output("ps", &["-ww", "-o", "args=", "-p", &pid.to_string()])
}

/// The command line of a process that runs.
#[cfg(windows)]
pub(super) fn command_line(pid: u32) -> Option<String> {
    let query = format!("(Get-CimInstance Win32_Process -Filter 'ProcessId = {pid}').CommandLine");
    output("powershell", &["-NoProfile", "-Command", &query])
}

/// Asks the process to end, waits for that, and kills it if it takes too long.
pub(super) fn end(pid: u32) -> Result<()> {
    for force in [false, true] {
        signal(pid, force);
        if gone_within(pid, GRACE) {
            return Ok(());
        }
    }
    bail!("process {pid} does not end; end it by hand")
}

#[cfg(unix)]
fn signal(pid: u32, force: bool) {
    output("kill", &[if force { "-KILL" } else { "-TERM" }, &pid.to_string()]);
}

#[cfg(windows)]
fn signal(pid: u32, _force: bool) {
    output("taskkill", &["/F", "/PID", &pid.to_string()]);
}

fn gone_within(pid: u32, limit: Duration) -> bool {
    let started = Instant::now();
    while command_line(pid).is_some() {
        if started.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// What `program` prints, if it succeeds and prints something.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_command_line_and_ended() -> Result<()> {
        let mut child = Command::new("sleep").arg("61").spawn()?;
        assert_eq!(command_line(child.id()).as_deref(), Some("sleep 61"));
        signal(child.id(), false);
        child.wait()?;
        assert_eq!(command_line(child.id()), None);
        Ok(())
    }
}
