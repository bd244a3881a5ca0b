//! What each data set's files become, made by hand in those exact formats with what is met in the wild: line
//! ends of Windows, byte order marks, quotes, rows without audio, rows twice, names composed otherwise.
#![cfg(feature = "sqlite")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tagwalk::dataset::{Dataset, Split};
use tagwalk::import::playlists::Reading;
use tagwalk::import::prepare::{self, Made, Msd, Options, Others, PaperFiles, Report, SplitFrom};
use tagwalk::import::splits::{self, Numbers};
use tagwalk::import::tags::Tags;

mod common;
use common::million_songs::{Files, fixture, million_songs, track};

#[track_caller]
fn made(options: &Options) -> (Report, Dataset) {
    match prepare::prepare(options, &AtomicBool::new(false), &|_| ()).unwrap_or_else(|e| panic!("{e}")) {
        Made::New(report) => (*report, Dataset::open(&options.out).unwrap()),
        Made::Already => panic!("made already"),
    }
}

fn fails(options: &Options) -> String {
    prepare::plan(options).expect_err("this must fail").to_string()
}

/// (in, what, count) of what was left out.
fn dropped(report: &Report) -> BTreeSet<(String, String, u64)> {
    report.counts.iter().filter(|c| c.dropped).map(|c| (c.of.clone(), c.what.clone(), c.count)).collect()
}

fn rows<const N: usize>(rows: [(&str, &str, u64); N]) -> BTreeSet<(String, String, u64)> {
    rows.into_iter().map(|(of, what, count)| (of.to_string(), what.to_string(), count)).collect()
}

/// Song, side, samples and tags of each song.
fn songs(d: &Dataset) -> Vec<(String, Split, usize, Vec<&str>)> {
    let tags =
        |song| (0..d.vocabulary().len()).filter(|&tag| d.has_tag(song, tag)).map(|tag| d.vocabulary()[tag].as_str()).collect();
    (0..d.songs()).map(|song| (d.name(song).to_string(), d.split(song), d.samples(song), tags(song))).collect()
}

fn playlists(d: &Dataset) -> Vec<Vec<&str>> {
    (0..d.playlists().len()).map(|p| d.playlists().row(p).iter().map(|&song| d.name(song as usize)).collect()).collect()
}

fn small(paper: &PaperFiles, files: &Files) -> Options {
    let mut options = paper.options(&files.at("out"), 1000, 3);
    options.decode.rate = 8000;
    options.split = Some(SplitFrom::Playlists(Others::Drawn { numbers: Numbers { valid: 1, test: 1 }, seed: 3 }));
    options
}

