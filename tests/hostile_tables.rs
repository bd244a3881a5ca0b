//! Tables, playlists, arrays and manifests of any content give a result or an error: no panic, no
//! memory beyond what the file is worth.
#![cfg(feature = "import")]

#[path = "common/mutate.rs"]
mod mutate;

use std::io::BufReader;
use std::path::Path;

use mutate::{mutate, put};
use tagwalk::dataset::write::Contents;
use tagwalk::dataset::{Dataset, Manifest, Split};
use tagwalk::format::npy::{Array, Header};
use tagwalk::import::counts::Counts;
use tagwalk::import::msd::{clips, mismatches, tracks};
use tagwalk::import::names::Names;
use tagwalk::import::playlists::{self, Entry, Reading, aotm, m3u, mpd, pls, xspf};
use tagwalk::import::table::Rows;
use tagwalk::import::tags::Tags;
use tagwalk::import::text::Lines;
use tagwalk::import::{groups, pickle, splits, text};

/// A file with these bytes in a folder that is reused.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    put(&path, bytes);
    path
}

fn tags(bytes: &[u8]) -> tagwalk::error::Result<Tags> {
    let mut tags = Tags::default();
    tags.read_rows(Rows::new(Lines::new(BufReader::new(bytes), Path::new("tags"))?)?)?;
    Ok(tags)
}

const LONG: &[u8] =
    b"\xef\xbb\xbfsong\ttag\r\na/one.ogg\trock\r\nb/two \xe9.ogg\t\"weird al\" yankovic\r\nb/two \xe9.ogg\trock\r\n";
const WIDE: &[u8] = b"\"clip_id\"\t\"no voice\"\t\"slow\"\t\"mp3_path\"\n\"2\"\t\"0\"\t\"1\"\t\"f/a.mp3\"\n\"6\"\t\"1\"\t\"1\"\t\"f/b.mp3\"\n\"9\"\t\"1\"\t\"1\"\t\"\"\n";

const JAMENDO: &[u8] = b"TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\ntrack_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4\tgenre---metal\nt\ta\tb\t34/2634.mp3\t62.4\tgenre---folk\tmood/theme---calm\n";

#[test]
fn tables_of_tags() {
    let long = tags(LONG).unwrap();
    assert_eq!((long.songs.names.len(), long.tags.names.len(), long.links.len()), (2, 2, 3));
    assert_eq!((long.songs.names[1].as_str(), long.tags.names[1].as_str()), ("b/two é.ogg", "\"weird al\" yankovic"));
    let wide = tags(WIDE).unwrap();
    assert_eq!(wide.songs.names, ["f/a.mp3", "f/b.mp3"]);
    assert_eq!((wide.tags.names, wide.links), (vec!["no voice".to_string(), "slow".into()], vec![(0, 1), (1, 0), (1, 1)]));
    // Without a header; with commas; a bad row is named.
    assert_eq!(tags(b"a.ogg\trock\nb.ogg\tpop\n").unwrap().links.len(), 2);
    assert_eq!(tags(b"tag,file\nrock,\"a, b.ogg\"\n").unwrap().songs.names, ["a, b.ogg"]);
    for (bad, words) in [
        (&b"song\ttag\na\tb\nonly\n"[..], "line 3: has 1 cells"),
        (b"song\trock\tpop\na\t1\t2\n", "line 2: column \"pop\" holds \"2\""),
        (b"song\ttag\n\tb\n", "line 2: a song or a tag is empty"),
        (b"", "empty"),
        (b"one\n", "one column"),
        (b"\xff\xfes\0o\0", "UTF-16"),
        (b"\x1f\x8b\x08", "compressed"),
    ] {
        let error = tags(bad).err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
    }
    mutate(&[LONG, WIDE, JAMENDO], 1, |bytes| {
        if let Ok(tags) = tags(bytes) {
            assert!(
                tags.links.iter().all(|&(s, t)| (s as usize) < tags.songs.names.len() && (t as usize) < tags.tags.names.len())
            );
            let names = Names::new(tags.songs.names.clone());
            for name in &tags.songs.names {
                let _ = names.find(&name.to_uppercase());
            }
        }
    });
}

