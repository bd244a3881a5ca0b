//! A small dataset whose tags can be heard, and the program run on it: for tests of whole runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rand::RngExt;
use serde_json::Value;
use tagwalk::dataset::Split;
use tagwalk::dataset::write::Contents;
use tagwalk::random::{Purpose, generator};
use tagwalk::run::{Log, files};

/// The network that the runs below train: 243 samples a clip, 5 convolutions.
pub const NETWORK: [&str; 2] = ["--network", "3^3-9/8"];
/// Samples a clip of it.
pub const CLIP: usize = 243;

/// Writes a dataset of `songs` songs, a multiple of 4: of 48, 36 are trained on, 8 validate, 4 test. A
/// song's tag is its frequency; every third song of the training split has no tag; playlists are
/// of songs of one tag, groups of five songs in a row. Every seventh song is shorter than a clip.
pub fn dataset(folder: &Path, songs: usize) {
    write(folder, songs, 0);
}

/// The same, but the validation songs have another's tag, so that learning raises their loss, and
/// with it every schedule's rate drops.
pub fn misleading_dataset(folder: &Path, songs: usize) {
    write(folder, songs, 1);
}

fn write(folder: &Path, songs: usize, mislead: usize) {
    let mut random = generator(1, Purpose::Synthetic, [0; 3]);
    let tags = 4;
    let tag = |song: usize| song % tags;
    let mut waves = Vec::new();
    for song in 0..songs {
        let length = if song % 7 == 6 { CLIP / 2 } else { CLIP * 2 + random.random_range(0..CLIP) };
        let step = std::f64::consts::TAU / [7.0, 11.0, 19.0, 43.0][tag(song)];
        let sample = |i: usize| 6000.0 * (step * i as f64).sin() + random.random_range(-4000.0..4000.0);
        waves.push((0..length).map(sample).map(|x: f64| x as i16).collect());
    }
    let split = |song: usize| match song / tags % 8 {
        3 => Split::Valid,
        7 => Split::Test,
        _ => Split::Train,
    };
    let tagged = |song: usize| match split(song) {
        Split::Train if song % 3 == 2 => vec![],
        Split::Valid => vec![tag(song + mislead) as u32],
        _ => vec![tag(song) as u32],
    };
    let mut member = |list: usize| (0..5).map(|_| (random.random_range(0..songs / tags) * tags + list % tags) as u32).collect();
    Contents {
        sample_rate: 8000,
        names: (0..songs).map(|song| format!("song {song}.wav")).collect(),
        vocabulary: ["high", "bright", "warm", "low"].map(String::from).to_vec(),
        tags: (0..songs).map(tagged).collect(),
        splits: (0..songs).map(split).collect(),
        groups: (0..songs as u32).map(|song| Some(song / 5)).collect(),
        group_names: (0..songs.div_ceil(5)).map(|group| format!("group {group}")).collect(),
        playlists: (0..songs / 2).map(&mut member).collect(),
        ..Contents::default()
    }
    .write(folder, &waves)
    .unwrap();
}

/// The program.
pub fn tagwalk(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagwalk"));
    command.args(arguments);
    command
}

/// Runs the program to its end and gives its exit code, what it printed and what it said.
pub fn outcome(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = tagwalk(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The same, where it must succeed; gives what it printed and what it said.
pub fn succeeds(arguments: &[&str]) -> (String, String) {
    let (code, out, said) = outcome(arguments);
    assert_eq!(code, Some(0), "tagwalk {}: {said}", arguments.join(" "));
    (out, said)
}

/// The same, where it must fail with an exit code and an error that says all of `says`.
pub fn fails(arguments: &[&str], with: i32, says: &[&str]) -> String {
    let (code, out, said) = outcome(arguments);
    let command = format!("tagwalk {}", arguments.join(" "));
    assert_eq!(code, Some(with), "{command}: {said}");
    for what in says {
        assert!(said.contains(what), "{command}: no {what:?} in {said}");
    }
    assert!(!said.contains("panicked"), "{command}: {said}");
    assert!(out.is_empty(), "{command}: {out}");
    said
}

/// A run's log without what depends on the clock.
pub fn log(run: &Path) -> Vec<Value> {
    let path = run.join(files::METRICS);
    let lines = Log::read(&path).unwrap();
    let timeless = |line: tagwalk::error::Result<Value>| {
        let mut line = line.unwrap();
        line.as_object_mut().unwrap().remove("clips_per_second");
        line
    };
    lines.map(timeless).collect()
}

/// The lines of one kind: step, epoch or end.
pub fn kind<'a>(log: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    log.iter().filter(move |line| line["kind"] == kind)
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a dataset of `songs` songs in it, and its path.
pub fn with_dataset(songs: usize) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    dataset(&data, songs);
    (folder, data)
}