#[test]
fn the_papers_set_up() {
    let (files, paper) = million_songs();
    let mut options = small(&paper, &files);
    options.group_column = Some("artist".into());
    let (report, d) = made(&options);
    let all = songs(&d);
    let names: Vec<&str> = all.iter().map(|song| song.0.as_str()).collect();
    assert_eq!(names, [1, 2, 3, 4, 7, 8, 9].map(track));
    assert_eq!(all[0].3, ["rock", "Hip-Hop"]);
    assert_eq!(all[1].3, ["rock", "hip-hop"]);
    assert_eq!((&all[2].3[..], all[2].2), (&["café"][..], 0), "its clip is empty: it lends");
    assert_eq!(all[3].3, ["rock", "\"weird\" al,"]);
    assert_eq!(all.iter().map(|song| song.2).collect::<Vec<_>>(), [400, 400, 0, 400, 400, 400, 0]);
    let on = |side| all.iter().filter(|song| song.1 == side).map(|song| song.0.clone()).collect::<BTreeSet<_>>();
    assert_eq!(on(Split::Train), BTreeSet::from([1, 2, 4].map(track)));
    assert_eq!((on(Split::Valid).len(), on(Split::Test).len()), (1, 1));
    assert_eq!(on(Split::Valid).union(&on(Split::Test)).cloned().collect::<BTreeSet<_>>(), BTreeSet::from([7, 8].map(track)));
    assert_eq!(playlists(&d), [vec![track(1), track(2), track(4)], vec![track(3), track(9)]]);
    assert_eq!(d.group_name(d.group(3).unwrap()), "Artist 1");
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].file, format!("1/3/13.clip.mp3 ({})", track(3)));

    assert_eq!(
        dropped(&report),
        rows([
            ("unique_tracks.txt", "lines that are no track", 1),
            ("unique_tracks.txt", "tracks that are not their song's first (playlists mean the first)", 1),
            ("unique_tracks.txt", "songs whose every track is a mismatch", 1),
            ("sid_mismatches.txt", "lines without a pair", 1),
            ("MSD_id_to_7D_id.pkl", "rows without a track and a clip", 1),
            ("MSD_id_to_7D_id.pkl", "clips that are not there", 1),
            ("MSD_id_to_7D_id.pkl", "tracks whose clip is another track's too", 1),
            ("clips", "files of no track", 1),
            ("clips", "files of a track that has another", 1),
            ("clips", "files of songs on no side of the split: they lend only", 1),
            ("lastfm_tags.db", "links whose track or tag is not in its table", 2),
            ("lastfm_tags.db", "links that are not numbers", 2),
            ("lastfm_tags.db", "links to a tag without a name", 1),
            ("tags", "links of tracks listed as mismatches", 2),
            ("tags", "links that are there twice", 1),
            ("aotm2011_playlists.json", "places whose song the file does not name", 1),
            ("aotm2011_playlists.json", "places: each track of this song is listed as a mismatch", 1),
            ("aotm2011_playlists.json", "places: no such song", 1),
            ("playlists", "places of songs without tags and audio", 1),
            ("playlists", "playlists of fewer than two different songs", 2),
        ])
    );
    let published = |of: &str, what: &str| {
        let count = report.counts.iter().find(|c| c.of == of && c.what == what).unwrap_or_else(|| panic!("{of}: {what}"));
        (count.count, count.published.unwrap())
    };
    // Beside what formats.md has from the data sets' pages, and the paper's section IV B.
    assert_eq!(published("unique_tracks.txt", "tracks"), (11, 1_000_000));
    assert_eq!(published("sid_mismatches.txt", "pairs of song and track not to trust"), (2, 19_094));
    assert_eq!(published("lastfm_tags.db", "tracks with a tag"), (8, 505_216));
    assert_eq!(published("lastfm_tags.db", "tags"), (6, 522_366));
    assert_eq!(published("lastfm_tags.db", "links of tracks and tags"), (18, 8_598_630));
    assert_eq!(published("aotm2011_playlists.json", "playlists"), (5, 101_343));
    assert_eq!(published("the paper", "playlists of songs with tags"), (2, 80_578));
    assert_eq!(published("the paper", "songs of such a playlist, mean"), (3, 6));
    assert_eq!(published("the paper", "different songs in them"), (5, 70_427));
    assert_eq!(published("the paper", "of these with audio"), (3, 26_844));
    assert_eq!(published("the paper", "songs that train"), (3, 26_844));
    assert_eq!(published("the paper", "songs that validate"), (1, 10_054));
    assert_eq!(published("the paper", "songs that test"), (1, 6_354));

    let too_many = PaperFiles::options(&paper, &files.at("out2"), 50, 0);
    assert!(fails(&too_many).contains("2 songs with audio and tags are in no playlist; 16408 are asked for"));
}

