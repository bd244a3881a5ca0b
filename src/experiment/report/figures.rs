//! The paper's figures from data and results: numbers as CSV and a picture of them, with a sentence on what
//! to look for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::paper;
use super::results::{Line, Measure, Results, mean};
use crate::dataset::Dataset;
use crate::experiment::grid::{Spec, row};
use crate::format::svg::{Axis, COLOURS, Plot, Stroke};
use crate::playlists::{shuffled, similarity};

/// A figure of the report.
pub struct Figure {
    /// `fig1`: names its files.
    pub id: String,
    pub title: String,
    /// What it should show, and what it would mean if it did not.
    pub sentence: String,
    /// What the numbers came to, where one line says it.
    pub found: String,
    pub pictures: Vec<String>,
    pub csv: Vec<u8>,
}

/// Where tags become the long tail, as a share of the songs with tags.
const TAIL: f64 = 0.05;
/// Distances of Fig. 2 at most.
const FURTHEST: usize = 10;

/// Fig. 1: songs a tag, by rank.
pub fn long_tail(dataset: &Dataset) -> Figure {
    #[derive(Serialize)]
    struct Tag<'a> {
        rank: usize,
        tag: &'a str,
        songs: usize,
        share: f64,
    }
    let tagged = (0..dataset.songs()).filter(|&song| dataset.is_tagged(song)).count().max(1);
    let counts = dataset.tag_counts();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&tag| (std::cmp::Reverse(counts[tag]), tag));
    let tags: Vec<Tag> = order
        .iter()
        .enumerate()
        .map(|(i, &tag)| Tag {
            rank: i + 1,
            tag: &dataset.vocabulary()[tag],
            songs: counts[tag],
            share: counts[tag] as f64 / tagged as f64,
        })
        .collect();
    let below = tags.iter().filter(|tag| tag.share < TAIL).count();
    let most = tags.first().map_or(1.0, |tag| tag.share);
    let last = tags.len().max(2) as f64;
    let mut plot = Plot::new(
        "Fig. 1: songs linked to a tag",
        Axis::linear("rank of the tag by popularity", 0.0, last),
        Axis::around("share of the songs with tags", [100.0 * most], true).percent(),
    );
    let points: Vec<(f64, f64)> = tags.iter().map(|tag| (tag.rank as f64, 100.0 * tag.share)).collect();
    plot.level("5 % of the songs", 100.0 * TAIL, COLOURS[5], Stroke::Dashed);
    plot.curve("songs linked to the tag", &points, COLOURS[0], Stroke::Solid);
    // Names far enough from each other to be read: the first, the last, and some between.
    let mut named: Vec<&Tag> = Vec::new();
    let room = |a: &Tag, b: &Tag| {
        (a.rank as f64 - b.rank as f64).abs() / last > 0.2 || (a.share - b.share).abs() / most.max(1e-9) > 0.075
    };
    for tag in tags.iter().take(1).chain(tags.last()).chain(&tags) {
        if named.len() < 9 && named.iter().all(|other| room(other, tag)) {
            named.push(tag);
        }
    }
    for tag in named {
        let about = format!("{}: {} songs, {:.1} %", tag.tag, tag.songs, 100.0 * tag.share);
        plot.dot(tag.rank as f64, 100.0 * tag.share, COLOURS[1], &about);
        plot.label(tag.rank as f64, 100.0 * tag.share, tag.tag);
    }
    Figure {
        id: "fig1".into(),
        title: "Fig. 1: the long tail".into(),
        sentence: "A few tags are on many songs and most tags on few; in the paper's data more than 80 % of the tags are linked \
                   to fewer than 5 % of the songs."
            .into(),
        found: format!(
            "{below} of {} tags ({:.0} %) are linked to fewer than 5 % of the {tagged} songs with tags.",
            tags.len(),
            100.0 * below as f64 / tags.len().max(1) as f64
        ),
        pictures: vec![plot.finish()],
        csv: row::write(&tags),
    }
}

