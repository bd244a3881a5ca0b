//! `tagwalk evaluate`: the paper's three figures of scores against truth, beside what knows
//! nothing and what knows only how common a tag is.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Outcome, print};
use crate::error::{Error, Result};
use crate::evaluate::Figures;
use crate::evaluate::bootstrap::{self, Interval};
use crate::evaluate::metrics::{MIN_POSITIVES, Measured, OfTag, Report, Table};
use crate::format::matrix::{Matrix, Values};
use crate::format::table::{self, Align};

/// Measure scores against truth: annotation MAP, retrieval MAP, ROC-AUC
///
/// Average precision and ROC-AUC equal scikit-learn's, ties included. What is not defined (a song
/// or tag without positives) is left out of the means and counted.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Scores [songs, tags]: a .npy file of any plain number type, higher is likelier
    #[arg(long, value_name = "P.npy")]
    pub predictions: PathBuf,
    /// Truth [songs, tags]: a .npy file of zeros and ones
    #[arg(long, value_name = "T.npy")]
    pub truth: PathBuf,
    /// Songs that a tag needs for the figures to be compared; rarer tags are listed
    #[arg(long, value_name = "N", default_value_t = MIN_POSITIVES)]
    pub min_positives: usize,
    /// Resamples of the songs for the 95 % intervals; 0: none
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
}

pub fn run(args: Args) -> Result<Outcome> {
    let scores = Matrix::read(&args.predictions)?;
    let truth = Matrix::read(&args.truth)?;
    if scores.shape != truth.shape {
        let what = format!("has shape {:?}, but {} has {:?}", truth.shape, args.predictions.display(), scores.shape);
        return Err(Error::input(&args.truth, what).help("Both are [songs, tags], in the same order."));
    }
    let tags = truth.shape[1];
    let truth = labels(&args.truth, truth)?;
    let measured = match &scores.values {
        Values::F32(s) => Table::new(s, &truth, tags).map(|t| Measured::new(&t)),
        Values::F64(s) => Table::new(s, &truth, tags).map(|t| Measured::new(&t)),
    };
    // Truth is zeros and ones by now, so what is wrong is wrong with the scores.
    let measured = measured.map_err(|e| Error { place: Some(args.predictions.display().to_string()), ..e })?;
    let report = measured.report(args.min_positives, None);
    let intervals = (args.bootstrap > 0).then(|| {
        let all = bootstrap::Options { replicates: args.bootstrap, ..bootstrap::Options::new(&measured, 0, args.seed) };
        bootstrap::intervals(&measured, &all)
    });
    if args.json {
        print::json(&Json { report: &report, intervals, per_tag: measured.by_tag() })?;
    } else {
        people(&report, intervals, &measured, args.per_tag)?;
    }
    Ok(Outcome::Done)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    report: &'a Report,
    /// 95 %, resampling songs.
    intervals: Option<Figures<Option<Interval>>>,
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

fn people(report: &Report, intervals: Option<Figures<Option<Interval>>>, measured: &Measured, per_tag: bool) -> Result<()> {
    use Align::{Left, Right};
    let Report { songs, tags, figures, frequent, prevalence, popularity, .. } = report;
    let mut overall = table::Table::new(&[
        (&format!("{songs} songs, {tags} tags"), Left),
        ("", Right),
        ("95 % interval", Left),
        ("all equal", Right),
        ("popularity", Right),
    ]);
    let mut row = |name: &str, value: Option<f64>, interval: Option<Interval>, baselines: [Option<f64>; 2]| {
        let interval = interval.map_or_else(String::new, |i| format!("{:.3} to {:.3}", i.low, i.high));
        let [equal, popular] = baselines.map(table::figure);
        overall.row([name.to_string(), table::figure(value), interval, equal, popular]);
    };
    let all = intervals.unwrap_or(Figures { annotation_map: None, retrieval_map: None, roc_auc: None });
    row("annotation MAP", figures.annotation_map, all.annotation_map, [prevalence.annotation_map, popularity.annotation_map]);
    row("retrieval MAP", figures.retrieval_map, all.retrieval_map, [prevalence.retrieval_map, popularity.retrieval_map]);
    row("ROC-AUC", figures.roc_auc, all.roc_auc, [prevalence.roc_auc, popularity.roc_auc]);
    print::line(&overall)?;
    print::line(format_args!(
        "Over the {} tags with at least {} songs: retrieval MAP {}, ROC-AUC {}.",
        frequent.tags,
        frequent.min_positives,
        table::figure(frequent.retrieval_map),
        table::figure(frequent.roc_auc)
    ))?;
    if !frequent.left_out.is_empty() {
        let numbers: Vec<String> = frequent.left_out.iter().map(usize::to_string).collect();
        print::line(format_args!("Tags with fewer: {}.", numbers.join(", ")))?;
    }
    print::line(format_args!(
        "Not defined and left out: {} songs without tags, {} tags without songs, {} tags that all songs or none have.",
        report.songs_without_tags, report.tags_without_songs, report.tags_without_both_classes
    ))?;
    if per_tag {
        let columns = [("tag", Right), ("songs", Right), ("prevalence", Right), ("average precision", Right), ("ROC-AUC", Right)];
        let mut each = table::Table::new(&columns);
        for (number, tag) in measured.by_tag().iter().enumerate() {
            let [prevalence, precision, auc] = [Some(tag.prevalence), tag.average_precision, tag.roc_auc].map(table::figure);
            each.row([number.to_string(), tag.positives.to_string(), prevalence, precision, auc]);
        }
        print::line("")?;
        print::line(&each)?;
    }
    Ok(())
}
