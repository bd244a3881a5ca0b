//! What walks go along: ordered lists of songs from one source or several, and the lists in which
//! each song's walks start. A walk takes a source that its song is in, by weight, then one of the
//! song's lists in it, all equally likely; with one source this is eq. (4)'s mean.

use std::borrow::Cow;
use std::ops::Range;

use rand::RngExt;
use sha2::{Digest, Sha256};

use super::options::{Context, File, Origin};
use super::{Bits, Options};
use crate::dataset::{Dataset, Rows};
use crate::error::{Error, Result};
use crate::format::hex;
use crate::random::{Purpose, generator};

/// Lists of one kind: playlists, albums, a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub name: String,
    /// Its first list; it ends where the next source begins.
    pub first: u32,
    pub weight: f64,
}

/// Where walks along a list may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// At any song of it, as in a playlist.
    Anywhere,
    /// At its first song only: the list is that song's own, for example of what sounds like it.
    First,
}

/// Lists that were read or made, songs by number.
#[derive(Clone, Debug, PartialEq)]
pub struct Lists {
    pub name: String,
    pub weight: f64,
    pub starts: Starts,
    /// Songs of each list, in order.
    pub lists: Vec<Vec<u32>>,
}

impl Lists {
    /// SHA-256 of the lists and where walks start, hex.
    pub fn sha256(&self) -> String {
        let mut sha = Sha256::new();
        sha.update([u8::from(self.starts == Starts::First)]);
        for list in &self.lists {
            sha.update((list.len() as u64).to_le_bytes());
            list.iter().for_each(|song| sha.update(song.to_le_bytes()));
        }
        hex(&sha.finalize())
    }
}

/// See the top of the page. Memory beyond what is borrowed: 4 bytes a place and 4 a membership.
#[derive(Clone, Debug)]
pub struct Contexts<'a> {
    offsets: Cow<'a, [u64]>,
    songs: Cow<'a, [u32]>,
    starts: Cow<'a, [u64]>,
    memberships: Cow<'a, [u32]>,
    /// At least one.
    sources: Vec<Source>,
}

impl<'a> Contexts<'a> {
    /// One source: `lists` has the songs of each list in order, `memberships` for each song the lists in which
    /// its walks start, ascending and each once; each of them holds the song.
    pub fn borrowed(lists: Rows<'a>, memberships: Rows<'a>) -> Contexts<'a> {
        Contexts {
            offsets: Cow::Borrowed(lists.offsets),
            songs: Cow::Borrowed(lists.values),
            starts: Cow::Borrowed(memberships.offsets),
            memberships: Cow::Borrowed(memberships.values),
            sources: vec![Source { name: "playlists".into(), first: 0, weight: 1.0 }],
        }
    }

    /// Lists of several kinds together, of `songs` songs. Empty lists are no harm. Panics where a song is not
    /// below `songs`, or where there is no source.
    pub fn of_lists(songs: usize, sources: &[Lists]) -> Contexts<'static> {
        assert!(!sources.is_empty(), "contexts of no source");
        let (mut offsets, mut values) = (vec![0], Vec::new());
        let mut own = Vec::new();
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); songs];
        for source in sources {
            let first = offsets.len() as u32 - 1;
            own.push(Source { name: source.name.clone(), first, weight: source.weight });
            for (p, list) in (first..).zip(&source.lists) {
                values.extend_from_slice(list);
                offsets.push(values.len() as u64);
                let starting = if source.starts == Starts::First { list.len().min(1) } else { list.len() };
                for &song in &list[..starting] {
                    let row = &mut members[song as usize];
                    if row.last() != Some(&p) {
                        row.push(p);
                    }
                }
            }
        }
        let mut starts = vec![0];
        starts.extend(members.iter().scan(0, |end, row| {
            *end += row.len() as u64;
            Some(*end)
        }));
        Contexts {
            offsets: offsets.into(),
            songs: values.into(),
            starts: starts.into(),
            memberships: members.concat().into(),
            sources: own,
        }
    }

    /// What a run's options name, of a dataset and beside it; shuffled if they say so, by `seed`.
    pub fn of(dataset: &'a Dataset, options: &Options, seed: u64) -> Result<Contexts<'a>> {
        let mut contexts = match &options.contexts[..] {
            [] | [Context { from: Origin::Playlists, .. }] => Contexts::borrowed(dataset.playlists(), dataset.memberships()),
            mixed => {
                let sources = mixed.iter().map(|context| source(dataset, context)).collect::<Result<Vec<_>>>()?;
                Contexts::of_lists(dataset.songs(), &sources)
            }
        };
        if options.shuffle_playlists {
            contexts.shuffle(seed);
        }
        Ok(contexts)
    }

    /// Puts every list in a random order (Fisher and Yates); who is in which stays.
    pub fn shuffle(&mut self, seed: u64) {
        let songs = self.songs.to_mut();
        for (kind, source) in self.sources.iter().enumerate() {
            let end = self.sources.get(kind + 1).map_or(self.offsets.len() - 1, |next| next.first as usize);
            for p in source.first as usize..end {
                let list = &mut songs[self.offsets[p] as usize..self.offsets[p + 1] as usize];
                let mut random = generator(seed, Purpose::Shuffle, [kind as u64, p as u64 - u64::from(source.first), 0]);
                for i in 0..list.len().saturating_sub(1) {
                    let other = random.random_range(i..list.len());
                    list.swap(i, other);
                }
            }
        }
    }

    /// Songs of each list, in order; lists of all sources, one source after the other.
    pub fn lists(&self) -> Rows<'_> {
        Rows { offsets: &self.offsets, values: &self.songs }
    }

    /// For each song the lists in which its walks start, ascending, each once.
    pub fn memberships(&self) -> Rows<'_> {
        Rows { offsets: &self.starts, values: &self.memberships }
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The source of a list.
    pub fn source_of(&self, list: u32) -> &Source {
        &self.sources[self.sources.partition_point(|source| source.first <= list) - 1]
    }

    /// The sources that a song's walks start in, as (weight, which of the song's lists).
    pub fn sources_of(&self, song: usize) -> impl Iterator<Item = (f64, Range<usize>)> + '_ {
        let lists = self.memberships().row(song);
        let mut begin = 0;
        self.sources.iter().enumerate().filter_map(move |(kind, source)| {
            let end = match self.sources.get(kind + 1) {
                Some(next) => begin + lists[begin..].partition_point(|&p| p < next.first),
                None => lists.len(),
            };
            let range = std::mem::replace(&mut begin, end)..end;
            (!range.is_empty()).then_some((source.weight, range))
        })
    }

    /// How many lists hold each song, each list counted once.
    pub fn popularity(&self) -> Vec<u32> {
        let mut counts = vec![0; self.memberships().len()];
        let mut last = vec![u32::MAX; counts.len()];
        for p in 0..self.lists().len() {
            for &song in self.lists().row(p) {
                if std::mem::replace(&mut last[song as usize], p as u32) != p as u32 {
                    counts[song as usize] += 1;
                }
            }
        }
        counts
    }

    /// The songs that some list holds.
    pub fn held(&self) -> Bits {
        let mut held = Bits::none(self.memberships().len());
        self.songs.iter().for_each(|&song| held.insert(song as usize));
        held
    }
}

