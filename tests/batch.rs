//! Batches: the same whatever the threads and the order of steps, every song as often as it should
//! come, labels and weights worked by hand, moments against plain f64 sums, and no allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;
use rayon::ThreadPoolBuilder;
use tagwalk::batch::{Batch, Clip, Sampling, Segments, Stage, segments};
use tagwalk::dataset::{Dataset, Split, write::Contents};
use tagwalk::network::{Layer, Network, PoolMode, family};
use tagwalk::playlists::{Labels, Lend, Mode, Options, Reading, Tags, Untagged};
use tagwalk::random::{Purpose, generator};

/// Counts allocations of all threads.
struct Counting;
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A network whose layer 1 is recomputed: clips of 27 samples (stride 28), 3 tags, 16 features.
fn network() -> Network {
    family::member("3^2/32", 3).unwrap()
}

/// Songs 0..8: 0..5 train (3 untagged, 4 short), 5 valid, 6 test, 7 lends only.
fn dataset(folder: &std::path::Path) -> Dataset {
    let contents = Contents {
        sample_rate: 22_050,
        names: (0..8).map(|i| format!("song {i}")).collect(),
        vocabulary: ["rock", "pop", "jazz"].map(String::from).to_vec(),
        tags: vec![vec![0], vec![1], vec![0, 2], vec![], vec![1, 2], vec![0], vec![1], vec![2]],
        splits: [Split::Train; 5].into_iter().chain([Split::Valid, Split::Test, Split::None]).collect(),
        playlists: vec![vec![0, 3, 7], vec![3, 6, 1], vec![2, 5]],
        ..Contents::default()
    };
    let lengths = [40, 27, 28, 100, 10, 60, 30, 0];
    let wave = |(song, length): (usize, usize)| -> Vec<i16> {
        let mut random = generator(1, Purpose::Synthetic, [song as u64, 0, 0]);
        (0..length).map(|_| random.random()).collect()
    };
    let waves: Vec<Vec<i16>> = lengths.into_iter().enumerate().map(wave).collect();
    contents.write(folder, &waves).unwrap();
    Dataset::open(folder).unwrap()
}

fn stage<'a>(dataset: &'a Dataset, options: &Options, batch: usize) -> Stage<'a> {
    let labels = Labels::new(dataset, options, 9).unwrap();
    Stage::new(labels, &network(), Sampling { batch, clips_per_song: 4, seed: 9 }).unwrap()
}

/// Everything a batch holds, bit by bit.
fn contents(b: &Batch) -> (Vec<i16>, Vec<u32>, Vec<Clip>) {
    let floats = [&b.patches, &b.own, &b.propagated, &b.weights, &b.mask].into_iter().flatten();
    (b.waves.clone(), floats.map(|f| f.to_bits()).collect(), b.clips.clone())
}

#[test]
fn threads_and_order_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    for mode in [Mode::Walk, Mode::WalkWeighted, Mode::Expected] {
        let stage = stage(&dataset, &Options { mode, ..Options::default() }, 3);
        let steps: Vec<(u64, u64)> = (0..3).flat_map(|e| (0..stage.steps()).map(move |s| (e, s))).collect();
        let run = |threads: usize, order: Vec<(u64, u64)>| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut batch = stage.batch().unwrap();
            let mut all: Vec<_> = order
                .into_iter()
                .map(|(epoch, step)| {
                    pool.install(|| stage.fill(epoch, step, &mut batch));
                    ((epoch, step), contents(&batch))
                })
                .collect();
            all.sort_by_key(|one| one.0);
            all
        };
        let one = run(1, steps.clone());
        assert!(one == run(4, steps.iter().rev().copied().collect()));
        assert!(one[0].1 != one[1].1 && one[0].1 != one[stage.steps() as usize].1);
    }
}

