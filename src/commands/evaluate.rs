//! `tagwalk evaluate`: the paper's three figures of a run, or of any scores against truth, beside
//! what knows nothing and what knows only how common a tag is.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::flags::DeviceFlags;
use super::{Outcome, figures, print};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::evaluate::Figures;
use crate::evaluate::bootstrap::{self, Interval};
use crate::evaluate::metrics::{MIN_POSITIVES, Measured, OfTag, Report, Table};
use crate::evaluate::songs::{self, Scored};
use crate::format::matrix::{Matrix, Values};
use crate::plan::Settings;
use crate::run::{files, interrupt};
use crate::train::options::Config;
use crate::train::session;

/// Measure a run on its test songs, or any scores against truth: annotation MAP, retrieval MAP (macro PR-AUC), ROC-AUC
///
/// Average precision and ROC-AUC equal scikit-learn's, ties included. What is not defined (a song
/// or tag without positives) is left out of the means and counted.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A run's folder, made by `tagwalk train`
    #[arg(required_unless_present = "predictions", conflicts_with_all = ["predictions", "truth"])]
    pub run: Option<PathBuf>,
    /// Which songs: test or valid
    #[arg(long, value_enum, default_value = "test")]
    pub split: Side,
    /// Which weights: those of the best epoch, or the last
    #[arg(long, value_enum, default_value = "best")]
    pub weights: Which,
    /// The dataset, where it is not where the run found it
    #[arg(long, value_name = "DATASET")]
    pub dataset: Option<PathBuf>,
    /// Where probabilities go, as .npy and .csv, those of the last weights under names of their own [default: the run's folder]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Instead of a run, scores [songs, tags]: a .npy file of any plain number type, higher is likelier
    #[arg(long, value_name = "P.npy", requires = "truth")]
    pub predictions: Option<PathBuf>,
    /// Their truth [songs, tags]: a .npy file of zeros and ones
    #[arg(long, value_name = "T.npy", requires = "predictions")]
    pub truth: Option<PathBuf>,
    /// Songs that a tag needs for the figures to be compared; rarer tags are listed
    #[arg(long, value_name = "N", default_value_t = MIN_POSITIVES)]
    pub min_positives: usize,
    /// Resamples of the songs for the 95 % intervals, which are the figure ± 1.96 standard errors by them; 0: none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub bootstrap: usize,
    /// Seed of the resamples
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Also print each tag's figures
    #[arg(long)]
    pub per_tag: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceFlags,
}

/// `--split`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Side {
    Test,
    Valid,
}

/// `--weights`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Which {
    Best,
    Last,
}

pub fn run(args: Args) -> Result<Outcome> {
    match (&args.run, &args.predictions, &args.truth) {
        (Some(folder), ..) => of_run(folder, &args),
        (None, Some(predictions), Some(truth)) => of_files(predictions, truth, &args),
        _ => Err(Error::usage("RUN", "is missing").help("Name a run's folder, or --predictions and --truth.")),
    }
}

