//! Measuring: a device against the reference and against the clock; and tuning, which needs both.

pub mod bench;
pub mod check;
pub mod clock;
pub mod collection;
pub mod memory;
pub mod peak;
pub mod synthetic;
pub mod tune;
