//! Cosine of tag vectors by distance in a playlist (Fig. 2 of the paper): near songs are more
//! alike than far ones, if order carries anything.

use rayon::prelude::*;

use crate::dataset::Rows;

/// Pairs of songs at one distance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pairs {
    pub distance: usize,
    pub pairs: u64,
    /// Mean cosine of their 0/1 tag vectors.
    pub mean: f64,
}

/// Playlists that one task sums; fixed, so that the sums do not depend on the number of threads.
const BLOCK: usize = 256;

/// For every distance 1..=`furthest` the mean cosine of the tag vectors of pairs i < j of a
/// playlist, j − i the distance in the playlist as it is stored. Pairs with a song without tags
/// are left out, and pairs of a song with itself if `same_song` is false. Distances without pairs
/// are left out. `tags` gives a song's tag bits. One pass, memory of `furthest` sums a block of
/// playlists at work.
pub fn similarity<'t>(
    playlists: Rows<'_>,
    tags: impl Fn(u32) -> &'t [u8] + Sync,
    furthest: usize,
    same_song: bool,
) -> Vec<Pairs> {
    let longest = (0..playlists.len()).map(|p| playlists.row(p).len()).max().unwrap_or(0);
    let furthest = furthest.min(longest.saturating_sub(1));
    let block = |first: usize| {
        let mut sums = vec![(0u64, 0.0f64); furthest];
        let mut sizes: Vec<u32> = Vec::new();
        for p in first..(first + BLOCK).min(playlists.len()) {
            let songs = playlists.row(p);
            sizes.clear();
            sizes.extend(songs.iter().map(|&s| count(tags(s))));
            for i in 0..songs.len() {
                for j in i + 1..songs.len().min(i + 1 + furthest) {
                    if sizes[i] == 0 || sizes[j] == 0 || (!same_song && songs[i] == songs[j]) {
                        continue;
                    }
                    let shared: u32 = tags(songs[i]).iter().zip(tags(songs[j])).map(|(a, b)| (a & b).count_ones()).sum();
                    let sum = &mut sums[j - i - 1];
                    sum.0 += 1;
                    sum.1 += shared as f64 / (sizes[i] as f64 * sizes[j] as f64).sqrt();
                }
            }
        }
        sums
    };
    // Blocks by the thousand, joined in their order: neither the sums nor memory grow with them.
    let mut sums = vec![(0u64, 0.0f64); furthest];
    let starts: Vec<usize> = (0..playlists.len()).step_by(BLOCK).collect();
    for some in starts.chunks(1024) {
        let parts: Vec<Vec<(u64, f64)>> = some.par_iter().map(|&first| block(first)).collect();
        for part in parts {
            for (sum, more) in sums.iter_mut().zip(part) {
                sum.0 += more.0;
                sum.1 += more.1;
            }
        }
    }
    let pairs = |(i, &(pairs, sum)): (usize, &(u64, f64))| Pairs { distance: i + 1, pairs, mean: sum / pairs as f64 };
    sums.iter().enumerate().filter(|(_, s)| s.0 > 0).map(pairs).collect()
}

/// What [`similarity`] is on average over all orders of each playlist, exactly: the control that keeps which
/// songs share a playlist and how long playlists are, and loses the order alone. A playlist's pairs are then
/// all equally likely to stand at a distance d, so it counts (n - d) times its mean cosine. `pairs` is the
/// expected number of pairs, rounded. One pass, in time of the songs' tags.
pub fn shuffled<'t>(playlists: Rows<'_>, tags: impl Fn(u32) -> &'t [u8] + Sync, furthest: usize, same_song: bool) -> Vec<Pairs> {
    let longest = (0..playlists.len()).map(|p| playlists.row(p).len()).max().unwrap_or(0);
    let furthest = furthest.min(longest.saturating_sub(1));
    let mut sums = vec![(0.0f64, 0.0f64); furthest];
    let mut total: Vec<f64> = Vec::new();
    let mut songs: Vec<u32> = Vec::new();
    for p in 0..playlists.len() {
        let n = playlists.row(p).len();
        songs.clear();
        songs.extend(playlists.row(p).iter().filter(|&&s| count(tags(s)) > 0));
        songs.sort_unstable();
        // With unit vectors u, the cosines of all pairs add up to (|sum of u|^2 - n) / 2.
        total.fill(0.0);
        for &song in &songs {
            let bits = tags(song);
            total.resize(total.len().max(8 * bits.len()), 0.0);
            let one = f64::from(count(bits)).sqrt().recip();
            for (byte, &bits) in bits.iter().enumerate().filter(|(_, bits)| **bits != 0) {
                (0..8).filter(|bit| bits >> bit & 1 == 1).for_each(|bit| total[8 * byte + bit] += one);
            }
        }
        let tagged = songs.len() as f64;
        let mut cosines = (total.iter().map(|v| v * v).sum::<f64>() - tagged) / 2.0;
        let mut pairs = tagged * (tagged - 1.0) / 2.0;
        if !same_song {
            for same in songs.chunk_by(|a, b| a == b) {
                let again = (same.len() * (same.len() - 1)) as f64 / 2.0;
                (cosines, pairs) = (cosines - again, pairs - again);
            }
        }
        let each = (n * n.saturating_sub(1)) as f64 / 2.0;
        for (i, sum) in sums.iter_mut().enumerate().take(n.saturating_sub(1)) {
            let share = (n - 1 - i) as f64 / each;
            *sum = (sum.0 + share * pairs, sum.1 + share * cosines);
        }
    }
    let pairs =
        |(i, &(pairs, sum)): (usize, &(f64, f64))| Pairs { distance: i + 1, pairs: pairs.round() as u64, mean: sum / pairs };
    sums.iter().enumerate().filter(|(_, s)| s.0 > 1e-9).map(pairs).collect()
}

fn count(bits: &[u8]) -> u32 {
    bits.iter().map(|b| b.count_ones()).sum()
}
