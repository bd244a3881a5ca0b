//! `tagwalk batches`: a run's first steps as files, for comparing another program with this one.

use std::path::PathBuf;

use super::flags::TrainFlags;
use super::{Outcome, print};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::train::batches;

/// Write a run's first steps as .npy files, for comparing another program with this one
///
/// Takes the flags of `train` and trains nothing. RUN/clips.npy says which song each clip is cut
/// from and where; labels, weights, dropout and rates lie beside it, and the initial weights.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A folder made by `tagwalk prepare`
    pub dataset: PathBuf,
    /// The folder to write to
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Steps to write, from the first; 0: all that --steps says
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub write: u64,
    #[command(flatten)]
    pub train: TrainFlags,
}

pub fn run(args: Args) -> Result<Outcome> {
    let dataset = args.train.open(&args.dataset)?;
    let device = Device::Cpu;
    let config = args.train.config(&dataset, &device, device.choice())?;
    let steps = if args.write == 0 { args.train.steps } else { args.write };
    if steps == 0 {
        return Err(
            Error::usage("--steps", "is missing").help("Say how many steps the run has; --write says how many of them to write.")
        );
    }
    batches::write(&config, &dataset, steps, &args.out)?;
    print::note(format!("{steps} steps of {} clips in {}", config.settings.batch, args.out.display()));
    Ok(Outcome::Done)
}
