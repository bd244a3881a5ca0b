//! `tagwalk evaluate --predictions P.npy --truth T.npy`: scikit-learn's figures from two files,
//! whoever made them; wrong files are named, with exit code 2.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tagwalk::format::npy;

mod common;

fn tagwalk(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagwalk")).arg("evaluate").args(arguments).output().unwrap()
}

/// Writes a golden case as two files; its scores as f32 or as f64.
fn write(case: &Value, folder: &Path, double: bool) -> [String; 2] {
    let rows = |key: &str| -> Vec<f64> {
        let rows = case[key].as_array().unwrap();
        rows.iter().flat_map(|r| r.as_array().unwrap()).map(|v| v.as_f64().unwrap()).collect()
    };
    let shape = [case["songs"].as_u64().unwrap() as usize, case["tags"].as_u64().unwrap() as usize];
    let [scores, truth] = ["P.npy", "T.npy"].map(|name| folder.join(name));
    if double {
        npy::write(&scores, &shape, &rows("scores")).unwrap();
    } else {
        npy::write(&scores, &shape, &rows("scores").iter().map(|&s| s as f32).collect::<Vec<_>>()).unwrap();
    }
    npy::write(&truth, &shape, &rows("labels").iter().map(|&y| y as u8).collect::<Vec<_>>()).unwrap();
    [scores, truth].map(|p| p.to_str().unwrap().to_string())
}

#[test]
fn figures_of_two_files() {
    let folder = tempfile::tempdir().unwrap();
    let paper = common::golden::paper();
    for (i, case) in paper["metrics"].as_array().unwrap().iter().enumerate() {
        let [scores, truth] = write(case, folder.path(), i % 2 == 0);
        let output = tagwalk(&["--predictions", &scores, "--truth", &truth, "--json", "--bootstrap", "50"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("{\"schema\":1,") && text.lines().count() == 1, "{text}");
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["songs"], &json["tags"]), (&case["songs"], &case["tags"]));
        for (ours, theirs) in
            [("annotation_map", "annotation_map"), ("retrieval_map", "retrieval_map"), ("roc_auc", "retrieval_auc")]
        {
            match (json[ours].as_f64(), case[theirs].as_f64()) {
                (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{} {ours}: {a} {b}", case["name"]),
                (a, b) => assert!(a.is_none() && b.is_none(), "{} {ours}: {a:?} {b:?}", case["name"]),
            }
        }
        assert_eq!(json["per_tag"].as_array().unwrap().len() as u64, case["tags"].as_u64().unwrap());
    }
}

#[test]
fn a_table_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let paper = common::golden::paper();
    let case = paper["metrics"].as_array().unwrap().iter().find(|c| c["name"] == "bigger").unwrap();
    let [scores, truth] = write(case, folder.path(), false);
    let output = tagwalk(&["--predictions", &scores, "--truth", &truth, "--per-tag"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |name: &str| text.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    for (name, key) in [("annotation MAP", "annotation_map"), ("retrieval MAP", "retrieval_map"), ("ROC-AUC", "retrieval_auc")] {
        assert!(line(name).contains(&format!("  {:.3}  ", case[key].as_f64().unwrap())), "{text}");
    }
    assert!(line("Not defined").contains("14 songs without tags"), "{text}");
    // A reader that leaves early is no failure.
    let mut child = Command::new(env!("CARGO_BIN_EXE_tagwalk"))
        .args(["evaluate", "--predictions", &scores, "--truth", &truth, "--per-tag"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Rare tags are counted and some are named; what is too little is said to be.
#[test]
fn little_is_said_to_be_little() {
    let folder = tempfile::tempdir().unwrap();
    let [p, t] = ["p.npy", "t.npy"].map(|name| folder.path().join(name).to_str().unwrap().to_string());
    let said = |songs: usize, tags: usize, score: &dyn Fn(usize, usize) -> f32| {
        let of = |i: usize| (i / tags, i % tags);
        let scores: Vec<f32> = (0..songs * tags).map(of).map(|(song, tag)| score(song, tag)).collect();
        let truth: Vec<u8> = (0..songs * tags).map(of).map(|(song, tag)| u8::from((song + tag) % 4 == 0)).collect();
        npy::write(Path::new(&p), &[songs, tags], &scores).unwrap();
        npy::write(Path::new(&t), &[songs, tags], &truth).unwrap();
        String::from_utf8(tagwalk(&["--predictions", &p, "--truth", &t]).stdout).unwrap()
    };
    let few = said(8, 9, &|song, tag| (song * tag) as f32);
    for what in ["Tags with fewer, 9: 0, 1, 2, 3, 4 and 4 more", "8 songs are few to conclude from", "No tag has 5 songs"] {
        assert!(few.contains(what), "{what}: {few}");
    }
    let right = said(200, 3, &|song, tag| f32::from(u8::from((song + tag) % 4 == 0)));
    assert!(!right.contains("few to conclude") && !right.contains("holds 0.5") && !right.contains("with fewer"), "{right}");
    // Equal scores rank nothing.
    let equal = said(200, 3, &|_, _| 0.5);
    assert!(equal.contains("ROC-AUC, 0.500 to 0.500, holds 0.5"), "{equal}");
}

#[test]
fn wrong_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    npy::write(Path::new(&path("p.npy")), &[2, 2], &[0.5f32, 0.25, 1.0, 0.0]).unwrap();
    npy::write(Path::new(&path("nan.npy")), &[2, 2], &[0.5f32, f32::NAN, 1.0, 0.0]).unwrap();
    npy::write(Path::new(&path("t.npy")), &[2, 2], &[1u8, 0, 0, 1]).unwrap();
    npy::write(Path::new(&path("two.npy")), &[2, 2], &[1u8, 0, 2, 1]).unwrap();
    npy::write(Path::new(&path("wide.npy")), &[1, 4], &[1u8, 0, 0, 1]).unwrap();
    npy::write(Path::new(&path("flat.npy")), &[4], &[1u8, 0, 0, 1]).unwrap();
    npy::write(Path::new(&path("empty.npy")), &[0, 4], &[0u8; 0]).unwrap();
    std::fs::write(path("text.npy"), "0.5,0.25\n").unwrap();
    for (scores, truth, says) in [
        ("nan.npy", "t.npy", "nan.npy: song 0, tag 1 is not a finite number"),
        ("p.npy", "two.npy", "two.npy: song 1, tag 0 is 2, neither 0 nor 1"),
        ("p.npy", "wide.npy", "wide.npy: has shape [1, 4], but"),
        ("p.npy", "flat.npy", "flat.npy: has shape [4]"),
        ("empty.npy", "empty.npy", "empty.npy: 0 scores"),
        ("text.npy", "t.npy", "text.npy: not a .npy file"),
        ("p.npy", "nowhere.npy", "nowhere.npy: cannot open"),
    ] {
        let output = tagwalk(&["--predictions", &path(scores), "--truth", &path(truth)]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("tagwalk: ") && said.contains(says), "{said}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(tagwalk(&["--predictions", &path("p.npy")]).status.code(), Some(2));
}
