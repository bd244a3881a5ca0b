//! Figs. 5 and 6: what each tag gains, by popularity and by category.

use serde::Serialize;

use super::About;
use super::figures::Figure;
use super::results::{Line, Results, mean};
use crate::dataset::Dataset;
use crate::experiment::grid::{Spec, row};
use crate::format::svg::{Axis, COLOURS, Plot};

/// A tag with both arms' means over the seeds in which it is defined.
struct Both {
    tag: String,
    songs: usize,
    seeds: usize,
    /// Average precision and ROC-AUC: baseline, proposed.
    precision: [f64; 2],
    auc: [f64; 2],
}

/// Every tag of both, as `data/tags.csv` has it.
pub fn table(results: &Results, spec: &Spec) -> Vec<u8> {
    #[derive(Default, Serialize)]
    struct Tag {
        tags: usize,
        rank: usize,
        tag: String,
        songs: usize,
        seeds: usize,
        baseline_average_precision: f64,
        proposed_average_precision: f64,
        baseline_roc_auc: f64,
        proposed_roc_auc: f64,
    }
    let mut all = Vec::new();
    for panel in &results.panels {
        let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else { continue };
        all.extend(by_tag(results, baseline, proposed, 0).into_iter().enumerate().map(|(i, both)| (panel.tags, i + 1, both)));
    }
    let tag = |(tags, rank, both): &'_ (usize, usize, Both)| Tag {
        tags: *tags,
        rank: *rank,
        tag: both.tag.clone(),
        songs: both.songs,
        seeds: both.seeds,
        baseline_average_precision: both.precision[0],
        proposed_average_precision: both.precision[1],
        baseline_roc_auc: both.auc[0],
        proposed_roc_auc: both.auc[1],
    };
    let rows: Vec<Tag> = all.iter().map(tag).collect();
    row::write_headed(&rows)
}

/// Tags that at least `min_positives` of some seed's test songs have and that are defined for both arms, the most popular
/// first: means over those seeds.
fn by_tag(results: &Results, baseline: &Line, proposed: &Line, min_positives: usize) -> Vec<Both> {
    let pairs: Vec<_> = proposed
        .runs
        .iter()
        .filter_map(|(seed, b)| Some((&results.runs[baseline.runs.get(seed)?].finished, &results.runs[b].finished)))
        .collect();
    let Some((first, _)) = pairs.first() else { return Vec::new() };
    let mut all = Vec::new();
    for (t, tag) in first.tags.iter().enumerate() {
        let values: Vec<[f64; 4]> = pairs
            .iter()
            .filter_map(|(a, b)| {
                let (a, b) = (a.tags.get(t).filter(|tag| tag.positives >= min_positives)?, b.tags.get(t)?);
                Some([a.average_precision?, b.average_precision?, a.roc_auc?, b.roc_auc?])
            })
            .collect();
        let of = |i: usize| mean(values.iter().map(|v| Some(v[i])));
        if let (Some(p0), Some(p1), Some(a0), Some(a1)) = (of(0), of(1), of(2), of(3)) {
            let (precision, auc) = ([p0, p1], [a0, a1]);
            all.push(Both { tag: tag.tag.clone(), songs: tag.songs, seeds: values.len(), precision, auc });
        }
    }
    all.sort_by_key(|tag| std::cmp::Reverse(tag.songs));
    all
}

/// The figure by category.
pub const BY_CATEGORY: &str = "fig6";

/// Improvement of means: the mean of some tags with the proposed arm over that with the baseline, less 1, in percent.
fn improvement<'t>(tags: impl Iterator<Item = &'t Both> + Clone, of: fn(&Both) -> [f64; 2]) -> f64 {
    let sum = |i: usize| tags.clone().map(|tag| of(tag)[i]).sum::<f64>();
    100.0 * (sum(1) / sum(0) - 1.0)
}

/// Fig. 5: improvement by popularity rank, in bins.
pub fn popularity(results: &Results, spec: &Spec, min_positives: usize) -> Figure {
    #[derive(Default, Serialize)]
    struct Bin {
        tags: usize,
        first_rank: usize,
        last_rank: usize,
        tags_in_bin: usize,
        /// In which a tag of the bin counts, at least.
        fewest_seeds: usize,
        map_improvement_percent: f64,
        auc_improvement_percent: f64,
        names: String,
    }
    let (mut pictures, mut rows, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for panel in &results.panels {
        let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else { continue };
        let tags = by_tag(results, baseline, proposed, min_positives);
        // The paper's 100 where there are that many; else about five bins.
        let width = if tags.len() >= 500 { 100 } else { tags.len().div_ceil(5).max(1) };
        let mut points = Vec::new();
        for (i, bin) in tags.chunks(width).enumerate() {
            let map = improvement(bin.iter(), |tag| tag.precision);
            let auc = improvement(bin.iter(), |tag| tag.auc);
            let names: Vec<&str> = bin.iter().map(|tag| tag.tag.as_str()).collect();
            points.push((i * width + 1, i * width + bin.len(), map, auc));
            rows.push(Bin {
                tags: panel.tags,
                first_rank: i * width + 1,
                last_rank: i * width + bin.len(),
                tags_in_bin: bin.len(),
                fewest_seeds: bin.iter().map(|tag| tag.seeds).min().unwrap_or(0),
                map_improvement_percent: map,
                auc_improvement_percent: auc,
                names: names.join("; "),
            });
        }
        let values = points.iter().flat_map(|p| [p.2, p.3]);
        let mut plot = Plot::new(
            format!("Fig. 5: improvement by popularity, {} tags", panel.tags),
            Axis::names(format!("rank of the tags, {width} a bin"), points.iter().map(|p| format!("{}-{}", p.0, p.1))),
            Axis::around("relative improvement, %", values, true),
        );
        for (i, p) in points.iter().enumerate() {
            let x = i as f64;
            plot.bar(x - 0.18, 0.34, p.2, COLOURS[0], &format!("ranks {} to {}, retrieval MAP: {:+.1} %", p.0, p.1, p.2));
            plot.bar(x + 0.18, 0.34, p.3, COLOURS[1], &format!("ranks {} to {}, ROC-AUC: {:+.1} %", p.0, p.1, p.3));
        }
        plot.named("retrieval MAP (macro PR-AUC)", COLOURS[0]).named("ROC-AUC", COLOURS[1]);
        pictures.push(plot.finish());
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            found.push(format!(
                "{} tags: ROC-AUC {:+.1} % for ranks {} to {}, {:+.1} % for {} to {}",
                panel.tags, first.3, first.0, first.1, last.3, last.0, last.1
            ));
        }
    }
    Figure {
        id: "fig5".into(),
        title: "Fig. 5: improvement by popularity".into(),
        sentence: format!(
            "In the paper rare tags gain more than popular ones, and ROC-AUC rises steeply over the first 200 ranks. \
             Improvements are those of a bin's means: a tag whose baseline is near 0 alone does not make one. Tags on fewer than \
             {min_positives} test songs of a seed are left out of that seed; ranks are those of the others."
        ),
        found: if found.is_empty() { "No run of the proposed arm yet.".into() } else { format!("{}.", found.join("; ")) },
        pictures,
        csv: row::write_headed(&rows),
    }
}

