//! Made-up worlds: the same bytes on any number of threads, a long tail, annotators who record no more than is asked and
//! nothing untrue, playlists as coherent as asked, and traits that are in the sound.
#![cfg(feature = "import")]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use tagwalk::dataset::{self, Dataset, Split, Truth};
use tagwalk::experiment::world::{Made, Options, World};
use tagwalk::playlists::similarity;

fn small() -> Options {
    Options { songs: 40, lenders: 12, seconds: 0.5, playlists: 30, tags: 20, ..Options::default() }
}

fn large() -> Options {
    Options { songs: 3000, lenders: 1000, playlists: 1500, ..Options::default() }
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, name) = entry.map(|e| (e.path(), e.file_name().into_string().unwrap())).unwrap();
        if path.is_dir() {
            all.extend(files(&path).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            all.push((name, fs::read(path).unwrap()));
        }
    }
    all.sort();
    all
}

fn write(options: &Options, folder: &Path, threads: usize) -> Made {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| World::new(options).unwrap().write(folder, &mut |_| Ok(())).unwrap())
}

#[test]
fn the_same_bytes_on_one_thread_and_on_three() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    assert_eq!(write(&small(), folders[0].path(), 1), Made::New);
    write(&small(), folders[1].path(), 3);
    let first = files(folders[0].path());
    assert!(first.iter().any(|(name, _)| name == "truth/tags.npy"));
    assert!(first == files(folders[1].path()));
    write(&Options { seed: 1, ..small() }, folders[2].path(), 3);
    let audio = |files: &[(String, Vec<u8>)]| files.iter().find(|f| f.0 == "waves-00000.npy").unwrap().1.clone();
    assert!(audio(&first) != audio(&files(folders[2].path())));
    // Made already: nothing is written; another world is refused.
    assert_eq!(write(&small(), folders[0].path(), 1), Made::Already);
    let other = World::new(&Options { tags: 21, ..small() }).unwrap();
    let refused = other.write(folders[0].path(), &mut |_| Ok(())).unwrap_err().to_string();
    assert!(refused.contains("holds another dataset"), "{refused}");
}

#[test]
fn a_foreign_file_is_not_touched_and_a_stopped_world_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(&small()).unwrap();
    let stop = |_| Err(tagwalk::error::Error::interrupted("stopped"));
    assert!(world.write(folder.path(), &mut { stop }).is_err());
    assert!(Dataset::open(folder.path()).is_err());
    assert_eq!(world.write(folder.path(), &mut |_| Ok(())).unwrap(), Made::New);
    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("thesis.txt"), "mine").unwrap();
    assert!(world.write(foreign.path(), &mut |_| Ok(())).unwrap_err().to_string().contains("thesis.txt"));
    assert_eq!(fs::read_dir(foreign.path()).unwrap().count(), 1);
}

#[test]
fn the_dataset_is_whole_and_has_its_truth() {
    let folder = tempfile::tempdir().unwrap();
    write(&small(), folder.path(), 2);
    let checked = dataset::verify(folder.path()).unwrap();
    assert!(checked.iter().all(|c| c.fault.is_none()) && checked.iter().any(|c| c.file == "truth/tags.npy"));
    let dataset = Dataset::open(folder.path()).unwrap();
    let truth = Truth::open(&dataset).unwrap().unwrap();
    let world = World::new(&small()).unwrap();
    let mut missing = 0;
    for song in 0..dataset.songs() {
        assert_eq!(dataset.samples(song) > 0, world.songs[song].has_audio);
        assert_eq!(dataset.wave(song), world.wave(song));
        for tag in 0..20 {
            assert_eq!(truth.has_tag(song, tag), world.songs[song].truth.contains(&(tag as u32)));
            // Recorded tags are true ones; those of validation and test are all of them.
            assert!(!dataset.has_tag(song, tag) || truth.has_tag(song, tag));
            if matches!(dataset.split(song), Split::Valid | Split::Test) {
                assert_eq!(dataset.has_tag(song, tag), truth.has_tag(song, tag));
            }
            missing += usize::from(truth.has_tag(song, tag) && !dataset.has_tag(song, tag));
        }
    }
    assert!(missing > 50, "{missing}");
    // A changed truth is found.
    let path = folder.path().join("truth/tags.npy");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let faults: Vec<String> =
        dataset::verify(folder.path()).unwrap().into_iter().filter(|c| c.fault.is_some()).map(|c| c.file).collect();
    assert_eq!(faults, ["truth/tags.npy"]);
}

