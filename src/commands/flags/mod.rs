//! Flags that several commands share: which device, and everything that decides a training run.

pub mod fields;
mod propagation;

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

pub use crate::dataset::SplitBy;
use crate::dataset::sides::BY_GROUPS;
use crate::dataset::{Dataset, View};
use crate::device::select::{DeviceKind, Selection};
use crate::device::{self, Device};
use crate::error::{Error, Result};
use crate::kernels::products::Isa;
use crate::kernels::{Choice, Family, Precision, winograd};
use crate::measure::check;
use crate::measure::tune::cache::{self, Cache, Key};
use crate::network::{Network, family};
use crate::plan::Settings;
use crate::train::options::{Config, Options, config};
use crate::train::schedule::{Rule, Schedule};
pub use propagation::PropagationFlags;

/// Which device computes.
#[derive(Args, Clone, Debug)]
pub struct DeviceFlags {
    /// cpu, gpu, or auto: a real GPU if there is one, else the CPU
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    pub device: DeviceKind,
    /// A GPU by its index in `tagwalk devices`, or by part of its name; software Vulkan is only taken when named
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Threads; 0 takes one a core. The result does not depend on it
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// How kernels are computed [default: the best one there]
    #[arg(long, value_enum, value_name = "FAMILY")]
    pub family: Option<Family>,
    /// What activations and their gradients are stored as: f32; mixed, 16 bits (bf16 on the CPU, f16 on a GPU) with sums,
    /// statistics and weights in f32; auto, f32, since nothing lowers precision unasked
    #[arg(long, value_enum, default_value_t = PrecisionName::Auto)]
    pub precision: PrecisionName,
    /// Take a GPU's shaders as they stand: neither what `tagwalk tune` found, nor tune before a first training run
    #[arg(long)]
    pub no_tune: bool,
    /// What `tagwalk tune` found [default: TAGWALK_CACHE, or tagwalk/tune.json in the user's folder of caches]
    #[arg(long, value_name = "FILE")]
    pub cache: Option<PathBuf>,
}

/// Threads at most: a wrong number must not bring a machine down.
pub const THREADS: usize = 4096;

/// `--precision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum PrecisionName {
    F32,
    Mixed,
    Auto,
}

impl PrecisionName {
    /// What it means: `auto` is f32, on every device.
    pub fn resolve(self) -> Precision {
        match self {
            PrecisionName::F32 | PrecisionName::Auto => Precision::F32,
            PrecisionName::Mixed => Precision::Mixed,
        }
    }
}

/// `--family`: every family by its name. Which size of cooperative matrices is meant, the adapter decides.
impl ValueEnum for Family {
    fn value_variants<'a>() -> &'a [Family] {
        &Family::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let whose = match self {
            Family::Cooperative(_) => "a GPU's matrix units",
            Family::Native(Isa::AmxTwin) => "the CPU's; AMX in plain Rust, for tests",
            family if family.is_native() => "the CPU's",
            _ => "a GPU's",
        };
        let only = match [Precision::F32, Precision::Mixed].map(|precision| self.has(precision)) {
            [true, false] => ", in f32 only",
            [false, true] => ", with --precision mixed only",
            _ => "",
        };
        Some(PossibleValue::new(self.name()).help(format!("{whose}{only}")))
    }
}

impl DeviceFlags {
    /// Opens the device, says on stderr which one it is, and gives the choice of kernels.
    pub fn open(&self) -> Result<(Device, Choice)> {
        let device = self.open_device()?;
        let choice = self.choice(&device)?;
        say(&device, &choice);
        Ok((device, choice))
    }

    /// Opens the device alone: a run that is resumed has its own choice of kernels.
    pub fn open_device(&self) -> Result<Device> {
        let device = device::open(&Selection { device: self.device, adapter: self.adapter.clone() })?;
        if self.threads > THREADS {
            return Err(Error::usage("--threads", format!("{} is more than {THREADS}", self.threads)));
        }
        if self.threads > 0 {
            // The pool that prepares batches; a second call in one process keeps the first pool.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global();
        }
        Ok(device)
    }

    /// The file of tuned tile sizes; none where there is no place for one.
    pub fn cache_path(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("TAGWALK_CACHE").filter(|v| !v.is_empty()).map(PathBuf::from);
        self.cache.clone().or_else(named).or_else(cache::default_path)
    }

