//! Measuring: a song's probabilities from its segments, the metrics of `paper.md` 3, and how sure
//! one may be of them.
//!
//! | file | what |
//! |---|---|
//! | [`score`] | a network over songs' segments, on a device |
//! | [`segments`] | a song's probabilities: the mean over its consecutive segments |
//! | [`songs`] | a split's songs with their scores and truth, kept as files |
//! | [`ranking`] | average precision and ROC-AUC of one list, ties as scikit-learn's |
//! | [`metrics`] | both over a table of scores: by tag, by song, overall |
//! | [`bootstrap`] | intervals of a metric, and of the difference of two, resampling songs |
//! | [`paired`] | intervals of a gain over several pairs, resampling songs, groups or tags |
//! | `seeds` | intervals of a mean over seeds whose splits overlap |

pub mod bootstrap;
pub mod metrics;
pub mod paired;
pub mod ranking;
pub mod score;
#[cfg(feature = "report")]
pub mod seeds;
pub mod segments;
pub mod songs;

pub use metrics::{Figures, Measured, Table};
