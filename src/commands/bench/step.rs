//! `tagwalk bench step`: whole steps, on made-up clips or a dataset's.

use std::path::PathBuf;

use serde::Serialize;

use super::{Place, Shape, Steps, within};
use crate::commands::{Outcome, print};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::measure::bench::step::{self, Figures};
use crate::measure::collection::{Size, Temporary};

/// Whole steps: clips a second, their spread, memory at its peak
///
/// Clips are made up unless --dataset or --songs says otherwise: then each step's batch is cut, walked
/// for and written beside the device, as training does, and the device's idle share is told.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    steps: Steps,
    /// Take the clips from this dataset
    #[arg(long, value_name = "DATASET")]
    dataset: Option<PathBuf>,
    /// Take them from a made-up dataset of so many songs of 30 s: silence that takes no room on the disk
    #[arg(long, value_name = "N", conflicts_with = "dataset")]
    songs: Option<usize>,
    /// Show the time in each kernel as well (--json always does)
    #[arg(long)]
    kernels: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Object<'a> {
    bench: &'static str,
    #[serde(flatten)]
    shape: Shape<'a>,
    /// Songs of the dataset; null where clips are made up.
    songs: Option<usize>,
    #[serde(flatten)]
    place: &'a Place,
    #[serde(flatten)]
    figures: Figures,
}

/// 30 s at 22,050 Hz.
const SAMPLES: u64 = 661_500;

pub fn run(args: Args) -> Result<Outcome> {
    let steps = &args.steps;
    steps.check()?;
    if let Some(songs) = args.songs {
        within("--songs", songs)?;
    }
    let (device, choice) = steps.device.open()?;
    let made_up = args.songs.map(|songs| {
        let tags = steps.tags.unwrap_or(50);
        Temporary::new(&Size { songs, playlists: songs.div_ceil(10), tags, tags_a_song: 2, samples: SAMPLES })
    });
    let made_up = made_up.transpose()?;
    let dataset = match (&made_up, &args.dataset) {
        (Some(made_up), _) => Some(made_up.open()?),
        (None, Some(folder)) => Some(Dataset::open(folder)?),
        (None, None) => None,
    };
    let place = Place::of(&device, &choice);
    for bench in steps.benches(&choice, dataset.as_ref(), args.kernels || steps.json)? {
        let figures = step::run(&bench, &device)?;
        let shape = Shape::of(steps, &bench);
        if steps.json {
            let songs = dataset.as_ref().map(Dataset::songs);
            print::json(&Object { bench: "step", shape, songs, place: &place, figures })?;
        } else {
            print::line(format!("{} on {}", shape.say(), place.say()))?;
            tell(&figures)?;
        }
    }
    Ok(Outcome::Done)
}

fn tell(figures: &Figures) -> Result<()> {
    let q = figures.step_ms;
    print::line(format!(
        "{:.2} clips/s   step {:.1} ms (p10 {:.1}, p90 {:.1})   {:.1} GFLOP/s",
        figures.clips_per_second, q.median, q.p10, q.p90, figures.gflops_per_second
    ))?;
    let peak = figures.peak_memory_mib.map_or(String::new(), |mib| format!(", the process at its peak {mib:.0} MiB"));
    print::line(format!("the plan's tensors {:.0} MiB{peak}", figures.plan_mib))?;
    if let Some(idle) = figures.idle_share {
        print::line(format!("the device had nothing to run for {:.2} % of the time", 100.0 * idle))?;
    }
    for (kernel, ms) in figures.kernels.iter().flatten() {
        print::line(format!("  {kernel:<20} {ms:>9.2} ms   {:>5.1} %", 100.0 * ms / q.median))?;
    }
    Ok(())
}
