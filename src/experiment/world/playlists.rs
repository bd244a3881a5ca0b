//! Playlists that wander through the space of styles. Each next song is, with the probability of coherence, one near
//! in style to the song before it, and else any song: at coherence 0 playlists know nothing of the tags.

use rand::RngExt;
use rayon::prelude::*;

use super::styles::{Stream, Style, distance, normal, stream};

/// Standard deviation of the logarithm of a song's popularity.
const SPREAD: f64 = 0.8;

/// How playlists are made.
#[derive(Clone, Copy, Debug)]
pub struct Wander {
    pub playlists: usize,
    /// Mean songs of a playlist, at least 2.
    pub length: f64,
    /// 0 to 1.
    pub coherence: f64,
    /// The next song is the nearest in style of so many drawn: as near in a large world as in a small one.
    pub nearest_of: usize,
}

/// Songs of each playlist, in order, none twice in one. A song is drawn by its popularity, which its style has no
/// part in.
pub fn wander(seed: u64, styles: &[Style], wander: &Wander) -> Vec<Vec<u32>> {
    let popularity =
        (0..styles.len() as u64).map(|song| (SPREAD * normal(&mut stream(seed, Stream::Popularity, [song, 0]))).exp());
    let ends: Vec<f64> = popularity
        .scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        })
        .collect();
    let total = ends.last().copied().unwrap_or(0.0);
    let one = |playlist: u64| {
        let mut random = stream(seed, Stream::Playlist, [playlist, 0]);
        // 2 and a geometric number of others.
        let goes_on = (wander.length - 2.0) / (wander.length - 1.0);
        let mut length = 2;
        while length < styles.len() && random.random::<f64>() < goes_on {
            length += 1;
        }
        let mut songs: Vec<u32> = Vec::with_capacity(length);
        let draw = |random: &mut crate::random::Generator, songs: &[u32]| loop {
            let point = random.random::<f64>() * total;
            let at = ends.partition_point(|&end| end <= point).min(styles.len() - 1) as u32;
            if !songs.contains(&at) {
                return at;
            }
        };
        while songs.len() < length.min(styles.len()) {
            let near = random.random::<f64>() < wander.coherence;
            let next = match songs.last() {
                Some(&last) if near => {
                    let away = |&song: &u32| distance(&styles[last as usize], &styles[song as usize]);
                    let drawn: Vec<u32> = (0..wander.nearest_of).map(|_| draw(&mut random, &songs)).collect();
                    drawn.into_iter().min_by(|a, b| away(a).total_cmp(&away(b))).expect("some are drawn")
                }
                _ => draw(&mut random, &songs),
            };
            songs.push(next);
        }
        songs
    };
    (0..wander.playlists as u64).into_par_iter().map(one).collect()
}
