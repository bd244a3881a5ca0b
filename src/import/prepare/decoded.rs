//! The unfinished folder: every song as it was decoded, and a journal that says which, so that an
//! interrupted `prepare` decodes nothing twice. A song is in the journal once its samples are on disk.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Event, scan};
use crate::error::{Error, Result};
use crate::format::atomic;
use crate::import::audio;

/// The folder's name inside the dataset's.
pub const FOLDER: &str = "unfinished";

/// A line of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    name: String,
    bytes: u64,
    modified: [u64; 2],
    #[serde(flatten)]
    song: Song,
}

/// What became of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Song {
    Decoded {
        /// Number of the file that holds the samples.
        wave: u64,
        samples: u64,
        /// Samples beyond int16 that were cut to it.
        saturated: u64,
        note: Option<String>,
    },
    Failed(String),
}

/// The folder, held by this process alone.
pub struct Unfinished {
    folder: PathBuf,
    journal: Mutex<File>,
    records: Mutex<HashMap<String, Record>>,
    next: AtomicU64,
    _lock: File,
}

impl Unfinished {
    /// Opens or makes the folder. Songs that were decoded with other options are thrown away.
    pub fn open(dataset: &Path, options: &audio::Options) -> Result<Unfinished> {
        let folder = dataset.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, "cannot create", e))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(|e| Error::io(&lock_path, "cannot create", e))?;
        if let Err(fs::TryLockError::WouldBlock) = lock.try_lock() {
            return Err(Error::input(dataset, "another `tagwalk prepare` is at work there")
                .help("Wait for it, or choose another folder."));
        }
        let key = serde_json::json!({"rate": options.rate, "start": options.start, "length": options.length}).to_string();
        let key_path = folder.join("options.json");
        let journal_path = folder.join("decoded.jsonl");
        if fs::read(&key_path).ok().as_deref() != Some(key.as_bytes()) {
            remove(&journal_path)?;
            let waves = folder.join("waves");
            if waves.exists() {
                fs::remove_dir_all(&waves).map_err(|e| Error::io(&waves, "cannot delete", e))?;
            }
            atomic::write(&key_path, key.as_bytes())?;
        }
        let failed = |e| Error::io(&journal_path, "cannot read", e);
        let mut journal = OpenOptions::new().read(true).append(true).create(true).open(&journal_path).map_err(failed)?;
        let mut text = Vec::new();
        journal.read_to_end(&mut text).map_err(failed)?;
        if !text.is_empty() && text.last() != Some(&b'\n') {
            // A line that was being written when the power went: it ends here, and does not count.
            journal.write_all(b"\n").map_err(|e| atomic::failed_write(&journal_path, e))?;
        }
        let mut next = 0;
        let mut records = HashMap::new();
        for record in text.split(|&b| b == b'\n').filter_map(|line| serde_json::from_slice::<Record>(line).ok()) {
            if let Song::Decoded { wave, .. } = record.song {
                next = next.max(wave.saturating_add(1));
            }
            records.insert(record.name.clone(), record);
        }
        Ok(Unfinished {
            folder,
            journal: Mutex::new(journal),
            records: Mutex::new(records),
            next: AtomicU64::new(next),
            _lock: lock,
        })
    }

    fn wave_path(&self, wave: u64) -> PathBuf {
        self.folder.join(format!("waves/{:05}/{wave}.i16", wave / 1000))
    }

    /// What is known of a file as it is now.
    pub fn song(&self, file: &scan::File) -> Option<Song> {
        let records = self.records.lock().expect("no thread panics with it");
        let record = records.get(&file.name).filter(|r| r.bytes == file.bytes && r.modified == file.modified)?;
        match &record.song {
            Song::Decoded { wave, samples, .. } => {
                let there = fs::metadata(self.wave_path(*wave)).is_ok_and(|meta| meta.len() == 2 * samples);
                there.then(|| record.song.clone())
            }
            Song::Failed(_) => Some(record.song.clone()),
        }
    }

    /// Decodes what is not yet decoded, on the threads of the pool it is called in, until `stop`.
    pub fn decode(
        &self,
        files: &[scan::File],
        options: &audio::Options,
        stop: &AtomicBool,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<()> {
        let left: Vec<&scan::File> = files.iter().filter(|file| self.song(file).is_none()).collect();
        let done = AtomicUsize::new(files.len() - left.len());
        tell(Event::Decoded { done: done.load(Relaxed), of: files.len() });
        left.par_iter().try_for_each(|file| {
            if stop.load(Relaxed) {
                return Err(interrupted());
            }
            self.decode_one(file, options)?;
            tell(Event::Decoded { done: done.fetch_add(1, Relaxed) + 1, of: files.len() });
            Ok(())
        })
    }

    fn decode_one(&self, file: &scan::File, options: &audio::Options) -> Result<()> {
        let song = match audio::decode(&file.path, options) {
            // A failure's name is the file's, which the lists give already.
            Err(error) => Song::Failed(error.help.map_or(error.what.clone(), |help| format!("{} ({help})", error.what))),
            Ok(decoded) if decoded.samples.is_empty() => Song::Failed("has no samples".into()),
            Ok(decoded) => {
                let wave = self.next.fetch_add(1, Relaxed);
                let path = self.wave_path(wave);
                if let Err(e) = write_wave(&path, &decoded.samples) {
                    let _ = fs::remove_file(&path);
                    return Err(atomic::failed_write(&path, e));
                }
                let (samples, saturated, note) = (decoded.samples.len() as u64, decoded.saturated, decoded.note);
                Song::Decoded { wave, samples, saturated, note }
            }
        };
        let record = Record { name: file.name.clone(), bytes: file.bytes, modified: file.modified, song };
        let mut line = serde_json::to_vec(&record).expect("a record has no map");
        line.push(b'\n');
        let written = self.journal.lock().expect("no thread panics with it").write_all(&line);
        written.map_err(|e| atomic::failed_write(&self.folder.join("decoded.jsonl"), e))?;
        self.records.lock().expect("no thread panics with it").insert(file.name.clone(), record);
        Ok(())
    }

    /// A song's samples.
    pub fn wave(&self, wave: u64) -> Result<Vec<i16>> {
        let path = self.wave_path(wave);
        let bytes = fs::read(&path).map_err(|e| Error::io(&path, "cannot read", e))?;
        Ok(bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect())
    }

    /// Deletes the folder, once the dataset is whole.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, "cannot delete", e))
    }
}

pub(super) fn interrupted() -> Error {
    Error::interrupted("stopped; what is decoded is kept").help("Run the same command again to go on.")
}

fn write_wave(path: &Path, samples: &[i16]) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let mut file = File::create(path)?;
    file.write_all(bytemuck::cast_slice(samples))?;
    file.sync_data()
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, "cannot delete", e)),
        _ => Ok(()),
    }
}
