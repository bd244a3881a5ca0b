//! The exact laws of walks along playlists: values beside the golden ones (exact fractions, computed by
//! the script beside them), and worked by hand. tests/walk_draws.rs draws from them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tagwalk::playlists::contexts::{Lists, Starts};
use tagwalk::playlists::hops::propagate;
use tagwalk::playlists::{Bits, Contexts, Options, RandomLenders, Reading, Substitutes, UntaggedLenders, Walks, similarity};

mod common;
use common::walks::{READINGS, World, compressed, mixed, rows, tangled};

/// The golden problems, the committed copy first. The second is there on machines that have it.
fn golden() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for path in [root.join("tests/golden/paper.json"), root.join("../shared/golden/paper.json")] {
        match std::fs::read(&path) {
            Ok(bytes) => all.push(serde_json::from_slice(&bytes).unwrap()),
            Err(_) if !all.is_empty() => {
                common::say("skipped, for there is no ../shared/golden: its paper.json, which tests/golden has too")
            }
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    all
}

fn close(got: f64, want: f64, what: &dyn Fn() -> String) {
    assert!((got - want).abs() <= 1e-12, "{}: {got}, not {want}", what());
}

/// Probabilities by song name, zeros left out.
fn by_name(pairs: impl Iterator<Item = (String, f64)>) -> BTreeMap<String, f64> {
    pairs.filter(|p| p.1 != 0.0).collect()
}

fn compare(got: &BTreeMap<String, f64>, want: &Value, what: &dyn Fn() -> String) {
    let want = by_name(want.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_f64().unwrap())));
    assert!(got.keys().eq(want.keys()), "{}: {got:?}, not {want:?}", what());
    for (song, &p) in got {
        close(p, want[song], what);
    }
}

