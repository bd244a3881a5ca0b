//! Playlists as walks see them: made once, so that a draw needs no search. Songs that are dropped
//! are taken out, and for every song of every playlist it is known where it begins.

use std::sync::Arc;

use super::{Bits, Contexts, Options, Reading, UntaggedLenders};
use crate::dataset::Rows;
use crate::error::Result;

/// In a place: the song is in this playlist more than once.
const REPEATED: u32 = 1 << 31;

/// Playlists, who can lend, and a reading of the walk. Memory beyond the contexts' own: 4 bytes a
/// song of a playlist, 4 more where songs were dropped, and 1 bit a song. A clone shares all of it.
#[derive(Clone)]
pub struct Walks<'a> {
    lists: Arc<Lists<'a>>,
    pub(super) reading: Reading,
    pub(super) range: f64,
    pub(super) untagged: UntaggedLenders,
}

/// What all ranges share.
struct Lists<'a> {
    contexts: Contexts<'a>,
    /// Without the songs that were dropped, where any were: offsets and songs.
    kept: Option<(Vec<u64>, Vec<u32>)>,
    /// For every membership the first place of that song in that playlist; for a song that was
    /// dropped, how many songs remained before it.
    places: Vec<u32>,
    lenders: Bits,
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
        Walks::along(Contexts::borrowed(playlists, memberships), lenders, options)
    }

    /// The same along any contexts.
    pub fn along(contexts: Contexts<'a>, lenders: Bits, options: &Options) -> Result<Walks<'a>> {
        options.check()?;
        let (playlists, memberships) = (contexts.lists(), contexts.memberships());
        let dropped = options.untagged_lenders == UntaggedLenders::Drop
            && playlists.values.iter().any(|&song| !lenders.contains(song as usize));
        let stays = |song: u32| !dropped || lenders.contains(song as usize);
        let kept = dropped.then(|| {
            let mut offsets = Vec::with_capacity(playlists.offsets.len());
            let mut songs = Vec::with_capacity(playlists.values.iter().filter(|&&s| stays(s)).count());
            offsets.push(0);
            for p in 0..playlists.len() {
                songs.extend(playlists.row(p).iter().filter(|&&s| stays(s)));
                offsets.push(songs.len() as u64);
            }
            (offsets, songs)
        });
        // A song's memberships come up in their own order, so one cursor a song finds them all.
        let mut places = vec![0; memberships.values.len()];
        let mut seen = vec![0u32; memberships.len()];
        for p in 0..playlists.len() {
            let mut place = 0;
            for &song in playlists.row(p) {
                let (row, next) = (memberships.row(song as usize), seen[song as usize] as usize);
                let first = memberships.offsets[song as usize] as usize;
                if row.get(next) == Some(&(p as u32)) {
                    places[first + next] = place;
                    seen[song as usize] += 1;
                } else if next > 0 && row[next - 1] == p as u32 && stays(song) {
                    places[first + next - 1] |= REPEATED;
                }
                place += stays(song) as u32;
            }
        }
        let lists = Arc::new(Lists { contexts, kept, places, lenders });
        Ok(Walks { lists, reading: options.reading, range: options.range, untagged: options.untagged_lenders })
    }

    /// The same walks with another range, 0 to 1.
    pub fn at(&self, range: f64) -> Walks<'a> {
        assert!((0.0..=1.0).contains(&range), "range {range}");
        Walks { range, ..self.clone() }
    }

    /// What the walks go along.
    pub fn contexts(&self) -> &Contexts<'a> {
        &self.lists.contexts
    }

    /// The search range.
    pub fn range(&self) -> f64 {
        self.range
    }

    /// Songs there are.
    pub fn songs(&self) -> usize {
        self.lists.contexts.memberships().len()
    }

    /// Playlists in which walks from a song start, each once.
    pub fn playlists_of(&self, song: usize) -> &[u32] {
        self.lists.contexts.memberships().row(song)
    }

    /// Whether a song has tags to lend and may.
    pub fn can_lend(&self, song: usize) -> bool {
        self.lists.lenders.contains(song)
    }

    /// The `nth` of a song's playlists, seen from it.
    #[inline]
    pub(super) fn view(&self, song: usize, nth: usize) -> View<'_> {
        let lists = &*self.lists;
        let memberships = lists.contexts.memberships();
        let at = memberships.offsets[song] as usize + nth;
        let playlist = memberships.values[at] as usize;
        let all = lists.contexts.lists();
        let songs = match &lists.kept {
            Some((offsets, songs)) => Rows { offsets, values: songs }.row(playlist),
            None => all.row(playlist),
        };
        let place = (lists.places[at] & !REPEATED) as usize;
        let gap = lists.kept.is_some() && !lists.lenders.contains(song);
        View {
            start: song as u32,
            left: place,
            right: songs.len() - place - !gap as usize,
            repeated: lists.places[at] & REPEATED != 0,
            songs,
            place,
            gap,
        }
    }

    /// Whether a walk can stop at a song.
    #[inline]
    pub(super) fn can_stop(&self, song: u32) -> bool {
        self.untagged != UntaggedLenders::Pass || self.can_lend(song as usize)
    }

    /// Whether a walk that stopped at a song brings something (with `zeros`, an all-zero vector).
    #[inline]
    pub(super) fn brings(&self, song: u32) -> bool {
        self.untagged == UntaggedLenders::Zeros || self.can_lend(song as usize)
    }
}
