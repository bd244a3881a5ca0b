//! Figs. 1 and 2 of published playlists and tags (`../shared/music/no-audio`), prepared and described by the program, against
//! the values in its `figures.json`, which a program of its own has counted. Skipped where the folder is absent.
#![cfg(all(feature = "import", feature = "report"))]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tagwalk::dataset::Dataset;
use tagwalk::experiment::grid::row;
use tagwalk::experiment::report::figures;

mod common;
use common::runs::{succeeds, text};

/// Playlists and tags by songs' names.
struct Set {
    playlists: Vec<Vec<String>>,
    tags: HashMap<String, BTreeSet<String>>,
}

/// A file, unpacked where its name ends in `.gz`.
fn bytes(path: &Path) -> Vec<u8> {
    if path.extension().is_none_or(|ending| ending != "gz") {
        return fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
    let output = Command::new("gzip").arg("-dc").arg(path).output().expect("gzip is there");
    assert!(output.status.success(), "{}", path.display());
    output.stdout
}

fn lines(path: &Path) -> Vec<String> {
    String::from_utf8(bytes(path)).unwrap().lines().map(String::from).collect()
}

/// yes.com: a playlist a line of numbers, a song's tags a line of numbers.
fn yes(folder: &Path, packed: bool) -> Set {
    let file = |name: &str| lines(&folder.join(if packed { format!("{name}.gz") } else { name.into() }));
    let name = |number: &str| format!("song-{number}");
    let called: HashMap<String, String> = file("tag_hash.txt")
        .iter()
        .filter_map(|line| line.split_once(','))
        .map(|(number, tag)| (number.trim().into(), tag.trim().into()))
        .collect();
    let train = file("train.txt");
    let playlists = train[2..].iter().map(|line| line.split_whitespace().map(name).collect::<Vec<_>>());
    let tags = file("tags.txt").into_iter().enumerate().filter(|(_, line)| !line.starts_with('#')).map(|(song, line)| {
        let own = line.split_whitespace().map(|tag| called.get(tag).cloned().unwrap_or_else(|| tag.into()));
        (name(&song.to_string()), own.collect())
    });
    Set { playlists: playlists.filter(|list| !list.is_empty()).collect(), tags: tags.collect() }
}

/// MTG-Jamendo: albums as playlists, by the tracks' numbers.
fn jamendo(folder: &Path, subsets: &[&str]) -> Set {
    let mut albums: BTreeMap<String, BTreeSet<(u32, String)>> = BTreeMap::new();
    let mut tags: HashMap<String, BTreeSet<String>> = HashMap::new();
    for subset in subsets {
        for part in ["train", "validation", "test"] {
            for line in &lines(&folder.join(format!("autotagging_{subset}-{part}.tsv.gz")))[1..] {
                let cells: Vec<&str> = line.split('\t').collect();
                let track = cells[0].to_string();
                let number = track.split('_').nth(1).unwrap().parse().unwrap();
                albums.entry(cells[2].into()).or_default().insert((number, track.clone()));
                tags.entry(track).or_default().extend(cells[5..].iter().map(|tag| tag.to_string()));
            }
        }
    }
    Set { playlists: albums.into_values().map(|album| album.into_iter().map(|track| track.1).collect()).collect(), tags }
}

/// Art of the Mix: pairs of neighbours; those that go on where the line before ended are one segment.
fn segments(folder: &Path) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for line in lines(&folder.join("aotm-bigrams.csv.gz")).iter().filter(|line| !line.is_empty()) {
        let (a, b) = line.split_once(',').unwrap();
        match all.last_mut().filter(|last| last.last().is_some_and(|song| song == a)) {
            Some(last) => last.push(b.into()),
            None => all.push(vec![a.into(), b.into()]),
        }
    }
    all
}

fn mixes_with_top_tags(folder: &Path) -> Set {
    let names = lines(&folder.join("50tagList.txt"));
    let mut tags = HashMap::new();
    for part in ["test", "valid"] {
        let songs = lines(&folder.join(format!("{part}_x_msd_id.txt.gz")));
        let array = bytes(&folder.join(format!("{part}_y.npy.gz")));
        let values = &array[10 + usize::from(u16::from_le_bytes([array[8], array[9]]))..];
        let width = values.len() / songs.len();
        assert_eq!((width * songs.len(), width), (values.len(), names.len()));
        for (song, row) in songs.into_iter().zip(values.chunks(width)) {
            tags.insert(song, names.iter().zip(row).filter(|(_, has)| **has == 1).map(|(tag, _)| tag.clone()).collect());
        }
    }
    Set { playlists: segments(folder), tags }
}