/// A category of Table II, with what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Category {
    /// Of the vocabulary.
    pub vocabulary: usize,
    pub category: String,
    pub tags: usize,
    /// Mean share of the songs with tags that a tag of it is on.
    pub popularity_percent: f64,
    pub map_improvement_percent: f64,
    pub auc_improvement_percent: f64,
    pub names: String,
}

/// The tags of each category that count.
pub fn categorised(results: &Results, spec: &Spec, dataset: &Dataset, about: &About) -> Vec<Category> {
    let tagged = (0..dataset.songs()).filter(|&song| dataset.is_tagged(song)).count().max(1) as f64;
    let mut all = Vec::new();
    for panel in &results.panels {
        let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else { continue };
        let tags = by_tag(results, baseline, proposed, about.min_positives);
        for (category, names) in &about.categories {
            let own = || tags.iter().filter(|tag| names.iter().any(|name| name.eq_ignore_ascii_case(&tag.tag)));
            let count = own().count();
            if count == 0 {
                continue;
            }
            all.push(Category {
                vocabulary: panel.tags,
                category: category.clone(),
                tags: count,
                popularity_percent: 100.0 * own().map(|tag| tag.songs as f64 / tagged).sum::<f64>() / count as f64,
                map_improvement_percent: improvement(own(), |tag| tag.precision),
                auc_improvement_percent: improvement(own(), |tag| tag.auc),
                names: own().map(|tag| tag.tag.as_str()).collect::<Vec<_>>().join(", "),
            });
        }
    }
    all
}

/// Fig. 6: improvement and popularity by category.
pub fn categories(results: &Results, categories: &[Category], min_positives: usize) -> Figure {
    let mut pictures = Vec::new();
    for panel in &results.panels {
        let own: Vec<&Category> = categories.iter().filter(|c| c.vocabulary == panel.tags).collect();
        if own.is_empty() {
            continue;
        }
        let names = || own.iter().map(|c| c.category.clone());
        let values = own.iter().flat_map(|c| [c.map_improvement_percent, c.auc_improvement_percent]);
        let mut plot = Plot::new(
            format!("Fig. 6: improvement by category, {} tags", panel.tags),
            Axis::names("", names()),
            Axis::around("relative improvement, %", values, true),
        );
        let mut popular = Plot::new(
            format!("Fig. 6: popularity by category, {} tags", panel.tags),
            Axis::names("", names()),
            Axis::around("mean share of songs, %", own.iter().map(|c| c.popularity_percent), true),
        );
        for (i, c) in own.iter().enumerate() {
            let x = i as f64;
            let about = |what: &str, value: f64| format!("{}, {what}: {value:+.1} %", c.category);
            plot.bar(x - 0.18, 0.34, c.map_improvement_percent, COLOURS[0], &about("retrieval MAP", c.map_improvement_percent));
            plot.bar(x + 0.18, 0.34, c.auc_improvement_percent, COLOURS[1], &about("ROC-AUC", c.auc_improvement_percent));
            popular.bar(x, 0.5, c.popularity_percent, COLOURS[2], &about("popularity", c.popularity_percent));
        }
        plot.named("retrieval MAP (macro PR-AUC)", COLOURS[0]).named("ROC-AUC", COLOURS[1]);
        pictures.extend([plot.finish(), popular.finish()]);
    }
    Figure {
        id: BY_CATEGORY.into(),
        title: "Fig. 6: improvement by category".into(),
        sentence: format!(
            "In the paper the category matters more than popularity: era gains more than mood at about the same popularity. Tags \
             on fewer than {min_positives} test songs of a seed are left out of that seed."
        ),
        found: if pictures.is_empty() {
            "None of the measured tags is in a category; --categories FILE names them (rows tag, tab, category).".into()
        } else {
            String::new()
        },
        pictures,
        csv: row::write_headed(categories),
    }
}
