//! Experiments: arms that differ in one thing, trained on one dataset and compared song by song.
//!
//! | file | what |
//! |---|---|
//! | [`arms`] | the arms by name: what each does with tags and playlists |
//! | [`trial`] | one arm trained and scored |
//! | [`comparison`] | arms side by side: figures, differences, intervals |
//! | `grid` | runs in a folder that any number of processes share: done once, kept as rows |
//! | `report` | what a grid's rows say: tables, the paper's figures, one page |

pub mod arms;
pub mod comparison;
#[cfg(feature = "report")]
pub mod grid;
#[cfg(feature = "report")]
pub mod report;
pub mod trial;

pub use arms::Arm;
