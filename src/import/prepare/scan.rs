//! Finding the audio files under the given folders. Nothing outside them is ever opened: a
//! symbolic link is taken only if it leads to a file inside, and linked folders are not entered.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::Skipped;
use crate::error::{Error, Result};
use crate::import::audio;

/// An audio file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path under the folder it was found in, `/` between folders: the song's name.
    pub name: String,
    /// What lists for people call it.
    pub shown: String,
    pub path: PathBuf,
    pub bytes: u64,
    /// Seconds and nanoseconds since 1970: with `bytes`, what tells a changed file.
    pub modified: [u64; 2],
}

/// The audio files of these folders by name, and what was passed over with its reason.
pub fn scan(roots: &[PathBuf]) -> Result<(Vec<File>, Vec<Skipped>)> {
    let real = canonical(roots)?;
    let mut scan = Scan { roots: &real, files: Vec::new(), skipped: Vec::new() };
    for root in &real {
        scan.folder(root, root)?;
    }
    let Scan { mut files, skipped, .. } = scan;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(same) = files.windows(2).find(|w| w[0].name == w[1].name) {
        let what = format!("{} and {} would be the same song {:?}", same[0].path.display(), same[1].path.display(), same[0].name);
        return Err(Error::usage("--audio", what).help("Give the folder above both instead."));
    }
    Ok((files, skipped))
}

/// The folders' real places. Refuses one inside another.
pub fn canonical(roots: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut real: Vec<PathBuf> = Vec::new();
    for root in roots {
        let path = fs::canonicalize(root).map_err(|e| Error::io(root, "cannot open", e))?;
        if !path.is_dir() {
            return Err(Error::input(root, "is not a folder").help("--audio takes the folder that holds the audio files."));
        }
        if let Some(other) = real.iter().find(|other| path.starts_with(other) || other.starts_with(&path)) {
            let what = format!("{} and {} overlap", other.display(), path.display());
            return Err(Error::usage("--audio", what).help("Give the outer folder only."));
        }
        real.push(path);
    }
    Ok(real)
}

struct Scan<'a> {
    roots: &'a [PathBuf],
    files: Vec<File>,
    skipped: Vec<Skipped>,
}

impl Scan<'_> {
    fn folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if folder == root => return Err(Error::io(folder, "cannot read", e)),
            Err(e) => {
                self.skip(folder, format!("cannot read the folder: {e}"));
                return Ok(());
            }
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        for path in paths {
            self.entry(root, &path)?;
        }
        Ok(())
    }

    fn entry(&mut self, root: &Path, path: &Path) -> Result<()> {
        let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
        if meta.is_dir() {
            return self.folder(root, path);
        }
        if !audio::is_named(path) {
            return Ok(());
        }
        if !meta.is_symlink() {
            if meta.is_file() {
                self.add(root, path, path.to_path_buf(), &meta);
            }
            return Ok(());
        }
        match fs::canonicalize(path).and_then(|target| Ok((fs::metadata(&target)?, target))) {
            Ok((meta, target)) if meta.is_file() && self.roots.iter().any(|r| target.starts_with(r)) => {
                self.add(root, path, target, &meta);
            }
            Ok(_) => self.skip(path, "a link that leads out of the folder of audio".into()),
            Err(e) => self.skip(path, format!("a link that leads nowhere: {e}")),
        }
        Ok(())
    }

    fn add(&mut self, root: &Path, place: &Path, path: PathBuf, meta: &Metadata) {
        let relative = place.strip_prefix(root).unwrap_or(place);
        let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
        let since = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let modified = [since.as_secs(), u64::from(since.subsec_nanos())];
        let name = parts.join("/");
        self.files.push(File { shown: name.clone(), name, path, bytes: meta.len(), modified });
    }

    fn skip(&mut self, path: &Path, why: String) {
        self.skipped.push(Skipped { file: path.display().to_string(), why });
    }
}
