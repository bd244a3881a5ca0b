//! `../shared/music`, prepared: every tag, split, group and playlist against its own tables, whose
//! names hold spaces, apostrophes and letters of other alphabets. Skipped, and said to be, where the folder is absent.
#![cfg(feature = "import")]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tagwalk::dataset::{Dataset, Split};

mod common;

/// The folder; where it is absent, a line that says which test was skipped.
fn music(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/music");
    if !folder.exists() {
        common::say(&format!("skipped, for there is no ../shared/music: {name}"));
        return None;
    }
    for part in ["audio", "bad", "playlists", "aotm.json", "songs.tsv", "splits.tsv", "tags.tsv", "tags_wide.tsv"] {
        assert!(folder.join(part).exists(), "../shared/music is there without its {part}");
    }
    Some(folder)
}

/// Rows of a table, cells by tabs, the header left out.
fn rows(path: PathBuf) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split('\t').map(String::from).collect()).collect()
}

#[test]
fn everything_finds_its_song() {
    let Some(music) = music("everything_finds_its_song") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_tagwalk"))
        .args(["prepare", "--json", "--excerpt", "0:0.1", "--group-column", "game", "--out"])
        .arg(&out)
        .arg("--audio")
        .args([music.join("audio"), music.join("bad")])
        .arg("--tags")
        .arg(music.join("tags.tsv"))
        .arg("--playlists")
        .arg(music.join("playlists"))
        .arg("--songs")
        .arg(music.join("songs.tsv"))
        .arg("--split")
        .arg(music.join("splits.tsv"))
        .output()
        .unwrap();
    // Four of the six bad files have no audio: the empty, the truncated, the text, the WAV of no samples.
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let skipped: BTreeSet<&str> = json["skipped"].as_array().unwrap().iter().map(|s| s["file"].as_str().unwrap()).collect();
    assert_eq!(skipped, BTreeSet::from(["empty.mp3", "text.mp3", "truncated.ogg", "zero_length.wav"]));

    let d = Dataset::open(&out).unwrap();
    let songs = rows(music.join("songs.tsv"));
    assert_eq!((songs.len(), d.songs()), (733, 733 + 2));
    let number: BTreeMap<&str, usize> = (0..d.songs()).map(|s| (d.name(s), s)).collect();
    for row in &songs {
        let song = number[row[0].as_str()];
        assert_eq!(d.samples(song), if row[5] == "1" { 2205 } else { 0 }, "{}", row[0]);
        assert_eq!(d.group_name(d.group(song).unwrap()), row[2], "{}", row[0]);
    }
    let links: HashSet<(String, String)> =
        rows(music.join("tags.tsv")).into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    assert_eq!((links.len(), d.vocabulary().len()), (4329, 211));
    let mut found = 0;
    for song in 0..d.songs() {
        for (tag, name) in d.vocabulary().iter().enumerate().filter(|&(tag, _)| d.has_tag(song, tag)) {
            assert!(links.contains(&(d.name(song).to_string(), name.clone())), "{}: {tag}", d.name(song));
            found += 1;
        }
    }
    assert_eq!(found, links.len());
    let split: BTreeMap<String, String> =
        rows(music.join("splits.tsv")).into_iter().map(|r| (r[0].clone(), r[1].clone())).collect();
    for song in 0..d.songs() {
        let word = match d.split(song) {
            Split::None => None,
            Split::Train => Some("train"),
            Split::Valid => Some("valid"),
            Split::Test => Some("test"),
        };
        assert_eq!(split.get(d.name(song)).map(String::as_str), word, "{}", d.name(song));
    }
    let mut lists: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
    for r in rows(music.join("playlists.tsv")) {
        lists.entry(r[0].clone()).or_default().push((r[2].parse().unwrap(), r[3].clone()));
    }
    let expected: Vec<Vec<String>> = lists
        .into_values()
        .map(|mut list| {
            list.sort();
            list.into_iter().map(|entry| entry.1).collect()
        })
        .collect();
    let playlists = d.playlists();
    let ours: Vec<Vec<&str>> =
        (0..playlists.len()).map(|p| playlists.row(p).iter().map(|&s| d.name(s as usize)).collect()).collect();
    assert_eq!(expected.len(), 377);
    assert!(ours == expected, "playlists differ from playlists.tsv");
}

#[test]
fn wide_table_and_art_of_the_mix() {
    let Some(music) = music("wide_table_and_art_of_the_mix") else { return };
    let plan = |reading: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_tagwalk"))
            .args(["prepare", "--dry-run", "--json", "--out", "never", "--id-column", "so_id", "--playlist-reading", reading])
            .arg("--audio")
            .arg(music.join("audio"))
            .arg("--tags")
            .arg(music.join("tags_wide.tsv"))
            .arg("--songs")
            .arg(music.join("songs.tsv"))
            .arg("--playlists")
            .arg(music.join("aotm.json"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let joined = plan("joined");
    assert_eq!((joined["songs"].as_u64(), joined["songs_with_tags"].as_u64()), (Some(616), Some(616)));

    // What the readings must give, counted from the file: songs with audio alone are in this dataset.
    let with_audio: HashSet<String> =
        rows(music.join("songs.tsv")).into_iter().filter(|r| r[5] == "1").map(|r| r[6].clone()).collect();
    let mixes: serde_json::Value = serde_json::from_slice(&fs::read(music.join("aotm.json")).unwrap()).unwrap();
    let several = |ids: &[&str]| ids.iter().collect::<HashSet<_>>().len() > 1;
    let (mut lists, mut runs) = (0, 0);
    for mix in mixes.as_array().unwrap() {
        let ids: Vec<Option<&str>> =
            mix["playlist"].as_array().unwrap().iter().map(|l| l[1].as_str().filter(|id| with_audio.contains(*id))).collect();
        lists += usize::from(several(&ids.iter().flatten().copied().collect::<Vec<_>>()));
        runs += ids.split(Option::is_none).filter(|run| several(&run.iter().flatten().copied().collect::<Vec<_>>())).count();
    }
    assert_eq!(joined["playlists"].as_u64(), Some(lists as u64));
    assert_eq!(plan("runs")["playlists"].as_u64(), Some(runs as u64));
    let gaps = plan("gaps");
    assert_eq!((gaps["playlists"].as_u64(), gaps["songs"].as_u64()), (Some(lists as u64), Some(617)));
}
