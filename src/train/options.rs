//! What a run chose beside network and settings: kept in `config.json`, so that `--resume` and
//! whoever reads the run know all that decides its numbers.

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::dataset::Dataset;
use crate::device::Device;
use crate::network::Network;
use crate::plan::Settings;
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

/// The configuration of a run on a dataset and a device.
pub fn config(dataset: &Dataset, device: &Device, network: Network, settings: Settings, seed: u64, train: Options) -> Config {
    Config {
        format: crate::run::config::FORMAT.into(),
        version: crate::run::config::VERSION,
        program: env!("CARGO_PKG_VERSION").into(),
        device: device.name().into(),
        network,
        settings,
        seed,
        dataset: std::path::absolute(dataset.folder()).unwrap_or_else(|_| dataset.folder().to_path_buf()),
        fingerprint: dataset.fingerprint(),
        sample_rate: dataset.sample_rate(),
        vocabulary: dataset.vocabulary().to_vec(),
        train,
    }
}