/// Songs that truly have each tag, as shares.
fn shares(world: &World) -> Vec<f64> {
    let mut counts = vec![0usize; world.tags.len()];
    world.songs.iter().flat_map(|s| &s.truth).for_each(|&t| counts[t as usize] += 1);
    counts.iter().map(|&n| n as f64 / world.songs.len() as f64).collect()
}

#[test]
fn tags_have_a_long_tail_as_steep_as_asked() {
    for (seed, tail) in [(0, 0.8), (1, 0.8), (2, 1.2)] {
        let world = World::new(&Options { tail, seed, ..large() }).unwrap();
        let shares = shares(&world);
        // The sum over tags is that of 0.45 k^-tail, within what genres and chance do.
        let asked: f64 = (1..=50).map(|k| 0.45 * f64::from(k).powf(-tail)).sum();
        let ratio = shares.iter().sum::<f64>() / asked;
        assert!((0.7..1.4).contains(&ratio), "seed {seed}: {ratio}");
        // Slope of the logarithm of the share by the logarithm of the rank.
        let mut sorted: Vec<f64> = shares.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let points: Vec<(f64, f64)> =
            sorted.iter().enumerate().filter(|(_, s)| **s > 0.0).map(|(k, s)| ((k as f64 + 1.0).ln(), s.ln())).collect();
        let n = points.len() as f64;
        let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
        let slope =
            points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>();
        assert!((slope + tail).abs() < 0.3, "seed {seed}: slope {slope}, asked -{tail}");
        let rare = shares.iter().filter(|&&s| s < 0.05).count();
        assert!(rare >= 25, "{rare} of 50 tags are on fewer than 5 %");
        let names: HashSet<&str> = world.tags.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names.len(), 50);
    }
    assert!(World::new(&Options { tags: 5000, ..small() }).err().unwrap().to_string().contains("--tags"));
}

#[test]
fn annotators_record_as_much_as_is_asked() {
    for (untagged, recorded) in [(0.5, 0.6), (0.8, 0.3), (0.0, 1.0), (0.2, 0.9)] {
        let world = World::new(&Options { untagged, recorded, sparse_everywhere: true, ..large() }).unwrap();
        let tagged: Vec<_> = world.songs.iter().filter(|s| !s.recorded.is_empty()).collect();
        let (mut truth, mut kept) = (0usize, 0usize);
        for song in &world.songs {
            assert!(song.recorded.iter().all(|t| song.truth.contains(t)));
            truth += song.truth.len();
            kept += song.recorded.len();
        }
        // Over all songs, annotated or not: (1 - untagged) recorded. 4000 songs: a standard error below 0.01.
        let share = kept as f64 / truth as f64;
        assert!((share - (1.0 - untagged) * recorded).abs() < 0.03, "{untagged} {recorded}: {share}");
        // Songs have a tag recorded at most where somebody annotated them.
        assert!(tagged.len() as f64 <= (1.0 - untagged + 0.03) * world.songs.len() as f64);
    }
    // More untagged: the same songs and more.
    let of = |untagged| World::new(&Options { untagged, ..large() }).unwrap();
    let (few, many) = (of(0.3), of(0.6));
    assert!(few.songs.iter().zip(&many.songs).all(|(a, b)| b.recorded.is_empty() || a.recorded == b.recorded));
}

#[test]
fn a_larger_world_has_the_same_songs_and_more() {
    let (some, more) = (World::new(&small()).unwrap(), World::new(&Options { songs: 400, ..small() }).unwrap());
    assert_eq!(some.tags, more.tags);
    // The last artist of the smaller world may have more songs in the larger one.
    for (a, b) in some.songs.iter().zip(&more.songs) {
        assert_eq!((&a.name, a.style, a.levels, &a.truth), (&b.name, b.style, b.levels, &b.truth));
    }
}