/// Fig. 2: similarity by distance, beside the same playlists in any order.
pub fn distance(dataset: &Dataset) -> Figure {
    #[derive(Serialize)]
    struct At {
        distance: usize,
        cosine: f64,
        shuffled: Option<f64>,
        pairs: u64,
    }
    let tags = |song: u32| dataset.tag_bits(song as usize);
    let real = similarity(dataset.playlists(), tags, FURTHEST, false);
    let control: BTreeMap<usize, f64> =
        shuffled(dataset.playlists(), tags, FURTHEST, false).iter().map(|p| (p.distance, p.mean)).collect();
    let rows: Vec<At> = real
        .iter()
        .map(|p| At { distance: p.distance, cosine: p.mean, shuffled: control.get(&p.distance).copied(), pairs: p.pairs })
        .collect();
    let values = rows.iter().flat_map(|r| [Some(r.cosine), r.shuffled]).flatten();
    let mut plot = Plot::new(
        "Fig. 2: tags of two songs of a playlist",
        Axis::linear("distance in the playlist", 0.5, rows.last().map_or(1, |r| r.distance) as f64 + 0.5),
        Axis::around("mean cosine of their tags", values, false),
    );
    let points: Vec<(f64, f64)> = rows.iter().map(|r| (r.distance as f64, r.cosine)).collect();
    let order: Vec<(f64, f64)> = rows.iter().filter_map(|r| Some((r.distance as f64, r.shuffled?))).collect();
    plot.curve("playlists as they are", &points, COLOURS[0], Stroke::Solid);
    plot.curve("the same playlists, in any order (exact mean over all)", &order, COLOURS[5], Stroke::Dotted);
    for r in &rows {
        let about = format!("distance {}: {:.3} over {} pairs", r.distance, r.cosine, r.pairs);
        plot.dot(r.distance as f64, r.cosine, COLOURS[0], &about);
    }
    let found = match (rows.first(), rows.first().and_then(|r| r.shuffled)) {
        (Some(first), Some(control)) => {
            format!(
                "Neighbours: {:.3}, in any order {control:.3}: what order adds is {:+.3}.",
                first.cosine,
                first.cosine - control
            )
        }
        _ => "No playlist has two songs with tags.".into(),
    };
    Figure {
        id: "fig2".into(),
        title: "Fig. 2: similarity by distance".into(),
        sentence: "Near songs should have more similar tags than far ones. Only what lies above the dotted line comes from \
                   order: long playlists of one kind alone bend the other curve."
            .into(),
        found,
        pictures: vec![plot.finish()],
        csv: row::write(&rows),
    }
}

/// Figs. 3 and 4: a figure against the search range, a picture a vocabulary and figure.
pub fn search_range(results: &Results, spec: &Spec, measures: &[Measure], number: u32, about: &str) -> Figure {
    #[derive(Serialize)]
    struct Point<'a> {
        measure: &'a str,
        tags: usize,
        arm: &'a str,
        range: f64,
        seeds: usize,
        test: Option<f64>,
        validation: Option<f64>,
        baseline: Option<f64>,
        difference: Option<f64>,
        difference_low: Option<f64>,
        difference_high: Option<f64>,
    }
    let (mut pictures, mut rows, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for &measure in measures {
        for panel in &results.panels {
            let baseline = panel.baseline().and_then(|line| measure.of(&line.mean));
            let value = |line: &Line| measure.of(&line.mean);
            let sure = |line: &Line| line.compared.as_ref().and_then(|c| measure.of(&c.over_seeds));
            let ends = |line: &Line| {
                let (value, baseline) = (value(line)?, baseline?);
                let sure = sure(line)?;
                // The error is the difference's: it is drawn around the arm's mean. Whole intervals of few seeds
                // would be all there is to see.
                Some((value, baseline + sure.mean - sure.error, baseline + sure.mean + sure.error))
            };
            let lines = || panel.scans.iter().flatten();
            let validation = |line: &Line| measure.of(&line.valid);
            let values: Vec<f64> =
                lines().filter_map(value).chain(baseline).chain(lines().filter_map(ends).flat_map(|e| [e.1, e.2])).collect();
            let reach = spec.ranges.iter().copied().fold(0.0, f64::max);
            let mut plot = Plot::new(
                format!("Fig. {number}: {}, {} tags", measure.name(), panel.tags),
                Axis::linear("search range r", -0.03, reach.max(0.1) + 0.03),
                Axis::around(measure.name(), values, false),
            );
            for (i, scan) in panel.scans.iter().enumerate() {
                let points: Vec<(f64, f64)> = scan.iter().filter_map(|line| Some((line.range?, value(line)?))).collect();
                let arm = scan.first().map_or("", |line| line.arm.as_str());
                plot.curve(arm, &points, COLOURS[i], Stroke::Solid);
                for line in scan {
                    let (Some(range), Some(y)) = (line.range, value(line)) else { continue };
                    if let Some((_, low, high)) = ends(line) {
                        plot.whisker(range, low, high, COLOURS[i]);
                    }
                    plot.dot(range, y, COLOURS[i], &format!("{}: {y:.3}", line.name));
                    let compared = line.compared.as_ref();
                    rows.push(Point {
                        measure: measure.name(),
                        tags: panel.tags,
                        arm: &line.arm,
                        range,
                        seeds: line.runs.len(),
                        test: Some(y),
                        validation: validation(line),
                        baseline,
                        difference: compared.and_then(|c| measure.of(&c.difference)),
                        difference_low: sure(line).map(|s| s.low),
                        difference_high: sure(line).map(|s| s.high),
                    });
                }
                let best = scan.iter().filter_map(|line| Some((line.range?, value(line)?))).max_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((range, y)) = best {
                    found.push(format!("{arm}, {} tags, {}: highest at r = {range} ({y:.3})", panel.tags, measure.name()));
                }
            }
            if let Some(baseline) = baseline {
                let name = panel.baseline().map_or("", |line| line.name.as_str());
                plot.level(&format!("baseline: {name}"), baseline, COLOURS[5], Stroke::Dashed);
            }
            pictures.push(plot.finish());
        }
    }
    let printed: Vec<String> = paper::TABLE_1.iter().map(|p| format!("{} with {} tags", p.best_range, p.tags)).collect();
    Figure {
        id: format!("fig{number}"),
        title: format!("Fig. {number}: {about} against the search range"),
        sentence: format!(
            "If borrowing helps, the curve lies above the dashed line; if near songs help more than far ones, it falls at large \
             r. The paper found the best r at {}. These are test songs, and no choice is made by them; whiskers are one \
             standard error, over seeds, of the difference from the baseline.",
            printed.join(" and ")
        ),
        found: if found.is_empty() { "No arm was trained with several ranges.".into() } else { format!("{}.", found.join("; ")) },
        pictures,
        csv: row::write(&rows),
    }
}

