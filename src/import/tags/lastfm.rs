//! The Last.fm data set of the Million Song Dataset: its database `lastfm_tags.db`, whose rows link tracks and
//! tags by the numbers of their rows, and its folders of JSON, a file a track. Tags keep their case: of
//! `Hip-Hop` and `hip-hop`, which Last.fm counts as two, the paper's Table II has both sorts.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::Tags;
use crate::error::{Error, Result};
use crate::import::counts::file_name;
use crate::import::sqlite::{self, Cell};
use crate::import::text;

/// What millionsongdataset.com/lastfm says of the whole set.
const TRACKS: u64 = 505_216;
const NAMES: u64 = 522_366;
const PAIRS: u64 = 8_598_630;
/// Tracks that have a JSON file, with tags or without.
const FILES: u64 = 943_347;
/// Bytes of a track's file at most; most of it is the list of similar tracks.
const FILE: u64 = 16 << 20;

/// What was left out of a set.
#[derive(Default)]
struct Left {
    light: u64,
    empty: u64,
}

impl Left {
    fn count(&self, tags: &mut Tags, of: &str) {
        let why = format!("links of weight {} or less", tags.weight_above.unwrap_or(0.0));
        tags.counts.dropped(of, &why, self.light);
        tags.counts.dropped(of, "links to a tag without a name", self.empty);
    }
}

/// Adds the links of `lastfm_tags.db`: tables `tids`, `tags` and `tid_tag`, the last with the row numbers of
/// the first two.
pub fn database(tags: &mut Tags, path: &Path) -> Result<()> {
    let names = |table, column| {
        let mut names = HashMap::new();
        sqlite::rows(path, table, &[column], &mut |row, cells| {
            if let Some(name) = cells[0].text() {
                names.insert(row, name.trim().to_string());
            }
        })?;
        Ok::<_, Error>(names)
    };
    let (tracks, words) = (names("tids", "tid")?, names("tags", "tag")?);
    let (mut pairs, mut unlinked, mut odd, mut left) = (0, 0, 0, Left::default());
    sqlite::rows(path, "tid_tag", &["tid", "tag", "val"], &mut |_, cells| {
        pairs += 1;
        let [Some(track), Some(word)] = [cells[0], cells[1]].map(Cell::integer) else { return odd += 1 };
        let Some(weight) = cells[2].real() else { return odd += 1 };
        let (Some(track), Some(word)) = (tracks.get(&track), words.get(&word)) else { return unlinked += 1 };
        if tags.too_light(weight) {
            left.light += 1;
        } else if word.is_empty() || track.is_empty() {
            left.empty += 1;
        } else {
            tags.link(track, word);
        }
    })?;
    let of = file_name(path);
    tags.counts.published(&of, "tracks with a tag", tracks.len() as u64, TRACKS);
    tags.counts.published(&of, "tags", words.len() as u64, NAMES);
    tags.counts.published(&of, "links of tracks and tags", pairs, PAIRS);
    tags.counts.dropped(&of, "links whose track or tag is not in its table", unlinked);
    tags.counts.dropped(&of, "links that are not numbers", odd);
    left.count(tags, &of);
    Ok(())
}

/// What is needed of a track's file. Any field may be missing or null.
#[derive(Deserialize)]
struct Track {
    track_id: Option<String>,
    tags: Option<Vec<(String, Weight)>>,
}

/// The set writes weights as text; copies of it as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Weight {
    Number(f64),
    Text(String),
}

impl Weight {
    fn value(&self) -> Option<f64> {
        match self {
            Weight::Number(value) => Some(*value),
            Weight::Text(text) => text.trim().parse().ok(),
        }
    }
}

/// Adds the links of all `.json` files below a folder, in order of their names.
pub fn folder(tags: &mut Tags, folder: &Path) -> Result<()> {
    let (mut files, mut tracks, mut pairs, mut bad, mut left) = (0, 0, 0, 0, Left::default());
    walk(folder, &mut |path| {
        files += 1;
        let Some(track) = parse(&text::bytes(path, FILE)?) else {
            bad += 1;
            return Ok(());
        };
        let (id, links) = track;
        tracks += u64::from(!links.is_empty());
        for (word, weight) in links {
            pairs += 1;
            match word.trim() {
                _ if tags.too_light(weight) => left.light += 1,
                "" => left.empty += 1,
                word => tags.link(&id, word),
            }
        }
        Ok(())
    })?;
    if files == bad {
        let what = format!("is a folder without tracks of the Last.fm data set ({files} .json files)");
        return Err(Error::input(folder, what).help("--tags takes tables, lastfm_tags.db, or folders of Last.fm's JSON files."));
    }
    let of = file_name(folder);
    tags.counts.published(&of, "files of tracks", files, FILES);
    tags.counts.published(&of, "tracks with a tag", tracks, TRACKS);
    tags.counts.published(&of, "links of tracks and tags", pairs, PAIRS);
    tags.counts.dropped(&of, "files that hold no track", bad);
    left.count(tags, &of);
    Ok(())
}

/// A track's id and its tags with their weights, from its file; `None` where it is none.
pub fn parse(bytes: &[u8]) -> Option<(String, Vec<(String, f64)>)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let track: Track = serde_json::from_slice(bytes).ok()?;
    let id = track.track_id.filter(|id| !id.trim().is_empty())?;
    let links = track.tags.unwrap_or_default();
    let links = links.into_iter().map(|(word, weight)| Some((word, weight.value()?))).collect::<Option<Vec<_>>>()?;
    Some((id.trim().to_string(), links))
}

/// Goes through a folder's `.json` files in order of their names. Symbolic links are not followed.
pub fn walk(folder: &Path, take: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let mut entries = entries.map_err(|e| Error::io(folder, "cannot read", e))?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(|e| Error::io(&path, "cannot read", e))?;
        if kind.is_dir() {
            walk(&path, take)?;
        } else if kind.is_file() && path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            take(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first two are files of Last.fm's set for the Million Song Dataset, shortened.
    #[test]
    fn files_of_tracks() {
        let untagged = br#"{"artist": "Luna Orbit Project", "similars": [], "tags": [], "track_id": "TRABCAJ12903CDFCC2", "title": "Midnight star"}"#;
        assert_eq!(parse(untagged).unwrap(), ("TRABCAJ12903CDFCC2".into(), vec![]));
        let tagged = b"\xef\xbb\xbf{\"similars\": [[\"TRZNRZF128F9318787\", 1]], \"tags\": [[\"alternative rock\", \"100\"], [\"caf\\u00e9\", 60]],\r\n \"track_id\": \"TRAAAAK128F9318786\"}";
        let tags = vec![("alternative rock".into(), 100.0), ("café".into(), 60.0)];
        assert_eq!(parse(tagged).unwrap(), ("TRAAAAK128F9318786".into(), tags));
        assert_eq!(parse(br#"{"track_id": "TRA", "tags": null}"#).unwrap().1, []);
        for bad in
            [&b""[..], b"[]", br#"{"tags": []}"#, br#"{"track_id": null}"#, br#"{"track_id": "T", "tags": [["a", "much"]]}"#]
        {
            assert!(parse(bad).is_none());
        }
    }
}
