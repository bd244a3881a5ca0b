//! What a table says of songs beside their tags: a group (artist, album, game) and ids of other
//! collections, each a named column.

use std::collections::HashMap;
use std::path::Path;

use super::table::{Rows, column, song_column};
use crate::error::{Error, Result};

/// (song, value) of a named column, in the file's order; rows where either is empty are left out.
pub fn read(path: &Path, name: &str) -> Result<Vec<(String, String)>> {
    let mut rows = Rows::open(path)?;
    let header = rows.first().to_vec();
    let missing = |what: String| Err(Error::input(path, what).help(format!("Its columns are: {}.", header.join(", "))));
    let Some(value) = column(&header, name) else {
        return missing(format!("has no column {name:?}"));
    };
    let song = column(&header, "song").or_else(|| song_column(&header));
    let Some(song) = song.filter(|&song| song != value) else {
        return missing("has no column that names the song (song, path, file, name)".into());
    };
    rows.skip_header();
    let mut all = Vec::new();
    while let Some(row) = rows.row()? {
        let (song, value) = (row[song].trim(), row[value].trim());
        if !song.is_empty() && !value.is_empty() {
            all.push((song.to_string(), value.to_string()));
        }
    }
    Ok(all)
}

/// Songs by id. An id that several songs share means the first of them (one work, several
/// recordings); also gives how many ids that was so for.
pub fn by_id(pairs: Vec<(String, String)>) -> (HashMap<String, String>, usize) {
    let mut songs = HashMap::with_capacity(pairs.len());
    let mut shared = std::collections::HashSet::new();
    for (song, id) in pairs {
        let first = songs.entry(id.clone()).or_insert_with(|| song.clone());
        if *first != song {
            shared.insert(id);
        }
    }
    (songs, shared.len())
}

/// The group that a path's first folder names, where it has one.
pub fn folder(song: &str) -> Option<&str> {
    song.split_once('/').map(|(folder, _)| folder)
}
