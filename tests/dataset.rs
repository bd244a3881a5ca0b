//! A dataset opens as it was written, and damage is refused with the file's name.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tagwalk::dataset::write::{Contents, Writer};
use tagwalk::dataset::{self, Dataset, Split};
use tagwalk::format::npy;

fn contents() -> Contents {
    let text = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
    Contents {
        sample_rate: 22_050,
        names: text(&["mars/Megtört Álom.mp3", "a/one.ogg", "b/one.ogg", "c.flac"]),
        vocabulary: text(&["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"]),
        tags: vec![vec![0, 8], vec![], vec![7], vec![1, 1, 2]],
        splits: vec![Split::Train, Split::Valid, Split::None, Split::Test],
        groups: vec![Some(1), None, Some(0), Some(1)],
        group_names: text(&["Ågren", "other"]),
        playlists: vec![vec![3, 0, 3], vec![], vec![0, 2]],
        options: serde_json::json!({"made": "by a test"}),
    }
}

fn waves() -> Vec<Vec<i16>> {
    vec![vec![1, -2, 3], vec![], vec![i16::MIN, i16::MAX]]
}

fn make(folder: &Path) {
    contents().write(folder, &waves()).unwrap();
}

/// A folder with a copy of what `make` makes, without waiting for the disk each time.
fn copy() -> tempfile::TempDir {
    static MADE: std::sync::OnceLock<Vec<(std::ffi::OsString, Vec<u8>)>> = std::sync::OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let files = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap());
        files.map(|e| (e.file_name(), fs::read(e.path()).unwrap())).collect()
    });
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in made {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn opens_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let d = Dataset::open(folder.path()).unwrap();
    assert_eq!((d.songs(), d.sample_rate(), d.vocabulary().len()), (4, 22_050, 9));
    assert_eq!((0..4).map(|s| d.name(s).to_string()).collect::<Vec<_>>(), contents().names);
    assert_eq!((0..4).map(|s| d.wave(s)).collect::<Vec<_>>(), [&[1, -2, 3][..], &[], &[i16::MIN, i16::MAX], &[]]);
    assert_eq!((0..4).map(|s| d.samples(s)).collect::<Vec<_>>(), [3, 0, 2, 0]);
    assert_eq!(d.tag_bits(0), [1, 1]);
    assert_eq!(d.tag_bits(3), [0b110, 0]);
    assert!(d.has_tag(2, 7) && !d.has_tag(2, 8) && d.is_tagged(0) && !d.is_tagged(1));
    assert_eq!((0..4).map(|s| d.split(s)).collect::<Vec<_>>(), contents().splits);
    assert_eq!((0..4).map(|s| d.group(s)).collect::<Vec<_>>(), contents().groups);
    assert_eq!((d.group_name(0), d.group_name(1)), ("Ågren", "other"));
    assert_eq!((0..3).map(|p| d.playlists().row(p)).collect::<Vec<_>>(), [&[3, 0, 3][..], &[], &[0, 2]]);
    assert_eq!((0..4).map(|s| d.memberships().row(s)).collect::<Vec<_>>(), [&[0, 2][..], &[], &[2], &[0]]);
    assert!(dataset::verify(folder.path()).unwrap().iter().all(|c| c.fault.is_none()));

    assert_eq!(d.find("b/one.ogg").unwrap(), 2);
    assert_eq!(d.find("Megtört Álom").unwrap(), 0);
    assert_eq!(d.find("elsewhere/c.wav").unwrap(), 3);
    let two = d.find("one").unwrap_err().to_string();
    assert!(two.contains("a/one.ogg") && two.contains("b/one.ogg"), "{two}");
    assert!(d.find("nothing").is_err());
}

#[test]
fn the_same_contents_give_the_same_bytes_and_fingerprint() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    make(a.path());
    make(b.path());
    for entry in fs::read_dir(a.path()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(fs::read(a.path().join(&name)).unwrap() == fs::read(b.path().join(&name)).unwrap(), "{name:?}");
    }
    let fingerprint = |f: &Path| Dataset::open(f).unwrap().fingerprint();
    assert_eq!(fingerprint(a.path()), fingerprint(b.path()));
    assert_eq!(fingerprint(a.path()).len(), 64);
}

