//! What a run can choose about borrowed tags, at the labels themselves: ranges and weights by tag,
//! hops, controls, the ends of the range; and that `explain` says what the labels are.

use std::collections::BTreeMap;

use tagwalk::dataset::write::Contents;
use tagwalk::dataset::{Dataset, Split};
use tagwalk::playlists::explain::explain;
use tagwalk::playlists::options::{Context, Origin};
use tagwalk::playlists::{
    Contexts, Labels, Lend, Mode, Options, RandomLenders, Reading, Row, TagWeights, Untagged, UntaggedLenders,
};
use tagwalk::random::{Purpose, generator};

mod common;
use common::walks::{READINGS, fits, mixed};

const SONGS: usize = 9;

/// Song i has tag i and tag 9 + i, so that labels say who lent; songs 4 and 7 have none, 6 is of the test split.
fn dataset(folder: &std::path::Path) -> Dataset {
    let contents = Contents {
        sample_rate: 8000,
        names: (0..SONGS).map(|i| format!("{i}.wav")).collect(),
        vocabulary: (0..2 * SONGS).map(|t| format!("{}{}", ["a", "b"][t / SONGS], t % SONGS)).collect(),
        tags: (0..SONGS as u32).map(|i| if i == 4 || i == 7 { vec![] } else { vec![i, SONGS as u32 + i] }).collect(),
        splits: (0..SONGS).map(|i| if i == 6 { Split::Test } else { Split::Train }).collect(),
        groups: (0..SONGS as u32).map(|i| (i != 8).then_some(i % 2)).collect(),
        group_names: vec!["even".into(), "odd".into()],
        playlists: vec![vec![0, 1, 4, 2, 3, 5], vec![7, 0, 6, 5, 0, 3], vec![2, 1], vec![4, 4], vec![3, 7, 8]],
        ..Contents::default()
    };
    contents.write(folder, &vec![vec![1; 100]; SONGS]).unwrap();
    Dataset::open(folder).unwrap()
}

struct Rows {
    row: Row,
    labels: Vec<f32>,
    weights: Vec<f32>,
}

fn row(labels: &Labels<'_>, song: usize, example: u64) -> Rows {
    let tags = labels.dataset().vocabulary().len();
    let (mut own, mut propagated) = (vec![0.5; tags], vec![0.5; tags]);
    let mut weights = vec![0.5; labels.tag_weights().len()];
    let mut random = generator(3, Purpose::Walk, [0, song as u64, example]);
    let row = labels.row(song, &mut random, &mut own, &mut propagated, &mut weights, &mut vec![0.5; labels.workspace()]);
    Rows { row, labels: propagated, weights }
}

/// The one lender that the labels of a category name.
fn lender(rows: &Rows, category: usize) -> Option<usize> {
    let all: Vec<usize> = (0..SONGS).filter(|s| rows.labels[category * SONGS + s] == 1.0).collect();
    assert!(all.len() <= 1, "{all:?}");
    all.first().copied()
}

fn by_category(ranges: [f64; 2], change: impl FnOnce(&mut Options)) -> Options {
    let tag_ranges = (0..2 * SONGS).map(|tag| ranges[tag / SONGS]).collect();
    let mut options = Options { tag_ranges, range: 0.9, ..Options::default() };
    change(&mut options);
    options
}

