//! Small file formats that several folders read and write.

pub mod atomic;
pub mod npy;
