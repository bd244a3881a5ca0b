//! Bringing files, tags, splits, groups and playlists together by name, before anything is decoded. What is
//! gathered needs none of the tables any more: parts of a dataset carry it to where they are joined.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::catalogue::Catalogue;
use super::options::{Options, Others, SplitFrom};
use super::report::Skipped;
use super::resolve::{self, Finder, Remark};
use super::scan;
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::import::counts::{Counts, file_name};
use crate::import::groups;
use crate::import::names::{Found, Names, clean};
use crate::import::playlists::{self, Kind, Reading};
use crate::import::splits::{self, Fractions, Numbers};
use crate::import::tags::Tags;
use crate::import::text::one_line;

/// A name that was not found, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Missing {
    /// The table or playlist's file name.
    pub file: String,
    pub name: String,
    pub why: String,
}

/// A name that was found by the file name alone, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByName {
    /// The table or playlist's file name.
    pub file: String,
    pub name: String,
    pub song: String,
}

/// How songs come to their sides of the split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Sides {
    /// As `splits` has them, from files.
    Given,
    MagnaTagATune,
    Chance {
        fractions: Fractions,
        seed: u64,
        grouped: bool,
    },
    /// Songs of playlists train; others are drawn, or, without numbers, as `splits` has them.
    Playlists {
        drawn: Option<(Numbers, u64)>,
    },
}

/// Everything by number of song. The songs with files come first, in the order of the files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gathered {
    pub names: Vec<String>,
    /// What lists for people call the files.
    pub files: Vec<String>,
    pub tag_names: Vec<String>,
    /// (song, tag), each once, in order.
    pub links: Vec<(u32, u32)>,
    pub sides: Sides,
    pub splits: Vec<Split>,
    pub groups: Vec<Option<u32>>,
    pub group_names: Vec<String>,
    pub lists: Vec<Vec<Option<u32>>>,
    pub reading: Reading,
    /// Keep the most frequent tags only.
    pub top: Option<usize>,
    /// Samples a second.
    pub rate: u32,
    /// The paper's figures stand beside ours.
    pub msd: bool,
    /// Names not found, with how often.
    pub missing: Vec<(Missing, u64)>,
    /// Names found by their file name alone, with how often: their folders differ from the song's.
    pub by_name: Vec<(ByName, u64)>,
    /// Playlists of folders that could not be read.
    pub skipped: Vec<Skipped>,
    /// Ids that several songs share; the first one is meant.
    pub shared_ids: usize,
    pub counts: Counts,
}

/// Names not found, and those found by the file name alone, with how often.
#[derive(Default)]
pub struct Misses {
    missing: BTreeMap<Missing, u64>,
    by_name: BTreeMap<ByName, u64>,
}

impl Misses {
    pub fn miss(&mut self, file: &str, name: &str, why: &str) {
        *self.missing.entry(Missing { file: file.into(), name: name.into(), why: why.into() }).or_insert(0) += 1;
    }

    fn extend(&mut self, other: Misses) {
        other.missing.into_iter().for_each(|(name, times)| *self.missing.entry(name).or_insert(0) += times);
        other.by_name.into_iter().for_each(|(name, times)| *self.by_name.entry(name).or_insert(0) += times);
    }

    pub fn by_name(&mut self, file: &str, name: &str, song: &str) {
        *self.by_name.entry(ByName { file: file.into(), name: name.into(), song: song.into() }).or_insert(0) += 1;
    }
}

