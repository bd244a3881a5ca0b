//! What files of other data sets than the paper's become, made by hand in those exact formats with what is met in the wild:
//! line ends of Windows, byte order marks, quotes, names composed otherwise. The paper's: `importers.rs`.
#![cfg(feature = "sqlite")]

use std::fs;
use std::path::Path;

use tagwalk::dataset::Split;
use tagwalk::import::playlists::Reading;
use tagwalk::import::prepare::{Options, SplitFrom};
use tagwalk::import::splits;

mod common;
use common::million_songs::{Files, fixture, track};
use common::prepared::{dropped, fails, made, playlists, rows, songs};

#[test]
fn magnatagatune() {
    let files = Files::new();
    for clip in ["0/a-0-29.mp3", "b/b-0-29.mp3", "c/c-0-29.mp3", "f/d's \"song\"-30-59.mp3", "extra.mp3"] {
        files.audio(clip);
    }
    let table = "\u{feff}\"clip_id\"\t\"no voice\"\t\"slow\"\t\"mp3_path\"\r\n\
        \"2\"\t\"0\"\t\"1\"\t\"0/a-0-29.mp3\"\r\n\"6\"\t\"1\"\t\"1\"\t\"b/b-0-29.mp3\"\r\n\"6\"\t\"1\"\t\"1\"\t\"b/b-0-29.mp3\"\r\n\
        8\t1\t0\tc/c-0-29.mp3\r\n9\t0\t0\t\"f/d's \"\"song\"\"-30-59.mp3\"\r\n10\t1\t1\t\"\"\r\n11\t1\t0\t6/norine_braun-117-146.mp3\r\n";
    let tags = vec![files.write("annotations_final.csv", table)];
    let (report, d) = made(&Options { tags, split: Some(SplitFrom::MagnaTagATune), ..files.options() });
    let expected = [
        ("0/a-0-29.mp3", Split::Train, 400, vec!["slow"]),
        ("6/norine_braun-117-146.mp3", Split::None, 0, vec!["no voice"]),
        ("b/b-0-29.mp3", Split::Train, 400, vec!["no voice", "slow"]),
        ("c/c-0-29.mp3", Split::Valid, 400, vec!["no voice"]),
        ("extra.mp3", Split::None, 400, vec![]),
        ("f/d's \"song\"-30-59.mp3", Split::Test, 400, vec![]),
    ];
    assert_eq!(songs(&d), expected.map(|(name, side, samples, tags)| (name.to_string(), side, samples, tags)));
    assert_eq!(
        dropped(&report),
        rows([("annotations_final.csv", "rows that name no file", 1), ("tags", "links that are there twice", 2)])
    );

    // Lee et al.'s lists name arrays; musicnn's name clips by number, with the table for the paths.
    assert_eq!(splits::read(&fixture("test_list_pub.cP")).unwrap()[1], ("f/é-1.npy".to_string(), Split::Test));
    assert!(splits::read(&fixture("train_object.cP")).unwrap_err().to_string().contains("more than text and numbers"));
    let lists = vec![
        files.write("train_gt_mtt.tsv", "2\t[0.0, 1.0]\n"),
        files.write("test_gt_mtt.tsv", "8\t[1.0, 0.0]\n6\t[1.0, 1.0]\n2\t[0.0, 1.0]\n"),
    ];
    let songs_table = Some(files.at("annotations_final.csv"));
    let tags = vec![files.at("annotations_final.csv")];
    let by_number = Options {
        tags,
        split: Some(SplitFrom::Files(lists)),
        songs: songs_table,
        id_column: Some("clip_id".into()),
        out: files.at("by number"),
        ..files.options()
    };
    let (report, d) = made(&by_number);
    let sides: Vec<Split> = songs(&d).into_iter().map(|s| s.1).collect();
    assert_eq!(sides, [Split::Train, Split::None, Split::Test, Split::Test, Split::None, Split::None]);
    assert!(dropped(&report).contains(&("test_gt_mtt.tsv".into(), "songs on another side before: that one counts".into(), 1)));
}

