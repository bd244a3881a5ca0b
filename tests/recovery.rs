//! Recovered and wrong tags: exact expectations equal a count over all outcomes of walks worked out by hand, and the
//! mean of drawn ones; worlds behave as they were asked to.

use std::path::Path;

use tagwalk::dataset::write::Contents;
use tagwalk::dataset::{Dataset, Split, truth};
use tagwalk::experiment::recovery::{Reference, recovery};
use tagwalk::playlists::{Labels, Options, Reading};
use tagwalk::random::{Purpose, generator};

/// Songs a b c d e of tags 0 1 2, playlists a b c d and d a; e is tested. True tags and recorded ones:
/// a 01 -> 0, b 0 -> 0, c 12 -> none, d 2 -> 2 (has no audio, lends), e 0.
fn world(folder: &Path) -> Dataset {
    let mut contents = Contents {
        sample_rate: 22_050,
        names: ["a", "b", "c", "d", "e"].map(String::from).to_vec(),
        vocabulary: ["x", "y", "z"].map(String::from).to_vec(),
        tags: vec![vec![0], vec![0], vec![], vec![2], vec![0]],
        splits: vec![Split::Train, Split::Train, Split::Train, Split::None, Split::Test],
        playlists: vec![vec![0, 1, 2, 3], vec![3, 0], vec![4, 0]],
        ..Contents::default()
    };
    let tags = [vec![0, 1], vec![0], vec![1, 2], vec![2], vec![0]];
    let categories = [("x", "1"), ("y", "1"), ("z", "2")];
    let sums = truth::write(folder, &truth::Parts { tags: &tags, categories: &categories, styles: &[0.0; 5] }).unwrap();
    contents.options = serde_json::json!({truth::MEMBER: sums});
    let wave = vec![1i16; 10];
    contents.write(folder, &[wave.clone(), wave.clone(), wave.clone(), vec![], wave]).unwrap();
    Dataset::open(folder).unwrap()
}

#[test]
fn counts_are_those_worked_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = world(folder.path());
    let truth = Reference::of(&dataset).unwrap();
    assert!(matches!(truth, Reference::World(_)));
    let options = Options { range: 0.5, reading: Reading::Discard, ..Options::default() };
    let found = recovery(&dataset, &truth, &options, 0).unwrap();
    assert_eq!((found.songs, found.untagged), (3, 1));
    // c has no tags and e may not lend: both are taken out. Lists: a b (c) d; d a; a.
    // a: in three lists, each 1/3. First: a 1/2, b 1/8, d 1/16; second: a 1/2, d 1/8; third: a 1/2.
    //    lends x: 1/2 + 1/24; z: 1/48 + 1/24 = 1/16. y is missing and is not brought; z is wrong.
    // b: b 1/2, a 1/8, d 1/8: x 5/8 known, z 1/8 wrong; nothing is missing.
    // c: without itself, its list (a b) c (d), terms r^1 to b and d, r^2 to a: b 2/5, d 2/5, a 1/5.
    //    x 3/5 wrong, z 2/5 recovered, y missing and not brought.
    let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-6, "{got}, not {want}");
    let pairs = found.pairs;
    assert_eq!((pairs.missing, pairs.reachable, pairs.untrue), (3, 1, 4));
    near(pairs.recovered, 0.4);
    near(pairs.wrong, 1.0 / 16.0 + 1.0 / 8.0 + 3.0 / 5.0);
    near(pairs.repeated, 1.0 / 2.0 + 1.0 / 24.0 + 5.0 / 8.0);
    near(found.lent, (0.5 + 1.0 / 24.0 + 1.0 / 16.0 + 0.75 + 1.0) / 3.0);
    near(pairs.recovered_share().unwrap(), 0.4 / 3.0);
    near(pairs.precision().unwrap(), 0.4 / (0.4 + pairs.wrong));
    near(found.by_tag[0].wrong, 0.6);
    near(found.by_tag[2].recovered, 0.4);
    // At random: lenders a, b, d; a's others are b and d, b's a and d, c's all three.
    let lent_a = 0.5 + 1.0 / 24.0 + 1.0 / 16.0;
    near(pairs.recovered_at_random, 1.0 / 3.0);
    near(pairs.wrong_at_random, lent_a / 2.0 + 0.75 / 2.0 + 2.0 / 3.0);
}

