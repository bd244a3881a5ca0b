//! The dataset's contents, once it is known which files have audio.

use std::collections::HashSet;

use super::gather::{Gathered, Sides};
use crate::dataset::Split;
use crate::dataset::write::Contents;
use crate::error::{Error, Result};
use crate::import::counts::Counts;
use crate::import::playlists::{Reading, UNKNOWN};
use crate::import::splits;

/// Bytes that the tags of all songs may take.
const TAGS: usize = 4 << 30;

/// What the paper says of its data (section IV B).
mod paper {
    pub const PLAYLISTS: u64 = 80_578;
    pub const LENGTH: u64 = 6;
    pub const SONGS: u64 = 70_427;
    pub const TRAIN: u64 = 26_844;
    pub const VALID: u64 = 10_054;
    pub const TEST: u64 = 6_354;
}

/// A dataset's contents and where they come from.
pub struct Selected {
    pub contents: Contents,
    /// For each song the place of its file.
    pub files: Vec<Option<usize>>,
    /// All counts: those of gathering and what was left out here.
    pub counts: Counts,
}

impl Gathered {
    /// Songs in order of their names. `audio[i]` says whether file i has audio; a file without audio and without
    /// tags is no song.
    pub fn contents(&self, audio: &[bool]) -> Result<Selected> {
        let mut counts = self.counts.clone();
        let mut is_tagged = vec![false; self.names.len()];
        self.links.iter().for_each(|link| is_tagged[link.0 as usize] = true);
        let has_audio = |song: usize| audio.get(song).copied().unwrap_or(false);
        let mut order: Vec<usize> = (0..self.names.len()).filter(|&s| has_audio(s) || is_tagged[s]).collect();
        order.sort_by(|&a, &b| self.names[a].cmp(&self.names[b]));
        let mut place: Vec<Option<u32>> = vec![None; self.names.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = Some(new as u32);
        }

        let (vocabulary, tag_places) = self.vocabulary(&place);
        if order.len().saturating_mul(vocabulary.len().div_ceil(8)) > TAGS {
            let what = format!("{} songs with {} tags would take more than {} GiB", order.len(), vocabulary.len(), TAGS >> 30);
            return Err(Error::usage("--tags", what).help("Keep the most frequent tags only, for example --top 1000."));
        }
        let mut tags = vec![Vec::new(); order.len()];
        for &(song, tag) in &self.links {
            if let (Some(song), Some(tag)) = (place[song as usize], tag_places[tag as usize]) {
                tags[song as usize].push(tag);
            }
        }
        let mut names: Vec<String> = order.iter().map(|&s| self.names[s].clone()).collect();
        let mut groups: Vec<Option<u32>> = order.iter().map(|&s| self.groups[s]).collect();
        let mut files: Vec<Option<usize>> = order.iter().map(|&s| has_audio(s).then_some(s)).collect();

        let unknown = names.len() as u32;
        let mut playlists = Vec::new();
        let (mut lost, mut short) = (0, 0);
        let mut learned = Learned::default();
        for list in &self.lists {
            let found: Vec<Option<u32>> = list.iter().map(|song| place[song.as_ref().copied()? as usize]).collect();
            lost += (list.iter().flatten().count() - found.iter().flatten().count()) as u64;
            let before = playlists.len();
            playlists.extend(self.reading.apply(&found, unknown));
            short += u64::from(playlists.len() == before);
            let with_tags: Vec<Option<u32>> =
                found.iter().map(|song| song.filter(|&song| is_tagged[order[song as usize]])).collect();
            self.reading.apply(&with_tags, unknown).iter().for_each(|list| learned.add(list, unknown));
        }
        counts.dropped("playlists", "places of songs without tags and audio", lost);
        counts.dropped("playlists", "playlists of fewer than two different songs", short);

        let with_audio: Vec<usize> = (0..order.len()).filter(|&new| files[new].is_some()).collect();
        let mut sides = self.split(&with_audio, &names, &groups, &order, &is_tagged, &learned)?;
        if self.msd {
            let heard = learned.songs.iter().filter(|&&song| files[song as usize].is_some()).count() as u64;
            let of = "the paper";
            counts.published(of, "playlists of songs with tags", learned.lists, paper::PLAYLISTS);
            let length = (learned.places + learned.lists / 2).checked_div(learned.lists).unwrap_or(0);
            counts.published(of, "songs of such a playlist, mean", length, paper::LENGTH);
            counts.published(of, "different songs in them", learned.songs.len() as u64, paper::SONGS);
            counts.published(of, "of these with audio", heard, paper::TRAIN);
            let on = |side| sides.iter().filter(|&&s| s == side).count() as u64;
            counts.published(of, "songs that train", on(Split::Train), paper::TRAIN);
            counts.published(of, "songs that validate", on(Split::Valid), paper::VALID);
            counts.published(of, "songs that test", on(Split::Test), paper::TEST);
        }

        if self.reading == Reading::Gaps && playlists.iter().flatten().any(|&song| song == unknown) {
            if names.iter().any(|name| name == UNKNOWN) {
                return Err(Error::usage("--playlist-reading gaps", format!("a song is called {UNKNOWN:?}, the name gaps get")));
            }
            names.push(UNKNOWN.into());
            tags.push(Vec::new());
            sides.push(Split::None);
            groups.push(None);
            files.push(None);
        }
        let contents = Contents {
            sample_rate: self.rate,
            names,
            vocabulary,
            tags,
            splits: sides,
            groups,
            group_names: self.group_names.clone(),
            playlists,
            options: serde_json::Value::Null,
        };
        Ok(Selected { contents, files, counts })
    }

