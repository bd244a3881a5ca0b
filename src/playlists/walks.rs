//! Playlists as walks see them: made once, so that a draw needs no search. Songs that are dropped
//! are taken out, and for every song of every playlist it is known where it begins.

use std::borrow::Cow;

use super::{Bits, Options, Reading, UntaggedLenders};
use crate::dataset::Rows;
use crate::error::Result;

/// In a place: the song is in this playlist more than once.
const REPEATED: u32 = 1 << 31;

/// Playlists, who can lend, and a reading of the walk. Memory beyond the dataset's own: 4 bytes a
/// song of a playlist, 4 more where songs were dropped, and 1 bit a song.
pub struct Walks<'a> {
    offsets: Cow<'a, [u64]>,
    songs: Cow<'a, [u32]>,
    memberships: Rows<'a>,
    /// For every membership the first place of that song in that playlist; for a song that was
    /// dropped, how many songs remained before it.
    places: Vec<u32>,
    lenders: Bits,
    dropped: bool,
    pub(super) reading: Reading,
    pub(super) range: f64,
    pub(super) untagged: UntaggedLenders,
}

/// A playlist seen from the song a walk starts at: places are distances, negative to the left.
#[derive(Clone, Copy)]
pub(super) struct View<'v> {
    pub start: u32,
    pub left: usize,
    pub right: usize,
    /// Whether the start comes again in the playlist.
    pub repeated: bool,
    songs: &'v [u32],
    place: usize,
    /// The start was dropped, so the list has no entry for it, but it keeps its place.
    gap: bool,
}

impl View<'_> {
    #[inline]
    pub fn song(&self, distance: isize) -> u32 {
        if distance == 0 {
            return self.start;
        }
        let at = self.place.wrapping_add_signed(distance);
        self.songs[if self.gap && distance > 0 { at - 1 } else { at }]
    }
}

impl<'a> Walks<'a> {
    /// `playlists` has the songs of each playlist in order, `memberships` the playlists of each
    /// song, ascending and each once (what an opened dataset has checked); `lenders` says who can
    /// lend. Fails where the range is not between 0 and 1.
    pub fn new(playlists: Rows<'a>, memberships: Rows<'a>, lenders: Bits, options: &Options) -> Result<Walks<'a>> {
        options.check()?;
        let dropped = options.untagged_lenders == UntaggedLenders::Drop
            && playlists.values.iter().any(|&song| !lenders.contains(song as usize));
        let mut walks = Walks {
            offsets: Cow::Borrowed(playlists.offsets),
            songs: Cow::Borrowed(playlists.values),
            memberships,
            places: vec![0; memberships.values.len()],
            lenders,
            dropped,
            reading: options.reading,
            range: options.range,
            untagged: options.untagged_lenders,
        };
        let kept = |song: u32| !dropped || walks.lenders.contains(song as usize);
        if dropped {
            let mut offsets = Vec::with_capacity(playlists.offsets.len());
            let mut songs = Vec::with_capacity(playlists.values.iter().filter(|&&s| kept(s)).count());
            offsets.push(0);
            for p in 0..playlists.len() {
                songs.extend(playlists.row(p).iter().filter(|&&s| kept(s)));
                offsets.push(songs.len() as u64);
            }
            walks.offsets = Cow::Owned(offsets);
            walks.songs = Cow::Owned(songs);
        }
        // A song's memberships come up in their own order, so one cursor a song finds them all.
        let mut seen = vec![0u32; memberships.len()];
        for p in 0..playlists.len() {
            let mut place = 0;
            for &song in playlists.row(p) {
                let (row, next) = (memberships.row(song as usize), seen[song as usize] as usize);
                let first = memberships.offsets[song as usize] as usize;
                if row.get(next) == Some(&(p as u32)) {
                    walks.places[first + next] = place;
                    seen[song as usize] += 1;
                } else if next > 0 && kept(song) {
                    walks.places[first + next - 1] |= REPEATED;
                }
                place += kept(song) as u32;
            }
        }
        Ok(walks)
    }

    /// Songs there are.
    pub fn songs(&self) -> usize {
        self.memberships.len()
    }

    /// Playlists that hold a song, each once.
    pub fn playlists_of(&self, song: usize) -> &'a [u32] {
        self.memberships.row(song)
    }

    /// Whether a song has tags to lend and may.
    pub fn can_lend(&self, song: usize) -> bool {
        self.lenders.contains(song)
    }

    /// The `nth` of a song's playlists, seen from it.
    #[inline]
    pub(super) fn view(&self, song: usize, nth: usize) -> View<'_> {
        let at = self.memberships.offsets[song] as usize + nth;
        let playlist = self.memberships.values[at] as usize;
        let songs = &self.songs[self.offsets[playlist] as usize..self.offsets[playlist + 1] as usize];
        let place = (self.places[at] & !REPEATED) as usize;
        let gap = self.dropped && !self.lenders.contains(song);
        View {
            start: song as u32,
            left: place,
            right: songs.len() - place - !gap as usize,
            repeated: self.places[at] & REPEATED != 0,
            songs,
            place,
            gap,
        }
    }

    /// Whether a walk can stop at a song.
    #[inline]
    pub(super) fn can_stop(&self, song: u32) -> bool {
        self.untagged != UntaggedLenders::Pass || self.lenders.contains(song as usize)
    }

    /// Whether a walk that stopped at a song brings something (with `zeros`, an all-zero vector).
    #[inline]
    pub(super) fn brings(&self, song: u32) -> bool {
        self.untagged == UntaggedLenders::Zeros || self.lenders.contains(song as usize)
    }
}
