//! Intervals over seeds are scipy's; those of resampling are what theory says they are, and resample what
//! they say: songs, groups, or tags, one that is in several seeds being the same one.
#![cfg(feature = "report")]

use rand::RngExt;
use tagwalk::evaluate::paired::{Gain, Options, Pair, Unit, gains};
use tagwalk::evaluate::seeds::corrected;
use tagwalk::evaluate::{Figures, Measured, Table};
use tagwalk::random::{Purpose, generator};

/// Recorded with scipy 1.x and numpy: mean, `sqrt((1/n + ratio) * x.var(ddof=1))`, the ends of
/// `stats.t.interval(0.95, n - 1, mean, error)`, and `2 * stats.t.sf(abs(mean / error), n - 1)`, for normal
/// numbers of `default_rng(20261128)` rounded to six places.
#[test]
fn over_seeds_as_scipy() {
    #[rustfmt::skip]
    let recorded: &[(&[f64], f64, [f64; 5])] = &[
        (&[0.075452, 0.028219, 0.02834], 0.5, [0.04400366666666667, 0.024862151829862015, -0.06296953877153472, 0.15097687210486804, 0.2187629022112273]),
        (&[0.062447, 0.039028, 0.062642, 0.102769, 0.045098], 0.504424778761062, [0.06239680000000001, 0.020878705069727686, 0.004428221506286217, 0.1203653784937138, 0.040396428501404354]),
        (&[0.009457, 0.145851, 0.055863, 0.117311, -0.006625, 0.085363, 0.026202, 0.031434, 0.067428, 0.035345], 0.2, [0.05676289999999999, 0.026347298494595862, -0.0028388300099324026, 0.11636463000993238, 0.05960729084549276]),
        (&[0.022287, 0.06106], 1.0, [0.0416735, 0.03357840298093404, -0.38498056298952654, 0.4683275629895266, 0.43177904193011735]),
        // Without overlap: `stats.ttest_1samp`, `stats.sem` and its confidence interval.
        (&[-0.006813, 0.078307, -0.012939, 0.096785, -0.033767, 0.114014, 0.030824, 0.023588], 0.0, [0.036249875, 0.019294079804842337, -0.00937337401869677, 0.08187312401869677, 0.10234494594037807]),
    ];
    for (values, ratio, [mean, error, low, high, p]) in recorded {
        let ours = corrected(values, *ratio, 0.95).unwrap();
        assert_eq!(ours.seeds, values.len());
        for (a, b) in [(ours.mean, mean), (ours.error, error), (ours.low, low), (ours.high, high), (ours.p.unwrap(), p)] {
            assert!((a - b).abs() < 1e-9, "{values:?}: {a} {b}");
        }
    }
    assert_eq!(corrected(&[0.1], 0.5, 0.95), None);
    // All equal: an interval without width, and no t to ask for.
    let same = corrected(&[0.25, 0.25, 0.25], 0.5, 0.95).unwrap();
    assert_eq!((same.mean, same.low, same.high, same.p), (0.25, 0.25, 0.25, None));
}

/// Two score tables of the same truth, the second a little better; each song `copies` times.
fn tables(songs: usize, tags: usize, copies: usize, seed: u64) -> (Measured, Measured) {
    let mut random = generator(seed, Purpose::Synthetic, [7; 3]);
    let (mut truth, mut a, mut b) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..songs {
        let y: Vec<u8> = (0..tags).map(|_| u8::from(random.random_range(0.0..1.0) < 0.3)).collect();
        let noise =
            |random: &mut tagwalk::random::Generator, gain: f64, y: u8| gain * f64::from(y) + random.random_range(0.0..1.0);
        let first: Vec<f64> = y.iter().map(|&y| noise(&mut random, 0.1, y)).collect();
        let second: Vec<f64> = y.iter().map(|&y| noise(&mut random, 0.5, y)).collect();
        for _ in 0..copies {
            truth.extend(&y);
            a.extend(&first);
            b.extend(&second);
        }
    }
    let measured = |scores: &[f64]| Measured::new(&Table::new(scores, &truth, tags).unwrap());
    (measured(&a), measured(&b))
}

const OPTIONS: Options = Options { replicates: 2000, seed: 3 };

