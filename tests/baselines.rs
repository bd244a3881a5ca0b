//! Log-mel statistics equal scipy's and logistic regression scikit-learn's (`tests/data/make_baselines.py` recorded
//! them); the nearest songs by sound and the mean tags of groups equal those worked by hand.
#![cfg(feature = "baselines")]

use serde_json::Value;
use tagwalk::dataset::{Dataset, Split, write::Contents};
use tagwalk::experiment::audio::mel::{BANDS, Mel};
use tagwalk::experiment::audio::statistics::{self, WIDTH};
use tagwalk::experiment::audio::{Neighbours, Statistics};
use tagwalk::experiment::{groups, linear};
use tagwalk::playlists::{Bits, Options, Tags, Walks};

fn recorded() -> Value {
    serde_json::from_str(include_str!("data/baselines.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// As the script's `wave`.
fn wave(samples: i64) -> Vec<i16> {
    let triangle = |i: i64, period: i64| (i % period * 4 * 1000 / period - 2000).abs() - 1000;
    // Python's // rounds down.
    let one = |i: i64| {
        let rattle = (i * i * 7 + i * 31) % 1009 - 504;
        triangle(i, 100) * 4 + (triangle(i, 37) * (1 + i % 5000)).div_euclid(1000) + triangle(i, 11) + rattle * (i / 700 % 2)
    };
    (0..samples).map(|i| one(i) as i16).collect()
}

#[track_caller]
fn near(what: &str, got: &[f64], want: &[f64], bound: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= bound, "{what}, {i}: {g}, recorded {w}");
    }
}

#[test]
fn log_mel_is_that_of_scipy() {
    // Transforms in f32: powers near the floor of 1e-8 are sums of squares 1e-7 of the largest.
    const BOUND: f64 = 2e-4;
    for case in recorded()["mel"].as_array().unwrap() {
        let wave = wave(case["samples"].as_i64().unwrap());
        let mel = Mel::new(case["rate"].as_u64().unwrap() as u32);
        let mut frames: Vec<[f64; BANDS]> = Vec::new();
        mel.of(&wave, &mut mel.workspace(), |bands| frames.push(*bands));
        assert_eq!(frames.len() as u64, case["frames"].as_u64().unwrap());
        assert_eq!(frames.len(), Mel::frames(wave.len()));
        near("second frame", &frames[1], &numbers(&case["second_frame"]), BOUND);
        near("last frame", frames.last().unwrap(), &numbers(&case["last_frame"]), BOUND);
        let all = statistics::of_wave(&mel, &wave);
        near("mean", &all[..BANDS], &numbers(&case["mean"]), BOUND);
        near("deviation", &all[BANDS..2 * BANDS], &numbers(&case["deviation"]), BOUND);
        near("deviation of steps", &all[2 * BANDS..], &numbers(&case["step_deviation"]), BOUND);
    }
}

#[test]
fn logistic_regression_is_that_of_scikit_learn() {
    let cases = recorded();
    let cases = cases["linear"].as_array().unwrap();
    assert_eq!(cases.len(), 15);
    for case in cases {
        let options = linear::Options { c: case["c"].as_f64().unwrap(), balanced: case["balanced"].as_bool().unwrap() };
        let (inputs, labels, weights) = (numbers(&case["inputs"]), numbers(&case["labels"]), numbers(&case["weights"]));
        let model = linear::fit(&inputs, inputs.len() / labels.len(), &labels, &weights, &options);
        let what = format!("{options:?}");
        near(&what, &model.weights, &numbers(&case["coefficients"]), 1e-6);
        near(&what, &[model.intercept], &[case["intercept"].as_f64().unwrap()], 1e-6);
    }
}

#[test]
fn a_tag_of_all_or_none_has_an_intercept_alone() {
    let inputs = [0.5, -1.0, 2.0];
    for (label, sign) in [(0.0, -1.0), (1.0, 1.0)] {
        let model = linear::fit(&inputs, 1, &[label; 3], &[1.0; 3], &linear::Options::default());
        assert!(model.weights == [0.0] && model.intercept * sign > 5.0);
    }
    let nothing = linear::fit(&inputs, 1, &[1.0, 0.0, 1.0], &[0.0; 3], &linear::Options::default());
    assert!(nothing.weights == [0.0] && nothing.intercept < 0.0);
    // Songs that separate without error still have a finite model.
    let apart =
        linear::fit(&[-1.0, -2.0, 1.0, 2.0], 1, &[0.0, 0.0, 1.0, 1.0], &[1.0; 4], &linear::Options { c: 1e6, balanced: false });
    assert!(apart.weights[0].is_finite() && apart.probability(&[2.0]) > 0.99 && apart.probability(&[-2.0]) < 0.01);
}

/// Statistics whose first two columns are a point and whose others are 0.
fn points(points: &[(usize, [f64; 2])]) -> Statistics {
    let row = |p: &[f64; 2]| [&p[..], &[0.0; WIDTH - 2]].concat();
    Statistics { songs: points.iter().map(|p| p.0).collect(), values: points.iter().flat_map(|p| row(&p.1)).collect() }
}

#[test]
fn neighbours_come_the_most_alike_first_and_are_walked_like_playlists() {
    // Directions at 0, 10, 30 and 170 degrees; song 5 is as song 4 but longer; song 1 and 3 have no statistics.
    let at = |degrees: f64| [degrees.to_radians().cos(), degrees.to_radians().sin()];
    // A power of two: the cosines tie to the bit.
    let long = at(30.0).map(|x| 8.0 * x);
    let statistics = points(&[(0, at(0.0)), (2, at(10.0)), (4, at(30.0)), (5, long), (6, at(170.0))]);
    let near = Neighbours::new(&statistics, &[0, 1, 2, 3, 4], 3, 7);
    let lists: Vec<&[u32]> = (0..5).map(|i| near.lists().row(i)).collect();
    assert_eq!(lists, [[0, 2, 4, 5], [2, 0, 4, 5], [4, 5, 2, 0], [5, 4, 2, 0], [6, 4, 5, 2]]);
    let members: Vec<&[u32]> = (0..7).map(|song| near.memberships().row(song)).collect();
    assert_eq!(members, [&[0][..], &[], &[1], &[], &[2], &[3], &[4]]);
    // Only songs of the rows 0 and 3 among the others; no more than there are.
    let few = Neighbours::new(&statistics, &[0, 3], 9, 7);
    assert_eq!((few.lists().row(0), few.lists().row(1)), (&[0, 5][..], &[2, 0, 5][..]));

    // A walk from song 4, song 5 unable to lend: song 2 at the first place, song 0 at the second.
    let lenders = Bits::from_fn(7, |song| song != 5 && song != 4);
    for (reading, expected) in [
        (tagwalk::playlists::Reading::Redraw, [(0, 1.0 / 3.0), (2, 2.0 / 3.0)]),
        (tagwalk::playlists::Reading::Eq2, [(0, 1.0 / 3.0), (2, 2.0 / 3.0)]),
    ] {
        let options = Options { range: 0.5, reading, ..Options::default() };
        let walks = Walks::new(near.lists(), near.memberships(), lenders.clone(), &options).unwrap();
        let exact = walks.exact(4, true);
        for (got, want) in exact.songs.iter().zip(expected) {
            assert!(got.0 == want.0 && (got.1 - want.1).abs() < 1e-12, "{reading:?}: {exact:?}");
        }
        assert!(exact.nothing < 1e-12 && exact.songs.len() == 2);
        assert_eq!(walks.exact(1, true).nothing, 1.0);
    }
}

#[test]
fn standardised_columns_have_mean_0_and_deviation_1_where_they_were_fitted() {
    let mut statistics = points(&[(0, [1.0, 5.0]), (1, [3.0, 5.0]), (2, [9.0, 8.0])]);
    statistics.standardise(&[0, 1]);
    let column = |c: usize| [0, 1, 2].map(|row| statistics.row(row)[c]);
    assert_eq!((column(0), column(1), column(2)), ([-1.0, 1.0, 7.0], [0.0; 3], [0.0; 3]));
}

#[test]
fn a_group_s_mean_tags() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents {
        sample_rate: 22_050,
        names: (0..6).map(|i| format!("s{i}")).collect(),
        vocabulary: vec!["a".into(), "b".into()],
        tags: vec![vec![0], vec![0, 1], vec![1], vec![], vec![1], vec![0]],
        splits: vec![Split::Train, Split::Train, Split::Train, Split::Train, Split::Test, Split::Test],
        groups: vec![Some(0), Some(0), Some(1), Some(1), Some(0), None],
        group_names: vec!["x".into(), "y".into()],
        ..Contents::default()
    };
    contents.write(folder.path(), &vec![vec![1, 2]; 6]).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    // Three tagged training songs: a on 2 of 3, b on 2 of 3. Group x: a 2 of 2, b 1 of 2. Group y: a 0 of 1, b 1 of 1.
    let scores = groups::mean_tags(&dataset, &Tags::of(&dataset), &[4, 2, 5]);
    let prior = 2.0 / 3.0;
    let want = [(2.0 + prior) / 3.0, (1.0 + prior) / 3.0, prior / 2.0, (1.0 + prior) / 2.0, prior, prior];
    near("means", &scores.iter().map(|&s| f64::from(s)).collect::<Vec<_>>(), &want, 1e-6);
}

