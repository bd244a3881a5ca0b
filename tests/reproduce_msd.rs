//! `tagwalk reproduce msd`: from the paper's files, in miniature and in their exact formats, to the report.
#![cfg(all(feature = "report", feature = "sqlite"))]

use std::fs;

use tagwalk::dataset::Dataset;
use tagwalk::experiment::grid::{Row, row};

mod common;
use common::million_songs::{million_songs, track};
use common::runs::{fails, succeeds, text};

#[test]
fn from_the_papers_files_to_the_report() {
    let (files, paper) = million_songs();
    let out = files.at("grid");
    let mismatches = paper.msd.mismatches.unwrap();
    #[rustfmt::skip]
    let command = [
        "reproduce", "msd", "--out", text(&out), "--audio", text(&paper.audio), "--tags", text(&paper.tags[0]),
        "--playlists", text(&paper.playlists), "--msd-tracks", text(&paper.msd.tracks), "--msd-mismatches", text(&mismatches),
        "--msd-clips", text(&paper.msd.clips[0]), "--paper-split", "1,1",
        "--network", "3^3-9/8", "--steps", "5", "--batch", "4", "--seeds", "2", "--arms", "none,walk", "--ranges", "0.2,0.4",
        "--device", "cpu", "--min-positives", "1", "--bootstrap", "20",
    ];
    let (printed, said) = succeeds(&command);
    assert!(printed.contains("report: ") && said.contains("preparing the paper's data"), "{said}");
    let dataset = Dataset::open(&out.join("dataset")).unwrap();
    assert_eq!((dataset.sample_rate(), dataset.playlists().is_empty()), (22_050, false));
    let rows: Vec<Row> = row::read(&fs::read(out.join("runs.csv")).unwrap()).unwrap();
    // Two seeds of the baseline and of two ranges, the split as the paper has it: songs of playlists train.
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.sides == "prepared" && row.remove == 0.0 && row.test_songs == 1 && row.steps == 5));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    // Its songs are grouped by the artists that unique_tracks.txt names, and a split by songs says what it is.
    let of = |song: &str| (0..dataset.songs()).find(|&s| dataset.name(s) == song).and_then(|s| dataset.group(s));
    assert_eq!((dataset.manifest().groups, of(&track(4)).map(|group| dataset.group_name(group))), (3, Some("Artist 1")));
    assert!(page.contains("Random split: songs of one group"));
    assert!(page.contains("26,844") && page.contains("the paper's data") && page.contains("best r at 0.4"));
    // A machine that does one run needs the dataset alone.
    let only = [&command[..], &["--only", "3"]].concat();
    fs::remove_dir_all(&paper.audio).unwrap();
    fs::remove_file(out.join("runs.csv")).unwrap();
    let hash = &rows[0].hash;
    succeeds(&only);
    assert!(out.join("rows").join(format!("{hash}.csv")).exists());
    // Without the files nothing is guessed.
    fails(&["reproduce", "msd", "--out", text(&files.at("other")), "--tags", text(&paper.tags[0])], 2, &["--audio: is missing"]);
}
