//! How much of its CPU and memory this process's machine or container uses.
//!
//! On Linux, the limits of the process's control group count where it has some (versions 1 and 2), else the machine's.
//! Elsewhere nothing is known.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stead_core::policy::ResourceUse;
use tokio::time::Instant;

/// Measures, at most ten times a second.
pub(crate) struct Resources {
    sampler: Mutex<Sampler>,
}

struct Sampler {
    /// Where `proc` and `sys` are.
    root: PathBuf,
    measured: Option<Instant>,
    cpu: Option<CpuTime>,
    usage: Option<ResourceUse>,
}

/// CPU time so far, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct CpuTime {
    used: f64,
    /// How much there was to use.
    available: Available,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Available {
    /// So many seconds since the machine started.
    Total(f64),
    /// So many for each second that passes.
    PerSecond(f64),
}

impl Default for Resources {
    /// Those of the process.
    fn default() -> Self {
        Self::under("/")
    }
}

impl Resources {
    pub(super) fn under(root: impl Into<PathBuf>) -> Self {
        Self { sampler: Mutex::new(Sampler { root: root.into(), measured: None, cpu: None, usage: None }) }
    }

    /// What is in use, measured at most a tenth of a second ago; `None` where it is not known.
    pub(crate) fn fresh_usage(&self, now: Instant) -> Option<ResourceUse> {
        let mut sampler = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = sampler.measured.map(|at| now.saturating_duration_since(at));
        if elapsed.is_none_or(|elapsed| elapsed >= REFRESH) {
            sampler.measure(elapsed.unwrap_or_default());
            sampler.measured = Some(now);
        }
        sampler.usage
    }
}

impl Sampler {
    fn measure(&mut self, elapsed: Duration) {
        let (memory, cpu) = (memory(&self.root), cpu(&self.root));
        let before = std::mem::replace(&mut self.cpu, cpu);
        // Use of CPU is a matter of time: the first look shows none.
        let cpu = cpu.map(|now| before.map_or(0.0, |before| now.since(before, elapsed)));
        self.usage = memory.zip(cpu).map(|(memory, cpu)| ResourceUse { memory, cpu });
    }
}

impl CpuTime {
    fn since(self, before: Self, elapsed: Duration) -> f64 {
        let available = match (self.available, before.available) {
            (Available::Total(now), Available::Total(before)) => now - before,
            (Available::PerSecond(cpus), _) => cpus * elapsed.as_secs_f64(),
            (Available::Total(_), Available::PerSecond(_)) => 0.0,
        };
        if available > 0.0 { ((self.used - before.used) / available).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// Which part of its memory the control group uses, or else the machine.
fn memory(root: &Path) -> Option<f64> {
    let meminfo = read(root, "proc/meminfo")?;
    let kib = |name: &str| field(&meminfo, name).map(|kib| kib * 1024.0);
    let total = kib("MemTotal:")?;
    let whole_machine = (total - kib("MemAvailable:")?) / total;
    let group = group_memory(root).filter(|group| group.limit < total);
    let part = group.map_or(whole_machine, |group| ((group.used - group.reclaimable) / group.limit).max(whole_machine));
    Some(part.clamp(0.0, 1.0))
}

struct GroupMemory {
    limit: f64,
    used: f64,
    /// Files that are cached and were not looked at lately.
    reclaimable: f64,
}

fn group_memory(root: &Path) -> Option<GroupMemory> {
    if let Some(group) = group_v2(root) {
        let number = |name: &str| read(&group, name)?.trim().parse().ok();
        let reclaimable = read(&group, "memory.stat").and_then(|stat| field(&stat, "inactive_file")).unwrap_or(0.0);
        // No limit is the word `max`, which is no number.
        return Some(GroupMemory { limit: number("memory.max")?, used: number("memory.current")?, reclaimable });
    }
    let group = group_v1(root, "memory")?;
    let number = |name: &str| read(&group, name)?.trim().parse().ok();
    let stat = read(&group, "memory.stat").unwrap_or_default();
    Some(GroupMemory {
        limit: number("memory.limit_in_bytes")?,
        used: number("memory.usage_in_bytes")?,
        reclaimable: field(&stat, "total_inactive_file").unwrap_or(0.0),
    })
}

/// The CPU time of the control group if it has a quota, else the machine's.
fn cpu(root: &Path) -> Option<CpuTime> {
    group_cpu(root).or_else(|| machine_cpu(root))
}

fn group_cpu(root: &Path) -> Option<CpuTime> {
    if let Some(group) = group_v2(root) {
        let limit = read(&group, "cpu.max")?;
        let (quota, period) = limit.trim().split_once(' ')?;
        let cpus = quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?;
        let used = field(&read(&group, "cpu.stat")?, "usage_usec")? / 1e6;
        return Some(CpuTime { used, available: Available::PerSecond(cpus) });
    }
    let group = group_v1(root, "cpu")?;
    let number = |name: &str| read(&group, name)?.trim().parse::<f64>().ok();
    // No quota is -1.
    let quota = number("cpu.cfs_quota_us").filter(|quota| *quota > 0.0)?;
    let cpus = quota / number("cpu.cfs_period_us").filter(|period| *period > 0.0)?;
    let accounting = group_v1(root, "cpuacct")?;
    let used = read(&accounting, "cpuacct.usage")?.trim().parse::<f64>().ok()? / 1e9;
    Some(CpuTime { used, available: Available::PerSecond(cpus) })
}

/// The first line of `/proc/stat`: ticks in user, nice, system, idle, iowait, irq, softirq, steal. The unit cancels out.
fn machine_cpu(root: &Path) -> Option<CpuTime> {
    let stat = read(root, "proc/stat")?;
    let ticks: Vec<f64> = stat.lines().next()?.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let (total, idle) = (ticks.iter().sum::<f64>(), ticks.get(3)? + ticks.get(4).copied().unwrap_or(0.0));
    Some(CpuTime { used: total - idle, available: Available::Total(total) })
}

/// The folder of the process's group, or of the root group as a container sees its own.
fn group_v2(root: &Path) -> Option<PathBuf> {
    let base = root.join("sys/fs/cgroup");
    if !base.join("cgroup.controllers").exists() {
        return None;
    }
    let groups = read(root, "proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/');
    let own = base.join(path);
    Some(if own.join("memory.current").exists() { own } else { base })
}

fn group_v1(root: &Path, controller: &str) -> Option<PathBuf> {
    let base = root.join("sys/fs/cgroup").join(controller);
    let groups = read(root, "proc/self/cgroup")?;
    let path = groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let controllers = parts.next()?;
        controllers.split(',').any(|it| it == controller).then(|| parts.next().unwrap_or_default().to_owned())
    });
    let own = base.join(path.unwrap_or_default().trim_start_matches('/'));
    if own.exists() { Some(own) } else { base.exists().then_some(base) }
}

fn read(folder: &Path, name: &str) -> Option<String> {
    fs::read_to_string(folder.join(name)).ok()
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next()? == name).then(|| words.next()?.parse().ok()).flatten())
}