/// A tag with both arms' means over the seeds in which it is defined.
struct Both {
    tag: String,
    songs: usize,
    seeds: usize,
    /// Average precision and ROC-AUC: baseline, proposed.
    precision: [f64; 2],
    auc: [f64; 2],
}

/// Every tag of Fig. 5 and Fig. 6, as `data/tags.csv` has it.
pub fn tags(results: &Results, spec: &Spec) -> Vec<u8> {
    #[derive(Serialize)]
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
        all.extend(by_tag(results, baseline, proposed).into_iter().enumerate().map(|(i, both)| (panel.tags, i + 1, both)));
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
    row::write(&rows)
}

/// Tags that are defined in some seed's test songs for both arms, the most popular first.
fn by_tag(results: &Results, baseline: &Line, proposed: &Line) -> Vec<Both> {
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
                let (a, b) = (a.tags.get(t)?, b.tags.get(t)?);
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

/// Improvement of means: the mean of some tags with the proposed arm over that with the baseline, less 1, in percent.
fn improvement<'t>(tags: impl Iterator<Item = &'t Both> + Clone, of: fn(&Both) -> [f64; 2]) -> f64 {
    let sum = |i: usize| tags.clone().map(|tag| of(tag)[i]).sum::<f64>();
    100.0 * (sum(1) / sum(0) - 1.0)
}

/// Fig. 5: improvement by popularity rank, in bins.
pub fn popularity(results: &Results, spec: &Spec) -> Figure {
    #[derive(Serialize)]
    struct Bin {
        tags: usize,
        first_rank: usize,
        last_rank: usize,
        tags_in_bin: usize,
        map_improvement_percent: f64,
        auc_improvement_percent: f64,
        names: String,
    }
    let (mut pictures, mut rows, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for panel in &results.panels {
        let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else { continue };
        let tags = by_tag(results, baseline, proposed);
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
        sentence: "In the paper rare tags gain more than popular ones, and ROC-AUC rises steeply over the first 200 ranks. \
                   Improvements are those of a bin's means: a tag whose baseline is near 0 alone does not make one."
            .into(),
        found: if found.is_empty() { "No run of the proposed arm yet.".into() } else { format!("{}.", found.join("; ")) },
        pictures,
        csv: row::write(&rows),
    }
}

/// A category of Table II, with what came of it.
#[derive(Clone, Debug, Serialize)]
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

/// The tags of each category that were measured.
pub fn categorised(results: &Results, spec: &Spec, dataset: &Dataset, named: &[(String, Vec<String>)]) -> Vec<Category> {
    let tagged = (0..dataset.songs()).filter(|&song| dataset.is_tagged(song)).count().max(1) as f64;
    let mut all = Vec::new();
    for panel in &results.panels {
        let (Some(baseline), Some(proposed)) = (panel.baseline(), panel.proposed(spec)) else { continue };
        let tags = by_tag(results, baseline, proposed);
        for (category, names) in named {
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
pub fn categories(results: &Results, categories: &[Category]) -> Figure {
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
        id: "fig6".into(),
        title: "Fig. 6: improvement by category".into(),
        sentence:
            "In the paper the category matters more than popularity: era gains more than mood at about the same popularity."
                .into(),
        found: if pictures.is_empty() {
            "None of the measured tags is in a category; --categories FILE names them (rows tag, tab, category).".into()
        } else {
            String::new()
        },
        pictures,
        csv: row::write(categories),
    }
}