/// Mean cosine of true tags at distance 1 and at distance 5 in playlists, and of pairs drawn from all.
fn cosines(coherence: f64, nearest_of: usize) -> [f64; 3] {
    let world = World::new(&Options { coherence, nearest_of, seed: 5, ..large() }).unwrap();
    let width = world.tags.len().div_ceil(8);
    let mut bits = vec![0u8; world.songs.len() * width];
    for (song, s) in world.songs.iter().enumerate() {
        s.truth.iter().for_each(|&t| bits[song * width + t as usize / 8] |= 1 << (t % 8));
    }
    let row = |song: u32| &bits[song as usize * width..(song as usize + 1) * width];
    let of = |lists: &[Vec<u32>], furthest| {
        let mut offsets = vec![0u64];
        offsets.extend(lists.iter().scan(0, |end, l| {
            *end += l.len() as u64;
            Some(*end)
        }));
        let values = lists.concat();
        similarity(dataset::Rows { offsets: &offsets, values: &values }, row, furthest, false)
    };
    let along = of(&world.playlists, 5);
    // Each song with one far along a fixed stride: pairs that no playlist chose.
    let n = world.songs.len() as u32;
    let any: Vec<Vec<u32>> = (0..n).map(|s| vec![s, (s * 7 + 1931) % n]).collect();
    [along[0].mean, along[4].mean, of(&any, 1)[0].mean]
}

#[test]
fn playlists_know_as_much_of_the_tags_as_asked() {
    let usual = Options::default().nearest_of;
    let (none, half, all) = (cosines(0.0, usual), cosines(0.5, usual), cosines(1.0, usual));
    println!("{none:.3?} {half:.3?} {all:.3?}");
    // 10,000 pairs: a standard error below 0.004.
    assert!((none[0] - none[2]).abs() < 0.015, "{none:?}");
    assert!(all[0] > none[0] + 0.15 && all[0] > 1.5 * none[0], "{all:?} {none:?}");
    assert!(none[0] + 0.05 < half[0] && half[0] + 0.05 < all[0], "{none:?} {half:?} {all:?}");
    // Order matters: far songs are less alike.
    let nearer = cosines(1.0, 20 * usual);
    assert!(nearer[0] > all[0] + 0.05 && nearer[1] > all[1] + 0.02, "{nearer:?} {all:?}");
    assert!(all[1] < all[0] - 0.03 && half[1] < half[0] - 0.03, "{all:?} {half:?}");
}

#[test]
fn playlists_are_as_long_as_asked_and_name_a_song_once() {
    for length in [2.0, 6.0, 15.0] {
        let world = World::new(&Options { length, ..large() }).unwrap();
        assert_eq!(world.playlists.len(), 1500);
        let mut total = 0;
        for list in &world.playlists {
            assert!(list.len() >= 2 && list.iter().collect::<HashSet<_>>().len() == list.len());
            total += list.len();
        }
        let mean = total as f64 / 1500.0;
        assert!((mean - length).abs() < 0.1 * length, "{mean}, not {length}");
    }
}

#[test]
fn no_artist_is_on_two_sides_unless_asked() {
    let two_sides = |grouped| {
        let world = World::new(&Options { grouped, ..large() }).unwrap();
        let heard = world.songs.iter().filter(|s| s.has_audio);
        let sides: HashSet<(u32, u8)> = heard.map(|s| (s.artist, s.split as u8)).collect();
        let artists: HashSet<u32> = sides.iter().map(|s| s.0).collect();
        sides.len() - artists.len()
    };
    assert_eq!(two_sides(true), 0);
    assert!(two_sides(false) > 100);
    let world = World::new(&large()).unwrap();
    let of = |split| world.songs.iter().filter(|s| s.has_audio && s.split == split).count();
    assert!(of(Split::Train).abs_diff(1800) < 10 && of(Split::Valid).abs_diff(300) < 10 && of(Split::Test).abs_diff(900) < 10);
    assert!(world.songs.iter().all(|s| s.has_audio || s.split == Split::None));
    assert_eq!(world.songs.iter().filter(|s| !s.has_audio).count(), 1000);
}

#[test]
fn what_cannot_be_is_refused_by_its_flag() {
    let cases = [
        (Options { coherence: 1.5, ..small() }, "--coherence"),
        (Options { nearest_of: 0, ..small() }, "--nearest-of"),
        (Options { untagged: f64::NAN, ..small() }, "--untagged"),
        (Options { recorded: -0.1, ..small() }, "--recorded"),
        (Options { songs: 0, ..small() }, "--songs"),
        (Options { tags: 0, ..small() }, "--tags"),
        (Options { genres: 0, ..small() }, "--genres"),
        (Options { artist_songs: 0, ..small() }, "--artist-songs"),
        (Options { length: 1.0, ..small() }, "--length"),
        (Options { seconds: 0.0, ..small() }, "--seconds"),
        (Options { rate: 10, ..small() }, "--rate"),
        (Options { tail: -1.0, ..small() }, "--tail"),
    ];
    for (options, flag) in cases {
        assert!(World::new(&options).err().unwrap().to_string().starts_with(flag), "{flag}");
    }
}
