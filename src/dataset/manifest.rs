//! The manifest: what a dataset is, in JSON for people and programs, with size and checksum of
//! every other file. It is written last, so a folder that has one is whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::format::{atomic, hex};

pub const FILE: &str = "manifest.json";
/// The manifest's own checksum, in the form that `sha256sum -c` reads.
pub const SUM: &str = "manifest.sha256";
pub const FORMAT: &str = "tagwalk dataset";
pub const VERSION: u32 = 1;
/// A manifest larger than this is none of ours: a vocabulary of all 522,366 Last.fm tags takes 15 MB.
const LIMIT: u64 = 256 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    /// Samples a second.
    pub sample_rate: u32,
    pub songs: usize,
    pub songs_with_audio: usize,
    pub playlists: usize,
    pub groups: usize,
    /// The tags, in the order of their bits.
    pub vocabulary: Vec<String>,
    /// How the dataset was made: for people, and for `prepare` to see whether it would do the same.
    pub options: serde_json::Value,
    /// Every other file.
    pub files: BTreeMap<String, Entry>,
}

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub bytes: u64,
    /// Hex.
    pub sha256: String,
}

impl Manifest {
    /// Reads a manifest's text; also gives its fingerprint, the SHA-256 of that text in hex.
    pub fn read(folder: &Path) -> Result<(Manifest, String)> {
        let path = folder.join(FILE);
        let help = "Make a dataset with `tagwalk prepare`; one that was interrupted is finished by the same command.";
        if folder.is_file() {
            let within = folder.parent().filter(|_| folder.file_name().is_some_and(|name| name == FILE));
            let within = within.map(|within| if within.as_os_str().is_empty() { Path::new(".") } else { within });
            let help = within.map_or(help.into(), |within| format!("Name its folder: {}", within.display()));
            return Err(Error::input(folder, "is a file; a dataset is a folder").help(help));
        }
        let file = File::open(&path).map_err(|e| Error::io(&path, "no dataset here", e).help(help))?;
        let mut text = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut text).map_err(|e| Error::io(&path, "cannot read", e))?;
        let manifest = Manifest::parse(&text).map_err(|what| Error::input(&path, what).help(help))?;
        Ok((manifest, hex(&Sha256::digest(&text))))
    }

    /// Reads a manifest from its text; `Err` says what is wrong with it.
    pub fn parse(text: &[u8]) -> std::result::Result<Manifest, String> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        if text.len() as u64 > LIMIT {
            return Err(format!("is larger than {LIMIT} bytes"));
        }
        let head: Head = serde_json::from_slice(text).map_err(|e| format!("is not a dataset's manifest: {e}"))?;
        if head.format != FORMAT {
            return Err(format!("is of format {:.60?}, not {FORMAT:?}", head.format));
        }
        if head.version != VERSION {
            return Err(format!("is of version {}; this program reads version {VERSION}", head.version));
        }
        serde_json::from_slice(text).map_err(|e| format!("is not a dataset's manifest: {e}"))
    }
}

/// Writes a manifest's text, its checksum before it.
pub fn write(folder: &Path, manifest: &Manifest) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(manifest).expect("a manifest has no map with keys that are not text");
    text.push(b'\n');
    atomic::write(&folder.join(SUM), sum_line(&hex(&Sha256::digest(&text))).as_bytes())?;
    atomic::write(&folder.join(FILE), &text)
}

/// What [`SUM`] holds for a manifest of this fingerprint.
pub fn sum_line(fingerprint: &str) -> String {
    format!("{fingerprint}  {FILE}\n")
}

/// Size and SHA-256 of a file, read in pieces.
pub fn entry(path: &Path) -> Result<Entry> {
    let mut file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
    let mut sha = Sha256::new();
    let mut piece = vec![0; 1 << 18];
    let mut bytes = 0;
    loop {
        let n = file.read(&mut piece).map_err(|e| Error::io(path, "cannot read", e))?;
        if n == 0 {
            return Ok(Entry { bytes, sha256: hex(&sha.finalize()) });
        }
        sha.update(&piece[..n]);
        bytes += n as u64;
    }
}
