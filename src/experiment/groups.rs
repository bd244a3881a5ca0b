//! The mean tags of a song's group: what an artist's, album's or game's name alone would tell.

use crate::dataset::{Dataset, Split};
use crate::playlists::Tags;

/// Scores `[song, tag]`: the share of the tagged training songs of the same group that have the tag, drawn towards the
/// share among all of them as by one more song. A song whose group has no such song, or that has no group, gets the
/// latter: under a split by groups all test songs do.
pub fn mean_tags(dataset: &Dataset, known: &Tags, songs: &[usize]) -> Vec<f32> {
    let tags = dataset.vocabulary().len();
    let groups = dataset.manifest().groups;
    let (mut all, mut by_group) = (vec![0f64; tags], vec![0f64; groups * tags]);
    let (mut count, mut sizes) = (0f64, vec![0f64; groups]);
    let trains = |&song: &usize| dataset.split(song) == Split::Train && dataset.samples(song) > 0 && known.is_tagged(song);
    for song in (0..dataset.songs()).filter(trains) {
        let group = dataset.group(song).map(|g| g as usize);
        count += 1.0;
        if let Some(group) = group {
            sizes[group] += 1.0;
        }
        for tag in known.each(song) {
            all[tag] += 1.0;
            if let Some(group) = group {
                by_group[group * tags + tag] += 1.0;
            }
        }
    }
    let prior: Vec<f64> = all.iter().map(|n| n / f64::max(count, 1.0)).collect();
    let score = |song: usize, tag: usize| match dataset.group(song).map(|g| g as usize) {
        Some(group) => (by_group[group * tags + tag] + prior[tag]) / (sizes[group] + 1.0),
        None => prior[tag],
    };
    songs.iter().flat_map(|&song| (0..tags).map(move |tag| (song, tag))).map(|(song, tag)| score(song, tag) as f32).collect()
}
