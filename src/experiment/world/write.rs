//! A world as a dataset folder that every command takes, with the truth beside it.

use std::path::Path;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::World;
use crate::dataset::write::{Contents, Writer};
use crate::dataset::{Manifest, manifest, place, truth, write as files};
use crate::error::{Error, Result};

/// Grows when the same options make another world.
const GENERATOR: u32 = 1;
/// Songs that are played before any of them is written.
const BLOCK: usize = 64;

/// What [`World::write`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    New,
    /// The folder holds just this world already.
    Already,
}

impl World {
    /// Writes the world into a folder, playing its songs on the threads of the pool it is called in: the same bytes for
    /// the same options. `tell` hears how many songs are done; an error from it ends the work. Fails where the folder
    /// holds something else.
    pub fn write(&self, folder: &Path, tell: &mut dyn FnMut(usize) -> Result<()>) -> Result<Made> {
        let description = json!({"generator": GENERATOR, "options": self.options});
        if is_made(folder, &description)? {
            return Ok(Made::Already);
        }
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot create", e))?;
        files::clear(folder)?;
        let mut writer = Writer::create(folder)?;
        let mut places = Vec::with_capacity(self.songs.len());
        for first in (0..self.songs.len()).step_by(BLOCK) {
            let block = first..(first + BLOCK).min(self.songs.len());
            let waves: Vec<Vec<i16>> = block.into_par_iter().map(|song| self.wave(song)).collect();
            for wave in waves {
                places.push(writer.wave(&wave)?);
            }
            tell(places.len())?;
        }
        let contents = self.contents(folder, description)?;
        writer.finish(&contents, &places)?;
        Ok(Made::New)
    }

    /// Writes the truth, and gives all of the dataset but its audio.
    fn contents(&self, folder: &Path, description: Value) -> Result<Contents> {
        let songs = &self.songs;
        let styles: Vec<f64> = songs.iter().flat_map(|song| song.style).collect();
        let categories: Vec<(&str, &str)> = self.tags.iter().map(|tag| (tag.name.as_str(), tag.category)).collect();
        let tags: Vec<Vec<u32>> = songs.iter().map(|song| song.truth.clone()).collect();
        let truth = truth::write(folder, &truth::Parts { tags: &tags, categories: &categories, styles: &styles })?;
        Ok(Contents {
            sample_rate: self.options.rate,
            names: songs.iter().map(|song| song.name.clone()).collect(),
            vocabulary: self.tags.iter().map(|tag| tag.name.clone()).collect(),
            tags: songs.iter().map(|song| song.recorded.clone()).collect(),
            splits: songs.iter().map(|song| song.split).collect(),
            groups: songs.iter().map(|song| Some(song.artist)).collect(),
            group_names: self.artists.clone(),
            playlists: self.playlists.clone(),
            options: json!({"world": description, truth::MEMBER: truth}),
        })
    }
}

/// Whether the folder holds this very world. Fails where something else is there.
fn is_made(folder: &Path, description: &Value) -> Result<bool> {
    if folder.join(manifest::FILE).exists() {
        let (found, _) = Manifest::read(folder)?;
        if found.options.get("world") == Some(description) {
            return Ok(true);
        }
        return Err(Error::input(folder, "holds another dataset").help("Choose another folder for --out, or delete this one."));
    }
    place::vacant(folder, "a world", |name| name == truth::FOLDER || files::is_a_file(name))?;
    Ok(false)
}
