//! Audio files of any content give samples or an error: no panic, no memory beyond what was asked for.
//! For longer than a few seconds: `fuzz.sh`.
#![cfg(feature = "import")]

mod common;
#[path = "common/mutate.rs"]
mod mutate;

use std::path::Path;

use mutate::{mutate, put};
use tagwalk::import::audio::{self, Options};

/// The beginnings of a file of each format, and of real music where there is the shared collection.
/// Short, so that much of the damage falls on headers.
fn beginnings() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let clip = std::fs::read_dir(root.join("data/demo/audio/0ad")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let music = root.join("../shared/music/audio");
    let formats = std::fs::read_dir(root.join("tests/data/formats")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = formats.filter(|path| path.extension().is_some_and(|e| e != "sh")).collect();
    paths.sort();
    paths.push(clip);
    if music.is_dir() {
        let others = ["0ad/Midwinter.wav", "brainparty/electricity.flac", "0ad/along-the-nile.mp3", "blobwars/Party.opus"];
        paths.extend(others.map(|name| music.join(name)));
        // Its tables are at the end, so it stays whole.
        paths.push(music.join("blobwars/watching.m4a"));
    } else {
        common::say("skipped, for there is no ../shared/music: damaged files of its formats");
    }
    let read = |path: &std::path::PathBuf| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes.truncate(if path.extension().is_some_and(|e| e == "m4a") { usize::MAX } else { 12_000 });
        bytes
    };
    let mut all: Vec<Vec<u8>> = paths.iter().map(read).collect();
    let header = b"RIFF\x24\x04\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\x04\0\0";
    all.push([&header[..], &[7; 1024]].concat());
    all
}

#[test]
fn audio() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    let seeds = beginnings();
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    // A decoder's own panic is caught and becomes a reason like any other; how many do is printed.
    let (mut decoded, mut refused, mut caught) = (0, 0, 0);
    mutate(&seeds, 8, |bytes| {
        put(&path, bytes);
        match audio::decode(&path, &Options { length: Some(2.0), ..Options::default() }) {
            Ok(found) => {
                assert!((1..=44_100).contains(&found.samples.len()));
                decoded += 1;
            }
            Err(error) => {
                assert!(error.help.is_some(), "{error}");
                caught += usize::from(error.what.contains("the decoder failed on it"));
                refused += 1;
            }
        }
    });
    println!("{decoded} decoded, {refused} refused, {caught} of them by a decoder's panic");
    assert!(decoded >= seeds.len(), "a file as it was is refused");
}
