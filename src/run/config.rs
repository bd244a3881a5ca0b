//! `config.json`: everything that decides a run's numbers, in JSON for people and for `--resume`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::About;
use crate::error::{Error, Result};
use crate::format::atomic;
use crate::network::Network;
use crate::plan::Settings;

pub const FORMAT: &str = "tagwalk run";
pub const VERSION: u32 = 1;
/// A configuration longer than this is none of ours.
const LIMIT: u64 = 64 << 20;

/// `T` is what `train/` chose (schedule, propagation, clips): its own type, since it comes later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config<T> {
    pub format: String,
    pub version: u32,
    /// The program's version that began the run.
    pub program: String,
    /// The device as it calls itself: equal bits are promised on the same one only.
    pub device: String,
    pub network: Network,
    /// Batch, reduction, weight of the propagated term, and the choice of family and tiles.
    pub settings: Settings,
    pub seed: u64,
    pub dataset: PathBuf,
    /// SHA-256 of the dataset's manifest.
    pub fingerprint: String,
    /// Samples a second.
    pub sample_rate: u32,
    /// The tags, in the order of the network's outputs.
    pub vocabulary: Vec<String>,
    pub train: T,
}

impl<T: Serialize> Config<T> {
    /// Writes it into a run's folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(super::files::CONFIG);
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Error::input(&path, format!("cannot be written: {e}")))?;
        text.push(b'\n');
        atomic::write(&path, &text)
    }
}

impl<T: DeserializeOwned> Config<T> {
    /// Reads it from a run's folder and checks what can be checked without the dataset.
    pub fn read(folder: &Path) -> Result<Config<T>> {
        let path = folder.join(super::files::CONFIG);
        let help = "A run's folder is what `tagwalk train DATASET --out RUN` makes.";
        let file = File::open(&path).map_err(|e| Error::io(&path, "no run here", e).help(help))?;
        let mut text = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut text).map_err(|e| Error::io(&path, "cannot read", e))?;
        Config::parse(&text).map_err(|what| Error::input(&path, what).help(help))
    }

    /// Reads it from its text; `Err` says what is wrong.
    pub fn parse(text: &[u8]) -> std::result::Result<Config<T>, String> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        if text.len() as u64 > LIMIT {
            return Err(format!("is longer than {LIMIT} bytes"));
        }
        let head: Head = serde_json::from_slice(text).map_err(|e| format!("is no configuration of a run: {e}"))?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(format!("is '{}' version {}, not '{FORMAT}' version {VERSION}", head.format, head.version));
        }
        let config: Config<T> = serde_json::from_slice(text).map_err(|e| format!("is no configuration of a run: {e}"))?;
        config.network.check().map_err(|e| e.clause())?;
        config.settings.check().map_err(|e| e.clause())?;
        if config.vocabulary.len() != config.network.tags {
            return Err(format!("names {} tags for a network of {}", config.vocabulary.len(), config.network.tags));
        }
        Ok(config)
    }
}

impl<T> Config<T> {
    /// What its checkpoints say of themselves.
    pub fn about(&self) -> About {
        About { network: self.network.clone(), vocabulary: self.vocabulary.clone(), sample_rate: self.sample_rate }
    }
}
