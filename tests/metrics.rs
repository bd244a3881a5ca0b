//! Metrics equal scikit-learn's, ties and undefined entries included: the cases of the golden
//! `paper.json`, and larger ones that `tests/data/make_metrics.py` recorded.

mod common;

use serde_json::Value;
use tagwalk::evaluate::metrics::{Measured, Table};
use tagwalk::evaluate::ranking::Score;
use tagwalk::evaluate::{Figures, bootstrap};

/// Both sides sum in f64, in another order.
const BOUND: f64 = 1e-12;

fn same(what: &str, got: Option<f64>, want: &Value) {
    match (got, want.as_f64()) {
        (Some(got), Some(want)) => {
            assert!((got - want).abs() <= BOUND * want.abs().max(1e-3), "{what}: {got}, scikit-learn {want}")
        }
        (None, None) => assert!(want.is_null(), "{what}: {want}"),
        _ => panic!("{what}: {got:?}, scikit-learn {want}"),
    }
}

fn all_same<'a>(what: &str, got: impl ExactSizeIterator<Item = Option<f64>>, want: &'a Value) {
    let want: &'a Vec<Value> = want.as_array().unwrap();
    assert_eq!(got.len(), want.len(), "{what}");
    got.zip(want).enumerate().for_each(|(i, (g, w))| same(&format!("{what} {i}"), g, w));
}

fn numbers(rows: &Value) -> Vec<f64> {
    rows.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap().iter().map(|v| v.as_f64().unwrap())).collect()
}

fn check_case<S: Score>(case: &Value, scores: &[S], truth: &[u8], tags: usize) -> Measured {
    let name = case["name"].as_str().unwrap();
    let measured = Measured::new(&Table::new(scores, truth, tags).unwrap());
    let all: Vec<usize> = (0..tags).collect();
    let figures = measured.figures(&all);
    same(&format!("{name}: annotation MAP"), figures.annotation_map, &case["annotation_map"]);
    same(&format!("{name}: retrieval MAP"), figures.retrieval_map, &case["retrieval_map"]);
    let auc = if case["roc_auc"].is_null() { &case["retrieval_auc"] } else { &case["roc_auc"] };
    same(&format!("{name}: ROC-AUC"), figures.roc_auc, auc);
    all_same(&format!("{name}: AP of tag"), measured.by_tag().iter().map(|t| t.average_precision), &case["ap_per_tag"]);
    all_same(&format!("{name}: AUC of tag"), measured.by_tag().iter().map(|t| t.roc_auc), &case["auc_per_tag"]);
    measured
}

#[test]
fn golden_metrics() {
    let paper = common::golden::paper();
    let cases = paper["metrics"].as_array().unwrap();
    assert!(cases.len() >= 13);
    for case in cases {
        let tags = case["tags"].as_u64().unwrap() as usize;
        let scores: Vec<f32> = numbers(&case["scores"]).iter().map(|&s| s as f32).collect();
        let truth: Vec<u8> = numbers(&case["labels"]).iter().map(|&y| y as u8).collect();
        let measured = check_case(case, &scores, &truth, tags);
        all_same("AP of song", measured.by_song().iter().copied(), &case["ap_per_song"]);
    }
}

/// The generator of `make_metrics.py`.
struct Numbers(u64);

impl Numbers {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

struct Recorded {
    scores: Vec<f64>,
    truth: Vec<u8>,
    counts: Vec<u32>,
    tags: usize,
}

fn recorded(case: &Value) -> Recorded {
    let get = |key: &str| case[key].as_u64().unwrap();
    let mut numbers = Numbers(get("seed"));
    let (songs, tags) = (get("songs"), get("tags"));
    let (mut scores, mut truth) = (Vec::new(), Vec::new());
    for _ in 0..songs {
        for t in 0..tags {
            let y = numbers.draw() % 1000 < get("permille") * 4 / (t + 4);
            let mut k = || ((numbers.draw() << 22) ^ numbers.draw()) % (1 << get("bits"));
            let k = [k(), k()];
            let better = if y { k[0].max(k[1]) } else { k[0] };
            scores.push(get("offset") as f64 + better as f64 / (1u64 << get("shift")) as f64);
            truth.push(u8::from(y));
        }
    }
    let counts = (0..songs).map(|_| (numbers.draw() % 4) as u32).collect();
    Recorded { scores, truth, counts, tags: tags as usize }
}

#[test]
fn larger_tables_and_resamples() {
    let file: Value = serde_json::from_str(include_str!("data/metrics.json")).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let Recorded { scores, truth, counts, tags } = recorded(case);
        assert_eq!(truth.iter().map(|&y| u64::from(y)).sum::<u64>(), case["positives"].as_u64().unwrap(), "another table");
        let exact: Vec<f32> = scores.iter().map(|&s| s as f32).collect();
        let fits = exact.iter().zip(&scores).all(|(&a, &b)| f64::from(a) == b);
        let measured = check_case(case, &scores, &truth, tags);
        if fits {
            check_case(case, &exact, &truth, tags);
        } else {
            let rounded = Measured::new(&Table::new(&exact, &truth, tags).unwrap());
            assert_ne!(rounded.by_tag(), measured.by_tag(), "f64 scores are ranked as f64");
        }
        let all: Vec<usize> = (0..tags).collect();
        let got = measured.resampled(&all, &counts);
        let want = &case["resampled"];
        same("resampled annotation MAP", got.annotation_map, &want["annotation_map"]);
        same("resampled retrieval MAP", got.retrieval_map, &want["retrieval_map"]);
        same("resampled ROC-AUC", got.roc_auc, &want["roc_auc"]);
    }
}