#[test]
fn clips_and_tracks_in_every_form() {
    let (files, paper) = million_songs();
    let first = songs(&made(&small(&paper, &files)).1).into_iter().map(|s| (s.0, s.2)).collect::<Vec<_>>();
    let ids = |of: fn(u32) -> String| [1, 2, 3, 4, 6, 7, 8].map(of).join("\r\n") + "\r\n";
    let lists = files.write("train_x_msd_id.txt", ids(track));
    files.write("train_x_7d_id.txt", ids(|n| (n + 10).to_string()));
    let table: String = [1, 2, 3, 4, 6, 7, 8].map(|n| format!("{}\t1/{n}/{}.npy\n", track(n), n + 10)).concat();
    let table = files.write("index_msd.tsv", table);
    let turned: String = [1, 2, 3, 4, 6, 7, 8].map(|n| format!("{},{}\n", n + 10, track(n))).concat();
    let turned = files.write("ids.csv", format!("clip,track\n{turned}"));
    let metadata = files.at("track_metadata.db");
    let db = rusqlite::Connection::open(&metadata).unwrap();
    db.execute_batch("CREATE TABLE songs (track_id text PRIMARY KEY, title text, track_7digitalid int)").unwrap();
    for n in [1, 2, 3, 4, 6, 7, 8] {
        db.execute("INSERT INTO songs VALUES (?1, 'x', ?2)", rusqlite::params![track(n), n + 10]).unwrap();
    }
    db.close().unwrap();
    for clips in [fixture("MSD_id_to_7D_id.protocol4.pkl"), lists.clone(), table, turned, metadata] {
        let mut options = small(&paper, &files);
        options.out = files.at(&format!("by {}", clips.file_name().unwrap().to_str().unwrap()));
        options.msd.as_mut().unwrap().clips = vec![clips];
        let (_, d) = made(&options);
        assert_eq!(songs(&d).into_iter().map(|s| (s.0, s.2)).collect::<Vec<_>>(), first, "{}", options.out.display());
    }
    // Without a list, clips named by their tracks are known, and no other.
    let mut options = small(&paper, &files);
    options.msd.as_mut().unwrap().clips.clear();
    options.split = Some(SplitFrom::Playlists(Others::Listed(vec![lists.clone()])));
    assert_eq!(prepare::plan(&options).unwrap().songs_with_audio, 1);

    files.write("train_x_7d_id.txt", "11\n");
    options.msd.as_mut().unwrap().clips = vec![lists];
    assert!(fails(&options).contains("has not as many lines"));
    for (name, text, words) in [
        ("no.tsv", "a\tb\n", "names no track"),
        ("no.pkl", "(lp0\n.", "is a list"),
        ("object.pkl", "cos\nsystem\n.", "more than text and numbers"),
    ] {
        options.msd.as_mut().unwrap().clips = vec![files.write(name, text)];
        assert!(fails(&options).contains(words), "{name}");
    }
    options.msd =
        Some(Msd { tracks: files.write("tracks_per_year.txt", "1926<SEP>TRBHUOU128F423625E<SEP>x<SEP>y\n"), ..paper.msd });
    assert!(fails(&options).contains("unique_tracks.txt"));
}

#[test]
fn published_lists_validate_and_test_beside_playlists() {
    let (files, paper) = million_songs();
    let valid = files.write("valid_x_msd_id.txt", [1, 7].map(track).join("\n"));
    let test = files.write("test_x_msd_id.txt", [8, 2].map(track).join("\n"));
    let paper = PaperFiles { split: vec![valid.clone(), test.clone()], ..paper };
    let mut options = paper.options(&files.at("out"), 50, 0);
    let sides = |options: &Options| {
        let (_, dataset) = made(options);
        let all = songs(&dataset).into_iter().filter(|s| s.1 != Split::None);
        all.map(|s| (s.0.to_string(), s.1)).collect::<Vec<(String, Split)>>()
    };
    let [t1, t2, t4, t7, t8] = [1, 2, 4, 7, 8].map(track);
    let trained = [
        (t1.clone(), Split::Train),
        (t2.clone(), Split::Train),
        (t4, Split::Train),
        (t7.clone(), Split::Valid),
        (t8.clone(), Split::Test),
    ];
    assert_eq!(sides(&options), trained);
    // The lists alone: who is on none lends only, and its audio is left out.
    options.split = Some(SplitFrom::Files(vec![valid, test]));
    options.out = files.at("listed");
    assert_eq!(sides(&options), [(t1, Split::Valid), (t2, Split::Test), (t7, Split::Valid), (t8, Split::Test)]);
    assert_eq!(prepare::plan(&options).unwrap().songs_with_audio, 4);
}

/// (song, tag) of what a reader of tags found.
fn links(tags: &Tags) -> BTreeSet<(&str, &str)> {
    tags.links
        .iter()
        .map(|&(song, tag)| (tags.songs.names[song as usize].as_str(), tags.tags.names[tag as usize].as_str()))
        .collect()
}

#[test]
fn the_database_holds_what_sqlite_says() {
    let said: Vec<(String, String, f64)> = serde_json::from_slice(&fs::read(fixture("lastfm_tags.json")).unwrap()).unwrap();
    let files = Files::new();
    let path = files.write("lastfm #1?%20é.db", fs::read(fixture("lastfm_tags.db")).unwrap());
    for above in [None, Some(0.0), Some(50.0)] {
        let mut tags = Tags { weight_above: above, ..Tags::default() };
        tags.read(&path).unwrap();
        let expected = said.iter().filter(|row| above.is_none_or(|least| row.2 > least));
        assert_eq!(links(&tags), expected.clone().map(|(song, tag, _)| (song.as_str(), tag.as_str())).collect(), "{above:?}");
        assert_eq!(tags.links.len(), expected.count(), "a row twice is counted later");
    }
    // Nothing was written, and nothing beside it.
    assert!(fs::read(&path).unwrap() == fs::read(fixture("lastfm_tags.db")).unwrap());
    assert_eq!(fs::read_dir(files.path()).unwrap().count(), 1);
}

