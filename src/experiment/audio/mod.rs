//! What a song sounds like without a network: statistics of its log-mel spectrogram. A linear model on them is the floor
//! that a network must exceed; likeness by them is another context to propagate along than playlists.
//!
//! | file | what |
//! |---|---|
//! | [`mel`] | log-mel spectrogram |
//! | [`statistics`] | its mean and deviation by band, for every song |
//! | [`neighbours`] | the nearest songs by them, as lists like playlists |

pub mod mel;
pub mod neighbours;
pub mod statistics;

pub use neighbours::Neighbours;
pub use statistics::Statistics;