    /// What was tuned on a GPU before, where flags do not say otherwise.
    pub fn tuned(&self, device: &Device) -> Option<Choice> {
        let (Device::Gpu(gpu), None, false) = (device, self.family, self.no_tune) else { return None };
        let (cache, note) = Cache::read(&self.cache_path()?);
        if let Some(note) = note {
            crate::commands::print::note(note);
        }
        let choice = cache.find_in(self.precision.resolve(), &Key::of(&gpu.adapter)).cloned()?;
        if let Some(size) = choice.cooperative_size()
            && check::cooperative_size(gpu).ok() != Some(size)
        {
            crate::commands::print::note(format_args!(
                "cooperative matrices of {size} are not right any more: what was tuned is left out"
            ));
            return None;
        }
        Some(choice)
    }

    /// The choice of kernels that `--family` asks for on a device; else what was tuned there, else
    /// the device's own.
    pub fn choice(&self, device: &Device) -> Result<Choice> {
        let precision = self.precision.resolve();
        let Some(family) = self.family else {
            return Ok(match (device, precision) {
                (Device::Cpu, Precision::Mixed) => Choice::cpu(precision),
                _ => self.tuned(device).unwrap_or_else(|| device.choice().in_precision(precision)),
            });
        };
        let native = matches!(device, Device::Cpu);
        if family.is_native() != native {
            let others: Vec<&str> = Family::ALL.iter().filter(|f| f.is_native() == native).map(|f| f.name()).collect();
            return Err(Error::usage("--family", format!("{} is not a family of {}", family.name(), device.name()))
                .help(format!("There are: {}.", others.join(", "))));
        }
        if !family.has(precision) {
            let (has, other) = match precision {
                Precision::F32 => ("mixed", "Take --precision mixed as well, or leave --family out."),
                Precision::Mixed => ("f32", "Leave --family out for mixed precision, or --precision for this family."),
            };
            return Err(Error::usage("--family", format!("{} computes in {has} only", family.name())).help(other));
        }
        if let Family::Native(isa) = family
            && !Isa::available_in(precision).contains(&isa)
        {
            return Err(Error::usage("--family", format!("this processor does not have {family}")));
        }
        let family = match (family, device) {
            (Family::Cooperative(_), Device::Gpu(gpu)) => Family::Cooperative(check::cooperative_size(gpu)?),
            _ => family,
        };
        let choice = Choice::of(family).in_precision(precision);
        // Named, products of pairs are taken even where others are faster.
        let pairs = !family.has(Precision::F32);
        Ok(if native && precision == Precision::Mixed { choice.with(winograd::PAIRS, pairs.into()) } else { choice })
    }
}

/// Says on stderr what computes.
pub fn say(device: &Device, choice: &Choice) {
    crate::commands::print::note(format_args!("device: {} ({choice}, {})", device.name(), choice.precision.name()));
}

/// Mean over clips and tags, or their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Reduction {
    Mean,
    Sum,
}

/// Which batch variance the running one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Variance {
    Biased,
    Unbiased,
}

/// Which network.
#[derive(Args, Clone, Debug)]
pub struct NetworkFlags {
    /// The family member: m^n or m^n-s, filters of m samples, n modules, clips of s m^n samples (s = m unless given): 3^9 (the
    /// released network, 59,049 samples), 3^5-81 (small and quick, 19,683), 3^7-9 (19,683), 2^13 and 4^6 (16,384), 5^5 (15,625);
    /// /d divides its channels by d; or a JSON file with its layers
    #[arg(long, default_value = family::RELEASED, value_name = "NAME|FILE")]
    pub network: String,
    /// Samples a clip, where not the member's own (59049 for 3^9; the paper's is 50000): pooling becomes 'same'
    #[arg(long, value_name = "SAMPLES")]
    pub clip: Option<usize>,
    /// 2: the propagated term gets a dense layer of its own, used in training only [default: 1, or what FILE says]
    #[arg(long, value_name = "1|2")]
    pub heads: Option<usize>,
    /// Share of features dropped before the dense layer [default: 0.5, or what FILE says]
    #[arg(long, value_name = "RATE")]
    pub dropout: Option<f64>,
}

impl NetworkFlags {
    /// The network for a number of tags.
    pub fn build(&self, tags: usize) -> Result<Network> {
        if tags == 0 {
            return Err(Error::usage("--tags", "must be at least 1"));
        }
        let mut network = if self.network.ends_with(".json") {
            let text = std::fs::read_to_string(&self.network).map_err(|e| Error::io(&self.network, "cannot read", e))?;
            let mut network: Network = serde_json::from_str(&text).map_err(|e| {
                Error::input(&self.network, format!("is no table of layers: {e}"))
                    .help("It holds what `network` holds in the config.json of a run.")
            })?;
            network.tags = tags;
            network
        } else {
            family::member(&self.network, tags)?
        };
        network.heads = self.heads.unwrap_or(network.heads);
        network.dropout = self.dropout.unwrap_or(network.dropout);
        network.check()?;
        match self.clip {
            Some(samples) => network.with_clip(samples),
            None => Ok(network),
        }
    }
}

