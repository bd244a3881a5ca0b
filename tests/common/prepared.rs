//! Datasets made of files in hand, and what is in them.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use tagwalk::dataset::{Dataset, Split};
use tagwalk::import::prepare::{self, Made, Options, Report};

#[track_caller]
pub fn made(options: &Options) -> (Report, Dataset) {
    match prepare::prepare(options, &AtomicBool::new(false), &|_| ()).unwrap_or_else(|e| panic!("{e}")) {
        Made::New(report) => (*report, Dataset::open(&options.out).unwrap()),
        Made::Already => panic!("made already"),
    }
}

pub fn fails(options: &Options) -> String {
    prepare::plan(options).expect_err("this must fail").to_string()
}

/// (in, what, count) of what was left out.
pub fn dropped(report: &Report) -> BTreeSet<(String, String, u64)> {
    report.counts.iter().filter(|c| c.dropped).map(|c| (c.of.clone(), c.what.clone(), c.count)).collect()
}

pub fn rows<const N: usize>(rows: [(&str, &str, u64); N]) -> BTreeSet<(String, String, u64)> {
    rows.into_iter().map(|(of, what, count)| (of.to_string(), what.to_string(), count)).collect()
}

/// Song, side, samples and tags of each song.
pub fn songs(d: &Dataset) -> Vec<(String, Split, usize, Vec<&str>)> {
    let tags =
        |song| (0..d.vocabulary().len()).filter(|&tag| d.has_tag(song, tag)).map(|tag| d.vocabulary()[tag].as_str()).collect();
    (0..d.songs()).map(|song| (d.name(song).to_string(), d.split(song), d.samples(song), tags(song))).collect()
}

pub fn playlists(d: &Dataset) -> Vec<Vec<&str>> {
    (0..d.playlists().len()).map(|p| d.playlists().row(p).iter().map(|&song| d.name(song as usize)).collect()).collect()
}
