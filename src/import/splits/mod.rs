//! Which songs train, validate and test: from a table that says so, from the lists that data sets publish, a
//! file a side, from a data set's own rule, or by chance ([`random`]).

mod drawn;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

pub use crate::dataset::sides::{Fractions, random};
pub use drawn::{Numbers, draw};

use super::pickle::{self, Pickle};
use super::table::{Rows, column, song_column};
use super::text;
use crate::dataset::Split;
use crate::error::{Error, Result};

/// Of `filtered_list_train.cP` (Lee et al.) the first so many songs train, the others validate.
const FILTERED_TRAIN: usize = 201_680;
/// Bytes of a JSON split at most; that of eCALS takes 17 MB.
const JSON: u64 = 256 << 20;

/// (song, side) of each row of a file:
/// * a table with a column `split`, or of two columns without a header;
/// * a list of the songs of the side that the file's name gives (`train_x_msd_id.txt`, `val_gt_msd.tsv`,
///   `autotagging-validation.tsv`, `test_list_pub.cP`): a column `path` or the like, else the first one;
/// * a JSON object of lists named by sides (`ecals_track_split.json`).
pub fn read(path: &Path) -> Result<Vec<(String, Split)>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_dir() {
        return Err(Error::input(path, "is a folder").help("Name the files of the split: --split FOLDER/*.tsv"));
    }
    if pickle::is_one(path) {
        let side = side_of(&name).ok_or_else(|| no_side(path))?;
        let Pickle::List(songs) = pickle::read(path)? else {
            return Err(Error::input(path, "is a dictionary, not a list of songs"));
        };
        let published = name.starts_with("filtered_list_train");
        let side = |place| if published && place >= FILTERED_TRAIN { Split::Valid } else { side };
        return Ok(songs.iter().enumerate().map(|(place, song)| (song.trim().to_string(), side(place))).collect());
    }
    let start = text::beginning(path, 4096)?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    if start.starts_with(b"{") { lists(path) } else { table(Rows::open(path)?, side_of(&name)) }
}

/// The side that a file's name gives, where its words name just one.
fn side_of(name: &str) -> Option<Split> {
    let mut sides = name.split(|c: char| !c.is_ascii_alphanumeric()).filter_map(word).filter(|&side| side != Split::None);
    let side = sides.next()?;
    sides.all(|other| other == side).then_some(side)
}

fn word(text: &str) -> Option<Split> {
    match text.trim().to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "valid" | "validation" | "val" | "dev" => Some(Split::Valid),
        "test" | "testing" => Some(Split::Test),
        "none" | "" => Some(Split::None),
        _ => None,
    }
}

fn no_side(path: &Path) -> Error {
    Error::input(path, "neither its contents nor its name say which side of the split its songs are on")
        .help("A list has train, valid (or validation) or test in its name; a table has the columns `song` and `split`.")
}

/// Reads a table; `listed` is the side that its name gives to all of its songs.
pub fn table<R: BufRead>(mut rows: Rows<R>, listed: Option<Split>) -> Result<Vec<(String, Split)>> {
    let header = rows.first().to_vec();
    let (song, split) = match (song_column(&header), column(&header, "split"), listed) {
        (Some(song), Some(split), _) => {
            rows.skip_header();
            (song, Some(split))
        }
        (None, None, _) if header.len() == 2 && word(&header[1]).is_some() => (0, Some(1)),
        (Some(song), None, Some(_)) => {
            rows.skip_header();
            (song, None)
        }
        (None, None, Some(_)) => (0, None),
        _ if header.len() == 2 => (0, Some(1)),
        _ => {
            return Err(rows
                .wrong("needs the columns `song` and `split`")
                .help("Or name a list by its side: train, valid or test."));
        }
    };
    let mut all = Vec::new();
    while let Some(row) = rows.row()? {
        let side = match split {
            None => listed.unwrap_or_default(),
            Some(split) => word(&row[split]).ok_or_else(|| {
                let error = rows.wrong(format!("{:.40?} is no side of a split", row[split].trim()));
                error.help("The words are train, valid (or validation), test and none.")
            })?,
        };
        all.push((row[song].trim().to_string(), side));
    }
    Ok(all)
}

/// Lists by side, in one JSON object. Lists of other names (`extra_track`) are on no side.
fn lists(path: &Path) -> Result<Vec<(String, Split)>> {
    let bytes = text::bytes(path, JSON)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let read: BTreeMap<String, Vec<String>> = serde_json::from_slice(bytes).map_err(|e| {
        Error::input(path, format!("is no JSON object of lists of songs: {e}"))
            .help("Its keys are train_track, valid_track, test_track or the like.")
    })?;
    if !read.keys().any(|key| side_of(key).is_some()) {
        return Err(no_side(path));
    }
    let songs = read.into_iter().flat_map(|(key, songs)| {
        let side = side_of(&key);
        songs.into_iter().filter_map(move |song| Some((song, side?)))
    });
    Ok(songs.collect())
}

/// MagnaTagATune's split by folder (the usual 12:1:3): `0` to `9`, `a`, `b` train, `c` validates, `d` to `f`
/// test. A song in no such folder is on no side.
pub fn magnatagatune(song: &str) -> Split {
    let folder = song.rsplit('/').nth(1).unwrap_or_default();
    match folder.as_bytes() {
        [b'0'..=b'9' | b'a' | b'b' | b'A' | b'B'] => Split::Train,
        [b'c' | b'C'] => Split::Valid,
        [b'd'..=b'f' | b'D'..=b'F'] => Split::Test,
        _ => Split::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_by_name_and_folder() {
        use Split::{None as Neither, Test, Train, Valid};
        for (name, side) in [
            ("train_x_msd_id.txt", Some(Train)),
            ("val_gt_msd.tsv", Some(Valid)),
            ("autotagging_top50tags-validation.tsv", Some(Valid)),
            ("Test.tsv", Some(Test)),
            ("train-test.tsv", None),
            ("splits.tsv", None),
            ("contest.tsv", None),
        ] {
            assert_eq!(side_of(name), side, "{name}");
        }
        for (song, side) in [
            ("0/x.mp3", Train),
            ("mp3/b/x.mp3", Train),
            ("c/x.mp3", Valid),
            ("f/x.mp3", Test),
            ("g/x.mp3", Neither),
            ("x.mp3", Neither),
            ("ab/x.mp3", Neither),
        ] {
            assert_eq!(magnatagatune(song), side, "{song}");
        }
    }
}