#[test]
fn audio_is_cut_into_shards_and_may_be_shared() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::with_shards_of(folder.path(), 4).unwrap();
    let place = [writer.wave(&[1, 2, 3]).unwrap(), writer.wave(&[4]).unwrap(), writer.wave(&[5, 6]).unwrap()];
    assert_eq!(place.map(|p| (p.shard, p.first, p.samples)), [(0, 0, 3), (1, 0, 1), (1, 2, 2)]);
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    let contents = Contents { sample_rate: 8000, names, ..Contents::default() };
    writer.finish(&contents, &[place[2], place[1], place[0], place[2]]).unwrap();
    let d = Dataset::open(folder.path()).unwrap();
    assert_eq!([d.wave(0), d.wave(1), d.wave(2), d.wave(3)], [&[5, 6][..], &[4], &[1, 2, 3], &[5, 6]]);
}

#[test]
fn contents_that_cannot_be_are_refused() {
    let refused = |change: fn(&mut Contents)| {
        let folder = tempfile::tempdir().unwrap();
        let mut contents = contents();
        change(&mut contents);
        let error = contents.write(folder.path(), &[]).unwrap_err().to_string();
        assert!(Dataset::open(folder.path()).is_err());
        error
    };
    assert!(refused(|c| c.names[2] = "c.flac".into()).contains("\"c.flac\" is there twice"));
    assert!(refused(|c| c.tags[0].push(9)).contains("tag 9 of 9"));
    assert!(refused(|c| c.playlists[1].push(4)).contains("song 4 of 4"));
    assert!(refused(|c| c.groups[0] = Some(2)).contains("group 2 of 2"));
    assert!(refused(|c| c.splits.truncate(1)).contains("splits of 1"));
}

/// Changes one file of a good dataset, with the manifest's size of it kept true, and expects an
/// error with the file's name and these words.
fn damaged(file: &str, words: &str, change: impl Fn(&Path)) {
    let folder = copy();
    let path = folder.path().join(file);
    change(&path);
    let manifest = folder.path().join("manifest.json");
    if file != "manifest.json" {
        let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
        json["files"][file]["bytes"] = fs::metadata(&path).unwrap().len().into();
        fs::write(&manifest, json.to_string()).unwrap();
    }
    let error = Dataset::open(folder.path()).err().unwrap_or_else(|| panic!("{file}: {words}: opened")).to_string();
    assert!(error.contains(file) && error.contains(words), "{file}: {words}: {error}");
}

