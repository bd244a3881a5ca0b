//! What a run sees of a dataset: sides drawn by a seed, whole groups if asked, the most frequent tags; and
//! that training, going on, and measuring see the same.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use tagwalk::dataset::write::Contents;
use tagwalk::dataset::{Dataset, Sides, Split, View};
use tagwalk::playlists::{shuffled, similarity};
use tagwalk::train::options::Config;

mod common;
use common::runs::{NETWORK, fails, log, succeeds, tagwalk, text, with_dataset};

fn counts(d: &Dataset) -> BTreeMap<u8, usize> {
    let mut all = BTreeMap::new();
    (0..d.songs()).for_each(|s| *all.entry(d.split(s) as u8).or_default() += 1);
    all
}

/// 60 songs in groups of 3, the last ten without audio and on no side; tag t is on every (t + 2)th song.
fn grouped() -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let split = |song: usize| match song {
        50.. => Split::None,
        _ if song % 5 == 3 => Split::Valid,
        _ if song % 5 == 4 => Split::Test,
        _ => Split::Train,
    };
    let waves: Vec<Vec<i16>> = (0..60).map(|song| if song < 50 { vec![1; 10] } else { vec![] }).collect();
    Contents {
        sample_rate: 8000,
        names: (0..60).map(|song| format!("{song}.wav")).collect(),
        // Not in the order of how often they are: what is kept is counted.
        vocabulary: (0..12).map(|tag| format!("every {}", 13 - tag)).collect(),
        tags: (0..60).map(|song| (0..12).filter(|tag| song % (13 - tag) == 0).map(|tag| tag as u32).collect()).collect(),
        splits: (0..60).map(split).collect(),
        groups: (0..60).map(|song| Some(song / 3)).collect(),
        group_names: (0..20).map(|group| format!("band {group}")).collect(),
        playlists: vec![vec![0, 1, 2, 4], vec![5, 5, 50, 7, 9, 11, 6]],
        ..Contents::default()
    }
    .write(folder.path(), &waves)
    .unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    (folder, dataset)
}

#[test]
fn sides_are_drawn_anew_as_large_as_before() {
    let (folder, prepared) = grouped();
    let open = |sides| Dataset::open(folder.path()).unwrap().seen(View { sides, top: None }).unwrap();
    let (one, same, other) = (open(Sides::Songs(1)), open(Sides::Songs(1)), open(Sides::Songs(2)));
    let sides = |d: &Dataset| (0..60).map(|s| d.split(s)).collect::<Vec<_>>();
    assert!(sides(&one) == sides(&same) && sides(&one) != sides(&other) && sides(&one) != sides(&prepared));
    assert!(counts(&one) == counts(&prepared) && counts(&other) == counts(&prepared));
    // Who is on no side stays there, and nothing else changes.
    assert!((50..60).all(|s| one.split(s) == Split::None));
    assert!(one.fingerprint() == prepared.fingerprint() && one.vocabulary() == prepared.vocabulary());

    let grouped = open(Sides::Groups(1));
    let mut of: HashMap<Option<u32>, Split> = HashMap::new();
    for song in 0..50 {
        assert_eq!(*of.entry(grouped.group(song)).or_insert(grouped.split(song)), grouped.split(song), "song {song}");
    }
    for (side, count) in counts(&grouped) {
        assert!(count.abs_diff(counts(&prepared)[&side]) <= 3, "side {side}: {count} songs");
    }
    // Back to what was prepared.
    assert!(sides(&grouped.seen(View::default()).unwrap()) == sides(&prepared));
}

#[test]
fn the_most_frequent_tags_are_kept() {
    let (folder, all) = grouped();
    let seen = Dataset::open(folder.path()).unwrap().seen(View { sides: Sides::Prepared, top: Some(8) }).unwrap();
    // Every 2nd to every 9th: the last eight of twelve.
    assert_eq!(seen.vocabulary(), &all.vocabulary()[4..]);
    for song in 0..60 {
        for tag in 0..8 {
            assert_eq!(seen.has_tag(song, tag), all.has_tag(song, tag + 4), "song {song}, tag {tag}");
        }
        assert_eq!(seen.is_tagged(song), (4..12).any(|tag| all.has_tag(song, tag)));
    }
    assert_eq!(seen.tag_counts(), all.tag_counts()[4..]);
    let whole = Dataset::open(folder.path()).unwrap().seen(View { sides: Sides::Prepared, top: Some(12) }).unwrap();
    assert_eq!(whole.vocabulary(), all.vocabulary());
    let none = Dataset::open(folder.path()).unwrap().seen(View { sides: Sides::Prepared, top: Some(0) });
    assert!(none.err().unwrap().to_string().starts_with("most frequent tags: "));
}