impl Gathered {
    /// `counts` and `misses` are what is known already of the files.
    pub fn new(options: &Options, files: &[scan::File], mut counts: Counts, mut misses: Misses) -> Result<Gathered> {
        let catalogue = Catalogue::read(options, &mut counts)?;
        let (names, links, tag_names) = tagged(options, files, &catalogue, &mut counts, &mut misses)?;
        let all = Names::new(names);
        let mut table = |path: &Path, rows: Vec<String>| {
            let by_id = |name: String| if all.path(&name).is_some() { name } else { catalogue.song(&name).to_string() };
            let rows: Vec<String> = rows.into_iter().map(by_id).collect();
            let found = resolve::table(&all, &rows);
            for (name, found) in rows.iter().zip(&found) {
                match found {
                    Found::Nothing => misses.miss(&file_name(path), name, resolve::NOTHING),
                    Found::Several => misses.miss(&file_name(path), name, resolve::SEVERAL),
                    Found::FileName(song) => misses.by_name(&file_name(path), name, &all.names()[*song as usize]),
                    _ => {}
                }
            }
            found
        };
        let (groups, group_names) = grouped(options, &all, &catalogue, &mut table);
        let splits = given(options, all.names(), &mut counts, &mut table)?;
        let mut skipped = Vec::new();
        let lists = lists(options, &all, &catalogue, &mut counts, &mut misses, &mut skipped)?;
        let sides = match options.split.clone() {
            None | Some(SplitFrom::Files(_)) => Sides::Given,
            Some(SplitFrom::MagnaTagATune) => Sides::MagnaTagATune,
            Some(SplitFrom::Chance { fractions, seed, grouped }) => Sides::Chance { fractions, seed, grouped },
            Some(SplitFrom::Playlists(Others::Drawn { numbers, seed })) => Sides::Playlists { drawn: Some((numbers, seed)) },
            Some(SplitFrom::Playlists(Others::Listed(_))) => Sides::Playlists { drawn: None },
        };
        Ok(Gathered {
            names: all.names().to_vec(),
            files: files.iter().map(|file| file.shown.clone()).collect(),
            tag_names,
            links,
            sides,
            splits,
            groups,
            group_names,
            lists,
            reading: options.reading,
            top: options.top,
            rate: options.decode.rate,
            msd: options.msd.is_some(),
            missing: misses.missing.into_iter().collect(),
            by_name: misses.by_name.into_iter().collect(),
            skipped,
            shared_ids: catalogue.shared_ids,
            counts,
        })
    }

    /// Leaves out the audio of songs on no side of the split, as of most of a million they are: they lend their
    /// tags, and that needs no audio. Gives the files that are left; sides are fixed from here on.
    pub fn only_split(&mut self, files: Vec<scan::File>) -> Result<Vec<scan::File>> {
        let selected = self.contents(&vec![true; files.len()])?;
        let mut side = vec![Split::None; self.names.len()];
        for (file, split) in selected.files.iter().zip(&selected.contents.splits) {
            file.iter().for_each(|&file| side[file] = *split);
        }
        let (kept, left): (Vec<usize>, Vec<usize>) = (0..files.len()).partition(|&file| side[file] != Split::None);
        let order: Vec<usize> = kept.iter().copied().chain(left.iter().copied()).chain(files.len()..self.names.len()).collect();
        let mut number = vec![0u32; order.len()];
        for (new, &old) in (0..).zip(&order) {
            number[old] = new;
        }
        self.names = order.iter().map(|&old| std::mem::take(&mut self.names[old])).collect();
        self.files = kept.iter().map(|&file| std::mem::take(&mut self.files[file])).collect();
        self.groups = order.iter().map(|&old| self.groups[old]).collect();
        self.splits = order.iter().map(|&old| side[old]).collect();
        self.sides = Sides::Given;
        self.links.iter_mut().for_each(|link| link.0 = number[link.0 as usize]);
        self.links.sort_unstable();
        self.lists.iter_mut().flatten().flatten().for_each(|song| *song = number[*song as usize]);
        self.counts.dropped("clips", "files of songs on no side of the split: they lend only", left.len() as u64);
        Ok(files.into_iter().zip(side).filter(|(_, side)| *side != Split::None).map(|(file, _)| file).collect())
    }

    /// Whether every number is one of what it counts, as in what was written by this program.
    pub fn is_whole(&self) -> bool {
        let songs = self.names.len();
        if let Sides::Chance { fractions, .. } = &self.sides
            && !fractions.are_shares()
        {
            return false;
        }
        let song = |song: &u32| (*song as usize) < songs;
        self.files.len() <= songs
            && self.splits.len() == songs
            && self.groups.len() == songs
            && self.links.iter().all(|(s, tag)| song(s) && (*tag as usize) < self.tag_names.len())
            && self.groups.iter().flatten().all(|&group| (group as usize) < self.group_names.len())
            && self.lists.iter().flatten().flatten().all(song)
    }
}

/// Names of songs, their links to tags, and the tags' names.
type Tagged = (Vec<String>, Vec<(u32, u32)>, Vec<String>);

