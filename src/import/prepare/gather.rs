//! Bringing files, tags, splits, groups and playlists together by name, before anything is decoded;
//! and the dataset's contents once it is known which files have audio.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::{Options, SplitBy, scan};
use crate::dataset::Split;
use crate::dataset::write::Contents;
use crate::error::{Error, Result};
use crate::import::names::{Found, Names, clean};
use crate::import::playlists::{self, Reading, UNKNOWN};
use crate::import::tags::Tags;
use crate::import::{groups, splits};

/// A name that was not found, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// The table or playlist's file name.
    pub file: String,
    pub name: String,
    pub why: &'static str,
}

const NOTHING: &str = "no such song";
const SEVERAL: &str = "several songs have this name";
const NO_AUDIO: &str = "no audio: lends its tags only";

/// Everything by number of song. The songs with files come first, in the order of the files.
pub struct Gathered {
    names: Vec<String>,
    files: usize,
    tag_names: Vec<String>,
    /// (song, tag), each once, in order.
    links: Vec<(u32, u32)>,
    splits: Vec<Split>,
    groups: Vec<Option<u32>>,
    group_names: Vec<String>,
    lists: Vec<Vec<Option<u32>>>,
    /// Names not found, with how often.
    pub missing: BTreeMap<Missing, u64>,
    /// Ids that several songs share; the first one is meant.
    pub shared_ids: usize,
}

impl Gathered {
    pub fn new(options: &Options, files: &[scan::File]) -> Result<Gathered> {
        let mut tags = Tags::default();
        for path in &options.tags {
            tags.read(path)?;
        }
        let mut missing = BTreeMap::new();
        let mut miss = |path: &Path, name: &str, why| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            *missing.entry(Missing { file, name: name.to_string(), why }).or_insert(0) += 1;
        };

        // Songs with tags but no file are songs too: they lend.
        let tags_file = options.tags.first().map_or(Path::new("tags"), |path| path);
        let mut names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let by_file = Names::new(names.clone());
        let mut silent: HashMap<String, u32> = HashMap::new();
        let mut songs = Vec::with_capacity(tags.songs.names.len());
        for (name, found) in tags.songs.names.iter().zip(resolve(&by_file, &tags.songs.names)) {
            songs.push(match found {
                Found::Path(song) | Found::Likeness(song) => Some(song),
                Found::Several => {
                    miss(tags_file, name, SEVERAL);
                    None
                }
                Found::Nothing => {
                    miss(tags_file, name, NO_AUDIO);
                    let new = names.len() as u32;
                    let song = *silent.entry(clean(name)).or_insert(new);
                    if song == new {
                        names.push(clean(name));
                    }
                    Some(song)
                }
            });
        }
        let mut links: Vec<(u32, u32)> =
            tags.links.iter().filter_map(|&(song, tag)| Some((songs[song as usize]?, tag))).collect();
        links.sort_unstable();
        links.dedup();

        let all = Names::new(names.clone());
        let mut table = |path: &Path, rows: &[String]| {
            let found = resolve(&all, rows);
            for (name, found) in rows.iter().zip(&found) {
                match found {
                    Found::Nothing => miss(path, name, NOTHING),
                    Found::Several => miss(path, name, SEVERAL),
                    _ => {}
                }
            }
            found
        };

        let mut shared_ids = 0;
        let mut ids = HashMap::new();
        if let (Some(path), Some(column)) = (&options.songs, &options.id_column) {
            (ids, shared_ids) = groups::by_id(groups::read(path, column)?);
        }
        let mut group_of = vec![None; names.len()];
        let mut group_names: Vec<String> = Vec::new();
        {
            let mut named: Vec<(usize, String)> = Vec::new();
            if let (Some(path), Some(column)) = (&options.songs, &options.group_column) {
                let (rows, values): (Vec<String>, Vec<String>) = groups::read(path, column)?.into_iter().unzip();
                let found = table(path, &rows);
                named.extend(found.iter().zip(values).filter_map(|(f, value)| Some((f.song()? as usize, value))));
            } else if options.group_folder {
                named.extend((0..names.len()).filter_map(|s| Some((s, groups::folder(&names[s])?.to_string()))));
            }
            group_names.extend(named.iter().map(|(_, group)| group.clone()));
            group_names.sort();
            group_names.dedup();
            for (song, group) in named {
                group_of[song] = group_names.binary_search(&group).ok().map(|g| g as u32);
            }
        }

        let mut sides = vec![Split::None; names.len()];
        if let Some(SplitBy::File(path)) = &options.split {
            let (rows, given): (Vec<String>, Vec<Split>) = splits::read(path)?.into_iter().unzip();
            for (found, side) in table(path, &rows).into_iter().zip(given) {
                if let Some(song) = found.song() {
                    sides[song as usize] = side;
                }
            }
        }

