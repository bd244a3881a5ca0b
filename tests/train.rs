//! Whole runs of the program: a folder holds one run, wrong flags and changed datasets are refused,
//! a run that blows up keeps its last good checkpoint, and the best weights are those of the best epoch.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tagwalk::run::{Checkpoint, Weights, files};
use tagwalk::train::options::Config;

mod common;
use common::runs::{NETWORK, dataset, fails, kind, log, misleading_dataset, succeeds, tagwalk, text, with_dataset};

/// The arguments of a short run on the CPU.
fn train<'a>(data: &'a Path, run: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", text(data), "--out", text(run), "--device", "cpu", "--batch", "4"][..], &NETWORK, more].concat()
}

fn bytes(run: &Path) -> Vec<u8> {
    std::fs::read(run.join(files::BEST)).unwrap()
}

#[test]
fn one_run_a_folder() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    succeeds(&train(&data, &run, &["--steps", "3"]));
    let before = bytes(&run);
    fails(&train(&data, &run, &["--steps", "3"]), 2, &["run: a run is there already", "--resume"]);
    // A run that is over is not changed by going on.
    let (_, said) = succeeds(&["train", "--resume", "--out", text(&run), "--device", "cpu"]);
    for what in ["run is finished: its schedule ended after 3 steps", "--steps or --epochs larger", "tagwalk evaluate"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(bytes(&run) == before);

    // While one is training there, no other may, whatever it asks for.
    let held = folder.path().join("held");
    let endless = train(&data, &held, &["--json", "--quiet"]);
    let mut child = tagwalk(&endless).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("\"kind\":\"step\""));
    let reader = std::thread::spawn(move || lines.count());
    let holder = format!("process {} is training in this folder", child.id());
    fails(&["train", "--resume", "--out", text(&held), "--device", "cpu"], 2, &[&holder]);
    fails(&train(&data, &held, &["--steps", "3"]), 2, &[&holder]);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
}

#[test]
fn resuming_needs_the_same_dataset_and_device() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    let resume = ["train", "--resume", "--out", text(&run), "--device", "cpu"];
    fails(&resume, 2, &["config.json: no run here"]);
    succeeds(&train(&data, &run, &["--steps", "3"]));
    fails(&["train", "--resume", "--out", text(&run), "--device", "gpu", "--adapter", "0"], 2, &["this run began on CPU"]);
    // Nobody typed a rate: what is wrong is in the file.
    let config = run.join("config.json");
    let whole = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, whole.replacen("\"rate\": 0.01", "\"rate\": 0.0", 1)).unwrap();
    fails(&resume, 2, &["config.json: schedule.rate: 0 is not a number greater than 0"]);
    std::fs::write(&config, whole).unwrap();
    let other = folder.path().join("other");
    dataset(&other, 52);
    fails(&[&resume[..], &[text(&other)]].concat(), 2, &["other: is not the dataset that this run began with"]);
    // Its own folder, made anew from other songs.
    std::fs::rename(&data, folder.path().join("old")).unwrap();
    fails(&resume, 2, &["data"]);
    dataset(&data, 52);
    fails(&resume, 2, &["data: is not the dataset that this run began with"]);
    let old = folder.path().join("old");
    succeeds(&[&resume[..], &[text(&old)]].concat());
    // What a crash may leave of a run that had no checkpoint yet.
    std::fs::remove_file(run.join(files::LAST)).unwrap();
    fails(&[&resume[..], &[text(&old)]].concat(), 2, &["there is no checkpoint to go on from"]);
}