#[test]
fn an_epoch_has_each_song_as_often_as_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let stage = stage(&dataset, &Options::default(), 3);
    assert_eq!((stage.songs(), stage.short()), (&[0, 1, 2, 3, 4][..], 1));
    assert_eq!(stage.steps(), 7); // 20 clips in batches of 3
    let mut batch = stage.batch().unwrap();
    let mut starts = std::collections::BTreeSet::new();
    let mut orders = Vec::new();
    for epoch in 0..20 {
        let mut order = Vec::new();
        for step in 0..stage.steps() {
            stage.fill(epoch, step, &mut batch);
            for (i, clip) in batch.clips.iter().enumerate() {
                let wave = dataset.wave(clip.song as usize);
                let got = &batch.waves[28 * i..28 * (i + 1)];
                let want = (0..27).map(|j| wave.get(clip.start as usize + j).copied().unwrap_or(0));
                assert!(got[..27].iter().copied().eq(want) && got[27] == 0);
                assert!(clip.start as usize <= wave.len().saturating_sub(27));
                starts.insert((clip.song, clip.start));
            }
            order.extend(batch.clips.iter().map(|c| c.song));
        }
        let times = |song: u32| order[..20].iter().filter(|&&s| s == song).count();
        assert_eq!((0..5).map(times).collect::<Vec<_>>(), [4; 5]);
        assert_eq!(order[20..], order[..1], "the last batch wraps round");
        orders.push(order);
    }
    assert_ne!(orders[0], orders[1]);
    // Every place of the first songs comes: 80 clips miss one of song 0's 14 with probability below
    // 14·(13/14)^80 < 0.04 (the seed is fixed). Of song 3's 74 about 74·(1 − (73/74)^80) = 49 come.
    for (song, places) in [(0, 14), (1, 1), (2, 2), (4, 1)] {
        assert_eq!(starts.iter().filter(|s| s.0 == song).count(), places, "song {song}");
    }
    assert!((35..63).contains(&starts.iter().filter(|s| s.0 == 3).count()));
}

/// Labels and weights of song 3: untagged, between 0 and 7, and before 1 (song 6 is of the test
/// split and may not lend). r = 1/2; `mask` walks as with exclude-self.
#[test]
fn labels_of_an_untagged_song() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let row = |options: &Options, example: u64| {
        let labels = Labels::new(&dataset, options, 0).unwrap();
        let (mut own, mut propagated) = ([0.5f32; 3], [0.5f32; 3]);
        let mut space = vec![0.5; labels.workspace()];
        let mut random = generator(0, Purpose::Walk, [0, 0, example]);
        let weights = labels.row(3, &mut random, &mut own, &mut propagated, &mut [], &mut space);
        (weights.own, own, weights.propagated, propagated)
    };
    let options = Options { range: 0.5, ..Options::default() };
    let expected = Options { mode: Mode::Expected, ..options.clone() };
    // Half of the time song 0 or 7, one step away on either side, else song 1: it always borrows.
    assert_eq!(row(&expected, 0), (0.0, [0.0; 3], 1.0, [0.25, 0.5, 0.25]));
    // Zeros count: stopping at itself it lends nothing. Per playlist ½ nothing; list 1 ⅛ + ⅛, list 2
    // ⅛ to the right (song 6 is dropped). Weight (¼ + ⅛)/2 = 3/16, a third each.
    let zeros = Options { untagged: Untagged::Zeros, ..expected.clone() };
    let (own, row_own, weight, labels) = row(&zeros, 0);
    assert_eq!((own, row_own, weight), (1.0, [0.0; 3], 0.1875));
    assert!(labels.iter().all(|l| (l - 1.0 / 3.0).abs() < 1e-7), "{labels:?}");
    // Everybody may lend: song 6 is next, song 1 has half its weight; both have tag 1.
    let all = Options { lend: Lend::All, ..expected.clone() };
    assert_eq!(row(&all, 0).3, [0.25, 0.5, 0.25]);
    // Drawn: one lender's tags, as often as they should come (of 4000, each within 5 sd = 150).
    let mut times = [0u32; 3];
    for example in 0..4000 {
        let (own, _, weight, labels) = row(&options, example);
        assert_eq!((own, weight, labels.iter().sum::<f32>()), (0.0, 1.0, 1.0));
        times[labels.iter().position(|&l| l == 1.0).unwrap()] += 1;
    }
    assert!(times[0].abs_diff(1000) < 150 && times[1].abs_diff(2000) < 160 && times[2].abs_diff(1000) < 150, "{times:?}");
    // Weighted by eq. (4): ¼, ½, ¼ again.
    let weighted = Options { mode: Mode::WalkWeighted, ..options.clone() };
    for example in 0..20 {
        let (_, _, weight, labels) = row(&weighted, example);
        assert_eq!(weight, if labels[1] == 1.0 { 0.5 } else { 0.25 });
    }
    assert_eq!(row(&Options { mode: Mode::None, ..options }, 0), (0.0, [0.0; 3], 0.0, [0.0; 3]));
}