        let roots = scan::canonical(&options.audio)?;
        let mut lists = Vec::new();
        for path in playlists::files(&options.playlists)? {
            let real = fs::canonicalize(&path).map_err(|e| Error::io(&path, "cannot open", e))?;
            let folder = real.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
            let is_ids = real.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
            playlists::read(&path, options.reading, &mut |list| {
                let rows: Vec<Option<String>> = list
                    .entries
                    .into_iter()
                    .map(|entry| {
                        entry.map(|e| if is_ids { ids.get(&e).cloned().unwrap_or(e) } else { entry_name(&e, &folder, &roots) })
                    })
                    .collect();
                let named: Vec<String> = rows.iter().flatten().cloned().collect();
                let mut found = table(&path, &named).into_iter();
                lists.push(rows.iter().map(|row| row.as_ref().and_then(|_| found.next()?.song())).collect());
            })?;
        }
        Ok(Gathered {
            names,
            files: files.len(),
            tag_names: tags.tags.names,
            links,
            splits: sides,
            groups: group_of,
            group_names,
            lists,
            missing,
            shared_ids,
        })
    }

    /// The dataset's contents, songs in order of their names, and for each song the place of its
    /// file. `audio[i]` says whether file i has audio; a file without audio and without tags is no song.
    pub fn contents(&self, options: &Options, audio: &[bool]) -> Result<(Contents, Vec<Option<usize>>)> {
        let tagged: HashSet<u32> = self.links.iter().map(|link| link.0).collect();
        let has_audio = |song: usize| song < self.files && audio[song];
        let mut order: Vec<usize> = (0..self.names.len()).filter(|&s| has_audio(s) || tagged.contains(&(s as u32))).collect();
        order.sort_by(|&a, &b| self.names[a].cmp(&self.names[b]));
        let mut place: Vec<Option<u32>> = vec![None; self.names.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old] = Some(new as u32);
        }

        let (vocabulary, tag_places) = self.vocabulary(options.top, &place);
        let mut tags = vec![Vec::new(); order.len()];
        for &(song, tag) in &self.links {
            if let (Some(song), Some(tag)) = (place[song as usize], tag_places[tag as usize]) {
                tags[song as usize].push(tag);
            }
        }
        let mut names: Vec<String> = order.iter().map(|&s| self.names[s].clone()).collect();
        let groups: Vec<Option<u32>> = order.iter().map(|&s| self.groups[s]).collect();
        let mut splits = vec![Split::None; order.len()];
        let with_audio: Vec<usize> = (0..order.len()).filter(|&new| has_audio(order[new])).collect();
        match &options.split {
            Some(SplitBy::Chance { fractions, seed, grouped }) => {
                let of: Vec<Option<u32>> = with_audio.iter().map(|&new| groups[new]).collect();
                let sides = splits::random(with_audio.len(), grouped.then_some(&of[..]), *fractions, *seed)?;
                with_audio.iter().zip(sides).for_each(|(&new, side)| splits[new] = side);
            }
            // A song without audio is neither trained on nor tested.
            _ => with_audio.iter().for_each(|&new| splits[new] = self.splits[order[new]]),
        }

        let unknown = names.len() as u32;
        let mut all = Vec::new();
        for list in &self.lists {
            let found: Vec<Option<u32>> = list.iter().map(|song| place[song.as_ref().copied()? as usize]).collect();
            all.extend(options.reading.apply(&found, unknown));
        }
        let mut files: Vec<Option<usize>> = order.iter().map(|&s| has_audio(s).then_some(s)).collect();
        let (mut tags, mut splits, mut groups) = (tags, splits, groups);
        if options.reading == Reading::Gaps && all.iter().flatten().any(|&song| song == unknown) {
            if names.iter().any(|name| name == UNKNOWN) {
                return Err(Error::usage("--playlist-reading gaps", format!("a song is called {UNKNOWN:?}, the name gaps get")));
            }
            names.push(UNKNOWN.into());
            tags.push(Vec::new());
            splits.push(Split::None);
            groups.push(None);
            files.push(None);
        }
        let contents = Contents {
            sample_rate: options.decode.rate,
            names,
            vocabulary,
            tags,
            splits,
            groups,
            group_names: self.group_names.clone(),
            playlists: all,
            options: serde_json::Value::Null,
        };
        Ok((contents, files))
    }

    /// The most frequent tags, by number of songs and then by name; and each tag's place among them.
    fn vocabulary(&self, top: Option<usize>, place: &[Option<u32>]) -> (Vec<String>, Vec<Option<u32>>) {
        let mut counts = vec![0u64; self.tag_names.len()];
        for &(song, tag) in &self.links {
            counts[tag as usize] += u64::from(place[song as usize].is_some());
        }
        let mut order: Vec<usize> = (0..counts.len()).filter(|&tag| counts[tag] > 0).collect();
        order.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| self.tag_names[a].cmp(&self.tag_names[b])));
        order.truncate(top.unwrap_or(usize::MAX));
        let mut places = vec![None; counts.len()];
        for (new, &old) in order.iter().enumerate() {
            places[old] = Some(new as u32);
        }
        (order.into_iter().map(|tag| self.tag_names[tag].clone()).collect(), places)
    }
}

/// What a table's names mean. A song that the table names by its path is not also meant by a
/// likeness: the other name is another song's.
fn resolve(names: &Names, rows: &[String]) -> Vec<Found> {
    let by_path: HashSet<u32> = rows.iter().filter_map(|name| names.path(name)).collect();
    let find = |name: &String| match names.find(name) {
        Found::Likeness(song) if by_path.contains(&song) => Found::Nothing,
        found => found,
    };
    rows.iter().map(find).collect()
}

/// The name that a playlist's entry gives a song: its path under a folder of audio where it leads
/// into one, else the path as it stands. Only text: nothing is opened.
fn entry_name(entry: &str, folder: &str, roots: &[std::path::PathBuf]) -> String {
    let path = playlists::entry_path(entry);
    let drive = path.as_bytes().get(1) == Some(&b':');
    let absolute = if path.starts_with('/') || drive { clean(&path) } else { clean(&format!("{folder}/{path}")) };
    let under = |root: &std::path::PathBuf| {
        let root = clean(&root.to_string_lossy());
        absolute.strip_prefix(&root)?.strip_prefix('/').map(String::from)
    };
    roots.iter().find_map(under).unwrap_or(path)
}
