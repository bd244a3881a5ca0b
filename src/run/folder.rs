//! The folder of a run that trains: locked against a second one, written to before the first step.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Checkpoint, Config, Log, Weights, files};
use crate::dataset::place;
use crate::error::{Error, Result};

/// Fails where a folder is not for a run: [`place::vacant`].
fn own(folder: &Path) -> Result<()> {
    let own = [files::CONFIG, files::METRICS, files::BEST, files::LAST, files::LOCK, "step-"];
    place::vacant(folder, "a run", |name| own.iter().any(|own| name.starts_with(own)))
}

/// Fails where a run is in the folder.
fn empty(folder: &Path) -> Result<()> {
    match [files::CONFIG, files::LAST, files::BEST].into_iter().find(|file| folder.join(file).exists()) {
        None => Ok(()),
        Some(file) => Err(Error::input(folder, format!("a run is there already ({file})"))
            .help("Go on with it by --resume, or name another folder by --out.")),
    }
}

/// A run's folder, held by this process until it is dropped.
pub struct Run {
    folder: PathBuf,
    /// Unlocked when it is dropped, and by the end of the process, whatever ended it.
    lock: File,
}

impl Run {
    /// Fails where [`Run::create`] would not take the folder for what is there already; makes nothing.
    pub fn vacant(folder: &Path) -> Result<()> {
        own(folder)?;
        empty(folder)
    }

    /// Takes a folder for a new run, making it where it does not exist, and writes the
    /// configuration. Fails where a run or anything else is there already, or where nothing can be written.
    pub fn create<T: Serialize>(folder: &Path, config: &Config<T>) -> Result<(Run, Log)> {
        own(folder)?;
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot make this folder", e))?;
        let run = Run::lock(folder)?;
        empty(folder)?;
        // The log first: a folder with a configuration is a run that can be resumed.
        let log = Log::create(&folder.join(files::METRICS))?;
        config.write(folder)?;
        Ok((run, log))
    }

    /// Takes the folder of a run that stopped, for going on. Read the configuration first
    /// ([`Config::read`]); the checkpoint says how long the log was.
    pub fn resume<S: DeserializeOwned>(folder: &Path) -> Result<(Run, Checkpoint<S>, Log)> {
        let run = Run::lock(folder)?;
        let path = folder.join(files::LAST);
        if !path.exists() {
            return Err(Error::input(&path, "there is no checkpoint to go on from")
                .help("The run stopped before its first one: remove the folder and begin again."));
        }
        let checkpoint: Checkpoint<S> = Checkpoint::read(&path)?;
        let log = Log::resume(&folder.join(files::METRICS), checkpoint.position.log)?;
        Ok((run, checkpoint, log))
    }

    fn lock(folder: &Path) -> Result<Run> {
        let path = folder.join(files::LOCK);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = opened.map_err(|e| Error::io(&path, "cannot write in this folder", e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message; some systems do not let a locked file be read.
                let _ = Read::by_ref(&mut lock).take(20).read_to_string(&mut holder);
                let holder = holder.trim();
                let who = if holder.is_empty() { "another process".into() } else { format!("process {holder}") };
                return Err(Error::input(folder, format!("{who} is training in this folder"))
                    .help("Wait for it or stop it, or name another folder by --out."));
            }
            Err(TryLockError::Error(e)) => {
                return Err(Error::io(&path, "cannot be locked", e).help("Take a folder on a disk that knows file locks."));
            }
        }
        let named = lock.set_len(0).and_then(|()| lock.write_all(format!("{}\n", std::process::id()).as_bytes()));
        named.map_err(|e| Error::io(&path, "cannot write in this folder", e))?;
        Ok(Run { folder: folder.to_path_buf(), lock })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Replaces `last.safetensors`. Sync the log before: its length is in the position.
    pub fn save_last<S: Serialize>(&self, checkpoint: &Checkpoint<S>) -> Result<()> {
        checkpoint.write(&self.folder.join(files::LAST))
    }

    /// Keeps the checkpoint just written under a name of its own, whatever replaces it.
    pub fn keep_last(&self, steps: u64) -> Result<()> {
        let (last, kept) = (self.folder.join(files::LAST), self.folder.join(files::kept(steps)));
        // A run resumed from before it has written the same file again.
        let _ = fs::remove_file(&kept);
        fs::hard_link(&last, &kept)
            .or_else(|_| fs::copy(&last, &kept).map(drop))
            .map_err(|e| Error::io(&kept, "cannot keep this checkpoint", e))
    }

    /// Replaces `best.safetensors`; `notes` (epoch, loss) go into its metadata.
    pub fn save_best(&self, weights: &Weights, notes: &[(&str, String)]) -> Result<()> {
        weights.write(&self.folder.join(files::BEST), notes)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Closing would do, were it not for a process that is being started and still holds a copy.
        let _ = self.lock.unlock();
    }
}
