//! Schedules: when the next action is due, and what happens to those that overlap.