#[test]
fn a_run_that_blows_up_stops_and_keeps_its_last_good_checkpoint() {
    let (folder, data) = with_dataset(48);
    for rate in ["1e8", "1e20", "1e38"] {
        let run = folder.path().join(rate);
        let said =
            fails(&train(&data, &run, &["--rate", rate, "--steps", "500", "--checkpoint-steps", "1"]), 2, &["is not finite"]);
        let error = said.lines().rfind(|l| l.contains("is not finite")).unwrap();
        // Which tensor, by its name in the checkpoint, or which loss.
        let named = ["the loss (own ", "validation loss", ".weight", ".bias"].iter().any(|what| error.contains(what));
        assert!(named && error.contains("step "), "{error}");
        // Reading refuses what is not finite.
        let last = Checkpoint::<Value>::read(&run.join(files::LAST)).unwrap();
        let logged = kind(&log(&run), "step").count() as u64;
        assert!(last.position.steps <= logged && logged < 500, "{} of {logged} steps", last.position.steps);
        println!("rate {rate}: {error}; the checkpoint is after step {}", last.position.steps);
    }
}

#[test]
fn wrong_flags_are_refused_and_nothing_is_written() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    let huge = "18446744073709551615";
    #[rustfmt::skip]
    let wrong: &[(&[&str], &str)] = &[
        (&["--steps", "-1"], "--steps"), (&["--steps", "many"], "--steps"), (&["--steps", huge], "--steps"),
        (&["--epochs", huge], "--epochs"), (&["--batch", "0"], "--batch"), (&["--batch", huge], "--batch"),
        (&["--rate", "0"], "--rate"), (&["--rate=-0.1"], "--rate"), (&["--rate", "nan"], "--rate"), (&["--rate", "1e60"], "--rate"),
        (&["--rate", "1e-60"], "--rate"), (&["--momentum", "1"], "--momentum"), (&["--momentum", "nan"], "--momentum"),
        (&["--lambda=-1"], "--lambda"), (&["--lambda", "inf"], "--lambda"), (&["--range", "1.5"], "--range"),
        (&["--range", "nan"], "--range"), (&["--remove", "2"], "--remove"), (&["--mode", "sideways"], "--mode"),
        (&["--reading", "aloud"], "--reading"), (&["--network", "small-ish"], "--network"), (&["--network", "3^99"], "--network"),
        (&["--network", "0^0"], "--network"), (&["--network", "nowhere.json"], "nowhere.json"), (&["--clip", "0"], "--network"),
        (&["--clip", huge], "--network"), (&["--heads", "3"], "--network"), (&["--dropout", "1"], "--network"),
        (&["--dropout", "nan"], "--network"), (&["--clips-per-song", "0"], "--clips-per-song"),
        (&["--clips-per-song", huge], "--clips-per-song"), (&["--schedule", "fixed"], "--steps"), (&["--schedule", "tidal"], "--schedule"),
        (&["--threads", "1000000"], "--threads"), (&["--checkpoint-minutes", "0"], "--checkpoint-minutes"),
        (&["--checkpoint-minutes", "nan"], "--checkpoint-minutes"), (&["--device", "abacus"], "--device"),
        (&["--adapter", "0"], "--adapter"), (&["--family", "tiled"], "--family"), (&["--sideways"], "--sideways"),
    ];
    for (flags, says) in wrong {
        // A later flag takes the place of an earlier one only where clap is told so: leave those out.
        let all = train(&data, &run, &[]);
        let kept: Vec<&str> = drop_flag(&all, flags[0].split('=').next().unwrap());
        fails(&[&kept[..], flags].concat(), 2, &[says]);
        assert!(!run.exists(), "{flags:?}");
    }
    // A resumed run has its own settings: what would change them is refused, not passed over.
    for flag in [
        &["--rate", "0.1"][..],
        &["--steps", "9"],
        &["--network", "3^9"],
        &["--mode", "none"],
        &["--family", "avx2"],
        &["--dry-run"],
    ] {
        fails(&[&["train", "--resume", "--out", text(&run)][..], flag].concat(), 2, &["--resume", flag[0]]);
    }
    fails(&["train", "--out", text(&run)], 2, &["DATASET"]);
    fails(&["train", text(&data)], 2, &["--out"]);
    fails(&["train", text(folder.path()), "--out", text(&run), "--device", "cpu"], 2, &["manifest.json: no dataset here"]);
    fails(&["train", text(&data), "--out", text(&run), "--adapter", "no such adapter"], 3, &["no adapter is called"]);
    assert!(!run.exists());
    // A folder that cannot be made.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    fails(&train(&data, &file.join("run"), &["--steps", "1"]), 2, &["is a file, and no folder"]);
}

