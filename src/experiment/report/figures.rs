//! A figure of the report: numbers as CSV and a picture of them, with a sentence on what to look for. Here those of the
//! dataset alone, Figs. 1 and 2.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::experiment::grid::row;
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

/// All that there are.
pub const IDS: [&str; 9] = ["fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "recovery", "factors", "range"];

/// Where tags become the long tail, as a share of the songs with tags.
const TAIL: f64 = 0.05;
/// Distances of Fig. 2 at most.
const FURTHEST: usize = 10;

/// Fig. 1: songs a tag, by rank.
pub fn long_tail(dataset: &Dataset) -> Figure {
    #[derive(Default, Serialize)]
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
    // Names that do not run into each other: the first, the last, and some between. A letter is about a sixtieth of the
    // picture wide and a line a thirteenth of it high.
    let mut named: Vec<&Tag> = Vec::new();
    let span = |tag: &Tag| {
        let (at, width) = (tag.rank as f64 / last, (tag.tag.chars().count() + 2) as f64 / 60.0);
        if at + width <= 1.0 { (at, at + width) } else { (at - width, at) }
    };
    let room = |a: &Tag, b: &Tag| {
        let ((a0, a1), (b0, b1)) = (span(a), span(b));
        a1 < b0 || b1 < a0 || (a.share - b.share).abs() / most.max(1e-9) > 0.077
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
        csv: row::write_headed(&tags),
    }
}

/// Fig. 2: similarity by distance, beside the same playlists in any order.
pub fn distance(dataset: &Dataset) -> Figure {
    #[derive(Default, Serialize)]
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
        csv: row::write_headed(&rows),
    }
}