#[test]
fn tables_of_splits_and_groups() {
    let folder = tempfile::tempdir().unwrap();
    let table = b"song\tsplit\tartist\na.ogg\ttrain\tx\nb.ogg\tvalidation\t\nc.ogg\tTest\ty\n";
    let path = file(folder.path(), "t.tsv", table);
    let sides: Vec<Split> = splits::read(&path).unwrap().into_iter().map(|row| row.1).collect();
    assert_eq!(sides, [Split::Train, Split::Valid, Split::Test]);
    assert_eq!(groups::read(&path, "Artist").unwrap(), [("a.ogg".into(), "x".into()), ("c.ogg".to_string(), "y".to_string())]);
    assert!(groups::read(&path, "album").unwrap_err().to_string().contains("song, split, artist"));
    let bad = file(folder.path(), "bad.tsv", b"a.ogg\ttrain\nb.ogg\tpractice\n");
    assert!(splits::read(&bad).unwrap_err().to_string().contains("line 2: \"practice\""));
    mutate(&[table], 2, |bytes| {
        let path = file(folder.path(), "t.tsv", bytes);
        let _ = (splits::read(&path), groups::read(&path, "artist"));
    });
}

#[test]
fn playlists_of_all_kinds() {
    let m3u_seed = b"#EXTM3U\r\n#EXTINF:123,Sample artist - Sample title\r\n../audio/a b.mp3\r\nfile:///C:/Megt%C3%B6rt.mp3\r\nC:\\M\\x.ogg\r\n".as_slice();
    let pls_seed = b"[playlist]\nFile1=Sample.mp3\nTitle1=x\nFile3=b.ogg\nfile2=\xe9.ogg\nNumberOfEntries=3\n".as_slice();
    let aotm_seed = br#"[{"mix_id":1,"category":null,"user":{"name":"a"},"playlist":[[["x","1"],"SO1"],[["x","2"],null]],"filtered_lists":[["SO1"],["SO3","SO4"]]},{"filtered_lists":[["SO5"]]}]"#.as_slice();
    assert_eq!(m3u::parse(&text::decode(m3u_seed)).unwrap().entries.len(), 3);
    assert_eq!(pls::parse(&text::decode(pls_seed)).unwrap().entries[1], Some(Entry::path("é.ogg")));
    for (name, parse) in [(3, m3u::parse as fn(&str) -> _), (30, pls::parse)] {
        mutate(&[m3u_seed, pls_seed], name, |bytes| {
            for list in parse(&text::decode(bytes)).into_iter() {
                for path in list.entries.iter().flatten().flat_map(|entry| &entry.paths) {
                    let _ = playlists::entry_path(path);
                }
            }
        });
    }
    mutate(&[aotm_seed], 4, |bytes| {
        for reading in [Reading::Joined, Reading::Runs, Reading::Gaps] {
            let _ = aotm::parse(bytes, reading, &mut |_| {});
        }
    });
}

#[test]
fn slices_and_xspf() {
    let slice = br#"{"info": {"slice": "0-999"}, "playlists": [{"name": "x", "tracks": [{"pos": 1, "track_uri": "spotify:track:2", "artist_name": "A", "track_name": null}, {"pos": 0, "track_uri": "spotify:track:1"}]}, null]}"#.as_slice();
    let list = b"<?xml version=\"1.0\"?><playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\"><trackList><track xml:base=\"a/b\"><location>x%20y.mp3</location><title>A &amp; B &#233;</title><creator><![CDATA[C]]></creator></track><track/></trackList></playlist>".as_slice();
    assert_eq!(mpd::parse(slice, &mut |_| {}).unwrap().lists, 2);
    assert_eq!(xspf::parse(&text::decode(list)).unwrap().entries.len(), 2);
    mutate(&[slice], 20, |bytes| drop(mpd::parse(bytes, &mut |_| {})));
    mutate(&[list], 21, |bytes| {
        if let Ok(list) = xspf::parse(&text::decode(bytes)) {
            list.entries.iter().flatten().flat_map(|entry| &entry.paths).for_each(|path| drop(playlists::entry_path(path)));
        }
    });
}

