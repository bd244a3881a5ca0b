//! One run of a grid. Its hash is the SHA-256 of its canonical configuration: the dataset's manifest, the
//! network, the settings, the seed and all that `train` chooses, but neither device nor place, so that
//! machines of different kinds can share a grid (a row says which device it came from). A file of contexts counts by
//! what is in it, not by where it lies.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::dataset::Dataset;
use crate::device::Device;
use crate::experiment::arms::{Arm, Learner};
use crate::format::hex;
use crate::kernels::{Choice, Precision};
use crate::network::{Network, family};
use crate::plan::Settings;
use crate::playlists::{self, options::Origin};
use crate::train::options::{self, Config, Options};

/// Grows when a run of the same configuration would be scored in another way.
const VERSION: u32 = 2;

/// See the module's page.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The arm's name: what its flags are called.
    pub arm: String,
    /// What needs no network takes of the flags what they say of tags, playlists and split.
    pub learner: Learner,
    /// The flags of `tagwalk train` that make the same run.
    pub flags: Vec<String>,
    /// What they say.
    pub seed: u64,
    pub network: Network,
    pub settings: Settings,
    pub train: Options,
    /// The dataset's.
    pub fingerprint: String,
}

impl Job {
    /// The run that `flags` make, as the parser of `tagwalk train` reads them.
    pub fn new(arm: &Arm, flags: Vec<String>, config: Config) -> Job {
        let Config { network, settings, seed, fingerprint, train, .. } = config;
        Job { arm: arm.name.clone(), learner: arm.learner, flags, seed, network, settings, train, fingerprint }
    }

    /// The tags that it learns.
    pub fn tags(&self) -> usize {
        self.network.tags
    }

    /// Steps of training.
    pub fn steps(&self) -> u64 {
        if self.learner == Learner::Network { self.train.schedule.steps } else { 0 }
    }

    /// What `--network` says, or what there is in its place.
    pub fn network_name(&self) -> &str {
        match self.learner {
            Learner::Network => {}
            Learner::Linear => return "linear",
            Learner::Group => return "group",
        }
        let at = self.flags.iter().position(|flag| flag == "--network");
        at.and_then(|at| self.flags.get(at + 1)).map_or(family::RELEASED, String::as_str)
    }

    /// What decides its numbers, in JSON with sorted keys.
    pub fn canonical(&self) -> Value {
        let Settings { batch, mean, lambda, unbiased_variance, choice } = &self.settings;
        let mut train = self.train.clone();
        for context in &mut train.propagation.contexts {
            if let Origin::File(file) = &mut context.from {
                file.path = Default::default();
            }
        }
        if self.learner != Learner::Network {
            return json!({
                "grid": VERSION, "dataset": self.fingerprint, "learner": self.network_name(), "tags": self.tags(),
                "seed": self.seed, "lambda": lambda, "view": train.view, "propagation": train.propagation,
            });
        }
        json!({
            "grid": VERSION, "dataset": self.fingerprint, "network": self.network, "seed": self.seed,
            "batch": batch, "mean": mean, "lambda": lambda, "unbiased_variance": unbiased_variance,
            "precision": choice.precision.name(), "train": train,
        })
    }

    /// 16 hex digits of the SHA-256 of [`Job::canonical`].
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.canonical().to_string())[..8])
    }

    /// The search range, where the arm has one.
    pub fn range(&self) -> Option<f64> {
        (self.train.propagation.mode != playlists::Mode::None).then_some(self.train.propagation.range)
    }

    /// Its configuration on a dataset that is seen as it sees it.
    pub fn config(&self, dataset: &Dataset, device: &Device, choice: Choice) -> Config {
        let settings = Settings { choice, ..self.settings.clone() };
        options::config(dataset, device, self.network.clone(), settings, self.seed, self.train.clone())
    }

    /// Whether a run that began with `config` is this one, wherever and on whatever it began.
    pub fn began(&self, config: &Config) -> bool {
        let settings = Settings { choice: config.settings.choice.clone(), ..self.settings.clone() };
        self.network == config.network
            && settings == config.settings
            && self.settings.choice.precision == config.settings.choice.precision
            && self.seed == config.seed
            && self.fingerprint == config.fingerprint
            && self.train == config.train
    }

    /// The arm and what tells it from the grid's other runs, for people.
    pub fn title(&self) -> String {
        let range = self.range().map_or(String::new(), |r| format!(", r = {r}"));
        let rate = match self.learner {
            Learner::Network => format!(", rate {}", self.train.schedule.rate as f32),
            _ => String::new(),
        };
        format!("{}{range}{rate}, {} tags, seed {}", self.arm, self.tags(), self.seed)
    }

    /// Two plain commands that do the same in a folder of one's own; for what needs no network one, which shows its like too.
    /// The dataset, the run and files in the grid's folder are `DATASET`, `RUN` and `GRID/...`: rows are carried to other machines.
    pub fn commands(&self, grid: &Path) -> String {
        if self.learner != Learner::Network {
            let known = ["--seed", "--split-by", "--top", "--remove", "--range"];
            let own = self.flags.windows(2).filter(|pair| known.contains(&&*pair[0])).flatten().map(|flag| quoted(flag));
            return format!("tagwalk baseline DATASET {}", own.collect::<Vec<_>>().join(" "));
        }
        let word = |flag: &String| match Path::new(flag).strip_prefix(grid) {
            Ok(inside) if inside.parent().is_some() => quoted(&Path::new("GRID").join(inside).display().to_string()),
            _ => quoted(flag),
        };
        let mut flags: Vec<String> = self.flags.iter().map(word).collect();
        if self.settings.choice.precision != Precision::default() {
            flags.extend(["--precision".into(), self.settings.choice.precision.name().into()]);
        }
        format!("tagwalk train DATASET --out RUN {} && tagwalk evaluate RUN", flags.join(" "))
    }
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,=^:+%@".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
