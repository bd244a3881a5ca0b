//! All that decides a dataset, but not where it lies: the same inputs elsewhere give the same. It is kept in the
//! manifest, and tells whether a folder holds what would be made.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::options::{Options, Others, SplitFrom};
use super::scan;
use crate::dataset::manifest;
use crate::error::Result;
use crate::format::hex;
use crate::import::playlists;
use crate::import::tags::lastfm;

pub fn describe(options: &Options, files: &[scan::File]) -> Result<Value> {
    let mut sha = Sha256::new();
    for file in files {
        sha.update(format!("{}\0{}\0", file.name, file.bytes));
    }
    let mut readable = playlists::files(&options.playlists)?;
    readable.retain(|path| std::fs::File::open(path).is_ok());
    let mut all = json!({
        "audio": {"files": files.len(), "names_and_sizes_sha256": hex(&sha.finalize())},
        "rate": options.decode.rate,
        "excerpt": options.decode.length.map(|length| [options.decode.start, length]),
        "start": options.decode.start,
        "tags": sums(&options.tags)?,
        "top": options.top,
        "playlists": sums(&readable)?,
        "playlist_reading": options.reading,
        "songs": sums(options.songs.as_slice())?,
        "id_column": options.id_column,
        "group_column": options.group_column,
        "group_folder": options.group_folder,
        "split": split(options)?,
    });
    // What only some datasets have is there only in those.
    if let Some(weight) = options.weight_above {
        all["weight_above"] = json!(weight);
    }
    if let Some(msd) = &options.msd {
        all["msd_tracks"] = json!(sum(&msd.tracks)?);
        all["msd_mismatches"] = json!(sums(msd.mismatches.as_slice())?);
    }
    Ok(all)
}

fn split(options: &Options) -> Result<Value> {
    Ok(match &options.split {
        None => Value::Null,
        Some(SplitFrom::Files(files)) if files.len() == 1 => json!({"sha256": sum(&files[0])?}),
        Some(SplitFrom::Files(files)) => json!({"sha256": sums(files)?}),
        Some(SplitFrom::MagnaTagATune) => json!({"folders": "magnatagatune"}),
        Some(SplitFrom::Chance { fractions, seed, grouped }) => {
            json!({"fractions": fractions.0, "seed": seed, "grouped": grouped})
        }
        Some(SplitFrom::Playlists(Others::Drawn { numbers, seed })) => {
            json!({"train": "playlists", "valid": numbers.valid, "test": numbers.test, "seed": seed})
        }
        Some(SplitFrom::Playlists(Others::Listed(files))) => json!({"train": "playlists", "sha256": sums(files)?}),
    })
}

fn sums(paths: &[PathBuf]) -> Result<Vec<String>> {
    paths.iter().map(|path| sum(path)).collect()
}

/// A file's checksum; of a folder of JSON files that of their names and sizes, as there may be a million.
fn sum(path: &Path) -> Result<String> {
    if !path.is_dir() {
        return Ok(manifest::entry(path)?.sha256);
    }
    let mut sha = Sha256::new();
    lastfm::walk(path, &mut |file| {
        let name = file.strip_prefix(path).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let bytes = std::fs::metadata(file).map_or(0, |meta| meta.len());
        sha.update(format!("{name}\0{bytes}\0"));
        Ok(())
    })?;
    Ok(hex(&sha.finalize()))
}

/// The keys whose values differ.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let keys = one.as_object().into_iter().chain(other.as_object()).flat_map(|object| object.keys());
    let mut changed: Vec<String> = keys.filter(|key| one.get(key) != other.get(key)).cloned().collect();
    let mut seen = std::collections::HashSet::new();
    changed.retain(|key| seen.insert(key.clone()));
    changed
}
