//! One run of a grid. Its hash is the SHA-256 of its canonical configuration: the dataset's manifest, the
//! network, the settings, the seed and all that `train` chooses, but neither device nor place, so that
//! machines of different kinds can share a grid (a row says which device it came from).

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::dataset::{Dataset, Sides};
use crate::device::Device;
use crate::error::Result;
use crate::kernels::Choice;
use crate::network::{Network, family};
use crate::plan::Settings;
use crate::playlists;
use crate::train::options::{self, Config, Options};
use crate::train::{Rule, Schedule};

/// Grows when a run of the same configuration would be scored in another way.
const VERSION: u32 = 1;

/// See the module's page.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The arm's name: what its propagation is called.
    pub arm: String,
    pub seed: u64,
    /// The family member's name.
    pub network: String,
    pub settings: Settings,
    pub train: Options,
    /// The dataset's.
    pub fingerprint: String,
    /// The tags that it learns.
    pub tags: usize,
}

impl Job {
    pub fn network(&self) -> Result<Network> {
        family::member(&self.network, self.tags)
    }

    /// What decides its numbers, in JSON with sorted keys.
    pub fn canonical(&self) -> Result<Value> {
        let Settings { batch, mean, lambda, unbiased_variance, choice } = &self.settings;
        Ok(json!({
            "grid": VERSION, "dataset": self.fingerprint, "network": self.network()?, "seed": self.seed,
            "batch": batch, "mean": mean, "lambda": lambda, "unbiased_variance": unbiased_variance,
            "precision": choice.precision.name(), "train": self.train,
        }))
    }

    /// 16 hex digits of the SHA-256 of [`Job::canonical`].
    pub fn hash(&self) -> Result<String> {
        let digest = Sha256::digest(self.canonical()?.to_string());
        Ok(digest.iter().take(8).map(|b| format!("{b:02x}")).collect())
    }

    /// The search range, where the arm has one.
    pub fn range(&self) -> Option<f64> {
        (self.train.propagation.mode != playlists::Mode::None).then_some(self.train.propagation.range)
    }

    /// Its configuration on a dataset that is seen as it sees it.
    pub fn config(&self, dataset: &Dataset, device: &Device, choice: Choice) -> Result<Config> {
        let settings = Settings { choice, ..self.settings.clone() };
        Ok(options::config(dataset, device, self.network()?, settings, self.seed, self.train.clone()))
    }

    /// Whether a run that began with `config` is this one, wherever and on whatever it began.
    pub fn began(&self, config: &Config) -> bool {
        let settings = Settings { choice: config.settings.choice.clone(), ..self.settings.clone() };
        self.network().is_ok_and(|network| network == config.network)
            && settings == config.settings
            && self.settings.choice.precision == config.settings.choice.precision
            && self.seed == config.seed
            && self.fingerprint == config.fingerprint
            && self.train == config.train
    }

    /// The arm and what tells it from the grid's other runs, for people.
    pub fn title(&self) -> String {
        let range = self.range().map_or(String::new(), |r| format!(", r = {r}"));
        format!("{}{range}, {} tags, seed {}", self.arm, self.tags, self.seed)
    }

    /// The flags of `tagwalk train` that make the same run; only what is not a default.
    pub fn flags(&self) -> Vec<String> {
        let Schedule { rule, rate, momentum, epochs, steps } = &self.train.schedule;
        let mut flags = Vec::new();
        let mut flag = |name: &str, value: String| flags.extend([format!("--{name}"), value]);
        flag("network", self.network.clone());
        flag("seed", self.seed.to_string());
        if self.settings.batch != 23 {
            flag("batch", self.settings.batch.to_string());
        }
        flag("schedule", word(rule));
        flag("rate", rate.to_string());
        if *momentum != 0.9 {
            flag("momentum", momentum.to_string());
        }
        for (name, count) in [("epochs", epochs), ("steps", steps)] {
            if *count > 0 {
                flag(name, count.to_string());
            }
        }
        if self.train.clips_per_song != 10 {
            flag("clips-per-song", self.train.clips_per_song.to_string());
        }
        if !self.settings.mean {
            flag("reduction", "sum".into());
        }
        if self.settings.unbiased_variance {
            flag("running-variance", "unbiased".into());
        }
        if self.settings.choice.precision.name() != "f32" {
            flag("precision", self.settings.choice.precision.name().into());
        }
        let (by, seed) = match self.train.view.sides {
            Sides::Prepared => ("prepared", self.seed),
            Sides::Songs(seed) => ("songs", seed),
            Sides::Groups(seed) => ("groups", seed),
        };
        if by != "prepared" {
            flag("split-by", by.into());
        }
        if seed != self.seed {
            flag("split-seed", seed.to_string());
        }
        if let Some(top) = self.train.view.top {
            flag("top", top.to_string());
        }
        if self.settings.lambda != 1.0 {
            flag("lambda", self.settings.lambda.to_string());
        }
        flags.extend(propagation_flags(&self.train.propagation));
        flags
    }

    /// Two plain commands that do the same in a folder of one's own.
    pub fn commands(&self, dataset: &Path, run: &Path) -> String {
        let (dataset, run) = (quoted(&dataset.display().to_string()), quoted(&run.display().to_string()));
        let flags: Vec<String> = self.flags().iter().map(|flag| quoted(flag)).collect();
        format!("tagwalk train {dataset} --out {run} {} && tagwalk evaluate {run}", flags.join(" "))
    }
}

/// The rule's name as a flag has it.
fn word(rule: &Rule) -> String {
    serde_json::to_value(rule).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

/// Flags have the names of the options, with hyphens, and the values that `config.json` has: whatever
/// differs from the defaults is said.
fn propagation_flags(options: &playlists::Options) -> Vec<String> {
    let value = |options: &playlists::Options| serde_json::to_value(options).unwrap_or_default();
    let (own, defaults) = (value(options), value(&playlists::Options::default()));
    let Value::Object(own) = own else { return Vec::new() };
    let mut flags = Vec::new();
    for (name, value) in own.iter().filter(|(name, value)| defaults.get(name.as_str()) != Some(value)) {
        let flag = format!("--{}", name.replace('_', "-"));
        match value {
            Value::Bool(true) => flags.push(flag),
            Value::Bool(false) | Value::Null => {}
            Value::String(text) => flags.extend([flag, text.clone()]),
            other => flags.extend([flag, other.to_string()]),
        }
    }
    flags
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=^:+%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
