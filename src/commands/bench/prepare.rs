//! `tagwalk bench prepare`: decoding and resampling, beside ffmpeg where that is wanted.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::within;
use crate::commands::demo::find_data;
use crate::commands::{Outcome, print};
use crate::error::{Error, Result};
use crate::import::audio::{self, EXTENSIONS};
use crate::measure::bench::audio::{self as bench, Figures};

/// Audio decoded, mixed and resampled: seconds of sound a second, on one core
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Audio files [default: the demo's music]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Rate wanted, Hz
    #[arg(long, value_name = "HZ", default_value_t = 22_050)]
    rate: u32,
    /// Rounds over all files
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// In each round, have ffmpeg do the same; its start counts, so take files of some minutes
    #[arg(long)]
    ffmpeg: bool,
    /// Print one object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Object {
    bench: &'static str,
    rate: u32,
    rounds: usize,
    processor: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

pub fn run(args: Args) -> Result<Outcome> {
    within("--rounds", args.rounds)?;
    let files = if args.files.is_empty() { music(&find_data(None)?.join("audio"))? } else { args.files };
    let options = audio::Options { rate: args.rate, ..audio::Options::default() };
    let figures = bench::run(&files, &options, args.rounds, args.ffmpeg)?;
    if args.json {
        print::json(&Object { bench: "prepare", rate: args.rate, rounds: args.rounds, processor: super::processor(), figures })?;
        return Ok(Outcome::Done);
    }
    let Figures { files, audio_seconds, audio_seconds_per_second, spread, ffmpeg } = figures;
    print::line(format!(
        "{files} files, {audio_seconds:.0} s of sound: {audio_seconds_per_second:.0} s a second on one core (spread {:.1} %)",
        100.0 * spread
    ))?;
    if let Some(other) = ffmpeg {
        print::line(format!(
            "{}: {:.0} s a second (spread {:.1} %), {:.2} times its speed here",
            other.version,
            other.audio_seconds_per_second,
            100.0 * other.spread,
            other.ratio
        ))?;
    }
    Ok(Outcome::Done)
}

/// The audio files of a folder and those in it, in the order of their names.
fn music(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let mut paths: Vec<PathBuf> = entries.map_err(|e| Error::io(folder, "cannot read", e))?.iter().map(|e| e.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(music(&path)?);
        } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| EXTENSIONS.contains(&e)) {
            files.push(path);
        }
    }
    Ok(files)
}
