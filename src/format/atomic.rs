//! Nothing half-written: a file is written beside its place, synced, renamed, and its folder
//! synced, so that whoever looks sees the old contents or the new.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where a file lies until it is whole: its name with `.part` after it.
pub fn part_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

/// Puts `bytes` into `path`, all or nothing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = part_path(path);
    let mut file = File::create(&part).map_err(|e| Error::io(&part, "cannot create", e))?;
    file.write_all(bytes).map_err(|e| failed_write(&part, e))?;
    commit(&file, path)
}

/// Ends what was written to [`part_path`] through `file`: synced, renamed, folder synced.
pub fn commit(file: &File, path: &Path) -> Result<()> {
    let part = part_path(path);
    file.sync_all().map_err(|e| failed_write(&part, e))?;
    fs::rename(&part, path).map_err(|e| Error::io(path, "cannot rename into place", e))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable. Only Unix can sync a folder; elsewhere the rename is all there is.
pub fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let open = File::open(folder).map_err(|e| Error::io(folder, "cannot open", e))?;
        open.sync_all().map_err(|e| Error::io(folder, "cannot sync", e))?;
    }
    let _ = folder;
    Ok(())
}

/// The error of a write that the operating system refused; a full disk says what to do.
pub fn failed_write(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let full = matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
    let error = Error::io(path, "cannot write", error);
    if full { error.help("Make room there, or choose another place, and run the same command again.") } else { error }
}

/// A file name that no other process takes, on this machine or another.
pub fn own_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    // A new random state is the one source of such numbers that needs no crate.
    let number = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{}-{:016x}.part", std::process::id(), number())
}

/// Like [`write()`], where several processes, on other machines too, may write the same file at once: each
/// has a part of its own, and the last to end stands.
pub fn write_among(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = path.with_file_name(own_name());
    let written = File::create(&part).map_err(|e| Error::io(&part, "cannot create", e)).and_then(|mut file| {
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| failed_write(&part, e))?;
        fs::rename(&part, path).map_err(|e| Error::io(path, "cannot rename into place", e))
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}
