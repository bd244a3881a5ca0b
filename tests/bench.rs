//! The benches' promises, none of which depends on how fast anything is: what they print can be read by
//! a program, nothing is left out or counted twice, what computes wrong is not timed, and results of two
//! runs find each other.

use serde_json::Value;
use tagwalk::error::Kind;
use tagwalk::kernels::{Choice, cpu, products::Isa};
use tagwalk::measure::bench::calls;
use tagwalk::measure::check::Subject;

mod common;
use common::runs::{fails, succeeds, text, with_dataset};

const SMALL: [&str; 8] = ["--network", "3^3-9/8", "--batch", "3", "--device", "cpu", "--steps", "2"];

/// The lines of JSON that a bench prints.
fn objects(arguments: &[&str]) -> Vec<Value> {
    let (out, _) = succeeds(&[&["bench"], arguments, &["--json"]].concat());
    let all: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!all.is_empty() && all.iter().all(|o| o["schema"] == 1), "{arguments:?}: {out}");
    all
}

fn number(object: &Value, path: &str) -> f64 {
    object.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {path} in {object}"))
}

#[test]
fn step_tells_what_a_comparison_needs() {
    let all = objects(&[&["step"], &SMALL[..2], &["--batch", "2,5", "--steps", "3", "--device", "cpu"]].concat());
    assert_eq!(all.iter().map(|o| o["batch"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 5]);
    for object in &all {
        for path in ["/clips_per_second", "/step_ms/median", "/gflops_per_second", "/plan_mib", "/kernels/conv_forward"] {
            assert!(number(object, path) > 0.0, "{path} in {object}");
        }
        assert!(number(object, "/spread") >= 0.0);
        let texts = ["bench", "device", "precision", "mode", "family", "network"];
        assert!(texts.iter().all(|&key| object[key].is_string()), "{object}");
        assert_eq!((&object["software"], &object["driver"]), (&Value::Bool(false), &Value::Null));
        assert!(object["idle_share"].is_null() && object["songs"].is_null(), "nothing is waited for: {object}");
        #[cfg(target_os = "linux")]
        assert!(number(object, "/peak_memory_mib") > 0.0);
    }
}

#[test]
fn step_on_a_dataset_tells_the_idle_share() {
    let (_folder, data) = with_dataset(48);
    for (mode, source) in [("training", ["--dataset", text(&data)]), ("inference", ["--songs", "30"])] {
        let all = objects(&[&["step"], &SMALL[..], &source, &["--mode", mode]].concat());
        let idle = number(&all[0], "/idle_share");
        assert!((0.0..=1.0).contains(&idle), "{idle}");
        assert_eq!((&all[0]["songs"], &all[0]["mode"]), (&if mode == "training" { 48.into() } else { 30.into() }, &mode.into()));
    }
}

#[test]
fn kernels_lists_every_call_once_and_shares_add_up() {
    for mode in ["training", "inference"] {
        let mode = ["--mode", mode];
        let all = objects(&[&["kernels"], &SMALL[..], &mode].concat());
        let shares: f64 = all.iter().map(|o| number(o, "/share")).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{shares}");

        let (plan, _) = succeeds(&["plan", "--network", "3^3-9/8", "--batch", "3", "--device", "cpu", "--json"]);
        let lines = plan.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let evaluates = |line: &Value| line["section"].as_str().is_some_and(|s| s.eq_ignore_ascii_case("evaluate"));
        let calls = lines.filter(|line| line["kind"] == "call" && evaluates(line) == (mode[1] == "inference"));
        let expected: Vec<String> = calls.map(|line| line["label"].as_str().unwrap().into()).collect();
        let listed: Vec<String> = all.iter().map(|o| o["label"].as_str().unwrap().into()).collect();
        assert_eq!(listed, expected);

        for object in &all {
            let of_peak = number(object, "/gflops_per_second") / number(object, "/peaks/gflops_per_second");
            assert!((number(object, "/of_peak") - of_peak).abs() <= 1e-9 * of_peak);
            assert!(number(object, "/bytes") > 0.0 && number(object, "/peaks/copy_gb_per_second") > 0.0);
        }
        let one = objects(&[&["kernels", "conv_forward"], &SMALL[..], &mode].concat());
        let wanted = all.iter().filter(|o| o["kernel"] == "conv_forward").count();
        assert!(one.len() == wanted && one.iter().all(|o| o["kernel"] == "conv_forward"));
        assert!(one.iter().map(|o| number(o, "/share")).sum::<f64>() < 1.0, "shares are of the whole step");
    }
}

/// The weights' update with one value in a thousand a little off.
#[test]
fn what_computes_wrong_is_not_timed() {
    let choice = || Choice::native(Isa::Portable);
    let right = Subject { choice: choice(), alone: &|kernel, inputs| Ok(cpu::run_alone(kernel, inputs)) };
    calls::verify(&right, "sgd").unwrap();
    let wrong = Subject {
        choice: choice(),
        alone: &|kernel, inputs| {
            let mut all = cpu::run_alone(kernel, inputs);
            for operand in &mut all {
                operand.chunks_exact_mut(4000).for_each(|values| values[2] ^= 0x40);
            }
            Ok(all)
        },
    };
    let error = calls::verify(&wrong, "sgd").unwrap_err();
    assert_eq!(error.kind, Kind::Device);
    assert!(error.what.contains("sgd computes wrong") && error.help.unwrap().contains("tagwalk check sgd"));
}

#[test]
fn walks_of_a_dataset() {
    let (_folder, data) = with_dataset(48);
    for propagation in ["walk", "expected"] {
        let all = objects(&["walk", text(&data), "--rounds", "2", "--propagation", propagation]);
        assert_eq!((&all[0]["songs"], &all[0]["tags"], &all[0]["bench"]), (&48.into(), &4.into(), &"walk".into()));
        for path in ["/walks_per_second", "/songs_per_second", "/masks_per_second"] {
            assert!(number(&all[0], path) > 0.0);
        }
    }
}

#[test]
#[cfg(feature = "import")]
fn prepare_counts_the_sound_of_the_files() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/formats");
    let (mp3, flac) = (root.join("tones.mp3"), root.join("tones.flac"));
    let one = objects(&["prepare", text(&mp3), "--rounds", "1"]);
    let two = objects(&["prepare", text(&mp3), text(&flac), "--rounds", "2"]);
    assert!(number(&two[0], "/audio_seconds") > number(&one[0], "/audio_seconds"));
    assert_eq!((&two[0]["files"], &two[0]["ffmpeg"]), (&2.into(), &Value::Null));
    assert!(number(&two[0], "/audio_seconds_per_second") > 0.0);
}

