//! The training loop, schedules, early stopping.

pub mod schedule;
