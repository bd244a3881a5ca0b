//! Measuring: a device against the reference, and against the clock.

pub mod bench;
pub mod check;
pub mod collection;
pub mod memory;
pub mod peak;
pub mod synthetic;
