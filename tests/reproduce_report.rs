//! What a grid's rows say: intervals without scores, arms without a network, rates chosen on validation, one factor at a time;
//! and a dry run, which leaves none.
#![cfg(feature = "report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tagwalk::experiment::grid::{Row, TagRow, row};
use tagwalk::experiment::report::ArmRow;

mod common;
use common::grids::{command, rows};
use common::runs::{fails, outcome, succeeds, text, with_dataset};

/// A grid's command with some of its values changed.
fn changed<'a>(data: &'a Path, out: &'a Path, changes: &[(&str, &'a str)], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = command(data, out, more);
    for (flag, value) in changes {
        let at = all.iter().position(|word| word == flag).unwrap();
        all[at + 1] = value;
    }
    all
}

#[test]
fn without_scores_the_intervals_are_those_that_were_kept() {
    let (folder, data) = with_dataset(192);
    let [out, other] = ["grid", "other"].map(|name| folder.path().join(name));
    succeeds(&command(&data, &out, &[]));
    let arms = |out: &Path| fs::read(out.join("data/arms.csv")).unwrap();
    fs::create_dir(&other).unwrap();
    for table in ["runs.csv", "tags.csv", "intervals.csv"] {
        fs::copy(out.join(table), other.join(table)).unwrap();
    }
    let (_, said) = succeeds(&command(&data, &other, &["--collect"]));
    assert!(!said.contains("missing") && arms(&other) == arms(&out));
    let kept = fs::read(other.join("intervals.csv")).unwrap();
    assert!(kept == fs::read(out.join("intervals.csv")).unwrap() && kept.len() > 1000);
    // Other resamples are not those.
    let mut words = command(&data, &other, &["--collect"]);
    let at = words.iter().position(|word| *word == "50").unwrap();
    words[at] = "49";
    succeeds(&words);
    let rows: Vec<ArmRow> = row::read(&arms(&other)).unwrap();
    assert!(rows.iter().all(|row| row.songs_low.is_none()) && rows.iter().any(|row| row.seeds_low.is_some()));
}

