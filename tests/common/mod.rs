//! What several integration tests share.
#![allow(dead_code, reason = "each test takes a part")]

pub mod kernels;
