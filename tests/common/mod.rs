//! What several integration tests share. Each test compiles its own copy and uses a part of it.
#![allow(dead_code)]

pub mod golden;
#[cfg(feature = "report")]
pub mod grids;
#[cfg(feature = "import")]
pub mod million_songs;
#[cfg(feature = "import")]
pub mod prepared;
pub mod runs;
pub mod walks;

/// Says a line that is seen where the test passes too, unlike what `println` writes.
pub fn say(line: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