#[test]
fn every_kind_of_damage_is_named() {
    let mut files: Vec<String> = Vec::new();
    {
        let folder = copy();
        files.extend(fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()));
    }
    assert_eq!(files.len(), 15);
    // Opening reads the manifest itself; its checksum is for `verify`.
    files.retain(|file| file != "manifest.sha256");
    for file in &files {
        // Gone, and cut off by a byte (sizes as the manifest has them).
        for cut in [false, true] {
            let folder = copy();
            let path = folder.path().join(file);
            match cut {
                false => fs::remove_file(&path).unwrap(),
                true => fs::write(&path, &fs::read(&path).unwrap()[1..]).unwrap(),
            }
            let error = Dataset::open(folder.path()).err().unwrap().to_string();
            assert!(error.contains(file.as_str()), "{file}: {error}");
        }
    }
    let bytes = |at: usize, new: &'static [u8]| {
        move |path: &Path| {
            let mut all = fs::read(path).unwrap();
            all.splice(at..at + new.len(), new.iter().copied());
            fs::write(path, all).unwrap();
        }
    };
    let data = npy::HEADER;
    damaged("songs.names", "is not UTF-8 at byte 8", bytes(8, b"\xff"));
    damaged("songs.offsets.npy", "must run from 0 to", bytes(data, &[1]));
    damaged("songs.offsets.npy", "falls from", bytes(data + 8, &[200]));
    damaged("songs.offsets.npy", "cuts a character", bytes(data + 8, &[10]));
    damaged("groups.offsets.npy", "cuts a character", bytes(data + 8, &[1]));
    damaged("audio.npy", "song 0 has 9 samples from 0 of shard 0, which has 6", bytes(data + 16, &[9]));
    damaged("audio.npy", "it must begin evenly", bytes(data + 8, &[1]));
    damaged("audio.npy", "of shard 7", bytes(data, &[7]));
    damaged("audio.npy", "gives audio to 1 songs, the manifest says 2", bytes(data + 16, &[0]));
    damaged("tags.npy", "song 1 has a tag past the vocabulary's end", bytes(data + 3, &[2]));
    damaged("splits.npy", "song 2 has split 4", bytes(data + 2, &[4]));
    damaged("groups.npy", "song 0 has group 2 of 2", bytes(data, &[2]));
    damaged("playlists.songs.npy", "entry 1 is 4, but there are only 4 songs", bytes(data + 4, &[4]));
    damaged("playlists.offsets.npy", "falls from", bytes(data + 8, &[7]));
    damaged("memberships.playlists.npy", "song 3 is in playlist 0", bytes(data + 12, &[1]));
    damaged("memberships.playlists.npy", "song 0 is in playlist 2", bytes(data + 4, &[1]));
    damaged("memberships.playlists.npy", "there are only 3 playlists", bytes(data, &[3]));
    damaged("splits.npy", "has shape [3], must be [4]", |path| npy::write(path, &[3], &[1u8, 2, 3]).unwrap());
    damaged("splits.npy", "holds <u4, not |u1", |path| npy::write(path, &[4], &[1u32, 2, 3, 1]).unwrap());
    damaged("waves-00000.npy", "must be [samples]", |path| npy::write(path, &[3, 2], &[0i16; 6]).unwrap());

    let json = |from: &'static str, to: &'static str| {
        move |path: &Path| {
            let text = fs::read_to_string(path).unwrap();
            assert!(text.contains(from), "{from}");
            fs::write(path, text.replace(from, to)).unwrap();
        }
    };
    damaged("manifest.json", "is of version 2", json("\"version\": 1", "\"version\": 2"));
    damaged("manifest.json", "is of format", json("tagwalk dataset", "another dataset"));
    damaged("manifest.json", "\"t0\" is there twice", json("\"t1\"", "\"t0\""));
    damaged("manifest.json", "does not list tags.npy", json("\"tags.npy\"", "\"other.npy\""));
    damaged("manifest.json", "does not list waves-00000.npy", json("waves-00000", "../waves-0"));
    damaged("manifest.json", "sample rate is 0", json("\"sample_rate\": 22050", "\"sample_rate\": 0"));
    damaged("manifest.json", "below 2^32", json("\"songs\": 4", "\"songs\": 18446744073709551615"));
    damaged("manifest.json", "not a dataset's manifest", json("\"songs\": 4", "\"songs\": -4"));
}

#[test]
fn verify_finds_changed_contents() {
    let folder = copy();
    let path = folder.path().join("waves-00000.npy");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    Dataset::open(folder.path()).unwrap();
    let faults: Vec<_> = dataset::verify(folder.path()).unwrap().into_iter().filter(|c| c.fault.is_some()).collect();
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].file.as_str(), faults[0].fault.as_deref()), ("waves-00000.npy", Some("its contents have changed")));
}

fn tagwalk(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagwalk")).args(arguments).arg(folder).output().unwrap()
}

/// Exit code 1 and the file's name for every file with one byte changed, the manifest and its checksum included; 2 where
/// there is no manifest.
#[test]
fn verify_says_so_with_its_exit_code() {
    let verify = |folder: &Path| {
        let output = tagwalk(&["verify", "--json"], folder);
        let rows = String::from_utf8(output.stdout).unwrap();
        let rows: Vec<serde_json::Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        let faults = rows.iter().filter(|row| !row["fault"].is_null()).map(|row| row["file"].as_str().unwrap().to_string());
        (output.status.code(), rows.len(), faults.collect::<Vec<_>>())
    };
    let whole = copy();
    assert_eq!(verify(whole.path()), (Some(0), 14, vec![]));
    for file in ["audio.npy", "songs.names", "tags.npy", "waves-00000.npy"] {
        let folder = copy();
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(verify(folder.path()), (Some(1), 14, vec![file.to_string()]));
        fs::remove_file(&path).unwrap();
        assert_eq!(verify(folder.path()), (Some(1), 14, vec![file.to_string()]));
    }
    // What still opens, and means something else.
    let edit = |file: &str, from: &str, to: &str| {
        let folder = copy();
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        Dataset::open(folder.path()).unwrap();
        assert_eq!(verify(folder.path()), (Some(1), 14, vec!["manifest.json".into()]), "{from}");
    };
    edit("manifest.json", "\"t3\"", "\"rock\"");
    edit("manifest.json", "22050", "44100");
    edit("manifest.json", "by a test", "otherwise");
    edit("manifest.sha256", "  manifest.json", " *manifest.json");
    fs::remove_file(whole.path().join("manifest.sha256")).unwrap();
    assert_eq!(verify(whole.path()).2, ["manifest.json"]);
    fs::remove_file(whole.path().join("manifest.json")).unwrap();
    assert_eq!(verify(whole.path()).0, Some(2));
    // The checksum is the one that everybody's program computes.
    let folder = copy();
    let sum = fs::read_to_string(folder.path().join("manifest.sha256")).unwrap();
    assert_eq!(sum, format!("{}  manifest.json\n", Dataset::open(folder.path()).unwrap().fingerprint()));
}