#[test]
fn mtg_jamendo() {
    let files = Files::new();
    for clip in ["15/215.low.mp3", "34/2634.low.mp3", "00/1000.low.mp3"] {
        files.audio(clip);
    }
    let header = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\r\n";
    let metal = "track_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4\tgenre---metal\r\n";
    let folk = "track_0002634\tartist_000379\talbum_000412\t34/2634.mp3\t62.4\tgenre---folk\tgenre---instrumentalpop\tmood/theme---calm\r\n";
    let absent = "track_0000216\tartist_000014\talbum_000031\t16/216.mp3\t10.0\tgenre---metal\r\n";
    let bare = "track_0001000\tartist_000015\talbum_000032\t00/1000.mp3\t10.0\t\r\n";
    let all = files.write("autotagging.tsv", [header, metal, folk, absent, bare].concat());
    let split = vec![
        files.write("split-0/autotagging-train.tsv", [header, metal, absent].concat()),
        files.write("split-0/autotagging-validation.tsv", [header, folk].concat()),
        files.write("split-0/autotagging-test.tsv", [header, bare].concat()),
    ];
    let grouped = Options { songs: Some(all.clone()), group_column: Some("ARTIST_ID".into()), ..files.options() };
    let (_, d) = made(&Options { tags: vec![all], split: Some(SplitFrom::Files(split.clone())), ..grouped });
    let expected = [
        ("00/1000.low.mp3", Split::Test, 400, vec![]),
        ("15/215.low.mp3", Split::Train, 400, vec!["genre---metal"]),
        ("16/216.mp3", Split::None, 0, vec!["genre---metal"]),
        ("34/2634.low.mp3", Split::Valid, 400, vec!["genre---folk", "genre---instrumentalpop", "mood/theme---calm"]),
    ];
    assert_eq!(songs(&d), expected.map(|(name, side, samples, tags)| (name.to_string(), side, samples, tags)));
    assert_eq!((d.group_name(d.group(1).unwrap()), d.group(1)), ("artist_000014", d.group(2)));
    // The splits' files alone have the tags, too.
    let (_, d) =
        made(&Options { tags: split.clone(), split: Some(SplitFrom::Files(split)), out: files.at("alone"), ..files.options() });
    assert_eq!(d.vocabulary().len(), 4);

    let link = files.write("data/autotagging.tsv", "raw_30s_cleantags_50artists.tsv");
    assert!(fails(&Options { tags: vec![link], ..files.options() }).contains("symbolic link"));
    let short = files.write("short.tsv", format!("{header}track_1\tartist_1\t15/1.mp3\n"));
    assert!(fails(&Options { tags: vec![short], ..files.options() }).contains("line 2: has 3 cells"));
}

#[test]
fn slices_of_spotify() {
    let files = Files::new();
    for song in ["one.ogg", "two.ogg", "three.ogg", "four.ogg"] {
        files.audio(song);
    }
    let table = "song\tartist\ttitle\tspotify\none.ogg\tBjörk\tJóga\t\ntwo.ogg\tDegiheugi\tFinalement\t7vqa3sDmtEaVJ2gcvxtRID\n\
        three.ogg\tBjo\u{308}rk\tAll Is  Full of Love\t\nfour.ogg\tBJÖRK\tjóga\t\n";
    let songs_table = Some(files.write("songs.tsv", table));
    let tags = vec![files.write("tags.tsv", "one.ogg\ta\ntwo.ogg\ta\nthree.ogg\tb\n")];
    let slice = |lists: &[&[(u64, &str, &str, &str)]]| {
        let track = |t: &(u64, &str, &str, &str)| serde_json::json!({"pos": t.0, "track_uri": t.1, "artist_name": t.2, "track_name": t.3, "duration_ms": 1});
        let lists: Vec<_> = lists
            .iter()
            .map(
                |l| serde_json::json!({"name": "x", "collaborative": "false", "tracks": l.iter().map(track).collect::<Vec<_>>()}),
            )
            .collect();
        serde_json::json!({"info": {"slice": "x"}, "playlists": lists}).to_string()
    };
    let uri = "spotify:track:7vqa3sDmtEaVJ2gcvxtRID";
    files.write(
        "mpd/mpd.slice.10000-10999.json",
        slice(&[&[(0, "spotify:track:a", "björk", "ALL IS FULL OF LOVE"), (1, uri, "", "")]]),
    );
    files.write(
        "mpd/mpd.slice.2000-2999.json",
        slice(&[
            &[(1, uri, "Other", "Name"), (0, "spotify:track:b", "Bjo\u{308}rk", "Jóga"), (2, "spotify:track:c", "Who", "What")],
            &[(0, uri, "", "")],
        ]),
    );
    files.write("mpd/stats.json", "{}");
    let playlists_at = vec![files.at("mpd")];
    let options =
        Options { tags, playlists: playlists_at, songs: songs_table, id_column: Some("spotify".into()), ..files.options() };
    let (report, d) = made(&options);
    assert_eq!(playlists(&d), [["one.ogg", "two.ogg"], ["three.ogg", "two.ogg"]]);
    let of = "Million Playlist Dataset";
    assert_eq!(
        dropped(&report),
        rows([(of, "places: no such song", 1), ("playlists", "playlists of fewer than two different songs", 1)])
    );
    let count = |what: &str| report.counts.iter().find(|c| c.what == what).map(|c| (c.count, c.published));
    assert_eq!(
        (count("playlists"), count("of several songs: the first is meant")),
        (Some((3, Some(1_000_000))), Some((1, None)))
    );
    let missing = fs::read_to_string(files.at("out/not-found.tsv")).unwrap();
    assert!(missing.contains("mpd.slice.2000-2999.json\tWho - What\t1\tno such song"), "{missing}");
    let runs = Options { reading: Reading::Runs, out: files.at("runs"), ..options };
    assert_eq!(playlists(&made(&runs).1).len(), 2);

    let not = files.write("other.json", "{\"a\": []}");
    assert!(fails(&Options { playlists: vec![not], ..runs.clone() }).contains("without \"playlists\""));
    let packed = files.write("aotm.json", b"\x1f\x8b\x08\0");
    assert!(fails(&Options { playlists: vec![packed], ..runs }).contains("compressed"));
}