#[test]
fn golden_equations_and_walks() {
    let mut compared = 0;
    for golden in golden() {
        for set in golden["equations"].as_array().unwrap() {
            let names: Vec<&str> = set["songs"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            let number = |name: &Value| names.iter().position(|n| *n == name.as_str().unwrap()).unwrap() as u32;
            let lists: Vec<Vec<u32>> =
                set["playlists"].as_array().unwrap().iter().map(|p| p.as_array().unwrap().iter().map(number).collect()).collect();
            let world = World::new(lists, names.len());
            for case in set["cases"].as_array().unwrap() {
                let (song, r) = (number(&case["song"]) as usize, case["r"].as_f64().unwrap());
                for reading in READINGS.into_iter().filter(|r| *r != Reading::Wrap) {
                    let name = serde_json::to_value(reading).unwrap();
                    let name = name.as_str().unwrap();
                    let walks = world.walks(Bits::from_fn(names.len(), |_| true), reading, r, UntaggedLenders::default());
                    let what = || format!("{} {} r = {r}, {name}", set["name"], case["song"]);
                    compared += check_case(&world, &walks, reading, song, &names, case, name, &what);
                }
            }
        }
    }
    assert!(compared > 1000, "only {compared} distributions compared");
}

/// One song, range and reading; gives the number of distributions compared.
#[allow(clippy::too_many_arguments)]
fn check_case(
    world: &World,
    walks: &Walks<'_>,
    reading: Reading,
    song: usize,
    names: &[&str],
    case: &Value,
    name: &str,
    what: &dyn Fn() -> String,
) -> usize {
    let mut compared = 0;
    let share = walks.playlists_of(song).len() as f64;
    let per_playlist = case["per_playlist"].as_array().unwrap();
    assert_eq!(per_playlist.len() as f64, share);
    for one in per_playlist {
        let playlist = one["playlist"].as_u64().unwrap() as u32;
        let start = one["start"].as_i64().unwrap() as isize;
        let positions = |exclude_self: bool| {
            let mut positions = vec![0.0; world.lists[playlist as usize].len()];
            walks.each(reading, song, exclude_self, &mut |o| {
                if o.playlist == Some(playlist) {
                    positions[(start + o.distance) as usize] += o.probability * share;
                }
            });
            positions
        };
        let mut check = |exclude_self: bool, want: &Value| {
            if let Some(want) = want.as_array() {
                let got = positions(exclude_self);
                got.iter().zip(want).for_each(|(g, w)| close(*g, w.as_f64().unwrap(), what));
                compared += 1;
            }
        };
        if reading == Reading::Eq2 {
            check(false, &one["eq2"]["position"]);
            check(true, &one["eq2"]["position_no_self"]);
        }
        let walk = &one["walk"][name];
        check(false, &walk["position"]);
        if let Some(none) = walk["none"].as_f64() {
            close(1.0 - positions(false).iter().sum::<f64>(), none, what);
        } else {
            // Undefined at r = 1: the limit that the golden page states.
            assert!(reading == Reading::Redraw && case["r"] == 1.0, "{}", what());
            let n = positions(false).len() as f64;
            for (j, p) in positions(false).into_iter().enumerate() {
                close(p, if j as isize == start { 2.0 } else { 1.0 } / (n + 1.0), what);
            }
        }
    }
    let mixed = |exclude_self: bool| {
        let exact = walks.exact(song, exclude_self);
        (exact.nothing, by_name(exact.songs.into_iter().map(|(s, p)| (names[s as usize].to_string(), p))))
    };
    let sampled = &case["sampled"][name];
    if !sampled.is_null() {
        let (nothing, songs) = mixed(false);
        compare(&songs, &sampled["song"], what);
        close(nothing, sampled["none"].as_f64().unwrap(), what);
        close(songs.get(names[song]).copied().unwrap_or(0.0), sampled["self"].as_f64().unwrap(), what);
        compared += 1;
    }
    if reading == Reading::Eq2 && !case["eq4"].is_null() {
        compare(&mixed(false).1, &case["eq4"], what);
        compare(&mixed(true).1, &case["eq4_no_self"], what);
        for (s, n) in names.iter().enumerate() {
            let want = case["eq4"][*n].as_f64().unwrap_or(0.0);
            close(walks.eq4(song, s as u32, false), want, what);
        }
        compared += 2;
    }
    // On condition that another song lends, these two walks are eq. (2) without the song itself.
    if matches!(reading, Reading::Discard | Reading::Redraw) && !case["eq4"].is_null() {
        compare(&mixed(true).1, &case["eq4_no_self"], what);
        compared += 1;
    }
    compared
}

#[test]
fn golden_similarity() {
    for golden in golden() {
        let fig2 = &golden["fig2"];
        let tags = fig2["tags"].as_object().unwrap();
        let names: Vec<&String> = tags.keys().collect();
        let bits: Vec<[u8; 1]> =
            tags.values().map(|t| [t.as_array().unwrap().iter().fold(0u8, |bits, t| bits | 1 << t.as_u64().unwrap())]).collect();
        let number = |n: &Value| names.iter().position(|m| *m == n.as_str().unwrap()).unwrap() as u32;
        let list = |p: &Value| p.as_array().unwrap().iter().map(number).collect();
        let playlists = compressed(&fig2["playlists"].as_array().unwrap().iter().map(list).collect::<Vec<_>>());
        for (same, key) in [(true, "with_same_song"), (false, "without_same_song")] {
            let got = similarity(rows(&playlists), |s| &bits[s as usize], 100, same);
            let want = fig2[key].as_array().unwrap();
            assert_eq!(got.len(), want.len());
            for (g, w) in got.iter().zip(want) {
                assert_eq!((g.distance as u64, g.pairs), (w["distance"].as_u64().unwrap(), w["pairs"].as_u64().unwrap()));
                close(g.mean, w["mean"].as_f64().unwrap(), &|| format!("{key} {}", g.distance));
            }
            let near = similarity(rows(&playlists), |s| &bits[s as usize], 2, same);
            assert_eq!(near[..], got[..2]);
        }
    }
}

/// Worked by hand from the definitions, r = 1/2. Playlist a x b, x the start and without tags.
#[test]
fn a_start_that_cannot_lend() {
    let world = World::new(vec![vec![0, 1, 2]], 3);
    let law = |reading, untagged, exclude_self| {
        let exact = world.walks(Bits::from_fn(3, |s| s != 1), reading, 0.5, untagged).exact(1, exclude_self);
        let p = |song: u32| exact.songs.iter().find(|s| s.0 == song).map_or(0.0, |s| s.1);
        [p(0), p(1), p(2), exact.nothing]
    };
    use UntaggedLenders::{Drop, Pass, Zeros};
    // It keeps its place, so each side is one step away; stopping at it lends nothing.
    assert_eq!(law(Reading::Discard, Drop, false), [0.125, 0.0, 0.125, 0.75]);
    assert_eq!(law(Reading::Discard, Drop, true), [0.5, 0.0, 0.5, 0.0]);
    // The walk cannot stop at it: half of those that leave it stop next door, the others fall off.
    assert_eq!(law(Reading::Discard, Pass, false), [0.25, 0.0, 0.25, 0.5]);
    // It lends zeros to itself.
    assert_eq!(law(Reading::Discard, Zeros, false), [0.125, 0.5, 0.125, 0.25]);
    assert_eq!(law(Reading::Eq2, Drop, false), [0.25, 0.0, 0.25, 0.5]);
    assert_eq!(law(Reading::Eq2, Pass, false), [0.5, 0.0, 0.5, 0.0]);
    // b is the playlist's last song.
    assert_eq!(law(Reading::Printed, Drop, false), [0.125, 0.0, 0.0, 0.875]);
    assert_eq!(law(Reading::Clamp, Drop, false), [0.25, 0.0, 0.25, 0.5]);
    assert_eq!(law(Reading::Wrap, Drop, false), [0.25, 0.0, 0.25, 0.5]);
    assert_eq!(law(Reading::Wrap, Pass, false), [0.5, 0.0, 0.5, 0.0]);
}

/// Worked by hand, r = 1/2. Playlist s x a b: dropped, a is at distance 1; passed, at distance 2.
#[test]
fn songs_between_that_cannot_lend() {
    let world = World::new(vec![vec![0, 1, 2, 3]], 4);
    let law = |reading, untagged| {
        let exact = world.walks(Bits::from_fn(4, |s| s != 1), reading, 0.5, untagged).exact(0, false);
        exact.songs.iter().map(|s| s.1).collect::<Vec<f64>>()
    };
    use UntaggedLenders::{Drop, Pass, Zeros};
    assert_eq!(law(Reading::Discard, Drop), [0.5, 0.125, 0.0625]);
    assert_eq!(law(Reading::Discard, Pass), [0.5, 0.125, 0.0625]);
    assert_eq!(law(Reading::Discard, Zeros), [0.5, 0.125, 0.0625, 0.03125]);
    let sevenths = |w: [f64; 3], sum: f64| w.map(|v| v / sum).to_vec();
    assert_eq!(law(Reading::Eq2, Drop), sevenths([4.0, 2.0, 1.0], 7.0));
    assert_eq!(law(Reading::Eq2, Pass), sevenths([8.0, 2.0, 1.0], 11.0));
    // wrap: half of the walks stay; the others have the one half-list, 2 : 1.
    for (got, want) in law(Reading::Wrap, Drop).into_iter().zip([1.0 / 2.0, 1.0 / 3.0, 1.0 / 6.0]) {
        close(got, want, &|| "wrap".into());
    }
}

#[test]
fn ranges_outside_0_to_1_are_refused() {
    let (world, lenders) = tangled();
    for range in [-0.1, 1.1, f64::NAN] {
        let options = Options { range, ..Options::default() };
        let error = Walks::new(rows(&world.playlists), rows(&world.memberships), lenders.clone(), &options).err().unwrap();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("propagation.range: "));
    }
}

