//! [`Snapshot`]: a history that people read, one line an event, without what differs from run to run.

mod render;

use std::fmt;
use std::path::{Path, PathBuf};

use stead_data::history::History;

/// A history that people read, one line an event, without what differs from run to run: times, run ids, identities.
///
/// ```text
/// 1 WorkflowExecutionStarted Order "ada"
/// 2 WorkflowTaskScheduled
/// 3 WorkflowTaskStarted
/// 4 WorkflowTaskCompleted
/// 5 TimerStarted 1 in 1h
/// 6 TimerFired 1
/// ```
#[derive(Clone, PartialEq)]
pub struct Snapshot {
    history: History,
}

impl Snapshot {
    /// Of a history.
    #[must_use]
    pub fn of(history: History) -> Self {
        Self { history }
    }

    /// The history itself.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Compares the history with the one in `tests/snapshots/<name>.txt` of the package under test. To write the file,
    /// or to write it anew, run the test with `STEAD_SNAPSHOTS=write`, and read the difference before you keep it.
    ///
    /// # Panics
    ///
    /// If they differ, with the lines that do; or if there is no such file.
    #[track_caller]
    pub fn assert_snapshot(&self, name: &str) {
        self.compare(&file(name), std::env::var_os("STEAD_SNAPSHOTS").is_some());
    }

    #[track_caller]
    fn compare(&self, file: &Path, write: bool) {
        let now = self.to_string();
        if write {
            let folder = file.parent().unwrap_or(Path::new("."));
            let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(file, &now));
            return written.unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
        }
        match std::fs::read_to_string(file) {
            Ok(kept) if kept == now => {}
            Ok(kept) => panic!(
                "the history is not that of {}; if it should be as it is now, run the test with STEAD_SNAPSHOTS=write\n{}",
                file.display(),
                difference(&kept, &now)
            ),
            Err(error) => panic!(
                "cannot read {}: {error}; to write it, run the test with STEAD_SNAPSHOTS=write\n{now}",
                file.display()
            ),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = render::Names::default();
        for event in &self.history.0.events {
            writeln!(f, "{}", names.line(event))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Cargo says where the package under test is; outside of cargo it is where the test runs.
fn file(name: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
    package.join("tests/snapshots").join(format!("{name}.txt"))
}

/// Both texts in one: common lines once, and before and after the first and last that differ.
fn difference(kept: &str, now: &str) -> String {
    let (kept, now): (Vec<_>, Vec<_>) = (kept.lines().collect(), now.lines().collect());
    let same = kept.iter().zip(&now).take_while(|(kept, now)| kept == now).count();
    let rest = kept.len().min(now.len()) - same;
    let tail = kept.iter().rev().zip(now.iter().rev()).take(rest).take_while(|(kept, now)| kept == now).count();
    let lines = |mark: &str, lines: &[&str]| lines.iter().map(|line| format!("{mark} {line}\n")).collect::<String>();
    lines(" ", &now[..same])
        + &lines("-", &kept[same..kept.len() - tail])
        + &lines("+", &now[same..now.len() - tail])
        + &lines(" ", &now[now.len() - tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_went_and_what_came() {
        assert_eq!(difference("a\nb\nc\n", "a\nx\ny\nc\n"), "  a\n- b\n+ x\n+ y\n  c\n");
        assert_eq!(difference("a\na\n", "a\n"), "  a\n- a\n");
    }
}