#[test]
fn databases_that_are_none_are_refused() {
    let files = Files::new();
    let read = |path: &Path| Tags::default().read(path).unwrap_err().to_string();
    let make = |name: &str, sql: &str| {
        let path = files.at(name);
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch(sql).unwrap();
        db.close().unwrap();
        path
    };
    let links = "CREATE TABLE tags (tag TEXT); CREATE TABLE tid_tag (tid INT, tag INT, val FLOAT);";
    // A view without an end, a table that computes, one without row numbers, one without the column.
    let endless = "CREATE VIEW tids AS WITH RECURSIVE n(tid) AS (SELECT 1 UNION ALL SELECT tid + 1 FROM n) SELECT tid FROM n;";
    for (name, sql, words) in [
        ("view.db", endless, "without a table tids"),
        ("computed.db", "CREATE TABLE tids (a INT, tid AS (zeroblob(1000000000)));", "without a table tids"),
        ("rowless.db", "CREATE TABLE tids (tid TEXT PRIMARY KEY) WITHOUT ROWID;", "rowid"),
        ("other.db", "CREATE TABLE tids (x TEXT);", "without a table tids"),
    ] {
        let error = read(&make(name, &format!("{sql} {links}")));
        assert!(error.contains(words) && error.contains(name), "{error}");
    }
    let whole = fs::read(fixture("lastfm_tags.db")).unwrap();
    let cut = files.write("cut.db", &whole[..1024]);
    assert!(read(&cut).contains("cannot be read"), "{}", read(&cut));
    // A cell that is larger than any tag.
    let huge = make(
        "huge.db",
        "PRAGMA page_size = 512; CREATE TABLE tids (tid TEXT); CREATE TABLE tags (tag TEXT); CREATE TABLE tid_tag (tid INT, tag INT, val FLOAT); INSERT INTO tids VALUES (zeroblob(2000000));",
    );
    assert!(read(&huge).contains("too big"), "{}", read(&huge));
}

#[test]
fn folders_of_json_give_what_the_database_gives() {
    let said: Vec<(String, String, f64)> = serde_json::from_slice(&fs::read(fixture("lastfm_tags.json")).unwrap()).unwrap();
    let files = Files::new();
    for n in 1..=9 {
        let id = track(n);
        let tags: Vec<(String, String)> =
            said.iter().filter(|row| row.0 == id).map(|row| (row.1.clone(), row.2.to_string())).collect();
        let part = if n % 2 == 0 { "train" } else { "test" };
        let text = serde_json::json!({"artist": "é", "similars": [[track(3), 0.5]], "tags": tags, "track_id": id, "title": null});
        files.write(&format!("lastfm_{part}/A/A/A/{id}.json"), text.to_string());
    }
    files.write("lastfm_train/A/A/A/notes.json", "{\"a\": 1}");
    files.write("lastfm_train/A/A/A/.DS_Store", "x");
    let mut tags = Tags::default();
    tags.read(&files.at("lastfm_train")).unwrap();
    tags.read(&files.at("lastfm_test")).unwrap();
    assert_eq!(links(&tags), said.iter().map(|(song, tag, _)| (song.as_str(), tag.as_str())).collect());
    let bad = tags.counts.iter().find(|c| c.what == "files that hold no track").unwrap();
    assert_eq!((bad.count, bad.of.as_str()), (1, "lastfm_train"));
    assert!(Tags::default().read(&files.at("lastfm_train/A/A/A")).is_ok());
    fs::create_dir(files.at("empty")).unwrap();
    assert!(Tags::default().read(&files.at("empty")).unwrap_err().to_string().contains("without tracks"));

    // A dataset of them, said to be the same by its folders' names and sizes.
    files.audio(&format!("{}.wav", track(1)));
    let options = Options { tags: vec![files.at("lastfm_train"), files.at("lastfm_test")], ..files.options() };
    assert_eq!(songs(&made(&options).1)[0].3, ["rock", "Hip-Hop"]);
    assert!(matches!(prepare::prepare(&options, &AtomicBool::new(false), &|_| ()), Ok(Made::Already)));
}

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