#[test]
fn golden_hops() {
    for golden in golden() {
        for problem in golden["multi_hop"].as_array().unwrap() {
            let names: Vec<&str> = problem["songs"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            let number = |name: &Value| names.iter().position(|n| *n == name.as_str().unwrap()).unwrap() as u32;
            let lists: Vec<Vec<u32>> = problem["playlists"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p.as_array().unwrap().iter().map(number).collect())
                .collect();
            let world = World::new(lists, names.len());
            let (r, alpha) = (problem["r"].as_f64().unwrap(), problem["alpha"].as_f64().unwrap());
            let walks = world.walks(Bits::from_fn(names.len(), |_| true), Reading::Eq2, r, UntaggedLenders::Zeros);
            let table = |rows: &Value| -> Vec<f64> {
                rows.as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|row| row.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()))
                    .collect()
            };
            let start = table(&problem["Y0"]);
            let columns = start.len() / names.len();
            let iterations = problem["iterations"].as_array().unwrap();
            assert!(iterations.len() >= 3);
            for (n, want) in (1..).zip(iterations) {
                let got = propagate(&walks, &start, columns, n, alpha, false);
                let want = table(want);
                assert_eq!(got.len(), want.len());
                got.iter().zip(&want).for_each(|(g, w)| close(*g, *w, &|| format!("a = {alpha}, {n} hops")));
            }
            // The rows of P are those of one hop of a = 1 from every song alone.
            let one: Vec<f64> = (0..names.len().pow(2)).map(|i| f64::from(u8::from(i % (names.len() + 1) == 0))).collect();
            let p = propagate(&walks, &one, names.len(), 1, 1.0, false);
            p.iter().zip(table(&problem["P"])).for_each(|(g, w)| close(*g, w, &|| "P".into()));
        }
    }
}