/// Song 0 with its own tag 0 first of [0, 3, 7], r = 1/2, discard: itself ½ + ... worked by hand.
#[test]
fn labels_of_a_tagged_song() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let row = |options: &Options| {
        let labels = Labels::new(&dataset, options, 0).unwrap();
        let (mut own, mut propagated) = ([0.0f32; 3], [0.0f32; 3]);
        let mut space = vec![0.0; labels.workspace()];
        let mut random = generator(0, Purpose::Walk, [0; 3]);
        let weights = labels.row(0, &mut random, &mut own, &mut propagated, &mut [], &mut space);
        (weights.own, own, weights.propagated, propagated)
    };
    let options = Options { mode: Mode::Expected, range: 0.5, ..Options::default() };
    // Song 3 is dropped: itself ½, song 7 ⅛, nothing ⅜.
    assert_eq!(row(&options), (1.0, [1.0, 0.0, 0.0], 0.625, [0.8, 0.0, 0.2]));
    let eq2 = Options { reading: Reading::Eq2, ..options.clone() };
    assert_eq!(row(&eq2).3, [2.0 / 3.0, 0.0, 1.0 / 3.0]);
    let excluded = Options { exclude_self: true, ..options };
    assert_eq!(row(&excluded), (1.0, [1.0, 0.0, 0.0], 1.0, [0.0, 0.0, 1.0]));
}

/// Song 3, untagged, borrows from 0 and 7 on one playlist and from 1 on another: ¼, ¼ and ½. Where the tags of one of
/// them are removed, that one is gone from its playlist.
#[test]
fn removed_tags_are_not_lent() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let options = Options { mode: Mode::Expected, range: 0.5, remove: 0.5, ..Options::default() };
        let hidden = Tags::removing(&dataset, 0.5, seed);
        let lends = [0, 1].map(|song| hidden.bits(song).is_some());
        let labels = Labels::new(&dataset, &options, seed).unwrap();
        let stage = Stage::new(labels, &network(), Sampling { batch: 20, clips_per_song: 4, seed }).unwrap();
        let mut batch = stage.batch().unwrap();
        stage.fill(0, 0, &mut batch);
        // Song 7 is not of the training split: it always lends. Half of the walks are in the playlist of song 1.
        let (expected, weight) = match lends {
            [true, true] => ([0.25, 0.5, 0.25], 1.0),
            [true, false] => ([0.5, 0.0, 0.5], 0.5),
            [false, true] => ([0.0, 0.5, 0.5], 1.0),
            [false, false] => ([0.0, 0.0, 1.0], 0.5),
        };
        let at = batch.clips.iter().position(|clip| clip.song == 3).unwrap();
        assert_eq!(batch.propagated[3 * at..][..3], expected, "{lends:?}");
        assert_eq!((batch.weights[at], batch.weights[20 + at]), (0.0, weight), "{lends:?}");
        for (i, clip) in batch.clips.iter().enumerate().filter(|(_, clip)| hidden.bits(clip.song as usize).is_none()) {
            assert!(batch.own[3 * i..][..3] == [0.0; 3] && batch.weights[i] == 0.0, "song {} kept its tags", clip.song);
        }
        seen.insert(lends);
    }
    assert_eq!(seen.len(), 4, "every case comes among forty seeds");
}