/// The songs: those with files, then those with tags and no file, which lend; and who has which tag.
fn tagged(
    options: &Options,
    files: &[scan::File],
    catalogue: &Catalogue,
    counts: &mut Counts,
    misses: &mut Misses,
) -> Result<Tagged> {
    let mut tags = Tags { weight_above: options.weight_above, ..Tags::default() };
    for path in &options.tags {
        tags.read(path)?;
    }
    counts.extend(std::mem::take(&mut tags.counts));
    let of = options.tags.first().map_or("tags".into(), |path| file_name(path));
    let mut names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    let by_file = Names::new(names.clone());
    let by_id = |name: &String| if by_file.path(name).is_some() { name.clone() } else { catalogue.song(name).to_string() };
    let called: Vec<String> = tags.songs.names.iter().map(by_id).collect();
    let mut silent: HashMap<String, u32> = HashMap::new();
    let mut songs = Vec::with_capacity(called.len());
    let mut wrong = vec![false; called.len()];
    for ((name, found), wrong) in called.iter().zip(resolve::table(&by_file, &called)).zip(&mut wrong) {
        if catalogue.wrong_tracks.contains(name) {
            *wrong = true;
            songs.push(None);
            continue;
        }
        if let Found::FileName(song) = found {
            misses.by_name(&of, name, &names[song as usize]);
        }
        songs.push(match found {
            Found::Path(song) | Found::End(song) | Found::Likeness(song) | Found::FileName(song) => Some(song),
            Found::Several => {
                misses.miss(&of, name, resolve::SEVERAL);
                None
            }
            Found::Nothing => {
                misses.miss(&of, name, resolve::NO_AUDIO);
                let new = names.len() as u32;
                let song = *silent.entry(clean(name)).or_insert(new);
                if song == new {
                    names.push(clean(name));
                }
                Some(song)
            }
        });
    }
    let mismatched = tags.links.iter().filter(|link| wrong[link.0 as usize]).count();
    let mut links: Vec<(u32, u32)> = tags.links.iter().filter_map(|&(song, tag)| Some((songs[song as usize]?, tag))).collect();
    let (read, found) = (tags.links.len(), links.len());
    links.sort_unstable();
    links.dedup();
    counts.dropped("tags", "links of tracks listed as mismatches", mismatched as u64);
    counts.dropped("tags", "links of names that several songs have", (read - found - mismatched) as u64);
    counts.dropped("tags", "links that are there twice", (found - links.len()) as u64);
    Ok((names, links, tags.tags.names))
}

/// The group of each song, and the groups' names.
fn grouped(
    options: &Options,
    all: &Names,
    catalogue: &Catalogue,
    table: &mut dyn FnMut(&Path, Vec<String>) -> Vec<Found>,
) -> (Vec<Option<u32>>, Vec<String>) {
    let mut named: Vec<(u32, &str)> = Vec::new();
    if let Some((path, pairs)) = &catalogue.groups {
        if options.msd.is_some() && options.songs.is_none() {
            // Most of a million tracks are no songs here: not worth a list of those that were not found.
            named.extend(pairs.iter().filter_map(|(song, group)| Some((all.path(song)?, group.as_str()))));
        } else {
            let found = table(path, pairs.iter().map(|pair| pair.0.clone()).collect());
            named.extend(found.iter().zip(pairs).filter_map(|(found, pair)| Some((found.song()?, pair.1.as_str()))));
        }
    } else if options.group_folder {
        named.extend((0..).zip(all.names()).filter_map(|(song, name)| Some((song, groups::folder(name)?))));
    }
    let mut group_names: Vec<String> = named.iter().map(|(_, group)| group.to_string()).collect();
    group_names.sort();
    group_names.dedup();
    let mut group_of = vec![None; all.names().len()];
    for (song, group) in named {
        group_of[song as usize] = group_names.binary_search_by(|name| name.as_str().cmp(group)).ok().map(|g| g as u32);
    }
    (group_of, group_names)
}

