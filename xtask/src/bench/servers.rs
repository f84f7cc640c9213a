//! Whole systems side by side: each SDK on each server, client, worker and server on the same machine.
//!
//! Every run has a server of its own that knows nothing yet. The systems run by turns, so that a busy machine disturbs all
//! of them alike; of each figure, the median of the rounds counts.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::median;
use super::program::{self, Figure, Program};
use crate::real_server::{self, Readiness};

const ROUNDS: usize = 3;

/// Of each run: workflows of five activities, 100 at a time. Temporal's server takes its time, so that it gets fewer.
const WORKFLOWS: u32 = 2_000;
const WORKFLOWS_OF_TEMPORAL: u32 = 200;

/// Runs all of them, and makes the table.
pub(super) fn compare() -> Result<Table> {
    let (stead, official, server) = (program::stead()?, program::official()?, program::stead_server()?);
    let in_process = [Server::InProcess("memory"), Server::InProcess("sqlite")];
    let alone = [Server::Stead { program: &server, durable: false }, Server::Stead { program: &server, durable: true }];
    let ours = in_process.iter().chain(&alone).chain([&Server::Temporal]).map(|server| (&stead, server));
    let theirs = alone.iter().chain([&Server::Temporal]).map(|server| (&official, server));
    let mut rows: Vec<_> =
        ours.chain(theirs).map(|(program, server)| Row { program, server, runs: Vec::new() }).collect();
    for round in 1..=ROUNDS {
        for row in &mut rows {
            eprintln!("bench: {} on {}, round {round} of {ROUNDS}", row.program, row.server);
            row.runs.push(row.server.run(row.program)?);
        }
    }
    Ok(Table(rows.iter().map(Row::to_string).collect()))
}

/// A kind of server.
enum Server<'a> {
    /// The embedded one in the program's process: it is reached without a socket.
    InProcess(&'static str),
    /// `stead server`, over TCP.
    Stead { program: &'a Path, durable: bool },
    /// Temporal's own, with its store in memory, over TCP.
    Temporal,
}

impl fmt::Display for Server<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InProcess(store) => write!(f, "embedded, {store}"),
            Self::Stead { durable: false, .. } => write!(f, "`stead server`, memory"),
            Self::Stead { durable: true, .. } => write!(f, "`stead server`, sqlite"),
            Self::Temporal => write!(f, "Temporal's server, memory"),
        }
    }
}

/// What one run of a program showed.
struct Run {
    /// Workflows a second.
    rate: f64,
    /// Milliseconds a workflow, of client and worker.
    cpu: f64,
    /// Kilobytes of the program's process.
    memory: f64,
    /// Milliseconds.
    start: f64,
    /// Of the server's process, if it has one.
    server: Option<Usage>,
}

/// What a process has used.
#[derive(Clone, Copy)]
struct Usage {
    /// Milliseconds; a workflow, once the run is over.
    cpu: f64,
    /// Kilobytes.
    memory: f64,
}

impl Server<'_> {
    fn run(&self, program: &Program) -> Result<Run> {
        match self {
            Self::InProcess(store) => {
                let text = acts(program, store, WORKFLOWS)?;
                let start = program.read(&text, Figure::FirstAnswer)?;
                Run::read(program, &text, start, None)
            }
            Self::Stead { program: server, durable } => {
                let server = SteadServer::start(server, *durable)?;
                measure(program, &server.address, server.child.id(), server.start, WORKFLOWS)
            }
            Self::Temporal => {
                let server = real_server::start_measured()?;
                measure(program, &server.address, server.pid, server.start, WORKFLOWS_OF_TEMPORAL)
            }
        }
    }
}

fn acts(program: &Program, address: &str, workflows: u32) -> Result<String> {
    program.print(address, "acts", &[&workflows.to_string(), "5", "100"])
}

/// Runs the program on a server in a process of its own.
fn measure(program: &Program, address: &str, server: u32, start: Duration, workflows: u32) -> Result<Run> {
    let before = usage(server)?;
    let text = acts(program, address, workflows)?;
    let after = usage(server)?;
    let used = Usage { cpu: (after.cpu - before.cpu) / f64::from(workflows), memory: after.memory };
    Run::read(program, &text, start.as_secs_f64() * 1e3, Some(used))
}