/// Sources a (weight 1) with lists 0 1 2 and 0 3, b (weight 3) with list 4 0; r = 1/2, eq2, worked by hand. Song 0:
/// source a 1/4, each of its lists half; in 0 1 2 weights 4 : 2 : 1, in 0 3 and 4 0 weights 2 : 1.
#[test]
fn sources_by_weight_then_lists_alike() {
    let contexts = mixed(&[(1.0, vec![vec![0, 1, 2], vec![0, 3]]), (3.0, vec![vec![4, 0]])], 5);
    let walks = |reading| {
        let options = Options { reading, range: 0.5, ..Options::default() };
        Walks::along(contexts.clone(), Bits::from_fn(5, |_| true), &options).unwrap()
    };
    let law = |reading, song: usize, exclude_self: bool| {
        let mut p = [0.0; 5];
        walks(reading).exact(song, exclude_self).songs.iter().for_each(|&(s, q)| p[s as usize] = q);
        p
    };
    let check = |got: [f64; 5], want: [f64; 5]| got.iter().zip(want).for_each(|(g, w)| close(*g, w, &|| format!("{got:?}")));
    check(
        law(Reading::Eq2, 0, false),
        [(4.0 / 7.0 + 2.0 / 3.0) / 8.0 + 0.75 * 2.0 / 3.0, 2.0 / 7.0 / 8.0, 1.0 / 7.0 / 8.0, 1.0 / 3.0 / 8.0, 0.25],
    );
    check(law(Reading::Eq2, 0, true), [0.0, 2.0 / 3.0 / 8.0, 1.0 / 3.0 / 8.0, 0.125, 0.75]);
    // In one source only, whatever its weight.
    check(law(Reading::Eq2, 4, true), [1.0, 0.0, 0.0, 0.0, 0.0]);
    // wrap: itself 1/2, then a half-list: of a's two, or b's one; in 1 2 weights 2 : 1.
    check(law(Reading::Wrap, 0, false), [0.5, 0.5 / 8.0 * 2.0 / 3.0, 0.5 / 8.0 / 3.0, 0.5 / 8.0, 0.375]);
    assert_eq!(contexts.source_of(1).name, "0");
    assert_eq!(contexts.source_of(2).name, "1");
    assert_eq!(contexts.popularity(), [3, 1, 1, 1, 1]);
}

/// One source named is one source borrowed, to the last bit, in every reading; and lists that only their first song
/// starts in are no lists of the others.
#[test]
fn one_source_is_the_playlists_themselves() {
    let (world, lenders) = tangled();
    let one = mixed(&[(7.0, world.lists.clone())], 15);
    for reading in READINGS {
        let options = Options { reading, range: 0.6, ..Options::default() };
        let walks = [
            Walks::new(rows(&world.playlists), rows(&world.memberships), lenders.clone(), &options).unwrap(),
            Walks::along(one.clone(), lenders.clone(), &options).unwrap(),
        ];
        for song in 0..15 {
            assert_eq!(walks[0].exact(song, true), walks[1].exact(song, true));
            assert_eq!(walks[0].exact(song, false), walks[1].exact(song, false));
        }
    }
    let own = Lists { name: "own".into(), weight: 1.0, starts: Starts::First, lists: vec![vec![0, 1, 2], vec![2, 0]] };
    let options = Options { reading: Reading::Eq2, range: 1.0, ..Options::default() };
    let walks = Walks::along(Contexts::of_lists(3, &[own]), Bits::from_fn(3, |_| true), &options).unwrap();
    assert_eq!(walks.exact(0, true).songs, [(1, 0.5), (2, 0.5)]);
    assert_eq!((walks.exact(1, false).nothing, walks.exact(2, true).songs), (1.0, vec![(0, 1.0)]));
    assert_eq!(walks.contexts().popularity(), [2, 1, 2]);
}

