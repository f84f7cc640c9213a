//! The table of results, as Markdown.

use std::fmt;

/// Rows in the order of their measurement.
#[derive(Default)]
pub(super) struct Table(Vec<Row>);

/// One measurement.
pub(super) struct Row {
    what: &'static str,
    official: f64,
    stead: f64,
    goal: Goal,
}

/// What ours should reach.
pub(super) enum Goal {
    /// This part of the official program's figure.
    Ratio(f64),
    /// This figure.
    AtMost(f64),
}

impl Row {
    pub(super) fn new(what: &'static str, official: f64, stead: f64, goal: Goal) -> Self {
        Self { what, official, stead, goal }
    }

    fn is_met(&self) -> bool {
        match self.goal {
            Goal::Ratio(ratio) => self.stead <= self.official * ratio,
            Goal::AtMost(most) => self.stead <= most,
        }
    }
}

impl Table {
    pub(super) fn push(&mut self, row: Row) {
        self.0.push(row);
    }

    pub(super) fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.0.extend(rows);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | official | stead | stead / official | goal | met |")?;
        write!(f, "|---|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, official, stead, goal } = self;
        let ratio = stead / official;
        let met = if self.is_met() { "yes" } else { "no" };
        write!(f, "| {what} | {official:.2} | {stead:.2} | {ratio:.3} (1/{:.1}) | {goal} | {met} |", 1.0 / ratio)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(ratio) => write!(f, "≤ {ratio:.3}"),
            Self::AtMost(most) => write!(f, "≤ {most} itself"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_the_goal_is_met() {
        let row = |goal| Row::new("CPU, ms", 10.0, 4.0, goal).to_string();
        assert_eq!(row(Goal::Ratio(0.35)), "| CPU, ms | 10.00 | 4.00 | 0.400 (1/2.5) | ≤ 0.350 | no |");
        assert_eq!(row(Goal::AtMost(4.0)), "| CPU, ms | 10.00 | 4.00 | 0.400 (1/2.5) | ≤ 4 itself | yes |");
    }
}
