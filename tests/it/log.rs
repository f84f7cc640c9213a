//! What the parts that run on the test's thread log, from level info on: clients, pollers, activities.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

pub(crate) struct Log {
    lines: Lines,
    _guard: tracing::subscriber::DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Until it is dropped.
    pub(crate) fn start() -> Self {
        let lines = Lines::default();
        let writes = tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_writer(lines.clone());
        let filter = Targets::new().with_target("stead", LevelFilter::INFO);
        let subscriber = tracing_subscriber::registry().with(filter).with(writes);
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// How many lines have this in them.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.to_string().lines().filter(|line| line.contains(text)).count()
    }

    /// How many warnings and errors there are.
    pub(crate) fn loud(&self) -> usize {
        self.loud_but("\n")
    }

    /// How many warnings and errors there are that do not have this in them.
    pub(crate) fn loud_but(&self, text: &str) -> usize {
        let is_loud = |line: &&str| line.trim_start().starts_with("WARN") || line.trim_start().starts_with("ERROR");
        self.to_string().lines().filter(|line| is_loud(line) && !line.contains(text)).count()
    }
}

/// A test that fails shows it.
impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{self}");
        }
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.lines.0.lock().unwrap()))
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
