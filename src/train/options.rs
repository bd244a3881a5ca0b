//! What a run chose beside network and settings: kept in `config.json`, so that `--resume` and
//! whoever reads the run know all that decides its numbers.

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::dataset::{Dataset, View};
use crate::device::Device;
use crate::network::Network;
use crate::plan::Settings;
use crate::playlists;

/// How a network is trained: `train` in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Rates, momentum and when to stop.
    pub schedule: Schedule,
    /// Tags and playlists: mode, reading, range and the rest of `paper.md`, 0.
    pub propagation: playlists::Options,
    /// Random clips of each training song an epoch, 1 to [`crate::plan::MOST_CLIPS`].
    pub clips_per_song: usize,
    /// The sides of the split and the tags that the run sees; absent: the dataset as it was prepared.
    #[serde(default, skip_serializing_if = "is_whole")]
    pub view: View,
}

fn is_whole(view: &View) -> bool {
    *view == View::default()
}

/// A run's configuration.
pub type Config = crate::run::Config<Options>;

/// The configuration of a run on a dataset and a device; it sees the dataset as `dataset` is seen.
pub fn config(dataset: &Dataset, device: &Device, network: Network, settings: Settings, seed: u64, train: Options) -> Config {
    let train = Options { view: dataset.view(), ..train };
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
