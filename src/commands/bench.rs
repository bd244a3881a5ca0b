//! `tagwalk bench`: how fast a device runs, as numbers that can be compared.

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::flags::{DeviceFlags, describe};
use super::{Outcome, print};
use crate::error::{Error, Result};
use crate::measure::bench::{self, Bench, Figures};
use crate::network::family;
use crate::plan::{Run, Settings};

/// Measure how fast a device runs
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Whole steps on synthetic clips: clips a second, their spread, memory at its peak
    Step(Step),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Forward, two losses, backward, update
    Training,
    /// Probabilities only, running statistics
    Inference,
}

#[derive(clap::Args, Debug)]
struct Step {
    /// Member of the family: 3^9 (the released network), 3^5-81 (small), any m^n or m^n-s
    #[arg(long, default_value = family::RELEASED)]
    network: String,
    /// Tags that the network tells
    #[arg(long, default_value_t = 50)]
    tags: usize,
    /// Clips a step
    #[arg(long, default_value_t = 23)]
    batch: usize,
    /// Steps that count
    #[arg(long, default_value_t = 20)]
    steps: usize,
    /// Steps before them that do not
    #[arg(long, default_value_t = 3)]
    warm_up: usize,
    #[arg(long, value_enum, default_value = "training")]
    mode: Mode,
    #[command(flatten)]
    device: DeviceFlags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<Outcome> {
    match args.what {
        What::Step(step) => run_step(step),
    }
}

fn run_step(args: Step) -> Result<Outcome> {
    for (flag, value) in [("--batch", args.batch), ("--steps", args.steps), ("--tags", args.tags)] {
        if value == 0 {
            return Err(Error::usage(flag, "must be at least 1"));
        }
    }
    let (device, choice) = args.device.open()?;
    let bench = Bench {
        network: family::member(&args.network, args.tags)?,
        settings: Settings { batch: args.batch, mean: true, lambda: 1.0, unbiased_variance: false, choice },
        run: if args.mode == Mode::Training { Run::Train } else { Run::Evaluate },
        steps: args.steps,
        warm_up: args.warm_up,
        threads: args.device.threads,
    };
    let figures = bench::run(&bench, &device)?;
    let mode = if args.mode == Mode::Training { "training" } else { "inference" };
    if args.json {
        let object = Object {
            network: &args.network,
            clip: bench.network.clip_length,
            tags: args.tags,
            batch: args.batch,
            steps: args.steps,
            mode,
            precision: "f32",
            device: device.name(),
            family: describe(&bench.settings.choice),
            figures,
        };
        print::json(&object)?;
    } else {
        let q = figures.step_ms;
        print::line(format!("{} on {}, {mode}, f32, batch {}, {} steps", args.network, device.name(), args.batch, args.steps))?;
        print::line(format!(
            "{:.2} clips/s   step {:.1} ms (p10 {:.1}, p90 {:.1})   {:.1} GFLOP/s",
            figures.clips_per_second, q.median, q.p10, q.p90, figures.gflops_per_second
        ))?;
        let peak = figures.peak_memory_mib.map_or(String::new(), |mib| format!(", the process at its peak {mib:.0} MiB"));
        print::line(format!("the plan's tensors {:.0} MiB{peak}", figures.plan_mib))?;
    }
    Ok(Outcome::Done)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Object<'a> {
    network: &'a str,
    clip: usize,
    tags: usize,
    batch: usize,
    steps: usize,
    mode: &'static str,
    precision: &'static str,
    device: &'a str,
    family: &'static str,
    #[serde(flatten)]
    figures: Figures,
}