/// Reads or makes one source.
fn source(dataset: &Dataset, context: &Context) -> Result<Lists> {
    let rows = |rows: Rows<'_>| (0..rows.len()).map(|p| rows.row(p).to_vec()).collect();
    let named = |name: &str, lists| Lists { name: name.into(), weight: context.weight, starts: Starts::Anywhere, lists };
    Ok(match &context.from {
        Origin::Playlists => named("playlists", rows(dataset.playlists())),
        Origin::Group => named("group", groups(dataset)?),
        Origin::File(file) => {
            let lists = Lists { weight: context.weight, ..read(dataset, file)?.0 };
            if file.sha256.as_ref().is_some_and(|sha256| *sha256 != lists.sha256()) {
                return Err(Error::input(&file.path, "has other lists now than when this run began")
                    .help("Take back the file as it was, or begin a new run."));
            }
            lists
        }
    })
}

/// The songs of each group of two or more, in the dataset's order.
fn groups(dataset: &Dataset) -> Result<Vec<Vec<u32>>> {
    let mut lists = vec![Vec::new(); dataset.manifest().groups];
    for song in 0..dataset.songs() {
        if let Some(group) = dataset.group(song) {
            lists[group as usize].push(song as u32);
        }
    }
    lists.retain(|list| list.len() > 1);
    if lists.is_empty() {
        return Err(Error::input(dataset.folder(), "has no group of two songs or more, so none can lend within one")
            .help("Prepare the dataset with groups of its songs: artists, albums, folders."));
    }
    Ok(lists)
}

/// Lists of a file, and how many places it has and how many of them are no song of the dataset.
#[cfg(feature = "import")]
pub fn read(dataset: &Dataset, file: &File) -> Result<(Lists, [u64; 2])> {
    let read = crate::import::contexts::read(dataset, &file.path, file.column.as_deref())?;
    let starts = if read.own { Starts::First } else { Starts::Anywhere };
    let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy().into_owned();
    Ok((Lists { name, weight: 1.0, starts, lists: read.lists }, [read.places, read.missing]))
}

/// Lists of a file: this build reads none.
#[cfg(not(feature = "import"))]
pub fn read(_: &Dataset, file: &File) -> Result<(Lists, [u64; 2])> {
    Err(Error::input(&file.path, "cannot be read by this build").help("Build with the default features, for `import`."))
}