/// The arguments without a flag and its value.
fn drop_flag<'a>(arguments: &[&'a str], flag: &str) -> Vec<&'a str> {
    match arguments.iter().position(|&a| a == flag) {
        Some(at) => [&arguments[..at], &arguments[at + 2..]].concat(),
        None => arguments.to_vec(),
    }
}

#[test]
fn the_configuration_holds_what_decides() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    let flags =
        ["--steps", "12", "--rate", "0.02", "--momentum", "0.8", "--seed", "7", "--clips-per-song", "2", "--mode", "expected"];
    let more =
        ["--range", "0.6", "--lambda", "0.5", "--dropout", "0.25", "--heads", "2", "--schedule", "fixed", "--exclude-self"];
    let others = ["--reading", "eq2", "--untagged", "zeros", "--untagged-lenders", "pass", "--lend", "all", "--remove", "0.25"];
    let sums = ["--reduction", "sum", "--running-variance", "unbiased", "--clip", "250"];
    let flags = [&flags[..], &more, &others, &sums].concat();
    succeeds(&train(&data, &run, &flags));
    let text: Value = serde_json::from_slice(&std::fs::read(run.join(files::CONFIG)).unwrap()).unwrap();
    for (pointer, value) in [
        ("/network/heads", 2.into()),
        ("/network/dropout", 0.25.into()),
        ("/network/clip_length", 250.into()),
        ("/network/tags", 4.into()),
        ("/settings/batch", 4.into()),
        ("/settings/mean", false.into()),
        ("/settings/lambda", 0.5.into()),
        ("/settings/unbiased_variance", true.into()),
        ("/seed", 7.into()),
        ("/sample_rate", 8000.into()),
        ("/vocabulary/2", "warm".into()),
        ("/device", "CPU".into()),
        ("/train/schedule/rule", "fixed".into()),
        ("/train/schedule/rate", 0.02.into()),
        ("/train/schedule/momentum", 0.8.into()),
        ("/train/schedule/steps", 12.into()),
        ("/train/propagation/mode", "expected".into()),
        ("/train/propagation/range", 0.6.into()),
        ("/train/propagation/exclude_self", true.into()),
        ("/train/propagation/reading", "eq2".into()),
        ("/train/propagation/untagged", "zeros".into()),
        ("/train/propagation/untagged_lenders", "pass".into()),
        ("/train/propagation/lend", "all".into()),
        ("/train/propagation/remove", 0.25.into()),
        ("/train/clips_per_song", 2.into()),
    ] {
        assert_eq!(text.pointer(pointer), Some::<&Value>(&value), "{pointer}");
    }
    assert!(text.pointer("/settings/choice/family/native").is_some(), "{}", text["settings"]);
    let config = Config::read(&run).unwrap();
    assert_eq!(config.fingerprint.len(), 64);
    assert!(config.dataset.is_absolute());

    // The same flags give the same bits on any number of threads; another seed does not.
    for (name, more, same) in [("threads", ["--threads", "3"], true), ("seed", ["--seed", "8"], false)] {
        let other = folder.path().join(name);
        let kept = drop_flag(&flags, more[0]);
        succeeds(&train(&data, &other, &[&kept[..], &more].concat()));
        assert_eq!(bytes(&run) == bytes(&other), same, "{name}");
        assert_eq!(log(&run) == log(&other), same, "{name}");
        assert_eq!(config == Config::read(&other).unwrap(), same, "{name}");
    }
}

