//! One arm, trained from the seed's initial weights to the schedule's end, and scored on the test
//! songs with its last weights.

use std::path::Path;

use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::evaluate::songs::Scored;
use crate::run::{Weights, interrupt};
use crate::train::options::Config;
use crate::train::{Cadence, Ending, Event, Session};

/// What a trial gives.
pub struct Trial {
    pub scored: Scored,
    pub weights: Weights,
    /// Songs that were trained on.
    pub songs: usize,
}

/// Trains `config` in `folder` and scores `songs`.
pub fn run(
    folder: &Path,
    config: Config,
    dataset: &Dataset,
    device: &Device,
    threads: usize,
    songs: &[usize],
    watch: &mut dyn FnMut(Event),
) -> Result<Trial> {
    let cadence = Cadence { every: std::time::Duration::from_secs(300), steps: 0, keep: false };
    let settings = config.settings.clone();
    let mut session = Session::begin(folder, config, dataset, device, threads, cadence)?;
    let trained_on = session.trainer.stage().songs().len();
    if session.run(watch)? == Ending::Interrupted {
        return Err(
            Error::interrupted("stopped in the middle of an arm").help("An arm is not resumed: run the same command again.")
        );
    }
    let weights = session.weights()?;
    // Two plans in memory are one too many on a small machine.
    drop(session);
    let scored = Scored::new(dataset, songs, &weights, &settings, device, threads, |_| interrupt::check())?;
    Ok(Trial { scored, weights, songs: trained_on })
}
