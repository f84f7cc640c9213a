//! Schedules: workflows started on times of a calendar.

mod spec;