#[test]
fn compare_sets_the_same_measurements_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, lines: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        path.to_str().unwrap().to_string()
    };
    // A peer's line has no bench; devices differ.
    let a = write("a.jsonl", &[r#"{"network":"3^9","batch":8,"device":"cpu","clips_per_second":4.0,"peak_memory_mib":100}"#, ""]);
    let step = r#"{"bench":"step","network":"3^9","batch":8,"device":"a GPU","clips_per_second":10.0}"#;
    let b = write("b.jsonl", &[r#"{"bench":"step","network":"3^9","batch":9,"clips_per_second":3.0}"#, step]);
    let (out, said) = succeeds(&["bench", "compare", &a, &b, "--json"]);
    let pair: Value = serde_json::from_str(out.trim_end()).unwrap();
    assert_eq!(
        (&pair["figure"], number(&pair, "/a"), number(&pair, "/b"), number(&pair, "/ratio")),
        (&"clips_per_second".into(), 4.0, 10.0, 2.5)
    );
    assert!(said.contains("batch 9") && said.contains("b.jsonl"), "{said}");
    let (table, _) = succeeds(&["bench", "compare", &a, &b]);
    assert!(table.contains("2.500"), "{table}");

    let damaged = write("damaged.jsonl", &["{}", "[1]"]);
    fails(&["bench", "compare", &a, &damaged], 2, &["damaged.jsonl", "line 2"]);
    let other = write("other.jsonl", &[r#"{"bench":"walk"}"#]);
    fails(&["bench", "compare", &a, &other], 2, &["other.jsonl", "nothing in common"]);
}

#[test]
fn wrong_flags_are_named() {
    let small = |more: &[&'static str]| [&["bench"], more, &["--network", "3^3-9/8", "--device", "cpu"]].concat();
    fails(&small(&["step", "--batch", "8,0"]), 2, &["--batch"]);
    fails(&small(&["step", "--batch", "8,x"]), 2, &["--batch"]);
    fails(&small(&["step", "--songs", "0"]), 2, &["--songs"]);
    fails(&small(&["step", "--songs", "9", "--dataset", "d"]), 2, &["--songs", "--dataset"]);
    fails(&small(&["step", "--dataset", "no-such-folder"]), 2, &["no-such-folder"]);
    fails(&small(&["kernels", "--steps", "0"]), 2, &["--steps"]);
    fails(&small(&["kernels", "no_such_kernel"]), 2, &["NAME", "conv_forward"]);
    fails(&small(&["kernels", "sgd", "--mode", "inference"]), 2, &["NAME"]);
    fails(&["bench", "walk", "--rounds", "0"], 2, &["--rounds"]);
    fails(&["bench", "walk", "--range", "2"], 2, &["--range"]);
    fails(&["bench", "walk", "no-such-folder"], 2, &["no-such-folder"]);
    fails(&["bench", "compare", "no-such-file", "b"], 2, &["no-such-file"]);
}

#[test]
#[cfg(feature = "import")]
fn files_that_are_no_audio_are_named() {
    fails(&["bench", "prepare", "no-such-file.mp3"], 2, &["no-such-file.mp3"]);
    fails(&["bench", "prepare", "--rate", "1"], 2, &["rate"]);
}
