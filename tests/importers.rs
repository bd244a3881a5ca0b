//! What the files of the paper's set-up become, made by hand in those exact formats with what is met in the wild: line
//! ends of Windows, byte order marks, quotes, rows without audio, rows twice. Other data sets: `importers_others.rs`.
#![cfg(feature = "sqlite")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use tagwalk::dataset::Split;
use tagwalk::import::prepare::{self, Made, Msd, Options, Others, PaperFiles, SplitFrom};
use tagwalk::import::splits::Numbers;
use tagwalk::import::tags::Tags;

mod common;
use common::million_songs::{Files, fixture, million_songs, track};
use common::prepared::{dropped, fails, made, playlists, rows, songs};

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
    // Beside the counts on the data sets' own pages (docs/datasets.md), and in the paper's section IV B.
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