#[test]
fn what_needs_no_network_is_what_baseline_says() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let floors = "none,linear-tagged-songs,linear-playlists-exclude-self,group-s-mean-tags";
    let changes = [("--seeds", "1"), ("--arms", floors), ("--scan", "none"), ("--ranges", "0.4"), ("--steps", "2")];
    succeeds(&changed(&data, &out, &changes, &["--remove", "0.5", "--first-seed", "3"]));
    let rows = rows(&out);
    let tags: Vec<TagRow> = row::read(&fs::read(out.join("tags.csv")).unwrap()).unwrap();
    let mut compared = 0;
    for of in rows.values().filter(|row| row.arm != "none") {
        // The row's own command.
        let words = of.commands.replace("DATASET", text(&data));
        let words: Vec<&str> = words.split(' ').skip(1).chain(["--json"]).collect();
        let said: serde_json::Value = serde_json::from_str(&succeeds(&words).0).unwrap();
        let lines = said["lines"].as_array().unwrap();
        let line = lines.iter().find(|line| line["arm"] == *of.arm).unwrap_or_else(|| panic!("{}: {said}", of.arm));
        let own = tags.iter().filter(|tag| tag.hash == of.hash && tag.positives >= 5).filter_map(|tag| tag.roc_auc);
        let own: Vec<f64> = own.collect();
        let auc = own.iter().sum::<f64>() / own.len() as f64;
        assert!((line["figures"]["roc_auc"].as_f64().unwrap() - auc).abs() < 1e-9, "{}: {auc}, {line}", of.arm);
        assert_eq!(line["training_songs"], of.training_songs, "{}", of.arm);
        assert_eq!((of.steps, of.rate), (0, 0.0));
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[test]
fn a_rate_is_chosen_on_validation_for_means_and_for_sums() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let arms = ("--arms", "none,walk-exclude-self,walk-sum");
    let changes = [("--seeds", "1"), arms, ("--scan", "walk-exclude-self"), ("--ranges", "0.4"), ("--steps", "20")];
    succeeds(&changed(&data, &out, &changes, &["--rates", "0.5,1,4"]));
    let rows = rows(&out);
    for (arm, reduction, equal) in [("walk --exclude-self", "mean", 1.0), ("walk, sum", "sum", 16.0)] {
        let of: Vec<&Row> = rows.values().filter(|row| row.arm == arm).collect();
        let rates: BTreeSet<u64> = of.iter().map(|row| row.rate.to_bits()).collect();
        // Four clips of four tags a step.
        assert_eq!(rates, [0.5, 1.0, 4.0].map(|m: f64| (0.05 * m / equal).to_bits()).into(), "{arm}");
        assert!(of.iter().all(|row| row.reduction == reduction && row.steps == 20));
        let best = of.iter().max_by(|a, b| a.valid_roc_auc.unwrap().total_cmp(&b.valid_roc_auc.unwrap())).unwrap();
        let arms: Vec<ArmRow> = row::read(&fs::read(out.join("data/arms.csv")).unwrap()).unwrap();
        let chosen = |arm: &str| {
            let name = format!("{arm}, rate chosen on validation");
            arms.iter().find(|row| row.arm == name && row.measure == "annotation MAP").unwrap()
        };
        let line = chosen(arm);
        assert_eq!(line.test, best.annotation_map);
        assert_eq!(line.chosen, format!("0: {}", best.rate as f32));
        // The baseline had the same choice, and is what they are measured by.
        let none = chosen("none");
        assert_eq!((none.against.as_str(), line.against.as_str()), ("none", "none, rate chosen on validation"));
        assert!((line.difference.unwrap() - (line.test.unwrap() - none.test.unwrap())).abs() < 1e-12);
    }
    assert_eq!(rows.values().filter(|row| row.arm == "none").count(), 3);
    // A sum at the rate that makes equal steps of it is the mean, and bit for bit where clips times tags are a power of two.
    let at = |arm: &str, rate: f64| rows.values().find(|row| row.arm == arm && (row.rate - rate).abs() < 1e-12).unwrap();
    let [mean, sum] = [at("walk --exclude-self", 0.05), at("walk, sum", 0.05 / 16.0)].map(|row| row.annotation_map.unwrap());
    assert_eq!(mean, sum);
}