/// Each category's lender has the law of its range, and the two are independent: the joint law is the product.
#[test]
fn categories_of_two_ranges_borrow_along_two_walks() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let ranges = [0.3, 0.8];
    for (reading, exclude_self, song) in [(Reading::Discard, false, 0), (Reading::Eq2, true, 3), (Reading::Clamp, false, 4)] {
        let labels =
            Labels::new(&dataset, &by_category(ranges, |o| (o.reading, o.exclude_self) = (reading, exclude_self)), 0).unwrap();
        let law = ranges.map(|range| {
            let exact = labels.walks().at(range).exact(song, labels.excludes_self(song));
            let mut law = vec![0.0; SONGS + 1];
            exact.songs.iter().for_each(|&(s, p)| law[s as usize] = p);
            law[SONGS] = exact.nothing;
            law
        });
        let mut joint = vec![0u64; (SONGS + 1) * (SONGS + 1)];
        for example in 0..60_000 {
            let rows = row(&labels, song, example);
            let [a, b] = [0, 1].map(|category| lender(&rows, category));
            joint[a.unwrap_or(SONGS) * (SONGS + 1) + b.unwrap_or(SONGS)] += 1;
            for (category, lent) in [a, b].into_iter().enumerate() {
                let want = f32::from(u8::from(lent.is_some()));
                assert!(rows.weights[category * SONGS..][..SONGS].iter().all(|&w| w == want));
            }
            assert_eq!(rows.row.propagated, f32::from(u8::from(a.is_some() || b.is_some())));
        }
        let product: Vec<f64> = law[0].iter().flat_map(|p| law[1].iter().map(move |q| p * q)).collect();
        fits(&product, &joint, &format!("{reading:?}"));
    }
}

/// Categories of one range share a walk: the very labels of a run without categories.
#[test]
fn categories_of_one_range_are_one_walk() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    for mode in [Mode::Walk, Mode::WalkWeighted, Mode::Expected, Mode::Hops] {
        let plain = Labels::new(&dataset, &Options { mode, range: 0.6, ..Options::default() }, 0).unwrap();
        let same = Labels::new(&dataset, &by_category([0.6, 0.6], |o| o.mode = mode), 0).unwrap();
        assert_eq!(same.ranges().len(), 1);
        for song in 0..SONGS {
            for example in 0..50 {
                let (one, other) = (row(&plain, song, example), row(&same, song, example));
                assert_eq!(one.labels, other.labels);
                assert!(other.weights.iter().all(|w| w * other.row.propagated == one.row.propagated), "{mode:?} {song}");
            }
        }
    }
}

/// `expected`, `walk-weighted` and `hops` have for each category what a run of its range has.
#[test]
fn a_category_has_the_labels_and_weights_of_its_range() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let ranges = [0.2, 0.7];
    for mode in [Mode::Expected, Mode::Hops] {
        let labels = Labels::new(&dataset, &by_category(ranges, |o| o.mode = mode), 0).unwrap();
        let of = ranges.map(|range| Labels::new(&dataset, &Options { mode, range, ..Options::default() }, 0).unwrap());
        for song in 0..SONGS {
            let rows = row(&labels, song, 0);
            for (category, of) in of.iter().enumerate() {
                let want = row(of, song, 0);
                let tags = category * SONGS..(category + 1) * SONGS;
                assert_eq!(rows.labels[tags.clone()], want.labels[tags.clone()]);
                assert!(rows.weights[tags].iter().all(|&w| w == want.row.propagated));
            }
        }
    }
    let labels = Labels::new(&dataset, &by_category(ranges, |o| o.mode = Mode::WalkWeighted), 0).unwrap();
    for example in 0..200 {
        let rows = row(&labels, 0, example);
        for (category, range) in ranges.into_iter().enumerate() {
            let eq4 = |s: usize| labels.walks().at(range).eq4(0, s as u32, false) as f32;
            assert_eq!(rows.weights[category * SONGS], lender(&rows, category).map_or(0.0, eq4));
        }
    }
}