/// As `temporalio-sdk-core` does.
const REFRESH: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of 1000 KiB, half of it used, and two CPUs.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let meminfo = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 500 kB\n";
        for (path, text) in [("proc/meminfo", meminfo), ("proc/stat", "cpu 10 0 10 80 0 0 0 0\n")].iter().chain(files) {
            write(&folder, path, text);
        }
        folder
    }

    fn write(folder: &tempfile::TempDir, path: &str, text: &str) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// What is used a second after `change`.
    fn usage_after(folder: &tempfile::TempDir, path: &str, text: &str) -> ResourceUse {
        let resources = Resources::under(folder.path());
        let start = Instant::now();
        assert_eq!(resources.fresh_usage(start).map(|usage| usage.cpu), Some(0.0), "nothing is known yet");
        write(folder, path, text);
        let cached = resources.fresh_usage(start + Duration::from_millis(99)).map(|usage| usage.cpu);
        assert_eq!(cached, Some(0.0), "it is looked at ten times a second at most");
        resources.fresh_usage(start + Duration::from_secs(1)).expect("it is known")
    }

    #[test]
    fn without_a_group_the_machine_counts() {
        let usage = usage_after(&machine(&[]), "proc/stat", "cpu 30 0 20 130 20 0 0 0\n");
        assert_eq!(usage, ResourceUse { memory: 0.5, cpu: 0.3 });
    }

    #[test]
    fn the_limits_of_a_group_of_version_2_count() {
        let folder = machine(&[
            ("proc/self/cgroup", "0::/shop\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory\n"),
            ("sys/fs/cgroup/shop/memory.max", "204800\n"),
            ("sys/fs/cgroup/shop/memory.current", "184320\n"),
            ("sys/fs/cgroup/shop/memory.stat", "anon 1\ninactive_file 20480\n"),
            ("sys/fs/cgroup/shop/cpu.max", "50000 100000\n"),
            ("sys/fs/cgroup/shop/cpu.stat", "usage_usec 1000000\n"),
        ]);
        let usage = usage_after(&folder, "sys/fs/cgroup/shop/cpu.stat", "usage_usec 1250000\n");
        assert_eq!(usage, ResourceUse { memory: 0.8, cpu: 0.5 });
        let unlimited = "max\n";
        write(&folder, "sys/fs/cgroup/shop/memory.max", unlimited);
        write(&folder, "sys/fs/cgroup/shop/cpu.max", "max 100000\n");
        let usage = usage_after(&folder, "proc/stat", "cpu 30 0 20 150 0 0 0 0\n");
        assert_eq!(usage, ResourceUse { memory: 0.5, cpu: 0.3 });
    }

    #[test]
    fn the_limits_of_a_group_of_version_1_count() {
        let folder = machine(&[
            ("proc/self/cgroup", "5:cpu,cpuacct:/shop\n4:memory:/shop\n"),
            ("sys/fs/cgroup/memory/shop/memory.limit_in_bytes", "204800\n"),
            ("sys/fs/cgroup/memory/shop/memory.usage_in_bytes", "163840\n"),
            ("sys/fs/cgroup/cpu/shop/cpu.cfs_quota_us", "200000\n"),
            ("sys/fs/cgroup/cpu/shop/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpuacct/shop/cpuacct.usage", "1000000000\n"),
        ]);
        let usage = usage_after(&folder, "sys/fs/cgroup/cpuacct/shop/cpuacct.usage", "1500000000\n");
        assert_eq!(usage, ResourceUse { memory: 0.8, cpu: 0.25 });
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Resources::under(folder.path()).fresh_usage(Instant::now()), None);
    }
}