#[test]
fn one_factor_at_a_time_from_the_rows_of_a_folder() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none,walk"), ("--steps", "10"), ("--ranges", "0.4")];
    succeeds(&changed(&data, &out, &changes, &["--remove", "0.25"]));
    assert!(!out.join("data/factors.csv").exists());
    let changes = [("--arms", "none,walk"), ("--steps", "10")];
    succeeds(&changed(&data, &out, &changes, &["--remove", "0.75"]));
    #[derive(serde::Deserialize)]
    struct Point {
        value: f64,
        range: f64,
        measure: String,
        seeds: usize,
        gain: f64,
        recovered: f64,
    }
    let points: Vec<Point> = row::read(&fs::read(out.join("data/factors.csv")).unwrap()).unwrap();
    let rows = rows(&out);
    let mut seen = BTreeSet::new();
    for point in points.iter().filter(|point| point.measure == "annotation MAP") {
        let of = |arm: &str, range: Option<f64>| -> Vec<&Row> {
            rows.values().filter(|row| row.arm == arm && row.remove == point.value && row.range == range).collect()
        };
        let mean = |rows: &[&Row], of: &dyn Fn(&Row) -> f64| rows.iter().map(|row| of(row)).sum::<f64>() / rows.len() as f64;
        let (none, walk) = (of("none", None), of("walk", Some(point.range)));
        assert_eq!((none.len(), walk.len(), point.seeds), (2, 2, 2));
        let map = |row: &Row| row.annotation_map.unwrap();
        assert!((point.gain - (mean(&walk, &map) - mean(&none, &map))).abs() < 1e-12);
        let recovered = |row: &Row| row.recovered.unwrap() / row.missing.unwrap() as f64;
        assert!((point.recovered - mean(&walk, &recovered)).abs() < 1e-12 && point.recovered > 0.0);
        seen.insert((point.value.to_bits(), point.range.to_bits()));
    }
    assert_eq!(seen.len(), 4);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for id in ["recovery", "factors", "range"] {
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let (folder, data) = with_dataset(48);
    let out = folder.path().join("grid");
    let before = fs::read_dir(folder.path()).unwrap().count();
    let words = ["reproduce", text(&data), "--out", text(&out), "--dry-run", "--device", "cpu", "--network", "3^3-9/8"];
    let (printed, said) = succeeds(&[&words[..], &["--remove", "0.5", "--batch", "4"]].concat());
    assert!(said.contains("timing a step of 3^3-9/8") && said.contains("to do"), "{said}");
    assert!(printed.contains("audio-neighbours: ") && printed.contains("linear-tagged-songs: "), "{printed}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

/// Worlds of one coherence that differ in something else are not taken for one, and rows of other grids are said.
#[test]
fn only_worlds_alike_but_for_coherence_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("grid");
    let grid = |name: &str, coherence: &str, playlists: &str| {
        let world = folder.path().join(name);
        let made = ["--songs", "60", "--lenders", "20", "--seconds", "0.5", "--untagged", "0", "--sparse-everywhere"];
        let of = ["synth", "--out", text(&world), "--coherence", coherence, "--playlists", playlists];
        succeeds(&[&of[..], &made].concat());
        let flags =
            ["--network", "3^3-9/8", "--steps", "2", "--batch", "4", "--seeds", "2", "--split-by", "songs", "--top", "all"];
        let arms = ["--arms", "none,walk", "--scan", "walk", "--ranges", "0.4", "--bootstrap", "0", "--device", "cpu"];
        succeeds(&[&["reproduce", text(&world), "--out", text(&out)][..], &flags, &arms, &["--min-positives", "1"]].concat()).1
    };
    let values = || -> BTreeSet<String> {
        let table = fs::read_to_string(out.join("data/factors.csv")).unwrap_or_default();
        table.lines().filter(|line| line.starts_with("coherence")).map(|line| line.split(',').nth(1).unwrap().into()).collect()
    };
    assert!(!grid("far", "0", "80").contains("rows of other flags"));
    assert!(grid("near", "1", "80").contains("runs.csv also keeps 4 rows of other flags"));
    assert_eq!(values(), ["0.0", "1.0"].map(String::from).into());
    // A second world of coherence 0: neither is the one that differs from `near` in coherence alone.
    grid("other", "0", "120");
    grid("near", "1", "80");
    assert_eq!(values(), BTreeSet::new(), "one value alone is no factor");
}

/// One tag that counts says nothing of how a gain varies between tags.
#[test]
fn one_tag_has_no_interval_by_tags() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none,walk"), ("--steps", "10"), ("--ranges", "0.4")];
    succeeds(&changed(&data, &out, &changes, &[]));
    let interval = |least: usize| -> (Option<f64>, usize) {
        let least = least.to_string();
        let (printed, _) =
            succeeds(&changed(&data, &out, &[&changes[..], &[("--min-positives", &least)]].concat(), &["--collect"]));
        let counted = printed.split("songs have: ").nth(1).unwrap().split(" of 4").next().unwrap();
        // `N` in every seed, or `N to M`.
        let counted = counted.rsplit(' ').next().unwrap().parse().unwrap();
        let arms: Vec<ArmRow> = row::read(&fs::read(out.join("data/arms.csv")).unwrap()).unwrap();
        (arms.iter().find(|row| row.arm != "none" && row.measure == "ROC-AUC").unwrap().tags_low, counted)
    };
    assert!(matches!(interval(2), (Some(_), 4)), "{:?}", interval(2));
    let one = (3..60).map(interval).find(|(_, counted)| *counted == 1).expect("tags differ in how many songs have them");
    assert_eq!(one.0, None);
}

