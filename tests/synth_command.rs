//! `tagwalk synth`, `recovery` and `baseline`: exit codes, streams, JSON; a world goes through the other commands.
#![cfg(all(feature = "import", feature = "baselines"))]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn tagwalk(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagwalk")).args(args).output().unwrap()
}

#[track_caller]
fn json(args: &[&str]) -> Vec<Value> {
    let out = tagwalk(&[args, &["--json"]].concat());
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn synth(folder: &Path, more: &[&str]) -> Output {
    let small = ["--songs", "90", "--lenders", "20", "--seconds", "1", "--tags", "12", "--playlists", "80", "--random-split"];
    let out = folder.to_str().unwrap();
    tagwalk(&[&["synth", "--out", out], &small[..], more].concat())
}

#[test]
fn a_world_goes_through_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("world");
    let made = synth(&at, &["--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&made["already"], &made["songs"], &made["test"]), (&false.into(), &110.into(), &27.into()));
    let again = synth(&at, &[]);
    assert_eq!(again.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already"));
    let other = synth(&at, &["--seed", "1"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(other.stdout.is_empty() && String::from_utf8_lossy(&other.stderr).contains("another dataset"));

    let world = at.to_str().unwrap();
    assert_eq!(tagwalk(&["verify", world]).status.code(), Some(0));
    let songs = &json(&["info", world])[0]["songs"];
    // Songs without audio lend where annotators recorded something.
    assert!(songs["all"] == 110 && songs["with_audio"] == 90 && (1..20).contains(&songs["lend_only"].as_u64().unwrap()));
    let lines = json(&["recovery", world, "--ranges", "0,0.5", "--by-tag", "--exclude-self"]);
    assert_eq!((lines.len(), lines[1]["tags"].as_array().unwrap().len()), (2, 12));
    for line in &lines {
        let value = |name: &str| line[name].as_f64().unwrap();
        assert!(value("missing") > 0.0 && value("recovered") > 0.0 && value("recovered") <= value("reachable"));
        assert!((value("recovered_share") - value("recovered") / value("missing")).abs() < 1e-12);
    }
    let text = String::from_utf8(tagwalk(&["recovery", world]).stdout).unwrap();
    assert!(text.contains("true tags are missing") && text.lines().count() > 14, "{text}");

    let baseline = &json(&["baseline", world, "--remove", "0.2"])[0];
    let names: Vec<&str> = baseline["lines"].as_array().unwrap().iter().map(|l| l["arm"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 6);
    assert!(names[0] == "linear, tagged songs" && names[5] == "group's mean tags");
    assert!(baseline["lines"].as_array().unwrap().iter().all(|l| l["figures"]["roc_auc"].as_f64().unwrap() > 0.3));
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("world");
    for (flags, named) in [
        (&["--coherence", "2"][..], "--coherence"),
        (&["--tags", "9999"], "--tags"),
        (&["--seconds", "0"], "--seconds"),
        (&["--threads", "99999"], "--threads"),
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_tagwalk")).args(["synth", "--out"]).arg(&at).args(flags).output().unwrap();
        assert_eq!(out.status.code(), Some(2));
        assert!(out.stdout.is_empty() && String::from_utf8_lossy(&out.stderr).contains(named), "{named}");
        assert!(!at.exists());
    }
    let world = at.to_str().unwrap();
    assert_eq!(tagwalk(&["recovery", world]).status.code(), Some(2));
    assert_eq!(synth(&at, &["--untagged", "0", "--recorded", "1"]).status.code(), Some(0));
    assert_eq!(tagwalk(&["recovery", world, "--ranges", "1.5"]).status.code(), Some(2));
    for flags in [["--mode", "none"], ["--mode", "walk"]] {
        let taken = if flags[1] == "walk" { Some(0) } else { Some(2) };
        assert_eq!(tagwalk(&[&["recovery", world], &flags[..]].concat()).status.code(), taken);
    }
    assert_eq!(tagwalk(&["recovery", world, "--random-lenders"]).status.code(), Some(2));
    assert_eq!(tagwalk(&["baseline", world, "--c", "0"]).status.code(), Some(2));
    // All tags are known: none is missing, and shares of nothing are null.
    assert!(json(&["recovery", world, "--ranges", "0.4"])[0]["recovered_share"].is_null());
}
