//! What a run chose beside network and settings: kept in `config.json`, so that `--resume` and
//! whoever reads the run know all that decides its numbers.

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::playlists;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    pub schedule: Schedule,
    /// Tags and playlists: mode, reading, range and the rest of `paper.md`, 0.
    pub propagation: playlists::Options,
    /// Random clips of each training song an epoch.
    pub clips_per_song: usize,
}

/// A run's configuration.
pub type Config = crate::run::Config<Options>;