impl Run {
    fn read(program: &Program, text: &str, start: f64, server: Option<Usage>) -> Result<Self> {
        let figure = |figure| program.read(text, figure);
        let (rate, cpu, memory) = (figure(Figure::Rate)?, figure(Figure::CpuOfWorkflow)?, figure(Figure::Resident)?);
        Ok(Self { rate, cpu, memory, start, server })
    }
}

/// `stead server`, which ends with the value.
struct SteadServer {
    child: Child,
    address: String,
    start: Duration,
    /// A server that cannot say what it does any more would end.
    _output: BufReader<ChildStdout>,
    _file: Option<Database>,
}

impl SteadServer {
    fn start(program: &Path, durable: bool) -> Result<Self> {
        let file = durable.then(Database::new);
        let mut command = Command::new(program);
        command.args(["server", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped());
        if let Some(Database(file)) = &file {
            command.arg("--db").arg(file);
        }
        let began = Instant::now();
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let mut output = BufReader::new(child.stdout.take().context("the server's output is piped")?);
        let mut server =
            Self { address: listening(&mut output)?, child, start: began.elapsed(), _output: output, _file: file };
        Readiness::new(&server.address)?.advance()?;
        server.start = began.elapsed();
        Ok(server)
    }
}

/// Where a server says that it listens.
fn listening(output: &mut BufReader<ChildStdout>) -> Result<String> {
    let mut line = String::new();
    loop {
        line.clear();
        ensure!(output.read_line(&mut line)? > 0, "`stead server` ended before it listened");
        if let Some(address) = line.strip_prefix("listening at ").and_then(|rest| rest.split(' ').next()) {
            return Ok(address.to_owned());
        }
    }
}

impl Drop for SteadServer {
    fn drop(&mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A database file that goes away with the value.
struct Database(PathBuf);

impl Database {
    fn new() -> Self {
        Self(crate::target_folder().join(format!("bench-{}.db", std::process::id())))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            // What is not there need not go.
            let _ = fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

/// As Linux says it in `/proc`, in ticks of a hundredth of a second.
fn usage(process: u32) -> Result<Usage> {
    let read = |file: &str| {
        let path = format!("/proc/{process}/{file}");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let (stat, status) = (read("stat")?, read("status")?);
    let parsed = cpu_ticks(&stat).zip(resident_kilobytes(&status));
    let (ticks, memory) = parsed.context("/proc says something else of the server than it used to")?;
    Ok(Usage { cpu: ticks * 10.0, memory })
}

/// Time in the program and in the kernel: the 14th and the 15th word, of which the second may be several.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || words.next()?.parse::<f64>().ok();
    Some(ticks()? + ticks()?)
}

fn resident_kilobytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// One system.
struct Row<'a> {
    program: &'a Program,
    server: &'a Server<'a>,
    runs: Vec<Run>,
}

impl Row<'_> {
    fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(self.runs.iter().map(figure).collect())
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |kilobytes: f64| kilobytes / 1024.0;
        write!(
            f,
            "| {} | {} | {:.0} | {:.2} | {:.1} | ",
            self.program,
            self.server,
            self.median(|run| run.rate),
            self.median(|run| run.cpu),
            megabytes(self.median(|run| run.memory)),
        )?;
        if self.runs.iter().all(|run| run.server.is_some()) {
            let of_server = |figure: fn(Usage) -> f64| self.median(|run| run.server.map_or(f64::NAN, figure));
            write!(f, "{:.2} | {:.1}", of_server(|used| used.cpu), megabytes(of_server(|used| used.memory)))?;
        } else {
            write!(f, "in it | in it")?;
        }
        write!(f, " | {:.1} |", self.median(|run| run.start))
    }
}

/// The table of results, as Markdown.
pub(super) struct Table(Vec<String>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| SDK | server | workflows a second | client and worker: CPU a workflow, ms | its memory, MB | server: CPU a workflow, \
             ms | its memory, MB | its start, ms |"
        )?;
        write!(f, "|---|---|---:|---:|---:|---:|---:|---:|")?;
        self.0.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_counted_behind_a_name_with_blanks_and_parentheses() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 200 0 0 31 11 0 0 20 0 3 0 99 1000 50";
        assert_eq!(cpu_ticks(stat), Some(42.0));
    }

    #[test]
    fn memory_is_that_which_is_resident() {
        assert_eq!(resident_kilobytes("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t   1234 kB\n"), Some(1234.0));
    }
}