/// The CPU and the first Vulkan adapter, whatever it is, see the same losses: f32's rounding grows from
/// step to step, so the first ten are compared, to 1e-3.
#[test]
fn both_devices_train() {
    let (folder, data) = with_dataset(48);
    let losses = [&["--device", "cpu"][..], &["--device", "gpu", "--adapter", "0", "--no-tune"]].map(|device| {
        let run = folder.path().join(device[1]);
        let shape = ["train", text(&data), "--out", text(&run), "--batch", "4", "--steps", "10"];
        succeeds(&[&shape[..], &NETWORK, device].concat());
        let (out, _) = succeeds(&[&["evaluate", text(&run), "--json"], device].concat());
        assert!(out.contains("\"roc_auc\":"), "{out}");
        kind(&log(&run), "step").map(|step| [step["own"].as_f64().unwrap(), step["propagated"].as_f64().unwrap()]).collect()
    });
    let [cpu, gpu]: [Vec<[f64; 2]>; 2] = losses;
    assert_eq!((cpu.len(), gpu.len()), (10, 10));
    let furthest = cpu.iter().flatten().zip(gpu.iter().flatten()).map(|(a, b)| (a - b).abs() / a.abs().max(0.1));
    let furthest = furthest.fold(0.0, f64::max);
    println!("relative error of the losses of ten steps: {furthest:.1e}");
    assert!(furthest < 1e-3, "{cpu:?} {gpu:?}");
}

#[test]
fn what_should_be_known_before_waiting_is_said() {
    let (folder, data) = with_dataset(48);
    let (_, said) = succeeds(&train(&data, &folder.path().join("short"), &["--steps", "3"]));
    // Songs 6, 20, 34, 41 and so on: every seventh, where it is trained on.
    let short = (0..48).filter(|s| s % 7 == 6 && !matches!(s / 4 % 8, 3 | 7)).count();
    assert!(said.contains(&format!("36 training songs ({short} shorter than a clip")), "{said}");
    assert!(said.contains("8 validation songs"), "{said}");
    assert!(said.contains("3 steps are few for the running statistics, which move by 0.01 a step"), "{said}");
    let (_, said) = succeeds(&train(&data, &folder.path().join("long"), &["--steps", "300"]));
    assert!(!said.contains("are few for"), "{said}");
    // Without a network, a file or a folder being touched.
    let dry = folder.path().join("dry");
    let (out, _) = succeeds(&train(&data, &dry, &["--dry-run", "--json"]));
    let object: Value = serde_json::from_str(&out).unwrap();
    assert!(object["memory_bytes"].as_u64() > Some(0) && object["schema"] == 1, "{out}");
    assert!(!dry.exists());
}

