//! `tagwalk bench walk`: walks and rows of labels.

use std::path::PathBuf;

use serde::Serialize;

use super::within;
use crate::commands::flags::THREADS;
use crate::commands::{Outcome, print};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::measure::bench::walks::{self, Figures};
use crate::measure::collection::{self, Temporary};
use crate::playlists::{Mode, Options, Reading, UntaggedLenders};

/// Walks, rows of labels and dropout masks a second, on all threads
///
/// A song is its walk and its label buffers: own tags, the lender's, both weights. Without a dataset one
/// of AotM-2011's size is made up: 80,578 playlists of 6 songs, 70,427 songs, 1,000 tags.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    #[arg(value_name = "DATASET")]
    dataset: Option<PathBuf>,
    /// The propagated term
    #[arg(long, value_enum, default_value_t = Mode::Walk)]
    propagation: Mode,
    /// How the walk is read
    #[arg(long, value_enum, default_value_t)]
    reading: Reading,
    /// Search range r, 0 to 1
    #[arg(long, value_name = "R", default_value_t = 0.4)]
    range: f64,
    /// Songs in a playlist that cannot lend
    #[arg(long, value_enum, default_value_t)]
    untagged_lenders: UntaggedLenders,
    /// Rounds over all songs
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: usize,
    /// Threads; 0 takes one a core
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Print one object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Object {
    bench: &'static str,
    propagation: Mode,
    reading: Reading,
    range: f64,
    untagged_lenders: UntaggedLenders,
    threads: usize,
    processor: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

pub fn run(args: Args) -> Result<Outcome> {
    within("--rounds", args.rounds)?;
    if args.threads > THREADS {
        return Err(Error::usage("--threads", format!("{} is more than {THREADS}", args.threads)));
    }
    let options = Options {
        mode: args.propagation,
        reading: args.reading,
        range: args.range,
        untagged_lenders: args.untagged_lenders,
        ..Options::default()
    };
    options.check()?;
    let figures = match &args.dataset {
        Some(folder) => walks::run(&Dataset::open(folder)?, &options, args.rounds, args.threads)?,
        None => walks::run(&Temporary::new(&collection::AOTM)?.open()?, &options, args.rounds, args.threads)?,
    };
    if args.json {
        print::json(&Object {
            bench: "walk",
            propagation: args.propagation,
            reading: args.reading,
            range: args.range,
            untagged_lenders: args.untagged_lenders,
            threads: args.threads,
            processor: super::processor(),
            figures,
        })?;
    } else {
        let million = |rate: f64| rate / 1e6;
        print::line(format!("{} songs, {} playlists, {} tags", figures.songs, figures.playlists, figures.tags))?;
        print::line(format!(
            "{:.2} M songs/s (walk and labels; spread {:.1} %), {:.2} M walks/s alone, {:.2} M dropout masks/s",
            million(figures.songs_per_second),
            100.0 * figures.spread,
            million(figures.walks_per_second),
            million(figures.masks_per_second)
        ))?;
    }
    Ok(Outcome::Done)
}