fn mixes_with_genres(folder: &Path) -> Set {
    let table = lines(&folder.join("msd_tagtraum_cd1.aotm-subset.cls.gz"));
    let rows = table.iter().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &String| {
        let mut cells = line.split('\t').map(String::from);
        (cells.next().unwrap(), cells.collect())
    };
    Set { playlists: segments(folder), tags: rows.map(row).collect() }
}

/// Half a second of silence, so that there is audio: no song of the sets has any.
fn silence(path: &Path) {
    let (rate, samples) = (22_050u32, 11_025u32);
    let mut wave = Vec::from(*b"RIFF");
    wave.extend((36 + 2 * samples).to_le_bytes());
    wave.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    [rate, 2 * rate].iter().for_each(|n| wave.extend(n.to_le_bytes()));
    wave.extend(b"\x02\0\x10\0data");
    wave.extend((2 * samples).to_le_bytes());
    wave.resize(44 + 2 * samples as usize, 0);
    fs::write(path, wave).unwrap();
}

/// What `tagwalk prepare` and `tagwalk info` make of a set whose files a person has written as tables and mixes.
fn described(set: &Set, folder: &Path) -> Value {
    let audio = folder.join("audio");
    fs::create_dir_all(&audio).unwrap();
    silence(&audio.join("silence.wav"));
    // The definitions of figures.json: only songs that are in a playlist.
    let listed: BTreeSet<&String> = set.playlists.iter().flatten().collect();
    let mut table = String::from("song\ttag\n");
    for song in listed {
        for tag in set.tags.get(song).into_iter().flatten() {
            table.push_str(&format!("{song}\t{tag}\n"));
        }
    }
    let [tags, playlists, out] = ["tags.tsv", "playlists.json", "dataset"].map(|name| folder.join(name));
    fs::write(&tags, table).unwrap();
    let mix = |(i, songs): (usize, &Vec<String>)| {
        let places: Vec<Value> = songs.iter().map(|song| json!([["", ""], song])).collect();
        json!({"mix_id": i, "playlist": places})
    };
    let mixes: Vec<Value> = set.playlists.iter().enumerate().map(mix).collect();
    fs::write(&playlists, serde_json::to_vec(&mixes).unwrap()).unwrap();
    let files = ["--audio", text(&audio), "--tags", text(&tags), "--playlists", text(&playlists)];
    // Songs without tags keep their places.
    succeeds(
        &[&["prepare", "--out", text(&out), "--playlist-reading", "gaps", "--split-fractions", "1,0,0"][..], &files].concat(),
    );
    serde_json::from_str(&succeeds(&["info", text(&out), "--json"]).0).unwrap()
}

fn close(ours: &Value, theirs: &Value, digits: i32) -> bool {
    let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    // Theirs are rounded.
    (ours - theirs).abs() <= 0.500001 * 10f64.powi(-digits)
}

fn compare(name: &str, ours: &Value, theirs: &Value) {
    let tags = ours["tags"].as_array().unwrap();
    assert_eq!(ours["songs"]["with_tags"], theirs["tagged_songs"], "{name}");
    assert_eq!(tags.len() as u64, theirs["tags_used"].as_u64().unwrap(), "{name}");
    let links: u64 = tags.iter().map(|tag| tag["songs"].as_u64().unwrap()).sum();
    assert_eq!(links, theirs["links"].as_u64().unwrap(), "{name}");
    // Fig. 1.
    for (rank, of) in theirs["popularity_at_rank"].as_object().unwrap() {
        let own = &tags[rank.parse::<usize>().unwrap() - 1];
        assert!(close(&own["share"], &of["share_of_tagged_songs"], 4), "{name}, rank {rank}: {own}, {of}");
        // Of tags on as many songs another one may have the rank.
        let named = tags.iter().find(|tag| tag["tag"] == of["tag"]).unwrap_or_else(|| panic!("{name}: no {of}"));
        assert_eq!(named["songs"], own["songs"], "{name}, rank {rank}: {own}, {of}");
    }
    let below = tags.iter().filter(|tag| tag["share"].as_f64().unwrap() < 0.05).count() as f64 / tags.len() as f64;
    assert!(close(&json!(below), &theirs["share_of_tags_under_5_percent"], 4), "{name}: {below}");
    // Fig. 2.
    let (own, of) = (ours["similarity"].as_array().unwrap(), &theirs["similarity"]);
    assert_eq!(own.len(), 10, "{name}");
    for (i, at) in own.iter().enumerate() {
        assert_eq!((&at["distance"], &at["pairs"]), (&of["distance"][i], &of["pairs"][i]), "{name}");
        assert!(close(&at["cosine"], &of["real"][i], 4), "{name}: {at}, {}", of["real"][i]);
    }
    println!("{name}: {} tags, {links} links, ten distances as figures.json", tags.len());
}

