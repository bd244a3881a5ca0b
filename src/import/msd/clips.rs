//! Which clip is which track's audio: 7digital's previews are named by its own ids. The pairs come as two lists
//! side by side (`*_x_msd_id.txt` with `*_x_7d_id.txt`), as a table of tracks and ids or paths, as a pickle
//! (`MSD_id_to_7D_id.pkl`), or as the data set's own `track_metadata.db`.

use std::path::Path;

use super::is_track;
use crate::error::{Error, Result};
use crate::import::pickle::{self, Pickle};
use crate::import::sqlite;
use crate::import::table::Rows;
use crate::import::text::Lines;

/// What a list of tracks is named like, and what the list of ids beside it.
const TRACKS: &str = "_x_msd_id.txt";
const IDS: &str = "_x_7d_id.txt";

/// Adds (track, id or path of its clip) of each row; gives how many rows were none.
pub fn read(path: &Path, pairs: &mut Vec<(String, String)>) -> Result<u64> {
    let before = pairs.len();
    let mut odd = 0;
    let mut add = |track: &str, clip: &str| {
        if is_track(track) && !clip.is_empty() { pairs.push((track.into(), clip.into())) } else { odd += 1 }
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if sqlite::is_one(path)? {
        sqlite::rows(path, "songs", &["track_id", "track_7digitalid"], &mut |_, cells| {
            let clip = cells[1].integer().filter(|&id| id > 0).map(|id| id.to_string());
            add(cells[0].text().unwrap_or_default(), &clip.unwrap_or_default());
        })?;
    } else if pickle::is_one(path) {
        match pickle::read(path)? {
            Pickle::Dictionary(all) => all.iter().for_each(|(track, clip)| add(track.trim(), clip.trim())),
            Pickle::List(_) => return Err(Error::input(path, "is a list: it does not say which clip is which track's")),
        }
    } else if let Some(part) = name.strip_suffix(TRACKS) {
        let beside = path.with_file_name(format!("{part}{IDS}"));
        let (mut tracks, mut clips) = (Lines::open(path)?, Lines::open(&beside)?);
        loop {
            match (tracks.line()?, clips.line()?) {
                (Some(track), Some(clip)) if track.trim().is_empty() && clip.trim().is_empty() => {}
                (Some(track), Some(clip)) => add(track.trim(), clip.trim()),
                (None, None) => break,
                (None, Some(rest)) | (Some(rest), None) if rest.trim().is_empty() => {}
                _ => {
                    let what = format!("has not as many lines as {}", path.display());
                    return Err(
                        Error::input(beside, what).help("Line i of the one belongs to line i of the other: get both again.")
                    );
                }
            }
        }
    } else {
        let mut rows = Rows::open(path)?;
        while let Some(row) = rows.row()? {
            // A header has no track in it.
            match row.iter().position(|cell| is_track(cell.trim())) {
                Some(at) if row.len() > 1 => add(row[at].trim(), row[usize::from(at == 0)].trim()),
                _ => add("", ""),
            }
        }
    }
    if pairs.len() == before {
        let error = Error::input(path, "names no track of the Million Song Dataset and its clip");
        return Err(error.help("--msd-clips takes MSD_id_to_7D_id.pkl, *_x_msd_id.txt, or a table: track, 7digital id or path."));
    }
    Ok(odd)
}