/// What decides a training run, beside the dataset and the device.
#[derive(Args, Clone, Debug)]
pub struct TrainFlags {
    #[command(flatten)]
    pub network: NetworkFlags,
    /// Clips a step
    #[arg(long, default_value_t = 23, value_name = "CLIPS")]
    pub batch: usize,
    /// Steps at most; 0: until the schedule ends
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub steps: u64,
    /// Epochs at most; 0: until the schedule ends
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub epochs: u64,
    /// When the rate drops and the run ends
    #[arg(long, value_enum, default_value_t = Rule::Plateau)]
    pub schedule: Rule,
    /// The first learning rate
    #[arg(long, default_value_t = 0.01, value_name = "RATE")]
    pub rate: f64,
    /// Nesterov momentum
    #[arg(long, default_value_t = 0.9, value_name = "M")]
    pub momentum: f64,
    /// Decides initial weights, order, clips, walks, dropout and which tags are removed
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub seed: u64,
    /// Random clips of each training song an epoch
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub clips_per_song: usize,
    /// Loss: mean over clips and tags, or their sum
    #[arg(long, value_enum, default_value_t = Reduction::Mean)]
    pub reduction: Reduction,
    /// Which batch variance the running variance takes
    #[arg(long, value_enum, default_value_t = Variance::Biased)]
    pub running_variance: Variance,
    #[command(flatten)]
    pub view: ViewFlags,
    #[command(flatten)]
    pub propagation: PropagationFlags,
}

/// What is seen of a dataset.
#[derive(Args, Clone, Debug)]
pub struct ViewFlags {
    /// Sides of the split: as prepared, or drawn anew, as many songs on each side, song by song or whole groups at a time
    #[arg(long, value_enum, default_value_t = SplitBy::Prepared)]
    pub split_by: SplitBy,
    /// Seed of a split that is drawn anew [default: --seed]
    #[arg(long, value_name = "SEED")]
    pub split_seed: Option<u64>,
    /// Learn the N most frequent tags only [default: all]
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
}

impl ViewFlags {
    /// The view for a run's seed.
    pub fn view(&self, seed: u64) -> Result<View> {
        if self.split_by == SplitBy::Prepared && self.split_seed.is_some() {
            return Err(Error::usage("--split-seed", "changes nothing of a prepared split")
                .help("Say what it draws: --split-by songs, or groups."));
        }
        if self.top == Some(0) {
            return Err(Error::usage("--top", "must be at least 1"));
        }
        let sides = self.split_by.sides(self.split_seed.unwrap_or(seed));
        Ok(View { sides, top: self.top })
    }
}

/// Says so where `--top` asks for more tags than there are.
pub fn say_top(top: Option<usize>, tags: usize) {
    if let Some(top) = top.filter(|&top| top > tags) {
        super::print::note(format_args!("--top {top}: the dataset has {tags} tags, all of which are learned"));
    }
}

impl TrainFlags {
    /// The dataset as the run sees it.
    pub fn open(&self, folder: &std::path::Path) -> Result<Dataset> {
        let dataset = crate::commands::dataset(folder)?;
        say_top(self.view.top, dataset.vocabulary().len());
        dataset.seen(self.view.view(self.seed)?).map_err(|e| match e.place.as_deref() {
            Some(BY_GROUPS) => e.place("--split-by groups").help(
                "Prepare it with other groups (--group-folder, --group-column), take another --split-seed, or --split-by songs.",
            ),
            _ => e,
        })
    }

    /// The configuration of a run on a dataset that [`TrainFlags::open`] opened.
    pub fn config(&self, dataset: &Dataset, device: &Device, choice: Choice) -> Result<Config> {
        if self.clips_per_song == 0 {
            return Err(Error::usage("--clips-per-song", "must be greater than 0"));
        }
        let schedule =
            Schedule { rule: self.schedule, rate: self.rate, momentum: self.momentum, epochs: self.epochs, steps: self.steps };
        schedule.check()?;
        let network = self.network.build(dataset.vocabulary().len())?;
        let settings = Settings {
            batch: self.batch,
            mean: self.reduction == Reduction::Mean,
            lambda: self.propagation.lambda,
            unbiased_variance: self.running_variance == Variance::Unbiased,
            choice,
        };
        let train = Options {
            schedule,
            propagation: self.propagation.options(dataset)?,
            clips_per_song: self.clips_per_song,
            view: dataset.view(),
        };
        Ok(config(dataset, device, network, settings, self.seed, train))
    }
}