#[test]
fn lists_of_the_million_song_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let list = b"TRMMMYQ128F932D901<SEP>SOQMMHC12AB0180CB8<SEP>Faster Pussy cat<SEP>Silent Night\r\nTRMMMKD128F425225D<SEP>SOVFVAK12A8C1350D9<SEP>Karkkiautomaatti<SEP>Tanssi <SEP> vaan\r\n".as_slice();
    let pairs = b"ERROR: <SOUMNSI12AB0182807 TRMMGKQ128F9325E10> Digital Underground  -  The Way We Swing  !=  Linkwood  -  x\n"
        .as_slice();
    let ids = b"TRMMMYQ128F932D901\t8/9/8947470.clip.mp3\nTRMMMKD128F425225D\t6010476\n".as_slice();
    mutate(&[list, pairs, ids], 22, |bytes| {
        let path = file(folder.path(), "list.txt", bytes);
        let (mut counts, mut songs) = (Counts::default(), 0);
        let _ = tracks::read(&path, &mut counts, &mut |track| songs += track.song.len());
        let _ = (mismatches::read(&path, &mut counts), clips::read(&path, &mut Vec::new()));
    });
    // Lists in a file a side; as JSON; as pickles, which name their own memory.
    let sides = br#"{"train_track": ["TRMMMYQ128F932D901"], "extra_track": [], "test_track": ["b"]}"#.as_slice();
    let old = b"(lp1\nS'TRAADIN128F931D672'\np2\naS'it\\'s \\xe9'\np3\nag2\na.".as_slice();
    let new = b"\x80\x04\x95\x28\0\0\0\0\0\0\0}\x94(\x8c\x01b\x94\x8c\x01c\x94K\x03M\x01\x02J\x90\xee\xfe\xff\x8a\x02\x01\xffu."
        .as_slice();
    assert!(pickle::parse(old).is_ok() && pickle::parse(new).is_ok(), "{:?}", pickle::parse(new));
    mutate(&[old, new], 23, |bytes| drop(pickle::parse(bytes)));
    mutate(&[sides, ids, old], 24, |bytes| {
        for name in ["train.txt", "filtered_list_train.cP"] {
            let _ = splits::read(&file(folder.path(), name, bytes));
        }
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn tags_of_last_fm() {
    let folder = tempfile::tempdir().unwrap();
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/importers/lastfm_tags.db");
    let database = std::fs::read(database).unwrap();
    let track = br#"{"artist": "x", "similars": [["TRZNRZF128F9318787", 1]], "tags": [["rock", "100"], ["caf\u00e9", 60]], "track_id": "TRAAAAK128F9318786"}"#.as_slice();
    let mut read = 0;
    mutate(&[&database], 25, |bytes| {
        let mut tags = Tags::default();
        read += u64::from(tags.read(&file(folder.path(), "tags.db", bytes)).is_ok() && !tags.links.is_empty());
    });
    assert!(read > 1, "no changed database was read");
    std::fs::create_dir(folder.path().join("json")).unwrap();
    mutate(&[track], 26, |bytes| {
        file(&folder.path().join("json"), "TRAAAAK128F9318786.json", bytes);
        let _ = Tags::default().read(&folder.path().join("json"));
    });
}

/// A part's files with checksums that are right, so that what reads them is met.
#[test]
fn parts_of_any_content_join_or_are_refused() {
    use std::sync::atomic::AtomicBool;
    use tagwalk::dataset::manifest;
    use tagwalk::import::prepare::{self, Options, Part, SplitFrom};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let stop = AtomicBool::new(false);
    let mut wav = b"RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x10\0\0\0".to_vec();
    wav.extend([1; 16]);
    std::fs::create_dir(at("audio")).unwrap();
    file(&at("audio"), "a.wav", &wav);
    file(&at("audio"), "b.wav", b"none");
    file(folder.path(), "tags.tsv", b"a\tx\nb\ty\nc\tx\n");
    file(folder.path(), "list.m3u", b"a.wav\nb.wav\nc\n");
    let fractions = "0.5,0.25,0.25".parse().unwrap();
    let split = Some(SplitFrom::Chance { fractions, seed: 1, grouped: true });
    let (audio, tags, playlists) = (vec![at("audio")], vec![at("tags.tsv")], vec![at("list.m3u")]);
    let options = Options { out: at("part"), audio, tags, playlists, split, ..Options::default() };
    prepare::prepare_part(&options, Part::new(1, 1).unwrap(), &stop, &|_| ()).unwrap();
    let whole = ["gathered.json", "songs.jsonl", "part.json"].map(|name| std::fs::read(at("part").join(name)).unwrap());
    let mut joined = 0;
    mutate(&whole.each_ref().map(Vec::as_slice), 27, |bytes| {
        let place = if bytes.starts_with(b"{\"names\"") { 0 } else { 1 + usize::from(!bytes.starts_with(b"{\"Decoded\"")) };
        let name = ["gathered.json", "songs.jsonl", "part.json"][place];
        let path = file(&at("part"), name, bytes);
        if place < 2 {
            let mut part: serde_json::Value = serde_json::from_slice(&whole[2]).unwrap();
            part["files"][name] = serde_json::to_value(manifest::entry(&path).unwrap()).unwrap();
            file(&at("part"), "part.json", &serde_json::to_vec(&part).unwrap());
        }
        let _ = std::fs::remove_dir_all(at("joined"));
        joined += u64::from(prepare::join(&[at("part")], &at("joined"), false, &stop, &|_| ()).is_ok());
        for (name, bytes) in ["gathered.json", "songs.jsonl", "part.json"].iter().zip(&whole) {
            put(&at("part").join(name), bytes);
        }
    });
    assert!(joined > 0, "no changed part was joined");
}

#[test]
fn arrays() {
    let folder = tempfile::tempdir().unwrap();
    let valid: Vec<Vec<u8>> = ["f4", "u8", "v2", "empty"]
        .map(|name| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/npy/{name}.npy"))).unwrap())
        .into();
    mutate(&valid.iter().map(Vec::as_slice).collect::<Vec<_>>(), 5, |bytes| {
        let _ = Header::parse(bytes);
        let path = file(folder.path(), "a.npy", bytes);
        if let Ok(array) = Array::<f32>::open(&path) {
            assert_eq!(array.len(), array.shape().iter().product::<usize>());
        }
        let _ = Array::<u64>::open(&path);
    });
}

#[test]
fn a_dataset_with_any_file_changed_opens_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
    let contents = Contents {
        sample_rate: 8000,
        names: text(&["é.ogg", "b", "c"]),
        vocabulary: text(&["x", "y"]),
        tags: vec![vec![0], vec![1], vec![]],
        splits: vec![Split::Train; 3],
        groups: vec![Some(0), None, Some(0)],
        group_names: text(&["g"]),
        playlists: vec![vec![0, 1, 2, 0], vec![2, 1]],
        options: serde_json::Value::Null,
    };
    contents.write(folder.path(), &[vec![1, 2, 3]]).unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let seeds: Vec<Vec<u8>> = names.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let manifest = std::fs::read(folder.path().join("manifest.json")).unwrap();
    mutate(&[&manifest], 6, |bytes| drop(Manifest::parse(bytes)));
    let mut opened = 0;
    mutate(&seeds.iter().map(Vec::as_slice).collect::<Vec<_>>(), 7, |bytes| {
        // In place of the file that it is most like by its beginning, so that many get past the sizes.
        let place = (0..seeds.len()).find(|&i| seeds[i].len() == bytes.len()).unwrap_or(bytes.len() % seeds.len());
        put(&names[place], bytes);
        if let Ok(d) = Dataset::open(folder.path()) {
            opened += 1;
            for song in 0..d.songs() {
                let _ = (d.name(song), d.wave(song).len(), d.tag_bits(song), d.split(song), d.memberships().row(song));
                d.group(song).map(|group| d.group_name(group));
            }
            let _ = (0..d.playlists().len()).map(|p| d.playlists().row(p).len()).sum::<usize>();
            let _ = d.find("c");
        }
        put(&names[place], &seeds[place]);
    });
    assert!(opened > 0, "no changed dataset opened: the accessors were not tried");
}