/// The sides that files give. Fails where they name none of the songs.
fn given(
    options: &Options,
    songs: &[String],
    counts: &mut Counts,
    table: &mut dyn FnMut(&Path, Vec<String>) -> Vec<Found>,
) -> Result<Vec<Split>> {
    let files: &[_] = match &options.split {
        Some(SplitFrom::Files(files) | SplitFrom::Playlists(Others::Listed(files))) => files,
        _ => &[],
    };
    let mut sides: Vec<Option<Split>> = vec![None; songs.len()];
    let mut first: Vec<String> = Vec::new();
    for path in files {
        let (rows, given): (Vec<String>, Vec<Split>) = splits::read(path)?.into_iter().unzip();
        let of = file_name(path);
        first.extend(rows.iter().take(3 - first.len()).cloned());
        counts.read(&of, "songs on a side of the split", rows.len() as u64);
        let (mut absent, mut twice) = (0, 0);
        for (found, side) in table(path, rows).into_iter().zip(given) {
            match found.song().map(|song| &mut sides[song as usize]) {
                None => absent += 1,
                Some(there @ None) => *there = Some(side),
                Some(Some(there)) => twice += u64::from(*there != side),
            }
        }
        counts.dropped(&of, "songs that are not there", absent);
        counts.dropped(&of, "songs on another side before: that one counts", twice);
    }
    if let Some(path) = files.first().filter(|_| sides.iter().all(Option::is_none)) {
        let named = |names: &[String]| names.iter().take(3).map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
        let theirs = if first.is_empty() { "no song".into() } else { named(&first) };
        let what = format!("names none of the songs: it names {theirs}, the dataset has {}", named(songs));
        let help = "Name songs by their paths below --audio, or their ids by --songs FILE --id-column NAME.";
        return Err(Error::input(path, what).help(help));
    }
    Ok(sides.into_iter().map(Option::unwrap_or_default).collect())
}

/// The songs of each playlist. One of a folder that cannot be read is skipped; one that is named is an error.
fn lists(
    options: &Options,
    all: &Names,
    catalogue: &Catalogue,
    counts: &mut Counts,
    misses: &mut Misses,
    skipped: &mut Vec<Skipped>,
) -> Result<Vec<Vec<Option<u32>>>> {
    let roots = scan::canonical(&options.audio)?;
    let finder = Finder { names: all, catalogue, roots: &roots };
    let mut lists = Vec::new();
    let files = playlists::files(&options.playlists)?;
    if files.is_empty() && !options.playlists.is_empty() {
        let help = format!("Files are known by their extensions: {}, mpd.slice .json.", playlists::EXTENSIONS.join(", "));
        return Err(Error::usage("--playlists", "no playlist files there").help(help));
    }
    for path in files {
        let real = fs::canonicalize(&path).map_err(|e| Error::io(&path, "cannot open", e))?;
        let folder = real.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let file = file_name(&path);
        let (mut places, mut lost, mut heard, before) = (0, BTreeMap::new(), Misses::default(), lists.len());
        let read = playlists::read(&path, options.reading, &mut |list| {
            places += list.entries.len() as u64;
            lists.push(finder.list(&list.entries, &folder, &mut |name, remark| match remark {
                Remark::Missed(why) => {
                    *lost.entry(why).or_insert(0) += 1;
                    heard.miss(&file, name, why);
                }
                Remark::FileName(song) => heard.by_name(&file, name, &all.names()[song as usize]),
            }));
        });
        let read = match read {
            Ok(read) => read,
            Err(wrong) if !options.playlists.contains(&path) => {
                lists.truncate(before);
                let below = options.playlists.iter().find_map(|folder| path.strip_prefix(folder).ok()).unwrap_or(&path);
                skipped.push(Skipped { file: below.to_string_lossy().into_owned(), why: wrong.what });
                continue;
            }
            Err(wrong) => return Err(wrong),
        };
        misses.extend(heard);
        // The many files of a folder are one line; a data set has its own, with what it is known to hold.
        let (of, published) = match read.kind {
            Kind::Single => ("playlists", None),
            Kind::ArtOfTheMix => (file.as_str(), Some(101_343)),
            Kind::Spotify => ("Million Playlist Dataset", Some(1_000_000)),
        };
        match published {
            None => counts.read(of, "playlists", read.lists),
            Some(published) => counts.published(of, "playlists", read.lists, published),
        }
        counts.read(of, "places", places);
        counts.dropped(of, "places whose song the file does not name", read.unnamed);
        for (why, count) in lost {
            counts.dropped(of, &format!("places: {why}"), count);
        }
    }
    Ok(lists)
}
