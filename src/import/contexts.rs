//! Lists of songs from a file beside a prepared dataset, for walks along them: playlists in the
//! forms that `prepare` reads, or a table that says in which list each song stands.
//!
//! A table has a column that names the song and another one: songs with the same cell in it are a
//! list, in the order of the rows (an artist's songs, an album's tracks, what a listener heard).
//! Where that column is called `neighbour` its cells are songs: each song has a list of its own, the
//! song and then its neighbours in the order of the rows, and only its own walks go along it.

use std::collections::HashMap;
use std::path::Path;

use super::names::Names;
use super::playlists::{self, Reading};
use super::prepare::{Catalogue, Finder};
use super::table::{Rows, column, song_column};
use crate::dataset::Dataset;
use crate::error::{Error, Result};

/// The column whose cells are songs.
pub const NEIGHBOUR: &str = "neighbour";

/// What came of reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Songs by number; lists of two different songs or more.
    pub lists: Vec<Vec<u32>>,
    /// Each list is its first song's own.
    pub own: bool,
    /// Places that were read, and those whose song is not in the dataset.
    pub places: u64,
    pub missing: u64,
}

/// Reads a playlist, a folder of them, or a table (.tsv, .csv, .txt); `column` names a table's column of lists,
/// needed where it has more than two. Fails where no list is left.
pub fn read(dataset: &Dataset, path: &Path, column: Option<&str>) -> Result<Lists> {
    let names = Names::new((0..dataset.songs()).map(|song| dataset.name(song).to_string()).collect());
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_table = ["tsv", "csv", "txt"].contains(&ending.as_str());
    if column.is_some() && !is_table {
        return Err(Error::input(path, "is no table, so it has no column").help("Tables end in .tsv, .csv or .txt."));
    }
    let lists = if is_table { table(&names, path, column)? } else { files(&names, path)? };
    if lists.lists.is_empty() {
        let what = format!("has no list of two songs of the dataset ({} of {} places are none)", lists.missing, lists.places);
        return Err(Error::input(path, what).help("Songs are named as in the dataset: see `tagwalk info` and its manifest."));
    }
    Ok(lists)
}

fn files(names: &Names, path: &Path) -> Result<Lists> {
    let catalogue = Catalogue::default();
    let finder = Finder { names, catalogue: &catalogue, roots: &[] };
    let mut all = Lists::default();
    for file in playlists::files(&[path.to_path_buf()])? {
        playlists::read(&file, Reading::Joined, &mut |list| {
            all.places += list.entries.len() as u64;
            let found = finder.list(&list.entries, "", &mut |_, _| ());
            all.missing += found.iter().filter(|song| song.is_none()).count() as u64;
            all.lists.extend(Reading::Joined.apply(&found, u32::MAX));
        })?;
    }
    Ok(all)
}

fn table(names: &Names, path: &Path, named: Option<&str>) -> Result<Lists> {
    let mut rows = Rows::open(path)?;
    let header = rows.first().to_vec();
    let wrong = |what: String| {
        Err(Error::input(path, what).help(format!("Its columns are: {}. Name one by FILE:COLUMN.", header.join(", "))))
    };
    let Some(song) = column(&header, "song").or_else(|| song_column(&header)) else {
        return wrong("has no column that names the song (song, path, file, name)".into());
    };
    let list = match named {
        Some(named) => column(&header, named),
        None if header.len() == 2 => Some(1 - song),
        None => column(&header, NEIGHBOUR),
    };
    let Some(list) = list.filter(|&list| list != song) else {
        return wrong(match named {
            Some(named) => format!("has no column {named:?} of lists"),
            None => "has several columns that may say which list a song is in".into(),
        });
    };
    rows.skip_header();
    let own = header[list].trim().eq_ignore_ascii_case(NEIGHBOUR);
    let mut all = Lists { own, ..Lists::default() };
    let mut numbers: HashMap<String, usize> = HashMap::new();
    while let Some(row) = rows.row()? {
        let (name, cell) = (row[song].trim(), row[list].trim());
        if cell.is_empty() {
            continue;
        }
        all.places += 1;
        let found = names.find(name).song();
        let (key, found) = if own { (found.map(|s| s.to_string()), names.find(cell).song()) } else { (Some(cell.into()), found) };
        let (Some(key), Some(found)) = (key, found) else {
            all.missing += 1;
            continue;
        };
        let number = *numbers.entry(key).or_insert_with(|| {
            all.lists.push(Vec::new());
            all.lists.len() - 1
        });
        let members = &mut all.lists[number];
        if own && members.is_empty() {
            members.extend(names.find(name).song());
        }
        members.push(found);
    }
    all.lists.retain(|list| list.iter().any(|song| song != &list[0]));
    Ok(all)
}