/// All that training refuses, `--dry-run` refuses; what it says is what `plan` and the run itself say.
#[test]
fn a_dry_run_checks_what_training_would() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    let dry = |more: &[&'static str]| [&train(&data, &run, more)[..], &["--dry-run"]].concat();
    let (out, said) = succeeds(&[&dry(&[])[..], &["--threads", "1"]].concat());
    for what in ["36 training songs, 8 validation songs, 4 test songs, 4 tags", "90 steps an epoch, of 4 clips of 243 samples"] {
        assert!(out.contains(what), "{what}: {out}");
    }
    // Said once.
    assert!(out.contains("nothing was written") && out.contains(", f32\n") && !said.contains("training songs"), "{out}{said}");
    let plan = ["plan", "--batch", "4", "--tags", "4", "--device", "cpu", "--threads", "1"];
    let (plan, _) = succeeds(&[&plan[..], &NETWORK].concat());
    let memory = |text: &str| text.lines().find(|l| l.starts_with("memory: ")).unwrap().split(' ').nth(1).unwrap().to_string();
    assert_eq!(memory(&out), memory(&plan));
    let parameters = plan.split(" tags: ").nth(1).unwrap().split(' ').next().unwrap();
    assert!(out.contains(&format!("\n{parameters} parameters; ")), "{out}{plan}");
    fails(&dry(&["--contexts", "no-such-list.tsv"]), 2, &["no-such-list.tsv"]);
    fails(&dry(&["--rate", "0"]), 2, &["--rate"]);
    assert!(!run.exists());
    std::fs::create_dir(&run).unwrap();
    succeeds(&dry(&[]));
    std::fs::write(run.join("mine.txt"), "").unwrap();
    fails(&dry(&[]), 2, &["is not empty (mine.txt)", "Name a new folder by --out."]);
    assert_eq!(std::fs::read_dir(&run).unwrap().count(), 1);
    let inside = run.join("mine.txt").join("run");
    fails(&[&train(&data, &inside, &[])[..], &["--dry-run"]].concat(), 2, &["mine.txt: is a file, and no folder"]);
    // The small network is hinted at where the network is a larger one.
    let new = folder.path().join("new");
    let released = ["train", text(&data), "--out", text(&new), "--device", "cpu", "--dry-run", "--network"];
    let hinted = |network| succeeds(&[&released[..], &[network]].concat()).1.contains("(--network 3^5-81 ");
    assert!(hinted("3^9") && !hinted("3^5-81"));
}

/// What is left, is left of the run where that is known, else at most so much, or of the epoch.
#[test]
fn time_left_says_of_what() {
    let (folder, data) = with_dataset(48);
    let said = |name: &str, more: &[&str]| {
        let run = folder.path().join(name);
        let arguments = [&["train", text(&data), "--out", text(&run), "--device", "cpu", "--batch", "40"][..], &NETWORK, more];
        let (_, said) = succeeds(&arguments.concat());
        said.lines().find(|line| line.contains("step 2 (epoch 1)")).unwrap_or_else(|| panic!("{said}")).to_string()
    };
    let fixed = said("fixed", &["--schedule", "fixed", "--steps", "4"]);
    assert!(fixed.ends_with(" left") && !fixed.contains("at most"), "{fixed}");
    let limited = said("limited", &["--epochs", "1"]);
    assert!(limited.ends_with(" left") && limited.contains(", at most "), "{limited}");
    let misleading = folder.path().join("misleading");
    misleading_dataset(&misleading, 48);
    let run = folder.path().join("open");
    let open = ["train", text(&misleading), "--out", text(&run), "--device", "cpu", "--batch", "40", "--rate", "0.1"];
    let (_, open) = succeeds(&[&open[..], &NETWORK].concat());
    let line = open.lines().find(|line| line.contains("step 2 (epoch 1)")).unwrap();
    assert!(line.ends_with(" left in this epoch"), "{line}");
}

#[test]
fn a_run_with_nothing_to_learn_from_is_refused() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    let bare = ["--remove", "1", "--steps", "3"];
    let none = [&bare[..], &["--mode", "none"]].concat();
    fails(&train(&data, &run, &none), 2, &["has no song to train on", "--untagged"]);
    let zeros = [&none[..], &["--untagged", "zeros"]].concat();
    fails(&train(&data, &run, &zeros), 2, &["there is nothing to learn", "tagwalk info"]);
    assert!(!run.exists());
    // Tags can be borrowed from songs that are not trained on.
    succeeds(&train(&data, &run, &[&bare[..], &["--lend", "all"]].concat()));
}

#[test]
fn every_checkpoint_is_kept_where_that_is_asked_for() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    succeeds(&train(&data, &run, &["--steps", "5", "--checkpoint-steps", "2", "--keep"]));
    let read = |name: &str| Checkpoint::<Value>::read(&run.join(name)).unwrap();
    for steps in [2, 4, 5] {
        assert_eq!(read(&files::kept(steps)).position.steps, steps);
    }
    assert!(read(&files::kept(5)) == read(files::LAST) && read(&files::kept(4)).weights != read(files::LAST).weights);
    assert!(!run.join(files::kept(1)).exists() && !run.join(files::kept(3)).exists());
    // By the clock: 6 microseconds are over after every step.
    let timed = folder.path().join("timed");
    succeeds(&train(&data, &timed, &["--steps", "5", "--checkpoint-minutes", "1e-7", "--keep"]));
    assert!((1..=5).all(|steps| timed.join(files::kept(steps)).exists()));
}

