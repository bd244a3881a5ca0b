//! The tables that `tagwalk evaluate` prints of a measurement.

use super::print;
use crate::error::Result;
use crate::evaluate::Figures;
use crate::evaluate::bootstrap::Interval;
use crate::evaluate::metrics::{Measured, Report};
use crate::format::table::{self, Align};

/// Rare tags that are named.
const SHOWN: usize = 5;
/// Fewer songs than this are few: with 57, ROC-AUC moved by up to 0.1 from seed to seed (the demo's five).
const FEW_SONGS: usize = 100;

/// Says so where test songs are few.
pub(super) fn few(songs: usize) -> Option<String> {
    (songs < FEW_SONGS).then(|| {
        format!("{songs} songs are few to conclude from: with 57, ROC-AUC moved by up to 0.1 from one training seed to another.")
    })
}

/// What cannot be concluded from so little.
fn cautions(report: &Report, roc_auc: Option<Interval>) -> Vec<String> {
    let (songs, frequent) = (report.songs, &report.frequent);
    let mut all = Vec::from_iter(few(songs));
    if frequent.tags == 0 {
        all.push(format!("No tag has {} songs: there is no figure to compare runs by.", frequent.min_positives));
    }
    if let Some(interval) = roc_auc.filter(|i| i.low <= 0.5 && i.high >= 0.5) {
        all.push(format!(
            "The interval of ROC-AUC, {:.3} to {:.3}, holds 0.5: from these songs it is not told from chance.",
            interval.low, interval.high
        ));
    }
    all
}

/// Prints the tables: overall, tags that were left out, and each tag's figures if asked for. Without
/// `names` tags are called by their number.
pub fn people(
    report: &Report,
    intervals: Option<Figures<Option<Interval>>>,
    measured: &Measured,
    names: Option<&[String]>,
    per_tag: bool,
) -> Result<()> {
    let name = |tag: usize| names.map_or_else(|| tag.to_string(), |n| n[tag].clone());
    use Align::{Left, Right};
    let Report { songs, tags, figures, frequent, prevalence, popularity, .. } = report;
    let mut overall = table::Table::new(&[
        (&format!("{songs} songs, {tags} tags"), Left),
        ("", Right),
        ("95 % interval", Left),
        ("all equal", Right),
        ("popularity", Right),
    ]);
    let mut row = |name: &str, value: Option<f64>, interval: Option<Interval>, baselines: Option<[Option<f64>; 2]>| {
        let interval = interval.map_or_else(String::new, |i| format!("{:.3} to {:.3}", i.low, i.high));
        let [equal, popular] = baselines.map_or([const { String::new() }; 2], |b| b.map(table::figure));
        overall.row([name.to_string(), table::figure(value), interval, equal, popular]);
    };
    let sure = intervals.unwrap_or(Figures { annotation_map: None, retrieval_map: None, roc_auc: None });
    let annotation = [prevalence.annotation_map, popularity.annotation_map];
    row("annotation MAP", figures.annotation_map, sure.annotation_map, Some(annotation));
    row(
        "retrieval MAP (macro PR-AUC), all tags",
        figures.retrieval_map,
        None,
        Some([prevalence.retrieval_map, popularity.retrieval_map]),
    );
    row("ROC-AUC, all tags", figures.roc_auc, None, Some([prevalence.roc_auc, popularity.roc_auc]));
    let enough = format!("{} tags with at least {} songs", frequent.tags, frequent.min_positives);
    row(&format!("retrieval MAP, {enough}"), frequent.retrieval_map, sure.retrieval_map, None);
    row(&format!("ROC-AUC, {enough}"), frequent.roc_auc, sure.roc_auc, None);
    print::line(&overall)?;
    if !frequent.left_out.is_empty() {
        let shown: Vec<String> = frequent.left_out.iter().take(SHOWN).map(|&t| name(t)).collect();
        let more = match frequent.left_out.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more (--per-tag and --json have all)"),
        };
        print::line(format_args!("Tags with fewer, {}: {}{more}.", frequent.left_out.len(), shown.join(", ")))?;
    }
    print::line(format_args!(
        "Not defined and left out: {} songs without tags, {} tags without songs, {} tags that all songs or none have.",
        report.songs_without_tags, report.tags_without_songs, report.tags_without_both_classes
    ))?;
    for sentence in cautions(report, sure.roc_auc) {
        print::line(sentence)?;
    }
    if per_tag {
        let columns = [("tag", Left), ("songs", Right), ("prevalence", Right), ("average precision", Right), ("ROC-AUC", Right)];
        let mut each = table::Table::new(&columns);
        for (number, tag) in measured.by_tag().iter().enumerate() {
            let [prevalence, precision, auc] = [Some(tag.prevalence), tag.average_precision, tag.roc_auc].map(table::figure);
            each.row([name(number), tag.positives.to_string(), prevalence, precision, auc]);
        }
        print::line("")?;
        print::line(&each)?;
    }
    Ok(())
}