/// A world's tags can be heard, and are learned better from more songs.
#[cfg(feature = "import")]
#[test]
fn a_linear_model_hears_a_world_s_tags_and_more_songs_help() {
    use tagwalk::evaluate::metrics::{Measured, Table};
    use tagwalk::experiment::floor::{self, Floor};
    use tagwalk::experiment::recovery::Reference;
    use tagwalk::experiment::world::{Options as WorldOptions, World};

    let folder = tempfile::tempdir().unwrap();
    let options = WorldOptions { songs: 700, lenders: 0, seconds: 4.0, playlists: 0, tags: 30, ..WorldOptions::default() };
    World::new(&options).unwrap().write(folder.path(), &mut |_| Ok(())).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let truth = Reference::of(&dataset).unwrap();
    let mut statistics = Statistics::new(&dataset, &floor::heard(&dataset), &|| Ok(())).unwrap();
    floor::standardise(&dataset, &mut statistics);
    let test: Vec<usize> = (0..700).filter(|&s| dataset.split(s) == Split::Test).collect();
    let auc = |one_in: usize| {
        let (songs, inputs) = floor::rows(&statistics, |s| dataset.split(s) == Split::Train && s % one_in == 0);
        let labels: Vec<f32> = truth.table(&songs, 30).iter().map(|&y| f32::from(y)).collect();
        let models = linear::fit_all(&inputs, WIDTH, &labels, &vec![1.0; songs.len()], 30, &linear::Options::default());
        let scores = Floor { models, songs: songs.len() }.score(&statistics, &test);
        let measured = Measured::new(&Table::new(&scores, &truth.table(&test, 30), 30).unwrap());
        measured.figures(&measured.frequent(5)).roc_auc.unwrap()
    };
    // No artist of the test songs is among the training songs.
    let (few, all) = (auc(12), auc(1));
    println!("AUC {few:.3} from a twelfth of the training songs, {all:.3} from all");
    assert!(few > 0.6 && all > 0.8 && all > few + 0.05, "{few} {all}");
}
