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

fn count(bits: &[u8]) -> u32 {
    bits.iter().map(|b| b.count_ones()).sum()
}
