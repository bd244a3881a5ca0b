//! Playlists as people have them, read into one form: names in order, with places for songs that
//! have none; and what becomes of the places whose song is not found.

pub mod aotm;
pub mod m3u;
pub mod mpd;
pub mod pls;
pub mod xspf;

use std::path::{Path, PathBuf};

use super::text;
use crate::error::{Error, Result};

/// Extensions of playlists that are looked for in a folder.
pub const EXTENSIONS: [&str; 4] = ["m3u", "m3u8", "pls", "xspf"];

/// A playlist as a file gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// In order; `None` is a place whose song the file does not name.
    pub entries: Vec<Option<Entry>>,
}

/// What a file says of the song at a place. The first that leads to a song counts: ids, then paths, then
/// artist and title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Ids of other collections.
    pub ids: Vec<String>,
    /// Paths and `file:` URIs.
    pub paths: Vec<String>,
    pub title: Option<(String, String)>,
}

impl Entry {
    pub fn path(path: impl Into<String>) -> Entry {
        Entry { paths: vec![path.into()], ..Entry::default() }
    }

    pub fn id(id: impl Into<String>) -> Entry {
        Entry { ids: vec![id.into()], ..Entry::default() }
    }

    /// What a person may know it by.
    pub fn name(&self) -> String {
        let title = || self.title.as_ref().map(|(artist, title)| format!("{artist} - {title}"));
        self.paths.first().cloned().or_else(title).or_else(|| self.ids.first().cloned()).unwrap_or_default()
    }
}

/// What came of reading a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    pub kind: Kind,
    /// Playlists, as the file cuts them: a mix is one, whatever the reading.
    pub lists: u64,
    /// Places whose song the file does not name.
    pub unnamed: u64,
}

/// Whose form a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// .m3u, .pls, .xspf: a file a playlist.
    #[default]
    Single,
    ArtOfTheMix,
    Spotify,
}

/// What becomes of a place whose song is not in the dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// It is left out, and the songs around it become neighbours.
    #[default]
    Joined,
    /// It ends the playlist, and the next song begins another.
    Runs,
    /// It stays, held by a song without a name, tags or audio: distances are true over gaps.
    Gaps,
}

/// The song that holds the places of songs that were not found.
pub const UNKNOWN: &str = "?";

impl Reading {
    /// Playlists of the songs that were found; `unknown` holds places under [`Reading::Gaps`].
    /// Playlists with fewer than two different songs say nothing of neighbours: they are left out.
    pub fn apply(self, found: &[Option<u32>], unknown: u32) -> Vec<Vec<u32>> {
        let lists: Vec<Vec<u32>> = match self {
            Reading::Joined => vec![found.iter().flatten().copied().collect()],
            Reading::Runs => found.split(Option::is_none).map(|run| run.iter().flatten().copied().collect()).collect(),
            Reading::Gaps => {
                let first = found.iter().position(Option::is_some).unwrap_or(0);
                let end = found.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
                vec![found.get(first..end).unwrap_or(&[]).iter().map(|song| song.unwrap_or(unknown)).collect()]
            }
        };
        let different = |list: &Vec<u32>| {
            let mut known = list.iter().filter(|&&song| song != unknown);
            known.next().is_some_and(|first| known.any(|song| song != first))
        };
        lists.into_iter().filter(different).collect()
    }
}

/// The playlist files under these paths: files as named, folders gone through (symbolic links in
/// them are not followed), in order of their names.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|e| Error::io(path, "cannot open", e))?;
        if meta.is_dir() { gather(path, &mut all)? } else { all.push(path.clone()) }
    }
    Ok(all)
}

