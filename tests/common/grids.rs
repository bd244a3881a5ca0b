//! A small grid as a command, and what it has come to.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tagwalk::experiment::grid::{Row, row};

use super::runs::text;

/// A grid of 2 seeds, the baseline, and an arm at three ranges, on 192 songs of four audible tags.
pub const GRID: [&str; 17] = [
    "--network",
    "3^3-9/8",
    "--steps",
    "40",
    "--batch",
    "4",
    "--rate",
    "0.05",
    "--seeds",
    "2",
    "--ranges",
    "0,0.4,0.8",
    "--arms",
    "none,walk,random-lenders",
    "--scan",
    "walk",
    "--device",
];

pub fn command<'a>(data: &'a Path, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [
        &["reproduce", text(data), "--out", text(out)][..],
        &GRID,
        &["cpu", "--split-by", "songs", "--bootstrap", "50", "--min-positives", "2"],
        more,
    ]
    .concat()
}

/// What a grid has come to, without what depends on the clock.
pub fn rows(out: &Path) -> BTreeMap<String, Row> {
    let rows: Vec<Row> = row::read(&fs::read(out.join("runs.csv")).unwrap()).unwrap();
    let timeless = |row: Row| (row.hash.clone(), Row { seconds: 0.0, check: String::new(), ..row });
    let all: BTreeMap<String, Row> = rows.into_iter().map(timeless).collect();
    assert!(!all.is_empty());
    all
}