/// What a folder holds beside a grid stays, and tables that cannot be read whole are kept.
#[test]
fn nothing_of_a_users_is_lost() {
    let (folder, data) = with_dataset(48);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none,walk"), ("--steps", "2"), ("--ranges", "0.4")];
    let all = changed(&data, &out, &changes, &[]);
    let drawn = folder.path().join("drawn");
    for name in ["data", "figures"] {
        fs::create_dir_all(drawn.join(name)).unwrap();
    }
    fs::write(drawn.join("data/mine.csv"), "a,b\n").unwrap();
    fails(&changed(&data, &drawn, &changes, &[]), 2, &["is not empty", "data"]);
    succeeds(&all);
    for (name, text) in [("data/mine.csv", "a,b\n"), ("figures/mine.svg", "<svg/>"), ("data/factors.csv", "old\n")] {
        fs::write(out.join(name), text).unwrap();
    }
    // A row of some other grid, with a cell that is no number.
    let path = out.join("runs.csv");
    let table = fs::read_to_string(&path).unwrap();
    let mut broken = table.clone();
    broken.push_str("0123456789abcdef,of another grid\n");
    fs::write(&path, &broken).unwrap();
    let (_, said) = succeeds(&[&all[..], &["--collect"]].concat());
    assert!(said.contains("runs.csv") && said.contains("runs.csv.damaged"), "{said}");
    assert_eq!(fs::read_to_string(out.join("runs.csv.damaged")).unwrap(), broken);
    assert_eq!(fs::read_to_string(&path).unwrap(), table);
    assert!(out.join("data/mine.csv").exists() && out.join("figures/mine.svg").exists());
    assert!(!out.join("data/factors.csv").exists(), "a figure of an earlier report");
    // Intervals stand for scores that may be gone.
    fs::write(out.join("intervals.csv"), "key\nx\n").unwrap();
    fails(&[&all[..], &["--collect"]].concat(), 2, &["intervals.csv", "Put back a whole copy"]);
}

/// One seed says nothing of how flat a best range is.
#[test]
fn one_seed_has_no_errors() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none,walk"), ("--steps", "10"), ("--seeds", "1")];
    succeeds(&changed(&data, &out, &changes, &["--remove", "0.5"]));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("one seed says nothing of how flat") && !page.contains("within a standard error of it"));
    let range = fs::read_to_string(out.join("data/range.csv")).unwrap();
    let errors: Vec<&str> = range.lines().skip(1).map(|line| line.split(',').nth(6).unwrap()).collect();
    assert_eq!(errors, ["", "", ""], "{range}");
}

/// A rate at which a run diverges stops neither the others, nor the grid when it goes on.
#[test]
fn a_run_that_diverges_stops_no_other() {
    let (folder, data) = with_dataset(48);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none"), ("--scan", "none"), ("--steps", "12"), ("--ranges", "0.4"), ("--seeds", "1")];
    let more = ["--tune", "none", "--rates", "1e9,1"];
    let (code, _, said) = outcome(&changed(&data, &out, &changes, &more));
    assert!(code == Some(1) && said.contains("run 2 failed") && said.contains("is not finite"), "{said}");
    let changes = [&changes[..4], &[("--seeds", "2")]].concat();
    let (code, _, said) = outcome(&changed(&data, &out, &changes, &more));
    assert!(code == Some(1) && said.contains("run 2 failed") && said.contains("run 4 failed"), "{said}");
    assert_eq!(rows(&out).len(), 2);
}

