//! Which songs the names in tables and the places of playlists mean.

use std::collections::HashSet;
use std::path::PathBuf;

use super::catalogue::Catalogue;
use crate::import::names::{Found, Names, clean};
use crate::import::playlists::{self, Entry};

pub const NOTHING: &str = "no such song";
pub const SEVERAL: &str = "several songs have this name";
pub const NO_AUDIO: &str = "no audio: lends its tags only";
pub const BARE: &str = "a song with neither audio nor tags";
pub const MISMATCH: &str = "each track of this song is listed as a mismatch";

/// What a table's names mean. A song that the table names by its path is not also meant by a
/// name of another folder or extension: that is another song's.
pub fn table(names: &Names, rows: &[String]) -> Vec<Found> {
    let by_path: HashSet<u32> = rows.iter().filter_map(|name| names.path(name)).collect();
    let find = |name: &String| match names.find(name) {
        Found::Likeness(song) | Found::FileName(song) if by_path.contains(&song) => Found::Nothing,
        found => found,
    };
    rows.iter().map(find).collect()
}

/// What should be known of a playlist's entry.
#[derive(Clone, Copy, Debug)]
pub enum Remark {
    /// It is no song, for this reason.
    Missed(&'static str),
    /// It is this song by its file name alone.
    FileName(u32),
}

/// Finds the songs of playlists.
pub struct Finder<'a> {
    pub names: &'a Names,
    pub catalogue: &'a Catalogue,
    /// The folders of audio.
    pub roots: &'a [PathBuf],
}

impl Finder<'_> {
    /// The song of each place of a playlist that stands in `folder`. `hear` hears by name of each entry that is none
    /// or was found by its file name alone. As in a table, a song that one entry names by its path is no other's by
    /// likeness.
    pub fn list(&self, entries: &[Option<Entry>], folder: &str, hear: &mut dyn FnMut(&str, Remark)) -> Vec<Option<u32>> {
        let candidates: Vec<Vec<String>> =
            entries.iter().map(|e| e.as_ref().map_or(Vec::new(), |e| self.candidates(e, folder))).collect();
        let mut found: Vec<Option<u32>> =
            candidates.iter().map(|names| names.iter().find_map(|name| self.names.path(name))).collect();
        let by_path: HashSet<u32> = found.iter().flatten().copied().collect();
        for ((entry, candidates), song) in entries.iter().zip(&candidates).zip(&mut found) {
            let (Some(entry), None) = (entry, &song) else { continue };
            let mut several = false;
            for name in candidates {
                match self.names.find(name) {
                    Found::Likeness(like) | Found::FileName(like) if by_path.contains(&like) => {}
                    Found::Several => several = true,
                    found => {
                        *song = found.song();
                        if let Found::FileName(song) = found {
                            hear(name, Remark::FileName(song));
                        }
                    }
                }
                if song.is_some() {
                    break;
                }
            }
            let titled = entry.title.as_ref().and_then(|(artist, title)| self.catalogue.titles.find(artist, title));
            *song = song.or_else(|| self.names.find(titled?).song());
            if song.is_none() {
                let why = if several { SEVERAL } else { self.why(entry, titled.is_some()) };
                let name = if entry.paths.is_empty() { entry.name() } else { candidates[entry.ids.len()].clone() };
                hear(&name, Remark::Missed(why));
            }
        }
        found
    }

    /// Names of songs that an entry may mean: of its ids, then of its paths.
    fn candidates(&self, entry: &Entry, folder: &str) -> Vec<String> {
        let ids = entry.ids.iter().map(|id| self.catalogue.song(id).to_string());
        ids.chain(entry.paths.iter().map(|path| self.path_name(path, folder))).collect()
    }

    fn why(&self, entry: &Entry, titled: bool) -> &'static str {
        if entry.ids.iter().any(|id| self.catalogue.wrong_songs.contains(id)) {
            MISMATCH
        } else if titled || entry.ids.iter().any(|id| self.catalogue.ids.contains_key(id)) {
            BARE
        } else {
            NOTHING
        }
    }

    /// The name that a playlist's path gives a song: its path under a folder of audio where it leads
    /// into one, else the path as it stands. Only text: nothing is opened.
    fn path_name(&self, entry: &str, folder: &str) -> String {
        let path = playlists::entry_path(entry);
        let drive = path.as_bytes().get(1) == Some(&b':');
        let absolute = if path.starts_with('/') || drive { clean(&path) } else { clean(&format!("{folder}/{path}")) };
        let under = |root: &PathBuf| {
            let root = clean(&root.to_string_lossy());
            absolute.strip_prefix(&root)?.strip_prefix('/').map(String::from)
        };
        self.roots.iter().find_map(under).unwrap_or(path)
    }
}