#[test]
fn xspf_playlists() {
    let files = Files::new();
    for song in ["Band/50% Off é.ogg", "Band/b.ogg", "c.ogg"] {
        files.audio(song);
    }
    let table = "song\tartist\ttitle\nc.ogg\tTom & Jerry\tThe End\n";
    let songs_table = Some(files.write("songs.tsv", table));
    let tags = vec![files.write("tags.tsv", "c.ogg\ta\nb.ogg\tb\n")];
    let list = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\"><trackList>\r\n\
        <track><location>../audio/Band/50%25%20Off%20e%CC%81.ogg</location></track>\r\n\
        <track><location>http://example.org/nothing.ogg</location><location>file:///elsewhere/Band/b.ogg</location></track>\r\n\
        <track><creator>tom &amp;  JERRY</creator><title>The End</title></track>\r\n\
        <track><annotation>?</annotation></track><track><title>No One</title><creator>Knows</creator></track></trackList></playlist>";
    files.write("lists/one.xspf", list);
    let lists_at = vec![files.at("lists")];
    let (report, d) = made(&Options { tags, playlists: lists_at, songs: songs_table, ..files.options() });
    assert_eq!(playlists(&d), [["Band/50% Off é.ogg", "Band/b.ogg", "c.ogg"]]);
    assert_eq!(
        dropped(&report),
        rows([("playlists", "places whose song the file does not name", 1), ("playlists", "places: no such song", 1)])
    );
}

#[test]
fn published_splits() {
    let files = Files::new();
    let read = |path: &Path| splits::read(path).unwrap();
    // Lee et al.: the first 201,680 train, the other 11,774 validate.
    let ids: String = (0..213_454).map(|n| format!("S'{}'\np{}\na", track(n), n + 2)).collect();
    let list = read(&files.write("filtered_list_train.cP", format!("(lp1\n{ids}.")));
    let train = list.iter().filter(|row| row.1 == Split::Train).count();
    assert_eq!((list.len(), train), (213_454, 201_680));
    assert_eq!((&list[201_679], &list[201_680]), (&(track(201_679), Split::Train), &(track(201_680), Split::Valid)));
    let vectors = read(&files.write("val_gt_msd.tsv", format!("{}\t[0, 0, 1]\n{}\t[1, 0, 0]\n", track(1), track(2))));
    assert_eq!(vectors, [(track(1), Split::Valid), (track(2), Split::Valid)]);
    let tracks = format!(
        r#"{{"train_track": ["{}"], "extra_track": ["x"], "valid_track": ["{}"], "test_track": []}}"#,
        track(1),
        track(2)
    );
    assert_eq!(read(&files.write("ecals_track_split.json", tracks)), [(track(1), Split::Train), (track(2), Split::Valid)]);
    // The side that a table gives comes before the one in its name.
    assert_eq!(read(&files.write("test.tsv", "song\tsplit\na\ttrain\n")), [("a".into(), Split::Train)]);
    assert_eq!(read(&files.write("tests.tsv", "a\ttrain\n")), [("a".into(), Split::Train)]);
    for (name, text, words) in [
        ("songs.txt", "a\nb\n", "or name a list by its side"),
        ("songs.cP", "(lp0\n.", "neither its contents nor its name"),
        ("split.json", r#"{"songs": []}"#, "neither its contents nor its name"),
        ("train.json", "{", "no json object of lists"),
        ("train_dict.pkl", "(dp0\n.", "is a dictionary"),
    ] {
        let error = splits::read(&files.write(name, text)).unwrap_err().to_string();
        assert!(error.to_lowercase().contains(words), "{error}");
    }
    assert!(splits::read(files.path()).unwrap_err().to_string().contains("is a folder"));
}
