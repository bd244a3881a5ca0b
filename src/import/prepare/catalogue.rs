//! What tables say of songs by other names: ids of other collections, artists and titles, groups; and which
//! tracks of the Million Song Dataset are not to be trusted.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::options::{Msd, Options};
use crate::error::{Error, Result};
use crate::import::counts::{Counts, file_name};
use crate::import::msd::{mismatches, tracks};
use crate::import::table::{Rows, column, song_column};
use crate::import::titles::Titles;
use crate::import::{groups, playlists};

/// Songs by other names, and what else tables say of them.
#[derive(Default)]
pub struct Catalogue {
    /// Songs by id.
    pub ids: HashMap<String, String>,
    /// Ids of several songs; the first is meant.
    pub shared_ids: usize,
    pub titles: Titles,
    /// A table and its (song, group).
    pub groups: Option<(PathBuf, Vec<(String, String)>)>,
    /// Tracks whose song is not theirs: what is known of them by song was matched wrongly.
    pub wrong_tracks: HashSet<String>,
    /// Songs that have no other tracks.
    pub wrong_songs: HashSet<String>,
}

impl Catalogue {
    pub fn read(options: &Options, counts: &mut Counts) -> Result<Catalogue> {
        let mut catalogue = Catalogue::default();
        let mut by_title = false;
        for path in playlists::files(&options.playlists)? {
            // What cannot be opened is told where it is read.
            by_title |= playlists::has_titles(&path).unwrap_or(false);
        }
        if let Some(path) = &options.songs {
            if let Some(name) = &options.id_column {
                (catalogue.ids, catalogue.shared_ids) = groups::by_id(groups::read(path, name)?);
            }
            if let Some(name) = &options.group_column {
                catalogue.groups = Some((path.clone(), groups::read(path, name)?));
            }
            if by_title {
                titles(path, &mut catalogue.titles)?;
            }
        }
        if let Some(msd) = &options.msd {
            let artists = options.group_column.is_some() && options.songs.is_none();
            if let Some(name) = options.group_column.as_ref().filter(|name| artists && *name != "artist") {
                let what = format!("--msd-tracks has no column {name:?}");
                return Err(
                    Error::usage("--group-column", what).help("It has `artist`; other groups need a table: --songs FILE.")
                );
            }
            catalogue.msd(msd, by_title, artists, counts)?;
        }
        if catalogue.titles.shared > 0 {
            counts.read("artists and titles", "of several songs: the first is meant", catalogue.titles.shared);
        }
        Ok(catalogue)
    }

    /// Of the tracks that a song has, the first in the list is meant that the mismatches do not name.
    fn msd(&mut self, msd: &Msd, by_title: bool, artists: bool, counts: &mut Counts) -> Result<()> {
        let pairs = msd.mismatches.as_ref().map(|path| mismatches::read(path, counts)).transpose()?.unwrap_or_default();
        let wrong: HashSet<String> = pairs.iter().map(|(song, track)| format!("{song} {track}")).collect();
        self.wrong_tracks = pairs.into_iter().map(|(_, track)| track).collect();
        let (mut shared, mut twice) = (HashSet::new(), 0u64);
        let mut groups = Vec::new();
        tracks::read(&msd.tracks, counts, &mut |track| {
            if by_title {
                self.titles.add(track.artist, track.title, track.track);
            }
            if artists && !track.artist.is_empty() {
                groups.push((track.track.to_string(), track.artist.to_string()));
            }
            if !wrong.is_empty() && wrong.contains(&format!("{} {}", track.song, track.track)) {
                self.wrong_songs.insert(track.song.to_string());
                return;
            }
            let first = self.ids.entry(track.song.to_string()).or_insert_with(|| track.track.to_string());
            if *first != track.track {
                shared.insert(track.song.to_string());
                twice += 1;
            }
        })?;
        self.wrong_songs.retain(|song| !self.ids.contains_key(song));
        self.shared_ids += shared.len();
        if artists {
            self.groups = Some((msd.tracks.clone(), groups));
        }
        let of = file_name(&msd.tracks);
        counts.read(&of, "songs of one track or more", self.ids.len() as u64);
        counts.dropped(&of, "tracks that are not their song's first (playlists mean the first)", twice);
        counts.dropped(&of, "songs whose every track is a mismatch", self.wrong_songs.len() as u64);
        Ok(())
    }

    /// The song of this name or id.
    pub fn song<'a>(&'a self, name: &'a str) -> &'a str {
        self.ids.get(name).map_or(name, String::as_str)
    }
}

/// Adds a table's songs by artist and title, where it has such columns.
fn titles(path: &Path, titles: &mut Titles) -> Result<()> {
    let mut rows = Rows::open(path)?;
    let header = rows.first().to_vec();
    let find = |names: &[&str]| names.iter().find_map(|name| column(&header, name));
    let song = column(&header, "song").or_else(|| song_column(&header));
    let (Some(song), Some(artist), Some(title)) =
        (song, find(&["artist", "artist_name", "creator"]), find(&["title", "track_name"]))
    else {
        return Ok(());
    };
    rows.skip_header();
    while let Some(row) = rows.row()? {
        titles.add(&row[artist], &row[title], row[song].trim());
    }
    Ok(())
}