#[test]
fn who_trains_and_whose_tags_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let trained = |untagged, mode, remove| {
        let options = Options { untagged, mode, remove, ..Options::default() };
        let labels = Labels::new(&dataset, &options, 3).unwrap();
        (0..8).filter(|&s| labels.trains(s)).collect::<Vec<usize>>()
    };
    assert_eq!(trained(Untagged::Mask, Mode::Walk, 1.0), [0, 1, 2, 3, 4]);
    assert_eq!(trained(Untagged::Zeros, Mode::None, 1.0), [0, 1, 2, 3, 4]);
    assert_eq!(trained(Untagged::LeaveOut, Mode::Walk, 0.0), [0, 1, 2, 4]);
    assert_eq!(trained(Untagged::Mask, Mode::None, 0.0), [0, 1, 2, 4]);
    assert_eq!(trained(Untagged::LeaveOut, Mode::Walk, 0.5).len(), 2);
    // Only tagged training songs lose tags; a larger share takes the same ones and more.
    let mut which = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let hidden = |share| {
            let tags = Tags::removing(&dataset, share, seed);
            let hidden: Vec<usize> = (0..8).filter(|&s| tags.bits(s).is_none()).collect();
            assert_eq!(hidden.len(), tags.removed());
            hidden
        };
        let (half, most) = (hidden(0.5), hidden(0.75));
        assert_eq!((half.len(), most.len(), hidden(0.0).len()), (2, 3, 0));
        assert!(half.iter().all(|s| most.contains(s)) && most.iter().all(|s| [0, 1, 2, 4].contains(s)));
        which.insert(half);
    }
    assert_eq!(which.len(), 6, "all pairs of four come among 40 seeds");
}

#[test]
fn dropout_keeps_the_mean() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let labels = Labels::new(&dataset, &Options::default(), 0).unwrap();
    let network = Network { dropout: 0.25, ..network() };
    let stage = Stage::new(labels, &network, Sampling { batch: 20, clips_per_song: 4, seed: 2 }).unwrap();
    let mut batch = stage.batch().unwrap();
    let (mut dropped, mut all) = (0usize, 0usize);
    for epoch in 0..100 {
        stage.fill(epoch, 0, &mut batch);
        assert!(batch.mask.iter().all(|&m| m == 0.0 || m == 4.0 / 3.0));
        dropped += batch.mask.iter().filter(|&&m| m == 0.0).count();
        all += batch.mask.len();
    }
    let sd = (all as f64 * 0.25 * 0.75).sqrt();
    assert!((dropped as f64 - all as f64 * 0.25).abs() < 5.0 * sd, "{dropped} of {all}");
}