/// Six songs: four heard (two trained on, one validates, one tests), two lend only; every number counted by hand.
#[test]
fn info_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let text = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
    let contents = Contents {
        sample_rate: 100,
        names: text(&["a", "b", "c", "d", "e", "f"]),
        vocabulary: text(&["rock", "pop", "jazz"]),
        tags: vec![vec![0, 1], vec![0], vec![], vec![0, 1, 2], vec![1], vec![0]],
        splits: vec![Split::Train, Split::Train, Split::Valid, Split::Test, Split::None, Split::None],
        groups: vec![Some(0), Some(0), None, Some(1), None, None],
        group_names: text(&["x", "y"]),
        playlists: vec![vec![0, 1, 2, 3], vec![4, 0, 4], vec![1, 3]],
        ..Contents::default()
    };
    contents.write(folder.path(), &[vec![1; 150], vec![1; 100], vec![1; 30], vec![1; 20]]).unwrap();
    let output = tagwalk(&["info", "--json"], folder.path());
    assert_eq!(output.status.code(), Some(0));
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&info["sample_rate"], &info["seconds"], &info["groups"]), (&100.into(), &3.0.into(), &2.into()));
    let songs = |side: &str| {
        ["all", "with_audio", "with_tags", "lend_only", "in_a_playlist"].map(|what| info[side][what].as_u64().unwrap())
    };
    assert_eq!(songs("songs"), [6, 4, 5, 2, 5]);
    assert_eq!([songs("train"), songs("valid"), songs("test")], [[2, 2, 2, 0, 2], [1, 1, 0, 0, 1], [1, 1, 1, 0, 1]]);
    let tags = serde_json::json!([
        {"tag": "rock", "songs": 4, "share": 0.8}, {"tag": "pop", "songs": 3, "share": 0.6}, {"tag": "jazz", "songs": 1, "share": 0.2}
    ]);
    assert_eq!((&info["tags"], &info["tags_per_song"], &info["long_tail"]), (&tags, &1.6.into(), &0.0.into()));
    let listed = tagwalk(&["info", "--songs"], folder.path());
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    let sides: Vec<&str> = lines.iter().map(|line| line[1]).collect();
    assert_eq!(sides, ["train", "train", "valid", "test", "none", "none"]);
    let heard = lines.iter().filter(|line| line[3] == "audio").count();
    assert_eq!((lines.iter().map(|line| line[2].parse::<u32>().unwrap()).sum::<u32>(), heard), (8, 4));
    let lengths = &info["playlist_lengths"];
    assert_eq!([&lengths["playlists"], &lengths["shortest"], &lengths["median"], &lengths["longest"]], [3, 2, 3, 4]);
    assert_eq!((&lengths["mean"], &lengths["up_to"]), (&3.0.into(), &serde_json::json!([[2, 1], [4, 2]])));
    // c has no tags. At 1: a b 1/sqrt 2; e a and a e 1/sqrt 2; b d 1/sqrt 3. At 2: b d 1/sqrt 3; e with itself is left out.
    // At 3: a d 2/sqrt 6.
    let (two, three) = (0.5f64.sqrt(), (1.0f64 / 3.0).sqrt());
    let expected = [(1, 4, (3.0 * two + three) / 4.0), (2, 1, three), (3, 1, 2.0 / 6.0f64.sqrt())];
    let similarity = info["similarity"].as_array().unwrap();
    assert_eq!(similarity.len(), 3);
    for (row, (distance, pairs, cosine)) in similarity.iter().zip(expected) {
        assert_eq!((row["distance"].as_u64(), row["pairs"].as_u64()), (Some(distance), Some(pairs)));
        assert!((row["cosine"].as_f64().unwrap() - cosine).abs() < 1e-12, "{row}");
    }
}