/// The run's network over the split's songs.
fn of_run(folder: &Path, args: &Args) -> Result<Outcome> {
    let config = Config::read(folder)?;
    let dataset = Dataset::open(args.dataset.as_ref().unwrap_or(&config.dataset)).map_err(|e| match args.dataset {
        Some(_) => e,
        None => e.help("It is where the run found its dataset: name its place now by --dataset."),
    })?;
    let dataset = dataset.seen(config.train.view)?;
    if dataset.vocabulary() != config.vocabulary {
        return Err(Error::input(dataset.folder(), "has other tags than the run was trained on")
            .help("Name the run's own dataset by --dataset."));
    }
    if dataset.sample_rate() != config.sample_rate {
        let what = format!("has audio at {} Hz, but the run was trained at {} Hz", dataset.sample_rate(), config.sample_rate);
        return Err(Error::input(dataset.folder(), what)
            .help(format!("Prepare it with --rate {}, or name the run's own dataset by --dataset.", config.sample_rate)));
    }
    if dataset.fingerprint() != config.fingerprint {
        print::note(format_args!(
            "{} is not the dataset that the run was trained on: if its split is another, songs that were trained on may be among those measured, and the figures too good",
            dataset.folder().display()
        ));
    }
    let name = if args.weights == Which::Best { files::BEST } else { files::LAST };
    let weights = super::weights(&folder.join(name)).map_err(|e| {
        if args.weights == Which::Last || folder.join(files::BEST).exists() || !folder.join(files::LAST).exists() {
            return e;
        }
        e.help(format!(
            "A run has {} once an epoch is finished: measure what there is by --weights last, or go on with `tagwalk train --resume --out {}`.",
            files::BEST,
            folder.display()
        ))
    })?;
    // A checkpoint that cannot be read is no reason not to measure the best weights.
    if let Ok(Some(steps)) = session::stopped_after(folder) {
        print::note(format_args!(
            "the run is not finished, {steps} steps so far: `tagwalk train --resume --out {}` goes on",
            folder.display()
        ));
    }
    let split = if args.split == Side::Test { Split::Test } else { Split::Valid };
    let chosen = songs::of_split(&dataset, split)?;
    interrupt::listen("stopping")?;
    let (device, choice) = args.device.open()?;
    let settings = Settings { choice, ..config.settings.clone() };
    let scored = Scored::new(&dataset, &chosen.songs, &weights, &settings, &device, args.device.threads, |_| interrupt::check())?;
    if chosen.untagged > 0 {
        print::note(format_args!("songs of the split that have no tag, and are left out: {}", chosen.untagged));
    }
    let out = args.out.as_deref().unwrap_or(folder);
    // Tables of the best weights are not replaced by those of others.
    let (side, which) =
        (if split == Split::Test { "test" } else { "valid" }, if args.weights == Which::Best { "" } else { "-last" });
    // Nor are those of the run's songs by another dataset's.
    let whose = match dataset.fingerprint() == config.fingerprint || args.out.is_some() {
        true => String::new(),
        false => format!("-of-{}", &dataset.fingerprint()[..8]),
    };
    let written = scored.write(out, &format!("{side}{which}{whose}"), &dataset)?;
    print::note(format_args!("probabilities: {} and {}, by {name}", written[0].display(), written[1].display()));
    let measured = Measured::new(&Table::new(&scored.scores, &scored.truth, config.network.tags)?);
    let popularity = songs::popularity(&dataset);
    show(&measured, measured.report(args.min_positives, Some(&popularity)), Some(dataset.vocabulary()), args)
}

/// Two arrays, whoever made them.
fn of_files(predictions: &Path, truth_path: &Path, args: &Args) -> Result<Outcome> {
    let scores = Matrix::read(predictions)?;
    let truth = Matrix::read(truth_path)?;
    if scores.shape != truth.shape {
        let what = format!("has shape {:?}, but {} has {:?}", truth.shape, predictions.display(), scores.shape);
        return Err(Error::input(truth_path, what).help("Both are [songs, tags], in the same order."));
    }
    let tags = truth.shape[1];
    let truth = labels(truth_path, truth)?;
    let measured = match &scores.values {
        Values::F32(s) => Table::new(s, &truth, tags).map(|t| Measured::new(&t)),
        Values::F64(s) => Table::new(s, &truth, tags).map(|t| Measured::new(&t)),
    };
    // Truth is zeros and ones by now, so what is wrong is wrong with the scores.
    let measured = measured.map_err(|e| Error { place: Some(predictions.display().to_string()), ..e })?;
    show(&measured, measured.report(args.min_positives, None), None, args)
}

fn show(measured: &Measured, report: Report, names: Option<&[String]>, args: &Args) -> Result<Outcome> {
    let intervals = match args.bootstrap {
        0 => None,
        replicates => {
            let options = bootstrap::Options::new(measured, args.min_positives, args.seed);
            Some(bootstrap::intervals(measured, &bootstrap::Options { replicates, ..options })?)
        }
    };
    if args.json {
        print::json(&Json { report: &report, intervals, vocabulary: names, per_tag: measured.by_tag() })?;
    } else {
        figures::people(&report, intervals, measured, names, args.per_tag)?;
    }
    Ok(Outcome::Done)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// 95 %, resampling songs; retrieval MAP and ROC-AUC over the frequent tags.
    intervals: Option<Figures<Option<Interval>>>,
    /// The tags' names, in the order of `per_tag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    vocabulary: Option<&'a [String]>,
    per_tag: &'a [OfTag],
}

/// Zeros and ones, whatever type they were stored as.
fn labels(path: &Path, matrix: Matrix) -> Result<Vec<u8>> {
    let columns = matrix.shape[1];
    let label = |(at, value): (usize, f64)| match value {
        0.0 => Ok(0),
        1.0 => Ok(1),
        other => {
            let what = format!("song {}, tag {} is {other}, neither 0 nor 1", at / columns, at % columns);
            Err(Error::input(path, what).help("Truth says for each song and tag whether the song has it."))
        }
    };
    match matrix.values {
        Values::F32(v) => v.into_iter().map(f64::from).enumerate().map(label).collect(),
        Values::F64(v) => v.into_iter().enumerate().map(label).collect(),
    }
}