/// Several first layers, padded and overlapping, against plain sums in f64. Samples are up to
/// full scale, so the covariance is near 1/3 or (a constant) exactly 0.
#[test]
fn moments_are_those_of_the_patches() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let mut first = network().layers[0].clone();
    for (kernel, stride, padding) in
        [(3, 3, [0, 0]), (3, 3, [1, 1]), (2, 2, [0, 1]), (5, 2, [4, 3]), (9, 1, [8, 8]), (1, 1, [0, 0])]
    {
        first = Layer { kernel, stride, padding, ..first };
        let second = Layer {
            cin: first.cout,
            kernel: 1,
            padding: [0, 0],
            pool: 1,
            pool_mode: PoolMode::Valid,
            ..network().layers[1].clone()
        };
        let network = Network { layers: vec![first.clone(), second], ..network() };
        assert!(network.recomputes_first_layer());
        let labels = Labels::new(&dataset, &Options::default(), 0).unwrap();
        let stage = Stage::new(labels, &network, Sampling { batch: 7, clips_per_song: 4, seed: 2 }).unwrap();
        let mut batch = stage.batch().unwrap();
        stage.fill(0, 0, &mut batch);
        let positions = network.lengths().unwrap()[0].conv;
        let mut patches: Vec<Vec<f64>> = Vec::new();
        for clip in batch.waves.chunks(28) {
            let mut padded = vec![0.0; padding[0]];
            padded.extend(clip[..27].iter().map(|&s| s as f64 / 32768.0));
            padded.extend(vec![0.0; padding[1]]);
            patches.extend((0..positions).map(|p| padded[p * stride..p * stride + kernel].to_vec()));
        }
        let n = patches.len() as f64;
        let mean: Vec<f64> = (0..kernel).map(|t| patches.iter().map(|p| p[t]).sum::<f64>() / n).collect();
        for t in 0..kernel {
            assert!((batch.patches[t] as f64 - mean[t]).abs() < 1e-7 * mean[t].abs() + 1e-12);
            for u in 0..kernel {
                let want = patches.iter().map(|p| (p[t] - mean[t]) * (p[u] - mean[u])).sum::<f64>() / n;
                let got = batch.patches[kernel * (1 + t) + u] as f64;
                assert!((got - want).abs() < 1e-7 * want.abs() + 1e-12, "{kernel} taps, {t} {u}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn a_stored_first_layer_has_no_moments() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let labels = Labels::new(&dataset, &Options::default(), 0).unwrap();
    let network = family::member("3^1-27/32", 3).unwrap();
    let stage = Stage::new(labels, &network, Sampling { batch: 2, clips_per_song: 1, seed: 2 }).unwrap();
    assert!(stage.batch().unwrap().patches.is_empty());
}

#[test]
fn filling_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    // One test's allocations are not to be counted as another's: a child process runs this alone.
    if std::env::var_os("TAGWALK_COUNT").is_none() {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["filling_allocates_nothing", "--exact", "--nocapture", "--test-threads=1"])
            .env("TAGWALK_COUNT", "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        return;
    }
    let modes = [Mode::Walk, Mode::WalkWeighted, Mode::Expected];
    let stages: Vec<Stage> = modes.map(|mode| stage(&dataset, &Options { mode, ..Options::default() }, 16)).into();
    let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    // Rayon allocates when a thread begins and when it first steals, which on a busy machine may be later:
    // all threads, those of the global pool too, have begun and met before counting.
    rayon::broadcast(|_| ());
    pool.install(|| {
        let labels = stages[0].labels();
        let evaluation = Segments::new(labels, &network(), vec![5, 6], 16);
        let mut batch = stages[0].batch().unwrap();
        let mut run = |epochs: std::ops::Range<u64>| {
            for epoch in epochs {
                stages.iter().for_each(|s| (0..s.steps()).for_each(|step| s.fill(epoch, step, &mut batch)));
                evaluation.fill(0, &mut batch);
            }
        };
        let meeting = std::sync::Barrier::new(2);
        rayon::join(|| meeting.wait(), || meeting.wait());
        run(0..10);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        run(10..200);
        assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
    });
}

#[test]
fn first_segments_in_batches() {
    assert_eq!([0, 10, 26, 27, 53, 54, 100].map(|n| segments(n, 27)), [1, 1, 1, 1, 1, 2, 3]);
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    assert_eq!(Segments::songs_of(&dataset, Split::Valid), [5]);
    assert_eq!(Segments::songs_of(&dataset, Split::None), [0u32; 0]);
    let labels = Labels::new(&dataset, &Options::default(), 0).unwrap();
    let segments = Segments::new(&labels, &network(), vec![5, 3, 4], 2);
    assert_eq!(segments.batches(), 2);
    let mut batch = segments.batch().unwrap();
    segments.fill(1, &mut batch); // so that what is left of another batch would be seen
    segments.fill(0, &mut batch);
    let clip = |song| Clip { song, start: 0 };
    assert_eq!((batch.filled, &batch.clips[..]), (2, &[clip(5), clip(3)][..]));
    assert_eq!(batch.weights, [1.0, 0.0, 0.0, 0.0]); // song 3 has no tags
    assert_eq!(batch.own, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!((&batch.waves[..27], &batch.waves[28..55]), (&dataset.wave(5)[..27], &dataset.wave(3)[..27]));
    segments.fill(1, &mut batch);
    assert_eq!((batch.filled, batch.clips[0]), (1, clip(4)));
    assert_eq!(batch.weights, [1.0, 0.0, 0.0, 0.0]);
    assert_eq!((&batch.waves[..10], &batch.waves[10..28]), (dataset.wave(4), &[0; 18][..]));
    assert!(batch.waves[28..].iter().all(|&s| s == 0) && batch.own[3..].iter().all(|&y| y == 0.0));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(folder.path());
    let refused = |options: &Options, tags, batch| {
        let labels = Labels::new(&dataset, options, 0).unwrap();
        let network = family::member("3^2/32", tags).unwrap();
        let stage = Stage::new(labels, &network, Sampling { batch, clips_per_song: 1, seed: 0 });
        stage.err().expect("refused").to_string()
    };
    assert!(refused(&Options::default(), 4, 1).contains("3 tags"));
    assert!(refused(&Options::default(), 3, 0).contains("sampling.batch"));
    let none = Options { mode: Mode::None, remove: 1.0, ..Options::default() };
    assert!(refused(&none, 3, 1).contains("no song to train on"));
}
