//! The server without its I/O: requests and time go in, answers and wishes come out.

mod schedule;
mod visibility;
