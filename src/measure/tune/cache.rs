//! What was tuned, kept between runs: a JSON file with an entry for each adapter, driver and text of the
//! shaders. It can be lost at any time; whatever is wrong with it costs a note and the next tuning.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::device::select::Adapter;
use crate::error::{Error, Result};
use crate::format::{atomic, hex};
use crate::kernels::{Choice, Precision, shaders};

const FORMAT: &str = "tagwalk tune";
const VERSION: u32 = 1;
/// A file longer than this is none of ours.
const LIMIT: u64 = 1 << 20;

/// What tile sizes were found on, and hold for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub adapter: String,
    pub backend: String,
    pub driver: String,
    /// SHA-256 of the shaders' names and texts.
    pub shaders: String,
}

impl Key {
    pub fn of(adapter: &Adapter) -> Key {
        Key {
            adapter: adapter.name.clone(),
            backend: adapter.backend.clone(),
            driver: adapter.driver.clone(),
            shaders: fingerprint(),
        }
    }

    /// Whether this program's shaders are the ones that were timed.
    pub fn is_current(&self) -> bool {
        self.shaders == fingerprint()
    }
}

/// SHA-256 of all shaders, in hexadecimal digits.
fn fingerprint() -> String {
    let mut hash = Sha256::new();
    for (name, text) in shaders::TABLE {
        hash.update(name);
        hash.update([0]);
        hash.update(text);
        hash.update([0]);
    }
    hex(&hash.finalize())
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(flatten)]
    pub key: Key,
    /// The network that was timed.
    pub network: String,
    /// Clips a step of it.
    pub batch: usize,
    pub choice: Choice,
}

/// The entries of a file, the last tuned first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cache {
    pub entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Whole {
    format: String,
    version: u32,
    entries: Vec<Entry>,
}

/// Where the cache lies unless a file is named: `$XDG_CACHE_HOME/tagwalk`, or `~/.cache/tagwalk`; nowhere
/// without a home.
pub fn default_path() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))?;
    Some(caches.join("tagwalk").join("tune.json"))
}

impl Cache {
    /// Reads a file. One that is not there has no entries; for one that cannot be used there is a note
    /// that says why, and no entries either.
    pub fn read(path: &Path) -> (Cache, Option<String>) {
        match Cache::try_read(path) {
            Ok(cache) => (cache, None),
            Err(what) => {
                (Cache::default(), Some(format!("{}: {what}; it is ignored, and replaced by the next tuning", path.display())))
            }
        }
    }

    fn try_read(path: &Path) -> std::result::Result<Cache, String> {
        let mut text = Vec::new();
        match File::open(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Cache::default()),
            Err(e) => return Err(format!("cannot read: {e}")),
            Ok(file) => file.take(LIMIT + 1).read_to_end(&mut text).map_err(|e| format!("cannot read: {e}"))?,
        };
        if text.len() as u64 > LIMIT {
            return Err(format!("is longer than {LIMIT} bytes"));
        }
        let whole: Whole = serde_json::from_slice(&text).map_err(|e| format!("is no cache of tile sizes: {e}"))?;
        if whole.format != FORMAT || whole.version != VERSION {
            return Err(format!("is '{}' version {}, not '{FORMAT}' version {VERSION}", whole.format, whole.version));
        }
        for entry in &whole.entries {
            entry.choice.check().map_err(|e| e.what)?;
            if entry.choice.is_native() {
                return Err("has a choice of the CPU for a GPU".into());
            }
        }
        Ok(Cache { entries: whole.entries })
    }

    /// The choice for an adapter, its driver and this program's shaders.
    pub fn find(&self, key: &Key) -> Option<&Choice> {
        self.find_in(Precision::F32, key)
    }

    /// The same for a precision.
    pub fn find_in(&self, precision: Precision, key: &Key) -> Option<&Choice> {
        self.entries.iter().find(|e| e.key == *key && e.choice.precision == precision).map(|e| &e.choice)
    }

    /// Adds an entry, in place of the one that the adapter had in this precision, whatever its driver and shaders.
    pub fn insert(&mut self, entry: Entry) {
        let kind = |e: &Entry| (e.key.adapter.clone(), e.key.backend.clone(), e.choice.precision);
        let same = |e: &Entry| kind(e) == kind(&entry);
        self.entries.retain(|e| !same(e));
        self.entries.insert(0, entry);
    }

    /// Replaces a file, making its folder where there is none.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot make this folder", e))?;
        }
        let whole = Whole { format: FORMAT.into(), version: VERSION, entries: self.entries.clone() };
        let mut text = serde_json::to_vec_pretty(&whole).map_err(|e| Error::input(path, format!("cannot be written: {e}")))?;
        text.push(b'\n');
        atomic::write(path, &text)
    }
}
