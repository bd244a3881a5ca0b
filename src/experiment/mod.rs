//! Experiments: arms that differ in one thing, trained on one dataset and compared song by song.
//!
//! | file | what |
//! |---|---|
//! | [`arms`] | the arms by name: what each does with tags and playlists |
//! | [`trial`] | one arm trained and scored |
//! | [`comparison`] | arms side by side: figures, differences, intervals |

pub mod arms;
pub mod comparison;
pub mod trial;

pub use arms::Arm;