    /// The side of each song. A song without audio is neither trained on nor tested.
    fn split(
        &self,
        with_audio: &[usize],
        names: &[String],
        groups: &[Option<u32>],
        order: &[usize],
        is_tagged: &[bool],
        learned: &Learned,
    ) -> Result<Vec<Split>> {
        let mut sides = vec![Split::None; order.len()];
        let given = |new: usize| self.splits[order[new]];
        match &self.sides {
            Sides::Given => with_audio.iter().for_each(|&new| sides[new] = given(new)),
            Sides::MagnaTagATune => with_audio.iter().for_each(|&new| sides[new] = splits::magnatagatune(&names[new])),
            Sides::Chance { fractions, seed, grouped } => {
                let of: Vec<Option<u32>> = with_audio.iter().map(|&new| groups[new]).collect();
                let drawn = splits::random(with_audio.len(), grouped.then_some(&of[..]), *fractions, *seed)?;
                with_audio.iter().zip(drawn).for_each(|(&new, side)| sides[new] = side);
            }
            Sides::Playlists { drawn } => {
                let tagged = with_audio.iter().copied().filter(|&new| is_tagged[order[new]]);
                let (train, others): (Vec<usize>, Vec<usize>) = tagged.partition(|&new| learned.songs.contains(&(new as u32)));
                train.iter().for_each(|&new| sides[new] = Split::Train);
                let others = match drawn {
                    Some((numbers, seed)) => splits::draw(&others, *numbers, *seed)?,
                    None => others.into_iter().map(|new| (new, given(new))).filter(|other| other.1 != Split::Train).collect(),
                };
                others.into_iter().for_each(|(new, side)| sides[new] = side);
            }
        }
        Ok(sides)
    }

    /// The most frequent tags, by number of songs and then by name; and each tag's place among them.
    fn vocabulary(&self, place: &[Option<u32>]) -> (Vec<String>, Vec<Option<u32>>) {
        let mut counts = vec![0u64; self.tag_names.len()];
        for &(song, tag) in &self.links {
            counts[tag as usize] += u64::from(place[song as usize].is_some());
        }
        let mut order: Vec<usize> = (0..counts.len()).filter(|&tag| counts[tag] > 0).collect();
        order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| self.tag_names[a].cmp(&self.tag_names[b])));
        order.truncate(self.top.unwrap_or(usize::MAX));
        let mut places = vec![None; counts.len()];
        for (new, &old) in order.iter().enumerate() {
            places[old] = Some(new as u32);
        }
        (order.into_iter().map(|tag| self.tag_names[tag].clone()).collect(), places)
    }
}

/// Playlists without the songs that have no tags, as the paper has them: what training learns from.
#[derive(Default)]
struct Learned {
    lists: u64,
    places: u64,
    songs: HashSet<u32>,
}

impl Learned {
    fn add(&mut self, list: &[u32], unknown: u32) {
        let known = list.iter().filter(|&&song| song != unknown);
        self.lists += 1;
        self.places += known.clone().count() as u64;
        self.songs.extend(known);
    }
}
