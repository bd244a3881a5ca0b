//! Promise: `data/demo` is what its README says, prepared as `tagwalk demo` prepares it; it is small,
//! and each clip has a licence that allows it to be here.
#![cfg(feature = "import")]

#[allow(dead_code)]
#[path = "common/runs.rs"]
mod runs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tagwalk::dataset::{Dataset, Split};
use tagwalk::import::audio;
use tagwalk::import::playlists::Reading;
use tagwalk::import::prepare::{self, Made, SplitBy};
use tagwalk::import::splits::Fractions;
use tagwalk::import::table::{Rows, column};

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/demo")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_counts_are_those_of_its_readme() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("dataset");
    let data = demo();
    let options = prepare::Options {
        out: out.clone(),
        audio: vec![data.join("audio")],
        tags: vec![data.join("tags.tsv")],
        playlists: vec![data.join("playlists")],
        reading: Reading::default(),
        songs: None,
        id_column: None,
        group_column: None,
        group_folder: true,
        split: Some(SplitBy::Chance { fractions: Fractions([0.6, 0.1, 0.3]), seed: 0, grouped: false }),
        top: None,
        decode: audio::Options::default(),
        force: false,
        msd: None,
        weight_above: None,
    };
    let Made::New(report) = prepare::prepare(&options, &AtomicBool::new(false), &|_| ()).unwrap() else { panic!("was there") };
    assert_eq!((report.songs_with_audio, report.lend_only), (189, 35));
    assert_eq!((report.tags, report.playlists, report.groups), (22, 45, 12));
    assert!(report.skipped.is_empty() && report.notes.is_empty(), "{:?} {:?}", report.skipped, report.notes);

    let d = Dataset::open(&out).unwrap();
    let heard = |split| (0..d.songs()).filter(|&s| d.samples(s) > 0 && d.split(s) == split).count();
    assert_eq!([Split::Train, Split::Valid, Split::Test].map(heard), [113, 19, 57]);
    let silent: Vec<usize> = (0..d.songs()).filter(|&s| d.samples(s) == 0).collect();
    assert_eq!(silent.len(), 35);
    // Each lends: it has tags, and a playlist that also has a song with audio.
    for song in silent {
        assert!((0..22).any(|tag| d.has_tag(song, tag)), "{}", d.name(song));
        let lists = (0..45).map(|p| d.playlists().row(p)).filter(|list| list.contains(&(song as u32)));
        assert!(lists.flatten().any(|&s| d.samples(s as usize) > 0), "{}", d.name(song));
    }
}

#[test]
fn it_is_small_and_each_clip_is_licensed() {
    let bytes: u64 = files(&demo()).iter().map(|file| file.metadata().unwrap().len()).sum();
    println!("data/demo: {bytes} bytes");
    assert!(bytes < 5_000_000, "{bytes} bytes");

    let mut rows = BTreeMap::new();
    let mut table = Rows::open(&demo().join("LICENSES.csv")).unwrap();
    let [file, licence, author, title] = ["file", "licence", "author", "title"].map(|name| column(table.first(), name).unwrap());
    table.skip_header();
    while let Some(row) = table.row().unwrap() {
        let before = rows.insert(row[file].clone(), [licence, author, title].map(|cell| row[cell].clone()));
        assert_eq!(before, None, "two rows of {}", row[file]);
    }
    for clip in files(&demo().join("audio")) {
        let name = clip.strip_prefix(demo()).unwrap().to_str().unwrap().to_string();
        let row = rows.remove(&name).unwrap_or_else(|| panic!("{name}: no row in LICENSES.csv"));
        let [licence, author, title] = row;
        let free = ["CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-3.0+", "CC-BY-SA-4.0"];
        assert!(free.contains(&licence.as_str()), "{name}: {licence}");
        assert!(!author.trim().is_empty() || !title.trim().is_empty(), "{name}: neither author nor title");
    }
    assert!(rows.is_empty(), "rows of no clip: {rows:?}");
}

#[test]
fn another_folder_is_refused_with_help() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let wrong = folder.path().join("wrong");
    let arguments = ["demo", "--data", runs::text(&wrong), "--out", runs::text(&out)];
    runs::fails(&arguments, 2, &["wrong", "is not the demo's data", "Name data/demo of tagwalk's source folder by --data."]);
    assert!(!out.exists());
}
