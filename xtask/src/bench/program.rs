//! Building and running the programs that are compared, and reading their lines.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::{root, target_folder};

/// A program that was built.
pub(super) struct Program {
    name: &'static str,
    binary: PathBuf,
}

/// The number that is read out of a program's line.
#[derive(Clone, Copy)]
pub(super) enum Figure {
    /// Milliseconds, `= 12.345 ms/wf`.
    CpuOfWorkflow,
    /// Kilobytes, `-> 12345 kB`.
    Memory,
    /// Microseconds, `= 1.23 us/event`.
    CpuOfEvent,
    /// Workflows a second, `200.0 wf/s`.
    Rate,
    /// Kilobytes at the end, `rss 12345 kB`.
    Resident,
    /// Milliseconds until a server in the process answered, `first answer after 1.234 ms`.
    FirstAnswer,
}

/// Builds `stead-bench`.
pub(super) fn stead() -> Result<Program> {
    build("stead", &root().join("Cargo.toml"), &target_folder(), "stead-bench", "stead-bench")
}

/// Builds `stead`, the program of the server.
pub(super) fn stead_server() -> Result<PathBuf> {
    let manifest = root().join("Cargo.toml");
    Ok(build("stead", &manifest, &target_folder(), "stead-cli", "stead")?.binary)
}

/// Builds the peer, which is a workspace of its own.
pub(super) fn official() -> Result<Program> {
    let folder = root().join("crates").join("bench").join("peers").join("official");
    build(
        "official",
        &folder.join("Cargo.toml"),
        &folder.join("target"),
        "stead-bench-official",
        "stead-bench-official",
    )
}

fn build(name: &'static str, manifest: &Path, target: &Path, package: &str, program: &str) -> Result<Program> {
    eprintln!("bench: building {package}");
    let started = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_xtask(name)) {
        command.env_remove(name);
    }
    let status = command
        .args(["build", "--release", "--locked", "--package", package, "--target-dir"])
        .arg(target)
        .arg("--manifest-path")
        .arg(manifest)
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "building {package} failed, {status}");
    eprintln!("bench: built in {} s", started.elapsed().as_secs());
    let binary = target.join("release").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    Ok(Program { name, binary })
}

/// Cargo tells a program that it runs about the program's package. Build scripts that look at these variables would run
/// again, and most of the peer would be compiled again, whenever the caller differs.
fn describes_xtask(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Program {
    /// Runs the program and lets it print.
    pub(super) fn show(&self, address: &str, mode: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.binary);
        let status =
            command.args([mode, address]).args(arguments).env_remove("RUST_LOG").stdin(Stdio::null()).status()?;
        ensure!(status.success(), "`{} {mode}` failed, {status}", self.name);
        Ok(())
    }

    /// Runs the program and reads one number of the line that it prints.
    pub(super) fn run(&self, address: &str, mode: &str, figure: Figure, arguments: &[&str]) -> Result<f64> {
        self.read(&self.print(address, mode, arguments)?, figure)
    }

    /// A number in what the program printed.
    pub(super) fn read(&self, text: &str, figure: Figure) -> Result<f64> {
        figure.find(text).ok_or_else(|| anyhow!("`{}` printed something else: {text}", self.name))
    }

    /// Runs the program. What it prints.
    pub(super) fn print(&self, address: &str, mode: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.binary)
            .args([mode, address])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("running {}", self.binary.display()))?;
        ensure!(output.status.success(), "`{} {mode}` failed, {}", self.name, output.status);
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        eprintln!("  {:8} {text}", self.name);
        Ok(text)
    }
}

impl Figure {
    fn find(self, line: &str) -> Option<f64> {
        let (before, unit) = match self {
            Self::CpuOfWorkflow => ("= ", " ms/wf"),
            Self::Memory => ("-> ", " kB"),
            Self::CpuOfEvent => ("= ", " us/event"),
            Self::Rate => ("s ", " wf/s"),
            Self::Resident => ("rss ", " kB"),
            Self::FirstAnswer => ("first answer after ", " ms"),
        };
        let (head, _) = line.split_once(unit)?;
        head.rsplit_once(before)?.1.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_out_of_the_lines() {
        let acts = "acts n=200 k=5 conc=20: 1.00s 200.0 wf/s 1000.0 acts/s; process cpu 2.00s = 10.250 ms/wf; rss 9 kB";
        let idle = "idle n=2000: rss 10000 -> 28400 kB = 9.20 kB/wf; cpu 1.000 ms/wf";
        let replay = "replay k=100 events=605 n=20: 0.500s = 24200 events/s; cpu 0.47s = 39.05 us/event";
        assert_eq!(Figure::CpuOfWorkflow.find(acts), Some(10.25));
        assert_eq!(Figure::Memory.find(idle), Some(28400.0));
        assert_eq!(Figure::CpuOfEvent.find(replay), Some(39.05));
        assert_eq!(Figure::CpuOfEvent.find(idle), None);
        assert_eq!(Figure::Rate.find(acts), Some(200.0));
        assert_eq!(Figure::Resident.find(acts), Some(9.0));
        assert_eq!(Figure::FirstAnswer.find(&format!("first answer after 1.250 ms\n{acts}")), Some(1.25));
    }
}
