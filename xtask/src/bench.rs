//! `cargo xtask bench [acts|idle|replay|all|soak|servers]`: what `stead` costs, next to the official SDK on the same server.
//!
//! Both programs run by turns, so that a busy machine disturbs both alike; the median of each is compared.

mod program;
mod servers;
mod table;

use std::str::FromStr;

use anyhow::{Result, bail};

use crate::real_server;
use program::{Figure, Program};
use table::{Goal, Row, Table};

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    /// CPU of a workflow of five activities.
    Acts,
    /// Memory of a cached workflow.
    Idle,
    /// CPU of a replayed event.
    Replay,
    /// Whether memory stays flat under very many workflows; `stead` alone, and not part of everything: it takes long.
    Soak,
    /// Both SDKs on the embedded server and on Temporal's own; not part of everything either.
    Servers,
    /// Everything else.
    All,
}

impl Part {
    fn includes(self, part: Part) -> bool {
        self == Self::All || self == part
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        match word {
            "acts" => Ok(Self::Acts),
            "idle" => Ok(Self::Idle),
            "replay" => Ok(Self::Replay),
            "soak" => Ok(Self::Soak),
            "servers" => Ok(Self::Servers),
            "all" => Ok(Self::All),
            _ => bail!("nothing is measured as `{word}`: acts, idle, replay, soak, servers or all"),
        }
    }
}

/// Builds, measures and prints the table.
pub(crate) fn run(part: Part) -> Result<()> {
    if part == Part::Soak {
        // 50,000 workflows of two activities, 60 at a time, over a cache of 100.
        return program::stead()?.show(&real_server::ensure_running()?, "soak", &["50000", "2", "60"]);
    }
    if part == Part::Servers {
        println!("{}", servers::compare()?);
        return Ok(());
    }
    let pair =
        Pair { address: real_server::ensure_running()?, stead: program::stead()?, official: program::official()? };
    let mut table = Table::default();
    if part.includes(Part::Acts) {
        table.push(pair.acts()?);
    }
    if part.includes(Part::Idle) {
        table.push(pair.idle()?);
    }
    if part.includes(Part::Replay) {
        table.extend(pair.replay()?);
    }
    println!("{table}");
    Ok(())
}

/// The two programs, and the server that both talk to.
struct Pair {
    address: String,
    stead: Program,
    official: Program,
}

impl Pair {
    fn acts(&self) -> Result<Row> {
        let arguments = ["200", "5", "20"];
        let (official, stead) = self.by_turns(7, "acts", Figure::CpuOfWorkflow, &arguments, &arguments)?;
        Ok(Row::new("CPU of a workflow of 5 activities, ms", official, stead, Goal::Ratio(0.35)))
    }

    /// The slope from few to many leaves out what the process needs anyway.
    fn idle(&self) -> Result<Row> {
        const FEW: u32 = 2_000;
        const MANY: u32 = 10_000;
        let slope = |program: &Program| -> Result<f64> {
            let few = program.run(&self.address, "idle", Figure::Memory, &[&FEW.to_string()])?;
            let many = program.run(&self.address, "idle", Figure::Memory, &[&MANY.to_string()])?;
            Ok((many - few) / f64::from(MANY - FEW))
        };
        let (official, stead) = (slope(&self.official)?, slope(&self.stead)?);
        Ok(Row::new("memory of a cached idle workflow, kB", official, stead, Goal::AtMost(2.0)))
    }

    /// The faster program replays more often, or the clock's ticks would show.
    fn replay(&self) -> Result<[Row; 2]> {
        let cpu = Figure::CpuOfEvent;
        let short = self.by_turns(3, "replay", cpu, &["20", "100"], &["400", "100"])?;
        let long = self.by_turns(3, "replay", cpu, &["3", "1000"], &["60", "1000"])?;
        Ok([
            Row::new("CPU of a replayed event, 605 events, µs", short.0, short.1, Goal::Ratio(1.0 / 40.0)),
            Row::new("CPU of a replayed event, 6,005 events, µs", long.0, long.1, Goal::Ratio(1.0 / 60.0)),
        ])
    }

    /// The medians of `rounds` runs of each: the official program's, then ours.
    fn by_turns(
        &self,
        rounds: usize,
        mode: &str,
        figure: Figure,
        official: &[&str],
        stead: &[&str],
    ) -> Result<(f64, f64)> {
        let mut figures = (Vec::new(), Vec::new());
        for round in 1..=rounds {
            eprintln!("bench: {mode} {}, round {round} of {rounds}", stead.join(" "));
            figures.0.push(self.official.run(&self.address, mode, figure, official)?);
            figures.1.push(self.stead.run(&self.address, mode, figure, stead)?);
        }
        Ok((median(figures.0), median(figures.1)))
    }
}

/// Of a list that is not empty.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
    }
}
