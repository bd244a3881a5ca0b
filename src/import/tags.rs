//! Tags of songs, from long tables (`song<TAB>tag`, a link a row, header or none) and wide ones
//! (a column a tag, cells 0 or 1, as MagnaTagATune's `annotations_final.csv`).

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::table::{Rows, column, song_column};
use crate::error::Result;

/// Who has which tag, by names as they stand in the tables.
#[derive(Default)]
pub struct Tags {
    pub songs: Interned,
    pub tags: Interned,
    /// (song, tag), as places in the two; a link may be there twice.
    pub links: Vec<(u32, u32)>,
}

/// Names, each once, in the order in which they came.
#[derive(Default)]
pub struct Interned {
    pub names: Vec<String>,
    places: HashMap<String, u32>,
}

impl Interned {
    pub fn place(&mut self, name: &str) -> u32 {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.names.len() as u32;
        self.names.push(name.to_string());
        self.places.insert(name.to_string(), place);
        place
    }
}

impl Tags {
    /// Adds a file's links.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        self.read_rows(Rows::open(path)?)
    }

    /// Adds a table's links.
    pub fn read_rows<R: BufRead>(&mut self, mut rows: Rows<R>) -> Result<()> {
        let first = rows.first().to_vec();
        if first.len() < 2 {
            let error = rows.wrong("one column only; a table of tags has a song and a tag a row, or a column for each tag");
            return Err(error.help("Cells are separated by tabs, or by commas where the first line has no tab."));
        }
        let tag = column(&first, "tag").or_else(|| column(&first, "tags"));
        let song = song_column(&first);
        match (song, tag) {
            (Some(song), Some(tag)) if song != tag => {
                rows.skip_header();
                self.long(rows, song, tag)
            }
            (Some(song), None) => {
                rows.skip_header();
                self.wide(rows, song)
            }
            _ => self.long(rows, 0, 1),
        }
    }

    fn long<R: BufRead>(&mut self, mut rows: Rows<R>, song: usize, tag: usize) -> Result<()> {
        while let Some(row) = rows.row()? {
            let (song, tag) = (row[song].trim(), row[tag].trim());
            if song.is_empty() || tag.is_empty() {
                return Err(rows.wrong("a song or a tag is empty"));
            }
            let link = (self.songs.place(song), self.tags.place(tag));
            self.links.push(link);
        }
        Ok(())
    }

    /// All columns are tags but those that name the song. A row whose song has no name (MagnaTagATune
    /// has clips without a file) is left out.
    fn wide<R: BufRead>(&mut self, mut rows: Rows<R>, song: usize) -> Result<()> {
        let header = rows.first().to_vec();
        let named = |name: &String| super::table::SONG.iter().any(|s| name.trim().eq_ignore_ascii_case(s));
        let tags: Vec<Option<u32>> = header.iter().map(|name| (!named(name)).then(|| self.tags.place(name.trim()))).collect();
        while let Some(row) = rows.row()? {
            if row[song].trim().is_empty() {
                continue;
            }
            let song = self.songs.place(row[song].trim());
            for (i, cell) in row.iter().enumerate() {
                let Some(tag) = tags[i] else { continue };
                match cell.trim() {
                    "0" => {}
                    "1" => self.links.push((song, tag)),
                    other => {
                        let error = rows.wrong(format!("column {:?} holds {other:.40?}, not 0 or 1", header[i]));
                        return Err(error.help("A long table needs a header with the columns `song` and `tag`, or none at all."));
                    }
                }
            }
        }
        Ok(())
    }
}