/// Validation songs have other songs' tags here, so their loss soon rises.
#[test]
fn the_best_weights_are_those_of_the_lowest_validation_loss() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    misleading_dataset(&data, 48);
    succeeds(&train(&data, &run, &["--epochs", "3", "--clips-per-song", "2", "--rate", "0.05", "--keep"]));
    let log = log(&run);
    let epochs: Vec<(u64, f64)> =
        kind(&log, "epoch").map(|e| (e["steps"].as_u64().unwrap(), e["validation"].as_f64().unwrap())).collect();
    let &(steps, lowest) = epochs.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    println!("{epochs:?}");
    assert!(epochs.len() == 3 && steps < epochs[2].0, "the last epoch is the best: {epochs:?}");
    let kept = Checkpoint::<Value>::read(&run.join(files::kept(steps))).unwrap();
    let best = Weights::read(&run.join(files::BEST)).unwrap();
    assert!(kept.weights == best && kept.position.best_loss == Some(lowest));
    assert!(Checkpoint::<Value>::read(&run.join(files::LAST)).unwrap().weights != best);
}

/// `samplecnn.md`: the next stage goes on from the best checkpoint, with velocities of zero and a fifth of the rate.
#[test]
fn a_stage_of_the_released_schedule_begins_from_the_best_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    misleading_dataset(&data, 48);
    let flags = ["--schedule", "released", "--epochs", "20", "--clips-per-song", "2", "--rate", "0.05", "--keep"];
    succeeds(&train(&data, &run, &flags));
    let log = log(&run);
    let epochs: Vec<&Value> = kind(&log, "epoch").collect();
    let number = |epoch: &Value, what: &str| epoch[what].as_f64().unwrap();
    let read = |epoch: &Value| Checkpoint::<Value>::read(&run.join(files::kept(epoch["steps"].as_u64().unwrap()))).unwrap();
    // Decay within a stage is far below a half.
    let restart = epochs.windows(2).position(|pair| number(pair[1], "rate") < 0.5 * number(pair[0], "rate"));
    let restart = 1 + restart.expect("no epoch of twenty began a stage");
    assert_eq!(number(epochs[restart], "rate"), 0.01);
    let best =
        (0..=restart).min_by(|&a, &b| number(epochs[a], "validation").total_cmp(&number(epochs[b], "validation"))).unwrap();
    assert_eq!(restart, best + 3, "a stage ends three epochs after its best");
    let (begun, before) = (read(epochs[restart]), read(epochs[restart - 1]));
    assert!(begun.weights == read(epochs[best]).weights && begun.weights != before.weights);
    assert!(begun.momenta.iter().all(|&u| u == 0.0) && before.momenta.iter().any(|&u| u != 0.0));
    // At the run's end the best is that of all stages, and here neither the first epoch nor the last.
    let losses: Vec<f64> = epochs.iter().map(|epoch| number(epoch, "validation")).collect();
    let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    assert!(0 < lowest && lowest + 1 < losses.len(), "{losses:?}");
    assert!(Weights::read(&run.join(files::BEST)).unwrap() == read(epochs[lowest]).weights);
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_cannot_be_written_are_an_error() {
    let (folder, data) = with_dataset(48);
    let run = folder.path().join("run");
    let full = std::fs::File::create("/dev/full").unwrap();
    let mut command = tagwalk(&train(&data, &run, &["--steps", "5", "--json"]));
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("No space left"), "{said}");
}
