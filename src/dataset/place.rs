//! Which folder may become what: what is written never comes among another's files.

use std::fs;
use std::path::{Path, absolute};

use super::manifest;
use crate::error::{Error, Result};

const HELP: &str = "Name a new folder by --out.";

/// Fails where a folder is no place for `what` ("a run"): it is a file, it lies inside a dataset, or something is in it
/// of which `own` does not know the name. Hidden files do not count. Makes nothing.
pub fn vacant(folder: &Path, what: &str, own: impl Fn(&str) -> bool) -> Result<()> {
    let path = absolute(folder).map_err(|e| Error::io(folder, "cannot be found", e))?;
    let there = path.ancestors().find(|path| path.exists());
    if let Some(file) = there.filter(|path| !path.is_dir()) {
        return Err(Error::input(file, "is a file, and no folder").help(HELP));
    }
    if let Some(dataset) = path.ancestors().skip(1).find(|path| is_dataset(path)) {
        let inside = format!("lies inside the dataset {}, and {what} wants a folder of its own", dataset.display());
        return Err(Error::input(folder, inside).help(HELP));
    }
    if !folder.exists() {
        return Ok(());
    }
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
    let entries = entries.map_err(|e| Error::io(folder, "cannot read", e))?;
    let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.filter(|name| !name.starts_with('.') && !own(name)).min() {
        None => Ok(()),
        Some(name) => {
            Err(Error::input(folder, format!("is not empty ({name}), and {what} wants a folder of its own")).help(HELP))
        }
    }
}

/// More than a manifest: other programs call files so too.
fn is_dataset(folder: &Path) -> bool {
    [manifest::FILE, super::FILES[0]].iter().all(|name| folder.join(name).is_file())
}
