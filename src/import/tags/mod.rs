//! Tags of songs, from what people have them in: long and wide tables, MTG-Jamendo's open-ended rows, the
//! Last.fm data set's database and its folders of JSON. What a file is, its contents say.

pub mod lastfm;
mod table;

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use super::counts::{Counts, file_name};
use super::sqlite;
use super::table::Rows;
use super::text::Lines;
use crate::error::{Error, Result};

/// Who has which tag, by names as they stand in the tables.
#[derive(Default)]
pub struct Tags {
    pub songs: Interned,
    pub tags: Interned,
    /// (song, tag), as places in the two; a link may be there twice.
    pub links: Vec<(u32, u32)>,
    /// Last.fm's links of this weight (0 to 100) or less are left out.
    pub weight_above: Option<f64>,
    pub counts: Counts,
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
    /// Adds the links of a file, or of a folder of Last.fm's JSON files.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        if path.is_dir() {
            return lastfm::folder(self, path);
        }
        if sqlite::is_one(path)? {
            return lastfm::database(self, path);
        }
        let before = self.links.len();
        self.read_rows(Rows::new(Lines::open(path)?)?).map_err(|error| match link_as_text(path) {
            Some(target) => Error::input(path, format!("holds the name of another file, {target:?}"))
                .help("It was a symbolic link and was unpacked as text: give that file instead."),
            None => error,
        })?;
        self.counts.read(&file_name(path), "links of songs and tags", (self.links.len() - before) as u64);
        Ok(())
    }

    /// Adds a table's links.
    pub fn read_rows<R: BufRead>(&mut self, rows: Rows<R>) -> Result<()> {
        table::read(self, rows)
    }

    fn link(&mut self, song: &str, tag: &str) {
        let link = (self.songs.place(song), self.tags.place(tag));
        self.links.push(link);
    }

    fn too_light(&self, weight: f64) -> bool {
        self.weight_above.is_some_and(|least| weight <= least)
    }
}

/// The target that is all a small file holds: MTG-Jamendo's `autotagging.tsv` is a link, and archives made
/// on Windows have its target in its place.
fn link_as_text(path: &Path) -> Option<String> {
    let text = super::text::decode(&super::text::beginning(path, 300).ok()?);
    let text = text.trim();
    let one = text.len() < 256 && text.ends_with(".tsv") && !text.contains(['\n', '\t']);
    one.then(|| text.to_string())
}