#[test]
fn baselines_and_rare_tags() {
    let file: Value = serde_json::from_str(include_str!("data/metrics.json")).unwrap();
    let Recorded { scores, truth, tags, .. } = recorded(&file["cases"][2]);
    let measured = Measured::new(&Table::new(&scores, &truth, tags).unwrap());
    let report = measured.report(5, None);
    // What a baseline gets is what its own scores get when they are measured as scores.
    let songs = report.songs;
    let shares: Vec<f64> = measured.by_tag().iter().map(|t| t.prevalence).collect();
    let everywhere = |row: &[f64]| {
        let table: Vec<f64> = row.iter().copied().cycle().take(songs * tags).collect();
        Measured::new(&Table::new(&table, &truth, tags).unwrap()).report(5, None).figures
    };
    let close = |a: Figures<Option<f64>>, b: Figures<Option<f64>>| {
        for (a, b) in [(a.annotation_map, b.annotation_map), (a.retrieval_map, b.retrieval_map), (a.roc_auc, b.roc_auc)] {
            assert!((a.unwrap() - b.unwrap()).abs() < BOUND, "{a:?} {b:?}");
        }
    };
    close(report.popularity, everywhere(&shares));
    close(report.prevalence, everywhere(&vec![0.5; tags]));
    assert_eq!(report.prevalence.roc_auc, Some(0.5));
    // Rare tags are left out of the figures to compare, and listed.
    let rare: Vec<usize> = (0..tags).filter(|&t| truth.iter().skip(t).step_by(tags).filter(|&&y| y == 1).count() < 5).collect();
    assert!(!rare.is_empty() && rare.len() < tags);
    assert_eq!((&report.frequent.left_out, report.frequent.tags), (&rare, tags - rare.len()));
    let kept: Vec<f64> = (0..tags).filter(|t| !rare.contains(t)).map(|t| measured.by_tag()[t].roc_auc.unwrap()).collect();
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    assert!((report.frequent.roc_auc.unwrap() - mean).abs() < BOUND);
}

/// Annotation MAP is a mean over independent songs, so its bootstrap error is the textbook's
/// standard error of a mean; and a table against itself differs by exactly nothing.
#[test]
fn bootstrap_intervals() {
    let file: Value = serde_json::from_str(include_str!("data/metrics.json")).unwrap();
    let Recorded { scores, truth, tags, .. } = recorded(&file["cases"][0]);
    let measured = Measured::new(&Table::new(&scores, &truth, tags).unwrap());
    let options = bootstrap::Options { replicates: 2000, ..bootstrap::Options::new(&measured, 5, 7) };
    let figures = bootstrap::intervals(&measured, &options).unwrap();
    let songs: Vec<f64> = measured.by_song().iter().copied().flatten().collect();
    let n = songs.len() as f64;
    let mean = songs.iter().sum::<f64>() / n;
    let error = (songs.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let got = figures.annotation_map.unwrap();
    // 2000 resamples know a standard deviation to 1 / sqrt(4000), 1.6 %: three of those and a little.
    assert!((got.error / error - 1.0).abs() < 0.06, "{} against {error}", got.error);
    assert!(((got.high - got.low) / (2.0 * 1.96 * error) - 1.0).abs() < 0.1, "{got:?}");
    assert!(got.low < got.value && got.value < got.high);
    // scipy's z of 95 %; resamples of a MAP lie above it, its interval does not.
    for got in [figures.annotation_map, figures.retrieval_map, figures.roc_auc].map(Option::unwrap) {
        let far = 1.959963984540054 * got.error;
        assert!((got.low - (got.value - far)).abs() < 1e-9 && (got.high - (got.value + far)).abs() < 1e-9, "{got:?}");
    }

    let worse: Vec<f64> = scores.iter().enumerate().map(|(i, s)| if i % 3 == 0 { 0.5 } else { *s }).collect();
    let worse = Measured::new(&Table::new(&worse, &truth, tags).unwrap());
    let gain = bootstrap::differences(&worse, &measured, &options).unwrap().roc_auc.unwrap();
    assert!(gain.low > 0.0, "{gain:?}");
    let none = bootstrap::differences(&measured, &measured, &options).unwrap();
    let none = none.retrieval_map.unwrap();
    assert_eq!((none.value, none.low, none.high, none.error), (0.0, 0.0, 0.0, 0.0));

    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let three = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let run = || bootstrap::intervals(&measured, &options).unwrap();
    assert_eq!(one.install(run), three.install(run), "the number of threads changes nothing");
    let other = bootstrap::intervals(&measured, &bootstrap::Options { seed: 8, ..options.clone() }).unwrap();
    assert_ne!(other.annotation_map, figures.annotation_map, "the seed does");
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    for (scores, truth, tags, says) in [
        (vec![0.5f32, f32::NAN], vec![0u8, 1], 2, "song 0, tag 1 is not a finite number"),
        (vec![0.5, 0.1, f32::INFINITY, 0.1], vec![0, 1, 0, 1], 2, "song 1, tag 0 is not a finite number"),
        (vec![0.5, 0.25], vec![0, 2], 2, "song 0, tag 1 is 2, neither 0 nor 1"),
        (vec![0.5, 0.25, 0.5], vec![0, 1, 1], 2, "do not make songs of 2 tags"),
        (vec![0.5, 0.25], vec![0, 1, 1, 1], 2, "do not make songs of 2 tags"),
        (vec![], vec![], 2, "do not make songs of 2 tags"),
        (vec![0.5], vec![1], 0, "do not make songs of 0 tags"),
    ] {
        let error = Table::new(&scores, &truth, tags).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