/// Where others do all that is left there is nothing to report, and that is said.
#[test]
fn runs_of_another_process_are_said_to_be() {
    let (folder, data) = with_dataset(48);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none"), ("--scan", "none"), ("--steps", "2"), ("--ranges", "0.4"), ("--seeds", "1")];
    let all = changed(&data, &out, &changes, &[]);
    let store = tagwalk::experiment::grid::Store::create(&out).unwrap();
    let listed = succeeds(&[&all[..], &["--list"]].concat()).0;
    assert_eq!(listed.lines().count(), 1);
    // The run's hash is its row's name, in a folder of its own.
    let other = folder.path().join("other");
    succeeds(&changed(&data, &other, &changes, &[]));
    let hash = rows(&other).into_keys().next().unwrap();
    let _claim = store.claim(&hash).unwrap().expect("nobody has it");
    fails(&all, 1, &["all runs are being done by other processes"]);
}

/// An arm that is to choose among ranges keeps all of them, whatever other arm is the same at one, and stands before it or not.
#[test]
fn a_scanned_arm_keeps_its_ranges() {
    let (folder, data) = with_dataset(48);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none,walk-r-0,walk"), ("--steps", "2"), ("--ranges", "0,0.4"), ("--seeds", "1")];
    let (_, said) = succeeds(&changed(&data, &out, &changes, &[]));
    let ranges: Vec<Option<f64>> = rows(&out).into_values().filter(|row| row.arm == "walk").map(|row| row.range).collect();
    assert!(ranges.len() == 2 && ranges.contains(&Some(0.0)), "{ranges:?}");
    assert!(said.contains("walk, r = 0: the same runs as another arm's"), "{said}");
}

/// Tags that count in some seeds only are listed with the number of those, those that count in none by name.
#[test]
fn tags_that_do_not_count_everywhere_are_listed() {
    let (folder, data) = with_dataset(192);
    let out = folder.path().join("grid");
    let changes = [("--arms", "none,walk"), ("--steps", "2"), ("--ranges", "0.4")];
    succeeds(&changed(&data, &out, &changes, &[]));
    let tags: Vec<TagRow> = row::read(&fs::read(out.join("tags.csv")).unwrap()).unwrap();
    let none: BTreeSet<String> = rows(&out).into_values().filter(|row| row.arm == "none").map(|row| row.hash).collect();
    // By how many test songs have each tag in either seed: one bound that all reach, one that some miss in a seed, one for none.
    let least = |tag: &str| tags.iter().filter(|t| t.tag == tag && none.contains(&t.hash)).map(|t| t.positives).min().unwrap();
    let most = |tag: &str| tags.iter().filter(|t| t.tag == tag && none.contains(&t.hash)).map(|t| t.positives).max().unwrap();
    let names: BTreeSet<&str> = tags.iter().map(|t| t.tag.as_str()).collect();
    let uneven = names.iter().find(|tag| least(tag) < most(tag)).expect("seeds draw different sides");
    let bound = most(uneven).to_string();
    succeeds(&changed(&data, &out, &[&changes[..], &[("--min-positives", &bound)]].concat(), &["--collect"]));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("In some of 2 seeds only: ") && page.contains(&format!("{uneven} (1)")), "{uneven}");
    for tag in names.iter().filter(|tag| most(tag) < most(uneven)) {
        assert!(page.split("test songs in every seed: ").nth(1).unwrap().split('<').next().unwrap().contains(tag), "{tag}");
    }
}

/// Playlists of one song each lend nothing, and a grid says so before it begins.
#[test]
fn playlists_that_lend_nothing_are_said() {
    let (folder, data) = with_dataset(48);
    let said = |data: &Path, name: &str| {
        let changes = [("--arms", "none,walk"), ("--steps", "2"), ("--ranges", "0.4"), ("--seeds", "1")];
        let out = folder.path().join(name);
        succeeds(&changed(data, &out, &changes, &[])).1.contains("no playlist has two songs of the dataset")
    };
    let lonely = folder.path().join("lonely");
    let world = ["synth", "--songs", "40", "--lenders", "0", "--seconds", "0.5", "--playlists", "0", "--untagged", "0"];
    succeeds(&[&world[..], &["--out", text(&lonely)]].concat());
    assert!(!said(&data, "lists") && said(&lonely, "none"));
}