fn gain(pairs: &[Pair], unit: Unit) -> Figures<Option<Gain>> {
    gains(pairs, unit, &OPTIONS).unwrap()
}

fn near(a: f64, b: f64, share: f64) {
    assert!((a / b - 1.0).abs() < share, "{a} and {b}");
}

#[test]
fn what_is_resampled_is_what_is_said() {
    let tags: Vec<usize> = (0..6).collect();
    let (a, b) = tables(80, 6, 1, 1);
    let songs: Vec<u32> = (0..80).collect();
    let alone = vec![None; 80];
    let pair = || Pair { a: &a, b: &b, songs: &songs, groups: &alone, tags: &tags };
    let by_songs = gain(&[pair()], Unit::Songs);

    // The value is the difference of the two means; of annotation MAP, a mean over songs, theory knows the error.
    let difference: Vec<f64> = a.by_song().iter().zip(b.by_song()).filter_map(|(a, b)| Some((*b)? - (*a)?)).collect();
    let n = difference.len() as f64;
    let mean = difference.iter().sum::<f64>() / n;
    let error = (difference.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n / n).sqrt();
    let ours = by_songs.annotation_map.unwrap().difference;
    assert!((ours.value - mean).abs() < 1e-12);
    near(ours.error, error, 0.06);
    near(ours.high - ours.low, 2.0 * 1.96 * error, 0.08);

    // So it does for tags: a mean over tags. Annotation has no such interval.
    let by_tags = gain(&[pair()], Unit::Tags);
    let auc: Vec<f64> = (0..6).map(|t| b.by_tag()[t].roc_auc.unwrap() - a.by_tag()[t].roc_auc.unwrap()).collect();
    let mean = auc.iter().sum::<f64>() / 6.0;
    let error = (auc.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 6.0 / 6.0).sqrt();
    near(by_tags.roc_auc.unwrap().difference.error, error, 0.06);
    assert!((by_tags.roc_auc.unwrap().difference.value - mean).abs() < 1e-12 && by_tags.annotation_map.is_none());

    // The relative gain is that of the means.
    let means = [&a, &b].map(|table| (0..6).map(|t| table.by_tag()[t].roc_auc.unwrap()).sum::<f64>() / 6.0);
    assert!((by_songs.roc_auc.unwrap().relative.value - (means[1] / means[0] - 1.0)).abs() < 1e-12);
}

#[test]
fn a_song_in_two_seeds_is_one_song_and_a_group_is_one_thing() {
    let tags: Vec<usize> = (0..6).collect();
    let (a, b) = tables(80, 6, 1, 1);
    let (songs, others): (Vec<u32>, Vec<u32>) = ((0..80).collect(), (80..160).collect());
    let alone = vec![None; 80];
    let pair = |songs| Pair { a: &a, b: &b, songs, groups: &alone, tags: &tags };
    let once = gain(&[pair(&songs)], Unit::Songs);
    let error = |g: &Figures<Option<Gain>>| g.roc_auc.unwrap().difference.error;
    // The same songs once more say nothing new; as many others halve the variance.
    let again = gain(&[pair(&songs), pair(&songs)], Unit::Songs);
    assert!((error(&again) - error(&once)).abs() < 1e-12);
    near(error(&gain(&[pair(&songs), pair(&others)], Unit::Songs)), error(&once) / 2f64.sqrt(), 0.08);

    // Four copies of each song look like four times as many songs, until they are taken as groups.
    let (a, b) = tables(80, 6, 4, 1);
    let songs: Vec<u32> = (0..320).collect();
    let groups: Vec<Option<u32>> = songs.iter().map(|song| Some(song / 4)).collect();
    let copies = [Pair { a: &a, b: &b, songs: &songs, groups: &groups, tags: &tags }];
    near(error(&gain(&copies, Unit::Songs)), error(&once) / 2.0, 0.1);
    near(error(&gain(&copies, Unit::Groups)), error(&once), 0.06);

    // The same seed gives the same resamples; another truth is no pair.
    assert!(gain(&copies, Unit::Groups) == gain(&copies, Unit::Groups));
    let (other, _) = tables(80, 6, 4, 2);
    assert!(gains(&[Pair { b: &other, ..copies.into_iter().next().unwrap() }], Unit::Songs, &OPTIONS).is_err());
}