#[test]
fn weights_of_tags() {
    let folder = tempfile::tempdir().unwrap();
    let contents = Contents {
        sample_rate: 8000,
        names: (0..5).map(|i| i.to_string()).collect(),
        vocabulary: ["all", "half", "one", "none"].map(String::from).to_vec(),
        // Four songs lend; of the fifth, of the test split, nothing counts.
        tags: vec![vec![0, 1], vec![0, 1, 2], vec![0], vec![0], vec![3]],
        splits: [Split::Train, Split::Train, Split::Train, Split::Train, Split::Test].to_vec(),
        playlists: vec![vec![0, 1, 2, 3]],
        ..Contents::default()
    };
    contents.write(folder.path(), &vec![vec![1; 9]; 5]).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    let weights =
        |tag_weights| Labels::new(&dataset, &Options { tag_weights, ..Options::default() }, 0).map(|l| l.tag_weights().to_vec());
    // ln 1, ln 2, ln 4, ln 4 (a tag of nobody as one of one): 0, 1, 2, 2 times ln 2, of mean 5/4 ln 2.
    let idf = weights(TagWeights::Idf).unwrap();
    for (got, want) in idf.iter().zip([0.0, 0.8, 1.6, 1.6]) {
        assert!((got - want).abs() < 1e-6, "{idf:?}");
    }
    assert_eq!(weights(TagWeights::Given(vec![1.0, 0.0, 2.0, 3.0])).unwrap(), [1.0, 0.0, 2.0, 3.0]);
    assert!(weights(TagWeights::Equal).unwrap().is_empty());
    let labels = Labels::new(&dataset, &Options { tag_weights: TagWeights::Idf, ..Options::default() }, 0).unwrap();
    assert_eq!(row(&labels, 0, 0).weights, idf);
    for wrong in [vec![1.0], vec![0.0; 4], vec![1.0, -1.0, 0.0, 0.0], vec![f32::NAN; 4]] {
        assert!(weights(TagWeights::Given(wrong)).unwrap_err().to_string().starts_with("propagation.tag_weights: "));
    }
}

/// Labels after hops, by dense matrices: P from eq. (4) over whole playlists, then Y and the mass.
#[test]
fn hops_are_the_recursion() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    for (untagged_lenders, exclude_self, lend) in [
        (UntaggedLenders::Drop, false, Lend::Train),
        (UntaggedLenders::Zeros, false, Lend::All),
        (UntaggedLenders::Drop, true, Lend::Train),
    ] {
        let (hops, alpha) = (4, 0.7);
        let options = Options { mode: Mode::Hops, hops, alpha, untagged_lenders, exclude_self, lend, ..Options::default() };
        let labels = Labels::new(&dataset, &options, 0).unwrap();
        let lends = |s: usize| s != 4 && s != 7 && (s != 6 || lend == Lend::All);
        let p: Vec<BTreeMap<u32, f64>> =
            (0..SONGS).map(|s| labels.walks().exact_by(Reading::Eq2, s, exclude_self).songs.into_iter().collect()).collect();
        // A song reaches every song of its lists, with tags or without.
        assert!(p[0].contains_key(&4) && p[0].contains_key(&6) && p[4].contains_key(&0));
        let start = |s: usize, column: usize| match column {
            SONGS => f64::from(u8::from(lends(s) || untagged_lenders == UntaggedLenders::Zeros)),
            tag => f64::from(u8::from(lends(s) && s == tag)),
        };
        let mut y: Vec<Vec<f64>> = (0..SONGS).map(|s| (0..=SONGS).map(|c| start(s, c)).collect()).collect();
        for _ in 0..hops {
            let next = |s: usize, c: usize| {
                alpha * p[s].iter().map(|(&to, q)| q * y[to as usize][c]).sum::<f64>() + (1.0 - alpha) * start(s, c)
            };
            y = (0..SONGS).map(|s| (0..=SONGS).map(|c| next(s, c)).collect()).collect();
        }
        for song in (0..SONGS).filter(|&s| s != 6) {
            let rows = row(&labels, song, 0);
            let mass = y[song][SONGS];
            assert!((f64::from(rows.row.propagated) - mass).abs() < 1e-6, "{song}: {} {mass}", rows.row.propagated);
            for (tag, &of_tag) in y[song][..SONGS].iter().enumerate() {
                assert!((f64::from(rows.labels[tag]) - of_tag / mass).abs() < 1e-6, "{song} {tag}");
                assert_eq!(rows.labels[tag], rows.labels[SONGS + tag]);
                let explained = explain(&labels, song, tag);
                assert!((explained.chance - of_tag).abs() < 1e-12 && (explained.lent - mass).abs() < 1e-12);
            }
        }
    }
}

