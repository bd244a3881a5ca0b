//! For each song those that sound most like it, in order: contexts to walk along as along playlists, which only the
//! audio has made.

use std::path::Path;

use rayon::prelude::*;

use super::statistics::{Statistics, WIDTH};
use crate::dataset::{Dataset, Rows};
use crate::error::{Error, Result};
use crate::format::atomic;

/// A list for each song that has one: the song itself, then the others, the most alike first. Each song is a member of
/// its own list alone, so that a walk from it goes down from the most alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    list_offsets: Vec<u64>,
    list_songs: Vec<u32>,
    member_offsets: Vec<u64>,
    member_lists: Vec<u32>,
}

impl Neighbours {
    /// The `k` nearest by cosine of standardised statistics, of equals the one with the lower number. Each row of
    /// `statistics` gets a list of songs of the rows `among` (those that may lend, say). `songs` is the dataset's
    /// number of songs. Compares each with each.
    pub fn new(statistics: &Statistics, among: &[usize], k: usize, songs: usize) -> Neighbours {
        let mut unit = statistics.values.clone();
        unit.par_chunks_mut(WIDTH).for_each(|row| {
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-300);
            row.iter_mut().for_each(|v| *v /= length);
        });
        let of = |row: usize| &unit[row * WIDTH..(row + 1) * WIDTH];
        let nearest = |row: usize| {
            let alike = |other: usize| of(row).iter().zip(of(other)).map(|(a, b)| a * b).sum::<f64>();
            let mut others: Vec<(f64, u32)> =
                among.iter().filter(|&&o| o != row).map(|&o| (alike(o), statistics.songs[o] as u32)).collect();
            let order = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            if others.len() > k && k > 0 {
                others.select_nth_unstable_by(k - 1, order);
            }
            others.truncate(k);
            others.sort_by(order);
            let own = statistics.songs[row] as u32;
            std::iter::once(own).chain(others.into_iter().map(|o| o.1)).collect::<Vec<u32>>()
        };
        let lists: Vec<Vec<u32>> = (0..statistics.songs.len()).into_par_iter().map(nearest).collect();
        let mut list_of = vec![None; songs];
        statistics.songs.iter().enumerate().for_each(|(list, &song)| list_of[song] = Some(list as u32));
        let ends = |lengths: &mut dyn Iterator<Item = usize>| {
            let mut offsets = vec![0u64];
            lengths.for_each(|length| offsets.push(offsets[offsets.len() - 1] + length as u64));
            offsets
        };
        Neighbours {
            list_offsets: ends(&mut lists.iter().map(Vec::len)),
            list_songs: lists.concat(),
            member_offsets: ends(&mut list_of.iter().map(|list| usize::from(list.is_some()))),
            member_lists: list_of.into_iter().flatten().collect(),
        }
    }

    /// Writes a table of the columns `song` and `neighbour`, which `--contexts` reads; several processes may do so at once.
    /// Fails where a name has a tab or a line's end in it.
    pub fn write(&self, path: &Path, dataset: &Dataset) -> Result<()> {
        let mut text = String::from("song\tneighbour\n");
        for list in 0..self.lists().len() {
            let names: Vec<&str> = self.lists().row(list).iter().map(|&song| dataset.name(song as usize)).collect();
            if let Some(name) = names.iter().find(|name| name.contains(['\t', '\n', '\r', '"'])) {
                return Err(Error::input(path, format!("the name {name:?} does not fit into a table")));
            }
            names[1..].iter().for_each(|name| text.push_str(&format!("{}\t{name}\n", names[0])));
        }
        atomic::write_among(path, text.as_bytes())
    }

    /// In place of [`crate::dataset::Dataset::playlists`].
    pub fn lists(&self) -> Rows<'_> {
        Rows { offsets: &self.list_offsets, values: &self.list_songs }
    }

    /// In place of [`crate::dataset::Dataset::memberships`].
    pub fn memberships(&self) -> Rows<'_> {
        Rows { offsets: &self.member_offsets, values: &self.member_lists }
    }
}
