//! Arguments, clocks and output lines, the same for every program that is compared.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;

/// From the worker's start to the first measurement.
pub const SETTLE: Duration = Duration::from_millis(500);

/// From the last idle workflow's start to the measurement of memory.
pub const SETTLE_IDLE: Duration = Duration::from_secs(5);

const USAGE: &str = "usage: acts|soak ADDRESS N [K] [CONC] | replay ADDRESS N [K] | idle|activities|memory ADDRESS N";

/// What is measured.
#[derive(Clone, Copy)]
pub enum Mode {
    /// Workflows of `K` activities, from start to result.
    Acts,
    /// Workflows that wait, in the cache.
    Idle,
    /// One history of `K` activities, again and again.
    Replay,
    /// Very many workflows of `K` activities through one worker with a small cache.
    Soak,
    /// Very many activities without a workflow through one worker.
    Activities,
    /// Activities that take memory, as many at a time as a tuner lets run.
    Memory,
}

/// The command line.
pub struct Arguments {
    pub mode: Mode,
    pub address: String,
    /// `N`: workflows, or replays.
    pub count: usize,
    /// `K`, by default 5.
    pub activities: u32,
    /// How many workflows are started at a time, by default 50.
    pub concurrency: usize,
}

impl Arguments {
    /// Reads the command line of this process.
    pub fn parse() -> Result<Self, String> {
        Self::from_words(std::env::args().skip(1)).ok_or_else(|| USAGE.to_owned())
    }

    fn from_words(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mode = match words.next()?.as_str() {
            "acts" => Mode::Acts,
            "idle" => Mode::Idle,
            "replay" => Mode::Replay,
            "soak" => Mode::Soak,
            "activities" => Mode::Activities,
            "memory" => Mode::Memory,
            _ => return None,
        };
        Some(Self {
            mode,
            address: words.next()?,
            count: words.next()?.parse().ok()?,
            activities: words.next().map_or(Some(5), |word| word.parse().ok())?,
            concurrency: words.next().map_or(Some(50), |word| word.parse().ok())?,
        })
    }
}

/// How much of the machine's memory is in use, between 0 and 1.
pub fn memory_in_use() -> f64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    1.0 - kilobytes("MemAvailable:") / kilobytes("MemTotal:")
}

/// What the workflow of `activities` activities returns.
pub fn sum(activities: u32) -> u32 {
    (0..activities).sum()
}

/// Time, CPU time and memory since a moment.
pub struct Meter {
    started: Instant,
    cpu: ProcessTime,
    memory: u64,
}

impl Meter {
    pub fn start() -> Self {
        let memory = resident_kilobytes();
        Self { started: Instant::now(), cpu: ProcessTime::now(), memory }
    }

    pub fn report_acts(&self, arguments: &Arguments) {
        let Arguments { count: n, activities: k, concurrency, .. } = arguments;
        let (time, cpu) = self.seconds();
        let rate = *n as f64 / time;
        println!(
            "acts n={n} k={k} conc={concurrency}: {time:.2}s {rate:.1} wf/s {:.1} acts/s; \
             process cpu {cpu:.2}s = {:.3} ms/wf; rss {} kB",
            rate * f64::from(*k),
            cpu * 1e3 / *n as f64,
            resident_kilobytes()
        );
    }

    pub fn report_idle(&self, arguments: &Arguments) {
        let n = arguments.count;
        let (_, cpu) = self.seconds();
        let (before, after) = (self.memory, resident_kilobytes());
        println!(
            "idle n={n}: rss {before} -> {after} kB = {:.2} kB/wf; cpu {:.3} ms/wf",
            after.saturating_sub(before) as f64 / n as f64,
            cpu * 1e3 / n as f64
        );
    }

    fn seconds(&self) -> (f64, f64) {
        (self.started.elapsed().as_secs_f64(), self.cpu.elapsed().as_secs_f64())
    }
}

/// The sum of what was measured piece by piece: what happens between the pieces does not count.
#[derive(Default)]
pub struct Laps {
    time: f64,
    cpu: f64,
}

impl Laps {
    pub fn add(&mut self, lap: &Meter) {
        let (time, cpu) = lap.seconds();
        self.time += time;
        self.cpu += cpu;
    }

    pub fn report_replay(&self, arguments: &Arguments, events: usize) {
        let Arguments { count: n, activities: k, .. } = arguments;
        let Self { time, cpu } = self;
        let total = (events * n) as f64;
        println!(
            "replay k={k} events={events} n={n}: {time:.3}s = {:.0} events/s; cpu {cpu:.2}s = {:.2} us/event",
            total / time,
            cpu * 1e6 / total
        );
    }
}

/// Memory over the course of a long run.
pub struct Course {
    what: &'static str,
    started: Instant,
    total: usize,
    /// Resident memory in kB, after each hundredth of them.
    samples: Vec<u64>,
}

impl Course {
    /// Of so many workflows or activities.
    pub fn of(total: usize, what: &'static str) -> Self {
        Self { what, started: Instant::now(), total, samples: Vec::new() }
    }

    /// So many have ended.
    pub fn advance(&mut self, done: usize) {
        let step = (self.total / 100).max(1);
        if !done.is_multiple_of(step) {
            return;
        }
        self.samples.push(resident_kilobytes());
        if done.is_multiple_of(step * 10) {
            let seconds = self.started.elapsed().as_secs_f64();
            let memory = self.samples.last().copied().unwrap_or_default();
            println!(
                "soak {done} of {} {}: {seconds:.0} s, {:.0} a second, rss {memory} kB",
                self.total,
                self.what,
                done as f64 / seconds
            );
        }
    }

    /// How memory went in the second half: flat if its last quarter takes hardly more than the one before.
    ///
    /// # Errors
    ///
    /// It takes over 5 % more.
    pub fn report(&self) -> Result<(), String> {
        let quarter = |from: usize, to: usize| {
            let part = self.samples.get(self.samples.len() * from / 4..self.samples.len() * to / 4).unwrap_or_default();
            part.iter().sum::<u64>() as f64 / part.len().max(1) as f64
        };
        let (third, last) = (quarter(2, 3), quarter(3, 4));
        let grown = (last / third - 1.0) * 100.0;
        let (what, total) = (self.what, self.total);
        println!(
            "soak n={total} {what}: none got stuck; rss of the third quarter {third:.0} kB, of the last {last:.0} kB, \
             {grown:+.1} %"
        );
        if grown <= 5.0 { Ok(()) } else { Err(format!("memory is not flat: {grown:+.1} %")) }
    }
}

/// Linux says it in `/proc`; elsewhere memory is reported as zero.
pub fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
