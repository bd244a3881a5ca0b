//! The program's manners: results on stdout and nothing else there, messages on stderr behind
//! `tagwalk: `, objects of JSON with their schema, and an exit code that says what sort of end it was.

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn tagwalk(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagwalk")).args(arguments).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails as said: exit code, nothing on stdout, the place named on stderr.
fn refuses(arguments: &[&str], code: i32, names: &str) {
    let output = tagwalk(arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote on stdout");
    assert!(said.contains(names), "{arguments:?} does not name {names}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn wrong_usage_and_wrong_files_exit_with_2_and_name_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let (missing, out) = (path("no-such-dataset"), path("run"));
    refuses(&["no-such-command"], 2, "no-such-command");
    refuses(&["train", &missing, "--out", &out], 2, "no-such-dataset");
    // A path that is not there gets a next step, whichever command meets it.
    refuses(&["tag", &missing, &missing], 2, "A run's folder is what");
    refuses(&["prepare", "--out", &out, "--audio", &missing, "--tags", &missing], 2, "Look whether the path is right");
    refuses(&["train", "--out", &out], 2, "DATASET");
    refuses(&["train", "--resume", "--out", &out], 2, "config.json");
    refuses(&["evaluate", &missing], 2, "no-such-dataset");
    refuses(&["verify", &missing], 2, "no-such-dataset");
    refuses(&["info", &missing], 2, "no-such-dataset");
    refuses(&["walk", &missing, "--song", "a"], 2, "no-such-dataset");
    refuses(&["plan", "--network", "3^0", "--device", "cpu"], 2, "--network");
    refuses(&["plan", "--network", "3^9", "--clip", "2", "--device", "cpu"], 2, "--network");
    refuses(&["bench", "step", "--steps", "0"], 2, "--steps");
    refuses(&["bench", "step", "--device", "cpu", "--family", "tiled"], 2, "--family");
    refuses(&["bench", "step", "--device", "cpu", "--adapter", "x"], 2, "--adapter");
    assert!(!folder.path().join("run").join("config.json").exists(), "a refused run left a configuration");
}

/// What a beginner mixes up is recognised, and the right line is given.
#[cfg(feature = "import")]
#[test]
fn what_stands_in_the_wrong_place_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::create_dir_all(path("music/band")).unwrap();
    std::fs::create_dir(path("run")).unwrap();
    std::fs::write(path("music/band/Song.MP3"), "").unwrap();
    std::fs::write(path("run/config.json"), "{}").unwrap();
    let (music, song, run) = (path("music"), path("music/band/Song.MP3"), path("run"));
    refuses(&["tag", &song, &run], 2, &format!("Write: tagwalk tag {run} {song}"));
    refuses(&["tag", &music, &run], 2, "the run comes first");
    refuses(&["tag", &song, &song], 2, "is audio, and no run");
    let prepare = format!("tagwalk prepare --out DATASET --audio {music} --tags");
    for command in [&["info"][..], &["verify"], &["walk", "--song", "a"], &["train", "--out", "never"]] {
        let arguments = [command, &[music.as_str()]].concat();
        refuses(&arguments, 2, &prepare);
        refuses(&arguments, 2, "is a folder of music, and no dataset");
    }
    refuses(&["tag", &music, &song], 2, "no run here");
    // A damaged dataset with audio beside it is none of that.
    std::fs::write(path("music/manifest.json"), "{}").unwrap();
    refuses(&["walk", &path("music/manifest.json"), "--song", "a"], 2, &format!("Name its folder: {music}"));
    refuses(&["info", &music], 2, "manifest.json");
}

/// Also where clap finds what is wrong: one prefix, once, the rest indented, and where to read on.
#[test]
fn wrong_flags_are_said_behind_the_same_prefix() {
    for (arguments, names) in [
        (&["plan", "--sideways"][..], "--sideways"),
        (&["train", "data"], "--out"),
        (&["plan", "--device", "abacus"], "abacus"),
        (&["no-such-command"], "no-such-command"),
    ] {
        refuses(arguments, 2, names);
        let said = stderr(&tagwalk(arguments));
        let mut lines = said.lines();
        let first = lines.next().unwrap();
        assert!(first.starts_with("tagwalk: ") && !first.contains("error:"), "{said}");
        assert!(lines.all(|line| line.starts_with("  ") && !line.trim().is_empty()), "{said}");
        assert!(said.contains("--help"), "{said}");
    }
    // What was asked for is a result.
    for arguments in [&["--help"][..], &["--version"], &["train", "--help"]] {
        let output = tagwalk(arguments);
        assert!(output.status.code() == Some(0) && output.stderr.is_empty() && !output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_adapter_that_is_not_there_exits_with_3() {
    refuses(&["bench", "step", "--device", "gpu", "--adapter", "no such adapter"], 3, "no such adapter");
}

/// Every line of stdout is an object that begins with its schema.
fn objects(arguments: &[&str]) -> Vec<serde_json::Value> {
    let output = tagwalk(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    let all: Vec<serde_json::Value> = String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {line}")))
        .collect();
    assert!(!all.is_empty(), "{arguments:?} printed nothing");
    assert!(all.iter().all(|o| o["schema"] == 1), "{arguments:?}: an object without its schema");
    for line in stderr(&output).lines() {
        assert!(line.starts_with("tagwalk: ") || line.starts_with("  "), "{arguments:?}: on stderr: {line}");
    }
    all
}

#[test]
fn json_is_an_object_a_line_with_its_schema() {
    objects(&["plan", "--network", "3^5-81", "--batch", "2", "--device", "cpu", "--json"]);
    let bench = ["bench", "step", "--network", "3^5-81/4", "--batch", "2", "--steps", "2", "--device", "cpu", "--json"];
    for mode in ["training", "inference"] {
        let all = objects(&[&bench[..], &["--mode", mode]].concat());
        assert_eq!(all.len(), 1);
        assert_eq!((&all[0]["mode"], &all[0]["precision"], &all[0]["batch"]), (&mode.into(), &"f32".into(), &2.into()));
        for number in ["clips_per_second", "gflops_per_second", "plan_mib"] {
            assert!(all[0][number].as_f64().is_some_and(|v| v > 0.0), "{number}: {}", all[0][number]);
        }
        let quantile = |name: &str| all[0]["step_ms"][name].as_f64().unwrap();
        assert!(quantile("least") <= quantile("median") && quantile("median") <= quantile("most"));
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tagwalk"))
        .args(["plan", "--network", "3^9", "--device", "cpu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
}
