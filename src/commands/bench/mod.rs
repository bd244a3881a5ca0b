//! `tagwalk bench`: how fast it is, as numbers that can be compared. A file a sub-command; here is
//! what those that run a network on a device share.

mod compare;
mod kernels;
#[cfg(feature = "import")]
mod prepare;
mod step;
mod walk;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::Outcome;
use super::flags::{DeviceFlags, NetworkFlags};
use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::kernels::Choice;
use crate::measure::bench::step::Bench;
use crate::plan::{MOST_CLIPS, Run, Settings};

/// Measure how fast it is
///
/// Medians with their spread, (p90 - p10) / median. Machines change their speed from hour to hour: only
/// figures taken in one run are compared. With --json an object a line, for `tagwalk bench compare`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Step(step::Args),
    Kernels(kernels::Args),
    Walk(walk::Args),
    #[cfg(feature = "import")]
    Prepare(prepare::Args),
    Compare(compare::Args),
}

pub fn run(args: Args) -> Result<Outcome> {
    match args.what {
        What::Step(args) => step::run(args),
        What::Kernels(args) => kernels::run(args),
        What::Walk(args) => walk::run(args),
        #[cfg(feature = "import")]
        What::Prepare(args) => prepare::run(args),
        What::Compare(args) => compare::run(args),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Forward, two losses, backward, update
    Training,
    /// Probabilities only, running statistics
    Inference,
}

impl Mode {
    fn run(self) -> Run {
        if self == Mode::Training { Run::Train } else { Run::Evaluate }
    }

    fn name(self) -> &'static str {
        if self == Mode::Training { "training" } else { "inference" }
    }
}

/// Which steps, on which device.
#[derive(clap::Args, Debug)]
struct Steps {
    #[command(flatten)]
    network: NetworkFlags,
    /// Tags that the network tells [default: 50, or the dataset's]
    #[arg(long, value_name = "T")]
    tags: Option<usize>,
    /// Clips a step; several, with commas between them, are measured one after the other
    #[arg(long, value_name = "B", value_delimiter = ',', default_value = "23")]
    batch: Vec<usize>,
    /// Steps that count
    #[arg(long, value_name = "N", default_value_t = 20)]
    steps: usize,
    /// Steps before them that do not
    #[arg(long, value_name = "N", default_value_t = 3)]
    warm_up: usize,
    #[arg(long, value_enum, default_value = "training")]
    mode: Mode,
    #[command(flatten)]
    device: DeviceFlags,
    /// Print an object a line
    #[arg(long)]
    json: bool,
}

/// Most of whatever is counted by a flag, as of clips: a slip of the finger must not run for a year.
const MOST: usize = MOST_CLIPS;

/// Fails, naming the flag, where a number is 0 or beyond reason.
fn within(flag: &str, value: usize) -> Result<()> {
    if (1..=MOST).contains(&value) { Ok(()) } else { Err(Error::usage(flag, format!("{value} is not between 1 and {MOST}"))) }
}

impl Steps {
    fn check(&self) -> Result<()> {
        for (flag, value) in [("--steps", self.steps), ("--tags", self.tags.unwrap_or(1))] {
            within(flag, value)?;
        }
        if self.warm_up > MOST {
            within("--warm-up", self.warm_up)?;
        }
        self.batch.iter().try_for_each(|&batch| within("--batch", batch))
    }

    /// A bench for each batch size.
    fn benches<'a>(&self, choice: &Choice, dataset: Option<&'a Dataset>, calls: bool) -> Result<Vec<Bench<'a>>> {
        let tags = match (dataset, self.tags) {
            (Some(dataset), None) => dataset.vocabulary().len(),
            (_, tags) => tags.unwrap_or(50),
        };
        let network = self.network.build(tags)?;
        let bench = |&batch: &usize| Bench {
            network: network.clone(),
            settings: Settings::new(batch, choice.clone()),
            run: self.mode.run(),
            steps: self.steps,
            warm_up: self.warm_up,
            threads: self.device.threads,
            dataset,
            calls,
        };
        Ok(self.batch.iter().map(bench).collect())
    }
}

/// Where something was measured: a part of what `--json` prints.
#[derive(Serialize)]
struct Place {
    device: String,
    /// Of a GPU.
    driver: Option<String>,
    /// Whether the device is a GPU's driver that computes on the CPU.
    software: bool,
    /// The CPU's name, where the system tells it.
    processor: Option<String>,
    family: String,
}

impl Place {
    fn of(device: &Device, choice: &Choice) -> Place {
        let (driver, software) = match device {
            Device::Cpu => (None, false),
            Device::Gpu(gpu) => (Some(gpu.adapter.driver.clone()), gpu.is_software()),
        };
        Place { device: device.name().into(), driver, software, processor: processor(), family: choice.to_string() }
    }

    /// In words.
    fn say(&self) -> String {
        let kind = if self.software { "software, " } else { "" };
        let driver = self.driver.as_ref().map_or(String::new(), |driver| format!(", driver {driver}"));
        format!("{} ({kind}{}{driver})", self.device, self.family)
    }
}

/// The CPU's name (Linux: /proc/cpuinfo, which has none on some ARM systems).
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_string())
}

/// Which steps: a part of what `--json` prints.
#[derive(Serialize)]
struct Shape<'a> {
    network: &'a str,
    /// Samples.
    clip: usize,
    tags: usize,
    batch: usize,
    steps: usize,
    mode: &'static str,
    precision: &'static str,
}

impl<'a> Shape<'a> {
    fn of(steps: &'a Steps, bench: &Bench) -> Shape<'a> {
        Shape {
            network: &steps.network.network,
            clip: bench.network.clip_length,
            tags: bench.network.tags,
            batch: bench.settings.batch,
            steps: steps.steps,
            mode: steps.mode.name(),
            precision: bench.settings.choice.precision.name(),
        }
    }

    /// In words.
    fn say(&self) -> String {
        format!(
            "{}, {} tags, {}, {}, batch {}, {} steps",
            self.network, self.tags, self.mode, self.precision, self.batch, self.steps
        )
    }
}
