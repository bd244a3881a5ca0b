//! The training loop, schedules, early stopping.
