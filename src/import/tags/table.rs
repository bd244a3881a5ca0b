//! Tags from tables: long (`song<TAB>tag`, a link a row, header or none), wide (a column a tag, cells 0 or
//! 1, as MagnaTagATune's `annotations_final.csv`), open-ended (a song and its tags a row, MTG-Jamendo).

use std::io::BufRead;

use super::Tags;
use crate::error::Result;
use crate::import::table::{Rows, SONG, column, song_column};

pub fn read<R: BufRead>(tags: &mut Tags, mut rows: Rows<R>) -> Result<()> {
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
            if rows.is_open_ended() { open_ended(tags, rows, song) } else { long(tags, rows, song, tag) }
        }
        (Some(song), None) => {
            rows.skip_header();
            wide(tags, rows, song)
        }
        _ => long(tags, rows, 0, 1),
    }
}

fn long<R: BufRead>(tags: &mut Tags, mut rows: Rows<R>, song: usize, tag: usize) -> Result<()> {
    while let Some(row) = rows.row()? {
        let (song, tag) = (row[song].trim(), row[tag].trim());
        if song.is_empty() || tag.is_empty() {
            return Err(rows.wrong("a song or a tag is empty"));
        }
        tags.link(song, tag);
    }
    Ok(())
}

/// Each cell from the header's last on is a tag of the row's song.
fn open_ended<R: BufRead>(tags: &mut Tags, mut rows: Rows<R>, song: usize) -> Result<()> {
    let from = rows.first().len() - 1;
    while let Some(row) = rows.row()? {
        let song = row[song].trim();
        if song.is_empty() {
            return Err(rows.wrong("the song is empty"));
        }
        for tag in row[from..].iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
            tags.link(song, tag);
        }
    }
    Ok(())
}

/// All columns are tags but those that name the song. A row whose song has no name (MagnaTagATune
/// has clips without a file) is left out.
fn wide<R: BufRead>(all: &mut Tags, mut rows: Rows<R>, song: usize) -> Result<()> {
    let header = rows.first().to_vec();
    let named = |name: &String| SONG.iter().any(|s| name.trim().eq_ignore_ascii_case(s));
    let tags: Vec<Option<u32>> = header.iter().map(|name| (!named(name)).then(|| all.tags.place(name.trim()))).collect();
    let mut nameless = 0;
    while let Some(row) = rows.row()? {
        if row[song].trim().is_empty() {
            nameless += 1;
            continue;
        }
        let song = all.songs.place(row[song].trim());
        for (i, cell) in row.iter().enumerate() {
            let Some(tag) = tags[i] else { continue };
            match cell.trim() {
                "0" => {}
                "1" => all.links.push((song, tag)),
                other => {
                    let error = rows.wrong(format!("column {:?} holds {other:.40?}, not 0 or 1", header[i]));
                    return Err(error.help("A long table needs a header with the columns `song` and `tag`, or none at all."));
                }
            }
        }
    }
    all.counts.dropped(&rows.place(), "rows that name no file", nameless);
    Ok(())
}