#[test]
fn the_control_of_fig_2_is_the_mean_over_all_orders() {
    let (_folder, d) = grouped();
    let lists: [&[u32]; 2] = [&[0, 1, 2, 4], &[5, 5, 50, 7, 12]];
    let tags = |song: u32| d.tag_bits(song as usize);
    for same_song in [false, true] {
        // Every order of both lists, one after the other: sums over all of them, list by list.
        let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        let offsets: Vec<u64> = lists
            .iter()
            .scan(0, |end, l| {
                *end += l.len() as u64;
                Some(*end)
            })
            .collect();
        let offsets: Vec<u64> = std::iter::once(0).chain(offsets).collect();
        for list in lists {
            let orders = permutations(list);
            for order in &orders {
                let rows = tagwalk::dataset::Rows { offsets: &[0, order.len() as u64], values: order };
                for at in similarity(rows, tags, 10, same_song) {
                    let sum = sums.entry(at.distance).or_default();
                    let weight = at.pairs as f64 / orders.len() as f64;
                    *sum = (sum.0 + weight, sum.1 + weight * at.mean);
                }
            }
        }
        let values = lists.concat();
        let exact = shuffled(tagwalk::dataset::Rows { offsets: &offsets, values: &values }, tags, 10, same_song);
        assert_eq!(exact.len(), sums.len());
        for at in exact {
            let (pairs, sum) = sums[&at.distance];
            assert!((at.mean - sum / pairs).abs() < 1e-12, "distance {}: {} and {}", at.distance, at.mean, sum / pairs);
            assert!((at.pairs as f64 - pairs).abs() < 0.5 + 1e-9, "{} pairs, {pairs} expected", at.pairs);
        }
    }
}

fn permutations(list: &[u32]) -> Vec<Vec<u32>> {
    if list.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for i in 0..list.len() {
        let mut rest = list.to_vec();
        let first = rest.remove(i);
        all.extend(permutations(&rest).into_iter().map(|order| [vec![first], order].concat()));
    }
    all
}

#[test]
fn train_resume_and_evaluate_see_the_same() {
    let (folder, data) = with_dataset(48);
    let [whole, parts, own] = ["whole", "parts", "own"].map(|name| folder.path().join(name));
    let view = ["--split-by", "songs", "--split-seed", "5", "--top", "3"];
    let fixed = ["--device", "cpu", "--batch", "4", "--clips-per-song", "1", "--steps", "20", "-q"];
    succeeds(&[&["train", text(&data), "--out", text(&whole)][..], &NETWORK, &fixed, &view].concat());
    // Without --split-seed it is the run's own.
    succeeds(&[&["train", text(&data), "--out", text(&own)][..], &NETWORK, &fixed, &["--split-by", "songs"]].concat());
    let config = Config::read(&whole).unwrap();
    assert_eq!(config.train.view, View { sides: Sides::Songs(5), top: Some(3) });
    assert_eq!(Config::read(&own).unwrap().train.view, View { sides: Sides::Songs(0), top: None });
    assert_eq!(config.vocabulary.len(), 3);

    // Killed in the middle, and gone on with.
    let endless =
        ["--device", "cpu", "--batch", "4", "--clips-per-song", "1", "--steps", "400", "--checkpoint-steps", "1", "--json", "-q"];
    let killed = [&["train", text(&data), "--out", text(&parts)][..], &NETWORK, &endless, &view].concat();
    let mut child = tagwalk(&killed).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).lines().take(9).for_each(drop);
    child.kill().unwrap();
    child.wait().unwrap();
    succeeds(&["train", "--resume", "--out", text(&parts), "--device", "cpu", "-q"]);
    let unbroken = folder.path().join("unbroken");
    succeeds(&[&["train", text(&data), "--out", text(&unbroken)][..], &NETWORK, &endless, &view].concat());
    assert_eq!(log(&parts), log(&unbroken));

    let seen = Dataset::open(&data).unwrap().seen(config.train.view).unwrap();
    let measured = |run, more: &[&str]| -> Value {
        let (out, _) = succeeds(&[&["evaluate", text(run), "--json", "--device", "cpu", "--bootstrap", "0"][..], more].concat());
        serde_json::from_str(&out).unwrap()
    };
    let json = measured(&whole, &[]);
    let tested = (0..48).filter(|&s| seen.split(s) == Split::Test && seen.samples(s) > 0 && seen.is_tagged(s)).count();
    assert_eq!(json["songs"].as_u64(), Some(tested as u64));
    assert_eq!(json["tags"].as_u64(), Some(3));
    // Named by flag, the dataset is seen the same.
    assert_eq!(measured(&whole, &["--dataset", text(&data)]), json);
    // A run that is over is not changed by going on, and what decides its view is refused there.
    let before = log(&whole);
    succeeds(&["train", "--resume", "--out", text(&whole), "--device", "cpu"]);
    assert_eq!(log(&whole), before);
    fails(&["train", "--resume", "--out", text(&whole), "--split-by", "groups"], 2, &["--split-by"]);
    let never = folder.path().join("never");
    let ungrouped = folder.path().join("ungrouped");
    let songs = Contents {
        sample_rate: 8000,
        names: vec!["a".into(), "b".into()],
        vocabulary: vec!["x".into()],
        tags: vec![vec![0]; 2],
        splits: vec![Split::Train, Split::Test],
        groups: vec![None; 2],
        ..Contents::default()
    };
    songs.write(&ungrouped, &[vec![0; 8000], vec![0; 8000]]).unwrap();
    fails(
        &[&["train", text(&ungrouped), "--out", text(&never)][..], &NETWORK, &["--split-by", "groups"]].concat(),
        2,
        &["--split-by groups: the dataset has no groups", "--group-folder"],
    );
    fails(&[&["train", text(&data), "--out", text(&never)][..], &NETWORK, &["--top", "0"]].concat(), 2, &["--top: must be"]);
    fails(&[&["train", text(&data), "--out", text(&never)][..], &NETWORK, &["--split-seed", "1"]].concat(), 2, &["--split-seed"]);
    assert!(!never.exists());
}
