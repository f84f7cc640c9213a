//! Builds the server from its sources with `go install`, once per version.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

const VERSION: &str = "v1.32.1";
const PACKAGE: &str = "go.temporal.io/server/cmd/server";

/// How often the progress of a cold build is told.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// The server's binary, from the cache or built into it. The cache is `$STEAD_CACHE`, else `fallback`.
pub(super) fn binary(fallback: &Path) -> Result<PathBuf> {
    let cache = std::env::var_os("STEAD_CACHE").map_or_else(|| fallback.to_owned(), PathBuf::from);
    let binary = cache.join(format!("temporal-server-{VERSION}{}", std::env::consts::EXE_SUFFIX));
    if !binary.is_file() {
        build(&cache, &binary)?;
    }
    Ok(std::path::absolute(binary)?)
}

/// Go writes into a folder of this process's own; only a whole binary is moved to its place.
fn build(cache: &Path, binary: &Path) -> Result<()> {
    let scratch = std::path::absolute(cache.join(format!("incoming-{}", std::process::id())))?;
    fs::create_dir_all(&scratch)?;
    let installed = go_install(&scratch).and_then(|()| {
        let built = scratch.join(format!("server{}", std::env::consts::EXE_SUFFIX));
        fs::rename(&built, binary).with_context(|| format!("cannot move {}", built.display()))
    });
    let _ = fs::remove_dir_all(&scratch);
    installed
}

fn go_install(target: &Path) -> Result<()> {
    let package = format!("{PACKAGE}@{VERSION}");
    eprintln!("real-server: go install {package} (minutes, the first time)");
    let started = Instant::now();
    let mut go = Command::new("go")
        .args(["install", "-v", &package])
        .env("GOBIN", target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot_run_go)?;
    let progress = go.stderr.take().map(|stderr| follow(stderr, started)).unwrap_or_default();
    let status = go.wait()?;
    ensure!(status.success(), "`go install {package}` failed, {status}:\n{}", progress.last_lines());
    eprintln!("real-server: built in {} s", started.elapsed().as_secs());
    Ok(())
}

fn cannot_run_go(error: std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "Temporal's server is built from source, and there is no `go` on the PATH: install Go 1.26 or newer \
             (https://go.dev/dl) and run this again"
        ),
        _ => anyhow::Error::new(error).context("cannot run `go`"),
    }
}

fn follow(stderr: ChildStderr, started: Instant) -> Progress {
    let mut progress = Progress::default();
    let mut told = started;
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        progress.note(line);
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            eprintln!("  {:3} s: {}", started.elapsed().as_secs(), progress.summary());
        }
    }
    progress
}

/// What `go install -v` said so far: a line per module fetched and per package built.
#[derive(Default)]
struct Progress {
    modules: usize,
    packages: usize,
    last: VecDeque<String>,
}

impl Progress {
    fn note(&mut self, line: String) {
        match line.strip_prefix("go: ") {
            Some(note) if note.starts_with("downloading ") => self.modules += 1,
            Some(_) => {}
            None => self.packages += 1,
        }
        if self.last.len() == 20 {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn summary(&self) -> String {
        format!("{} modules fetched, {} packages built", self.modules, self.packages)
    }

    fn last_lines(&self) -> String {
        self.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_modules_and_packages_and_keeps_the_last_lines() {
        let mut progress = Progress::default();
        progress.note("go: downloading go.temporal.io/api v1.0.0".to_owned());
        progress.note("go: finding something".to_owned());
        for n in 0..30 {
            progress.note(format!("package/{n}"));
        }
        assert_eq!(progress.summary(), "1 modules fetched, 30 packages built");
        assert_eq!(progress.last_lines().lines().next(), Some("package/10"));
    }
}