/// The report's figures of the same dataset: those numbers, and the control, of which `figures.json` has one random order.
fn drawn(name: &str, dataset: &Dataset, ours: &Value, theirs: &Value) {
    #[derive(serde::Deserialize)]
    struct Tag {
        tag: String,
        songs: u64,
    }
    #[derive(serde::Deserialize)]
    struct At {
        distance: u64,
        cosine: f64,
        shuffled: f64,
        pairs: u64,
    }
    let tail: Vec<Tag> = row::read(&figures::long_tail(dataset).csv).unwrap();
    let described: BTreeMap<&str, u64> = ours["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| (tag["tag"].as_str().unwrap(), tag["songs"].as_u64().unwrap()))
        .collect();
    assert_eq!(tail.iter().map(|tag| (tag.tag.as_str(), tag.songs)).collect::<BTreeMap<_, _>>(), described, "{name}");
    assert!(tail.windows(2).all(|pair| pair[0].songs >= pair[1].songs), "{name}: ranks go down");
    let at: Vec<At> = row::read(&figures::distance(dataset).csv).unwrap();
    let of = &theirs["similarity"];
    for (i, at) in at.iter().enumerate() {
        assert_eq!((json!(at.distance), json!(at.pairs)), (of["distance"][i].clone(), of["pairs"][i].clone()), "{name}");
        assert!(close(&json!(at.cosine), &of["real"][i], 4), "{name}: {}", at.cosine);
        // Five standard errors of a mean over so many pairs, whose cosines spread by about 0.35.
        let (control, room) = (of["shuffled"][i].as_f64().unwrap(), 5.0 * 0.35 / (at.pairs as f64).sqrt());
        assert!((at.shuffled - control).abs() < room, "{name}, distance {}: {} and {control}", at.distance, at.shuffled);
    }
    assert_eq!(at.len(), 10, "{name}");
}

fn with(names: &[&str], read: impl Fn(&Path, &str) -> Set) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/music/no-audio");
    if !folder.exists() {
        println!("skipped: no {}", folder.display());
        return;
    }
    let known: Value = serde_json::from_slice(&fs::read(folder.join("figures.json")).unwrap()).unwrap();
    for name in names {
        let made: PathBuf = tempfile::tempdir().unwrap().keep();
        let ours = described(&read(&folder, name), &made);
        compare(name, &ours, &known[name]);
        drawn(name, &Dataset::open(&made.join("dataset")).unwrap(), &ours, &known[name]);
        fs::remove_dir_all(made).unwrap();
    }
}

#[test]
fn radio_playlists() {
    with(&["yes_small", "yes_big"], |folder, name| yes(&folder.join("yes-lme").join(name), name == "yes_big"));
}

#[test]
fn albums() {
    with(&["mtg_jamendo_albums_183_tags", "mtg_jamendo_albums_top50"], |folder, name| {
        let subsets: &[&str] = if name.ends_with("top50") { &["top50tags"] } else { &["genre", "instrument", "moodtheme"] };
        jamendo(&folder.join("mtg-jamendo/split-0"), subsets)
    });
}

#[test]
fn mixes() {
    with(&["aotm_segments_lastfm_top50", "aotm_segments_tagtraum_genre"], |folder, name| {
        let folder = folder.join("aotm-msd");
        if name.ends_with("genre") { mixes_with_genres(&folder) } else { mixes_with_top_tags(&folder) }
    });
}