#[test]
fn drawn_walks_bring_as_many_on_average() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = world(folder.path());
    let truth = Reference::of(&dataset).unwrap();
    for reading in [Reading::Discard, Reading::Clamp, Reading::Eq2, Reading::Wrap, Reading::Redraw] {
        for exclude_self in [false, true] {
            let options = Options { range: 0.6, reading, exclude_self, ..Options::default() };
            let pairs = recovery(&dataset, &truth, &options, 0).unwrap().pairs;
            let labels = Labels::new(&dataset, &options, 0).unwrap();
            const DRAWS: u64 = 20_000;
            let (mut recovered, mut wrong) = (0u64, 0u64);
            for draw in 0..DRAWS {
                for song in 0..3 {
                    let (mut own, mut lent) = ([0f32; 3], [0f32; 3]);
                    let mut random = generator(draw, Purpose::Walk, [song as u64, 0, 0]);
                    labels.row(song, &mut random, &mut own, &mut lent, &mut [], &mut []);
                    for tag in (0..3).filter(|&tag| lent[tag] > 0.0 && own[tag] == 0.0) {
                        match truth.has_tag(song, tag) {
                            true => recovered += 1,
                            false => wrong += 1,
                        }
                    }
                }
            }
            // Three songs: a draw's variance is below 3/4.
            let bound = 5.0 * (0.75 / DRAWS as f64).sqrt();
            let (recovered, wrong) = (recovered as f64 / DRAWS as f64, wrong as f64 / DRAWS as f64);
            assert!((recovered - pairs.recovered).abs() < bound, "{reading:?}: {recovered}, {}", pairs.recovered);
            assert!((wrong - pairs.wrong).abs() < bound, "{reading:?}: {wrong}, {}", pairs.wrong);
        }
    }
}

#[test]
fn without_a_truth_the_dataset_s_own_tags_are_it() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents {
        sample_rate: 22_050,
        names: (0..4).map(|i| format!("s{i}")).collect(),
        vocabulary: vec!["x".into()],
        tags: vec![vec![0]; 4],
        splits: vec![Split::Train; 4],
        playlists: vec![vec![0, 1, 2, 3]],
        ..Contents::default()
    };
    contents.write(folder.path(), &vec![vec![1, 2]; 4]).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let truth = Reference::of(&dataset).unwrap();
    let of = |remove| recovery(&dataset, &truth, &Options { remove, ..Options::default() }, 1).unwrap();
    assert_eq!((of(0.0).pairs.missing, of(0.0).pairs.recovered_share()), (0, None));
    // All that lend have the tag, and songs without tags always borrow.
    let half = of(0.5);
    assert_eq!((half.pairs.missing, half.pairs.wrong), (2, 0.0));
    assert!((half.pairs.recovered - 2.0).abs() < 1e-6);
    let none = Contents { splits: vec![Split::Test; 4], ..contents };
    let folder = tempfile::tempdir().unwrap();
    none.write(folder.path(), &vec![vec![1, 2]; 4]).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let truth = Reference::of(&dataset).unwrap();
    assert!(recovery(&dataset, &truth, &Options::default(), 0).unwrap_err().to_string().contains("no song is trained on"));
}

#[cfg(feature = "import")]
#[test]
fn coherent_playlists_recover_and_others_are_no_better_than_chance() {
    use tagwalk::experiment::world::{Options as WorldOptions, World};
    let of = |coherence: f64| {
        let folder = tempfile::tempdir().unwrap();
        let options = WorldOptions {
            songs: 3000,
            lenders: 0,
            playlists: 2000,
            seconds: 0.1,
            rate: 4000,
            coherence,
            ..WorldOptions::default()
        };
        World::new(&options).unwrap().write(folder.path(), &mut |_| Ok(())).unwrap();
        let dataset = Dataset::open(folder.path()).unwrap();
        let truth = Reference::of(&dataset).unwrap();
        let options = Options { exclude_self: true, ..Options::default() };
        recovery(&dataset, &truth, &options, 0).unwrap().pairs
    };
    let (none, all) = (of(0.0), of(1.0));
    let (known, chance) = (none.precision().unwrap(), none.precision_at_random().unwrap());
    println!("{known:.3} by chance {chance:.3}; {:?}, by chance {:?}", all.precision(), all.precision_at_random());
    assert!((known - chance).abs() < 0.03, "{known}, by chance {chance}");
    // Seen: 0.20 beside 0.11 by chance, most of a playlist's steps being near but for some traits.
    assert!(all.precision().unwrap() > 1.5 * all.precision_at_random().unwrap());
    assert!(all.recovered_share() > none.recovered_share());
}