/// Every mode and reading at both ends: numbers between 0 and 1, and the same for the same example.
#[test]
fn every_mode_and_reading_at_the_ends_of_the_range() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    for mode in [Mode::Walk, Mode::WalkWeighted, Mode::Expected, Mode::Hops] {
        for reading in READINGS.into_iter().filter(|r| mode != Mode::Hops || *r == Reading::Eq2) {
            for range in [0.0, 1.0] {
                for exclude_self in [false, true] {
                    for untagged in [Untagged::Mask, Untagged::Zeros] {
                        let options = Options { mode, reading, range, exclude_self, untagged, ..Options::default() };
                        let labels = Labels::new(&dataset, &options, 0).unwrap();
                        for song in 0..SONGS {
                            for example in 0..20 {
                                let rows = row(&labels, song, example);
                                let all = rows.labels.iter().chain([&rows.row.propagated]);
                                assert!(all.into_iter().all(|v| (0.0..=1.0).contains(v)), "{options:?}");
                                assert_eq!(rows.labels, row(&labels, song, example).labels);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What `explain` says of each tag is what is drawn: label, chance, and with controls too.
#[test]
fn explained_chances_are_those_of_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    for (random_lenders, untagged_lenders) in [
        (RandomLenders::None, UntaggedLenders::Drop),
        (RandomLenders::None, UntaggedLenders::Zeros),
        (RandomLenders::Any, UntaggedLenders::Drop),
        (RandomLenders::Popularity, UntaggedLenders::Pass),
    ] {
        let options = Options { random_lenders, untagged_lenders, range: 0.6, ..Options::default() };
        let labels = Labels::new(&dataset, &options, 0).unwrap();
        for song in [0, 3, 4] {
            let explained: Vec<_> = (0..SONGS).map(|tag| explain(&labels, song, tag)).collect();
            let mut law: Vec<f64> = explained.iter().map(|e| e.chance).collect();
            law.push(1.0 - law.iter().sum::<f64>());
            let mut counts = vec![0u64; SONGS + 1];
            (0..30_000).for_each(|example| counts[lender(&row(&labels, song, example), 0).unwrap_or(SONGS)] += 1);
            fits(&law, &counts, &format!("{random_lenders:?} {untagged_lenders:?} {song}"));
            for (tag, one) in explained.iter().enumerate() {
                assert!(one.gifts.iter().all(|gift| gift.lender as usize == tag && gift.probability > 0.0 && gift.weight == 1.0));
            }
        }
    }
    let options = Options { mode: Mode::Expected, range: 0.6, ..Options::default() };
    let labels = Labels::new(&dataset, &options, 0).unwrap();
    let rows = row(&labels, 0, 0);
    for tag in 0..SONGS {
        let explained = explain(&labels, 0, tag);
        assert!((explained.lent - f64::from(rows.row.propagated)).abs() < 1e-6);
        assert!((explained.label().unwrap() - f64::from(rows.labels[tag])).abs() < 1e-6);
    }
    // By list and place: from song 0 to song 1 one step right in list 0, nothing else.
    let gifts = explain(&labels, 0, 1).gifts;
    assert_eq!(gifts.iter().map(|g| (g.list, g.distance)).collect::<Vec<_>>(), [(Some(0), Some(1))]);
    assert!((gifts[0].probability - 0.5 * 0.5 * 0.4 * 0.6).abs() < 1e-12);
    let weighted = Labels::new(&dataset, &Options { mode: Mode::WalkWeighted, range: 0.6, ..Options::default() }, 0).unwrap();
    let gift = explain(&weighted, 0, 1).gifts[0];
    assert!((gift.weight - weighted.walks().eq4(0, 1, false)).abs() < 1e-12);
}

#[test]
fn groups_and_lists_of_the_callers_own() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let group = Context { from: Origin::Group, weight: 1.0 };
    // A group's mean tags: of 0, 2, 4, 6 song 4 has none and song 6 may not lend.
    let options = Options {
        mode: Mode::Expected,
        reading: Reading::Eq2,
        range: 1.0,
        exclude_self: true,
        contexts: vec![group.clone()],
        ..Options::default()
    };
    let labels = Labels::new(&dataset, &options, 0).unwrap();
    let rows = row(&labels, 4, 0);
    assert_eq!((rows.row.propagated, lender(&row(&labels, 2, 0), 0)), (1.0, Some(0)));
    assert_eq!((rows.labels[0], rows.labels[2], rows.labels.iter().sum::<f32>()), (0.5, 0.5, 2.0));
    assert_eq!(row(&labels, 8, 0).row.propagated, 0.0);
    let names: Vec<&str> = labels.walks().contexts().sources().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["group"]);
    // Lists of the caller's own in place of all that.
    let own = Labels::along(&dataset, mixed(&[(1.0, vec![vec![8, 0]])], SONGS), &options, 0).unwrap();
    assert_eq!((lender(&row(&own, 8, 0), 0), row(&own, 4, 0).row.propagated), (Some(0), 0.0));
    // Shuffled, every list has its songs, and some are in another order.
    let of = |shuffle_playlists, seed| {
        let options = Options { shuffle_playlists, ..Options::default() };
        let contexts = Contexts::of(&dataset, &options, seed).unwrap();
        (0..5).map(|p| contexts.lists().row(p).to_vec()).collect::<Vec<_>>()
    };
    let sorted = |mut lists: Vec<Vec<u32>>| {
        lists.iter_mut().for_each(|list| list.sort_unstable());
        lists
    };
    assert_eq!(sorted(of(true, 1)), sorted(of(false, 1)));
    assert_eq!(of(true, 1), of(true, 1));
    assert!(of(true, 1) != of(false, 1) && of(true, 1) != of(true, 2));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let of = |change: &dyn Fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        options.check().unwrap_err().to_string()
    };
    let group = |weight| vec![Context { from: Origin::Group, weight }];
    type Change<'a> = &'a dyn Fn(&mut Options);
    #[rustfmt::skip]
    let cases: [(Change, &str); 13] = [
        (&|o| (o.mode, o.random_lenders) = (Mode::Expected, RandomLenders::Popularity), "propagation.random_lenders: "),
        (&|o| (o.mode, o.hops) = (Mode::Hops, 0), "propagation.hops: 0"),
        (&|o| (o.mode, o.alpha) = (Mode::Hops, 0.0), "propagation.alpha: 0"),
        (&|o| (o.mode, o.alpha) = (Mode::Hops, f64::NAN), "propagation.alpha: "),
        (&|o| (o.mode, o.reading) = (Mode::Hops, Reading::Wrap), "propagation.reading: "),
        (&|o| o.contexts = group(0.0), "propagation.contexts: weight 0"),
        (&|o| o.contexts = group(f64::INFINITY), "propagation.contexts: "),
        (&|o| o.tag_ranges = vec![0.5, 1.5], "propagation.tag_ranges: 1.5"),
        (&|o| (o.mode, o.contexts) = (Mode::None, group(1.0)), "propagation.contexts: "),
        (&|o| (o.mode, o.shuffle_playlists) = (Mode::None, true), "propagation.shuffle_playlists: "),
        (&|o| (o.mode, o.tag_weights) = (Mode::None, TagWeights::Idf), "propagation.tag_weights: "),
        (&|o| (o.mode, o.tag_ranges) = (Mode::None, vec![0.5]), "propagation.tag_ranges: "),
        (&|o| o.range = -0.5, "propagation.range: -0.5"),
    ];
    for (change, says) in cases {
        let error = of(change);
        assert!(error.starts_with(says), "{error}, not {says}");
    }
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let error = Labels::new(&dataset, &Options { tag_ranges: vec![0.5; 3], ..Options::default() }, 0).err().unwrap();
    assert!(error.to_string().contains("values for 3 tags, the dataset 18"), "{error}");
    // Runs begun before there was a choice said yes or no.
    let mut old = serde_json::to_value(Options::default()).unwrap();
    for (said, means) in
        [("false", RandomLenders::None), ("true", RandomLenders::Any), ("\"popularity\"", RandomLenders::Popularity)]
    {
        old["random_lenders"] = serde_json::from_str(said).unwrap();
        old.as_object_mut().unwrap().remove("contexts");
        assert_eq!(serde_json::from_value::<Options>(old.clone()).unwrap().random_lenders, means);
    }
}