fn gather(folder: &Path, all: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let mut entries = entries.map_err(|e| Error::io(folder, "cannot read", e))?;
    entries.sort_by_key(|entry| mpd::in_order(&entry.file_name().to_string_lossy()));
    for entry in entries {
        let kind = entry.file_type().map_err(|e| Error::io(entry.path(), "cannot read", e))?;
        if kind.is_dir() {
            gather(&entry.path(), all)?;
        } else if kind.is_file() && (EXTENSIONS.contains(&extension(&entry.path()).as_str()) || mpd::is_slice(&entry.path())) {
            all.push(entry.path());
        }
    }
    Ok(())
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Gives each playlist of a file to `take`, one after the other.
pub fn read(path: &Path, reading: Reading, take: &mut dyn FnMut(List)) -> Result<Read> {
    let list = match extension(path).as_str() {
        "m3u" | "m3u8" => m3u::parse(&text::read(path)?),
        "pls" => pls::parse(&text::read(path)?),
        "xspf" => xspf::parse(&text::read(path)?),
        "json" => return json(path, reading, take).map_err(|what| Error::input(path, what)),
        _ => {
            return Err(Error::input(path, "is no playlist this program knows")
                .help("It reads .m3u, .m3u8, .pls, .xspf, Art-of-the-Mix .json and mpd.slice .json files (unpacked)."));
        }
    };
    let list = list.map_err(|what| Error::input(path, what))?;
    let unnamed = list.entries.iter().filter(|entry| entry.is_none()).count() as u64;
    take(list);
    Ok(Read { kind: Kind::Single, lists: 1, unnamed })
}

/// Whether a playlist may name its songs by artist and title.
pub fn has_titles(path: &Path) -> Result<bool> {
    Ok(match extension(path).as_str() {
        "xspf" => true,
        "json" => is_object(&text::beginning(path, 4096)?),
        _ => false,
    })
}

fn is_object(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    start.trim_ascii_start().first() == Some(&b'{')
}

/// Art-of-the-Mix is an array, a slice of Spotify's an object.
fn json(path: &Path, reading: Reading, take: &mut dyn FnMut(List)) -> std::result::Result<Read, String> {
    let start = text::beginning(path, 4096).map_err(|e| e.what)?;
    text::check(path, &start).map_err(|e| format!("{} ({})", e.what, e.help.unwrap_or_default()))?;
    let mark = usize::from(start.starts_with(b"\xef\xbb\xbf")) * 3;
    let mut file = std::io::BufReader::new(std::fs::File::open(path).map_err(|e| e.to_string())?);
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(mark as u64)).map_err(|e| e.to_string())?;
    if is_object(&start) {
        return mpd::parse(file, take);
    }
    aotm::parse(file, reading, take).map(|read| Read { kind: Kind::ArtOfTheMix, ..read })
}

/// The path that a playlist's entry means: a `file:` URI becomes its path, backslashes become `/`.
pub fn entry_path(entry: &str) -> String {
    let is_file_uri = entry.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
    let path = if is_file_uri {
        let rest = &entry[5..];
        // file://host/path and file:///path, and the file:/path some write.
        let path = rest.strip_prefix("//").map_or(rest, |r| r.find('/').map_or(r, |i| &r[i..]));
        percent_decoded(path)
    } else {
        entry.to_string()
    };
    path.replace('\\', "/")
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        match (byte, after) {
            (b'%', [a, b, after @ ..]) if hex(*a).is_some() && hex(*b).is_some() => {
                bytes.push(hex(*a).unwrap_or(0) << 4 | hex(*b).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    text::decode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_places_not_found() {
        let found = [None, Some(1), Some(2), None, Some(3), Some(3), None, Some(4), Some(5), None];
        assert_eq!(Reading::Joined.apply(&found, 9), [[1, 2, 3, 3, 4, 5]]);
        assert_eq!(Reading::Runs.apply(&found, 9), [[1, 2], [4, 5]]);
        assert_eq!(Reading::Gaps.apply(&found, 9), [[1, 2, 9, 3, 3, 9, 4, 5]]);
        for reading in [Reading::Joined, Reading::Runs, Reading::Gaps] {
            assert!(reading.apply(&[], 9).is_empty() && reading.apply(&[None, Some(1), None, Some(1)], 9).is_empty());
        }
    }

    #[test]
    fn uris_and_backslashes() {
        assert_eq!(
            entry_path("file:///music/Megt%C3%B6rt%20%C1lom.mp3"),
            "/music/Megtört Ãlom.mp3".replace("Megtört Ã", "MegtÃ¶rt Á")
        );
        assert_eq!(entry_path("file:///music/Megt%C3%B6rt%20x.mp3"), "/music/Megtört x.mp3");
        assert_eq!(entry_path("FILE://localhost/a%2fb"), "/a/b");
        assert_eq!(entry_path("C:\\Music\\50% off.mp3"), "C:/Music/50% off.mp3");
        assert_eq!(entry_path("é"), "é");
    }
}
