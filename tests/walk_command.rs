//! `tagwalk walk`: its JSON beside values worked by hand, its exit codes, what goes to which stream.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tagwalk::dataset::{Split, write::Contents};

/// Songs a, b, c, d in playlists a b c and d a; c has no tags, d is of the test split.
fn dataset(folder: &Path) {
    let contents = Contents {
        sample_rate: 22_050,
        names: ["a.ogg", "b.ogg", "c.ogg", "d.ogg", "alone.ogg"].map(String::from).to_vec(),
        vocabulary: ["rock", "pop"].map(String::from).to_vec(),
        tags: vec![vec![0], vec![0, 1], vec![], vec![1], vec![0]],
        splits: vec![Split::Train, Split::Train, Split::Train, Split::Test, Split::Train],
        playlists: vec![vec![0, 1, 2], vec![3, 0]],
        ..Contents::default()
    };
    contents.write(folder, &[]).unwrap();
}

fn walk(folder: &Path, flags: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_tagwalk");
    Command::new(program).arg("walk").arg(folder).args(flags).output().unwrap()
}

fn json(folder: &Path, flags: &[&str]) -> Value {
    let out = walk(folder, &[flags, &["--json"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stderr.is_empty());
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    serde_json::from_str(&text).unwrap()
}

/// Checks exact values to 1e-12 and drawn ones to 5 standard deviations of `walks` walks.
fn check(share: &Value, exact: f64, walks: f64) {
    let (got, drawn) = (share["exact"].as_f64().unwrap(), share["drawn"].as_f64().unwrap());
    assert!((got - exact).abs() < 1e-12, "{share}, not {exact}");
    assert!((drawn - exact).abs() <= 5.0 * (exact * (1.0 - exact) / walks).sqrt() + 1e-12, "{share}");
}

#[test]
fn shares_are_those_worked_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    // r = 1/2. First playlist: c is dropped, a ½, b ⅛. Second: d may not lend, a ½.
    let report = json(folder.path(), &["--song", "a", "--range", "0.5", "--walks", "40000", "--seed", "3"]);
    assert_eq!((&report["schema"], &report["song"]), (&1.into(), &"a.ogg".into()));
    let neighbours = report["neighbours"].as_array().unwrap();
    let names: Vec<&str> = neighbours.iter().map(|n| n["song"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.ogg", "b.ogg"]);
    check(&neighbours[0], 0.5, 4e4);
    check(&neighbours[1], 0.0625, 4e4);
    check(&report["nothing"], 0.4375, 4e4);
    assert_eq!(report["tags"][0]["tag"], "rock");
    check(&report["tags"][0], 0.5625, 4e4);
    check(&report["tags"][1], 0.0625, 4e4);

    let other = json(folder.path(), &["--song", "a", "--exclude-self", "--lend", "all", "--reading", "redraw"]);
    check(&other["neighbours"][0], 0.5, 1e5);
    check(&other["neighbours"][1], 0.5, 1e5);
    check(&other["nothing"], 0.0, 1e5);

    // Untagged, at the end of its playlist; with `zeros` it lends itself nothing but zeros.
    let zeros = json(folder.path(), &["--song", "c", "--range", "0.5", "--untagged-lenders", "zeros"]);
    check(&zeros["neighbours"][0], 0.5, 1e5);
    assert_eq!(zeros["neighbours"][0]["song"], "c.ogg");
    check(&zeros["tags"][0], 0.1875, 1e5);

    let alone = json(folder.path(), &["--song", "alone"]);
    check(&alone["nothing"], 1.0, 1e5);
    assert_eq!(alone["neighbours"], Value::Array(vec![]));
}

/// As above, with a fifth song e of the validation split in a playlist with b: neither it nor d of the test split lends, at
/// any distance, unless all may; then both do.
#[test]
fn songs_that_are_measured_on_lend_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents {
        sample_rate: 22_050,
        names: ["a", "b", "d", "e"].map(String::from).to_vec(),
        vocabulary: ["rock", "pop", "jazz"].map(String::from).to_vec(),
        tags: vec![vec![0], vec![0], vec![1], vec![2]],
        splits: vec![Split::Train, Split::None, Split::Test, Split::Valid],
        playlists: vec![vec![0, 3, 2, 1]],
        ..Contents::default()
    };
    contents.write(folder.path(), &[]).unwrap();
    let report = |more: &[&str]| json(folder.path(), &[&["--song", "a", "--exclude-self", "--range", "0.5"], more].concat());
    let lenders = |report: &Value| -> Vec<String> {
        report["neighbours"].as_array().unwrap().iter().map(|n| n["song"].as_str().unwrap().to_string()).collect()
    };
    // b, outside the split, is all there is.
    let default = report(&[]);
    assert_eq!(lenders(&default), ["b"]);
    check(&default["neighbours"][0], 1.0, 1e5);
    assert!(default["tags"].as_array().unwrap().iter().all(|tag| tag["tag"] == "rock" || tag["drawn"] == 0.0), "{default}");
    // ½, ¼, ⅛ to the right, of which 1 is made.
    let all = report(&["--lend", "all"]);
    assert_eq!(lenders(&all), ["e", "d", "b"]);
    [4.0, 2.0, 1.0].iter().enumerate().for_each(|(i, share)| check(&all["neighbours"][i], share / 7.0, 1e5));
}

#[test]
fn the_same_seed_draws_the_same() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let run = |seed| walk(folder.path(), &["--song", "b", "--seed", seed, "--json"]).stdout;
    assert_eq!(run("1"), run("1"));
    assert_ne!(run("1"), run("2"));
}

#[test]
fn tables_are_results_and_notes_are_not() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let out = walk(folder.path(), &["--song", "a", "--top", "1"]);
    let (text, notes) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(text.starts_with("who lends") && text.contains("(nothing)") && text.contains("(and 1 more)"));
    assert!(notes.lines().all(|l| l.starts_with("tagwalk: ")) && notes.contains("2 playlists"));
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path());
    let cases: [(&[&str], &str); 5] = [
        (&["--song", "a", "--top", "0"], "--top"),
        (&["--song", "nobody"], "nobody"),
        (&["--song", "a", "--range", "2"], "--range"),
        (&["--song", "a", "--reading", "backwards"], "--reading"),
        (&["--song", "a", "--walks", "99999999999999"], "--walks"),
    ];
    for (flags, named) in cases {
        let out = walk(folder.path(), flags);
        assert_eq!(out.status.code(), Some(2));
        assert!(out.stdout.is_empty() && String::from_utf8_lossy(&out.stderr).contains(named));
    }
    assert_eq!(walk(&folder.path().join("none"), &["--song", "a"]).status.code(), Some(2));
}