/// r = 1 with eq2: every place of the playlist alike; r = 0: the song itself.
#[test]
fn the_ends_of_the_range() {
    let world = World::new(vec![(0..8).collect()], 8);
    let walks = |range| world.walks(Bits::from_fn(8, |_| true), Reading::Eq2, range, UntaggedLenders::Drop);
    for song in 0..8 {
        assert_eq!(walks(1.0).exact(song, false).songs, (0..8).map(|s| (s, 0.125)).collect::<Vec<_>>());
        walks(1.0).exact(song, true).songs.iter().for_each(|&(_, p)| close(p, 1.0 / 7.0, &|| "exclude".into()));
        let itself = walks(0.0).exact(song, false).songs.into_iter().filter(|s| s.1 > 0.0).collect::<Vec<_>>();
        assert_eq!(itself, [(song as u32, 1.0)]);
    }
}

/// The rule of `controls`, written anew: the nearest number of lists, of two the lower, at which there is
/// somebody but these two.
fn same_popularity(popularity: &[u32], lenders: &Bits, song: u32, drawn: u32) -> Vec<u32> {
    let may = |s: u32| lenders.contains(s as usize) && popularity[s as usize] > 0 && s != song && s != drawn;
    let others: Vec<u32> = (0..popularity.len() as u32).filter(|&s| may(s)).collect();
    let wanted = popularity[drawn as usize];
    let key = |s: u32| (popularity[s as usize].abs_diff(wanted), popularity[s as usize]);
    let least = others.iter().map(|&s| key(s)).min();
    others.into_iter().filter(|&s| Some(key(s)) == least).collect()
}

#[test]
fn substitutes_are_as_popular() {
    let (world, lenders) = tangled();
    let walks = world.walks(lenders.clone(), Reading::Discard, 0.5, UntaggedLenders::Drop);
    let popularity = walks.contexts().popularity();
    assert_eq!(popularity, (0..15).map(|s| world.lists.iter().filter(|l| l.contains(&s)).count() as u32).collect::<Vec<_>>());
    let of = |which, song, drawn| {
        let mut all = Vec::new();
        Substitutes::of(&walks, which).unwrap().each(song, drawn, &mut |lender, p| all.push((lender, p)));
        let total: f64 = all.iter().map(|a| a.1).sum();
        close(total, 1.0, &|| "sum".into());
        assert!(all.iter().all(|a| a.1 == all[0].1));
        all.into_iter().map(|a| a.0).collect::<Vec<u32>>()
    };
    let mut widened = 0;
    for song in 0..15 {
        for drawn in (0..15).filter(|&s| lenders.contains(s as usize) && popularity[s as usize] > 0) {
            let want = same_popularity(&popularity, &lenders, song, drawn);
            widened += usize::from(popularity[want[0] as usize] != popularity[drawn as usize]);
            assert_eq!(of(RandomLenders::Popularity, song, drawn), want, "{song}, {drawn}");
            let any: Vec<u32> =
                (0..14).filter(|&s| lenders.contains(s as usize) && s != song && popularity[s as usize] > 0).collect();
            assert_eq!(of(RandomLenders::Any, song, drawn), any);
        }
    }
    assert!(widened > 10, "only {widened} pairs had nobody as popular");
    assert!(Substitutes::of(&walks, RandomLenders::None).is_none());
    // Alone among lenders: whoever was drawn.
    let walks = world.walks(Bits::from_fn(15, |s| s == 3), Reading::Discard, 0.5, UntaggedLenders::Drop);
    let mut lent = Vec::new();
    Substitutes::of(&walks, RandomLenders::Popularity).unwrap().each(0, 3, &mut |lender, p| lent.push((lender, p)));
    assert_eq!(lent, [(3, 1.0)]);
}
