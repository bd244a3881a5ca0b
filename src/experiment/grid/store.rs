//! The folder of a grid, which any number of processes may share, on other machines too:
//!
//! | file | what |
//! |---|---|
//! | `rows/HASH.csv` | a finished run's row: written last, so a run is finished where it is there and whole |
//! | `rows/HASH.tags.csv` | its row a tag |
//! | `rows/HASH.scores.npy`, `HASH.songs.npy` | its test songs' probabilities and numbers, for intervals over songs |
//! | `runs/HASH/` | a run that is not finished: the folder of `tagwalk train` |
//! | `runs/HASH.lock` | held by the process that works on it |
//! | `runs.csv`, `tags.csv` | all rows, collected: they stand for the rows where those are gone |
//! | `intervals.csv` | intervals of the bootstrap, collected: they stand for the scores where those are gone |

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row::{self, Finished, Row, TagRow};
use crate::dataset::{manifest, place};
use crate::error::{Error, Result};
use crate::format::npy::{self, Array};
use crate::format::{atomic, npy::Element};
use crate::run::files;

/// All rows in one file each.
pub const RUNS: &str = "runs.csv";
pub const TAGS: &str = "tags.csv";
pub const INTERVALS: &str = "intervals.csv";
/// What the commands leave in a grid's folder before there is a row.
const OWN: [&str; 6] = ["rows", "runs", "dataset", RUNS, TAGS, INTERVALS];

/// See the module's page.
pub struct Store {
    folder: PathBuf,
}

/// What is known of a run.
#[derive(Debug)]
pub enum Found {
    Nothing,
    /// There is a row, but it cannot be trusted.
    Broken(String),
    Finished(Box<Finished>),
}

/// The right to work on a run, for as long as it is held.
pub struct Claim {
    lock: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// A run's probabilities on its test songs.
pub struct Scores {
    /// `[song, tag]`
    pub scores: Vec<f32>,
    /// The songs' numbers in the dataset.
    pub songs: Vec<u32>,
}

impl Store {
    /// The grid's folder, to look into.
    pub fn at(folder: &Path) -> Store {
        Store { folder: folder.to_path_buf() }
    }

    /// Fails where a folder is not for a grid; makes nothing. One that holds a grid's rows may hold a user's files too, and
    /// the log of whatever starts its runs may be there before them.
    pub fn vacant(folder: &Path) -> Result<()> {
        let is_grid = ["rows", RUNS].iter().any(|name| folder.join(name).exists());
        let others = [manifest::FILE, files::CONFIG];
        place::vacant(folder, "a grid", |name| {
            let own = OWN.contains(&name) || name.starts_with("alike-") || name.ends_with(".log");
            own || (is_grid && !others.contains(&name))
        })
    }

    /// Whether there is any run's row, of whichever grid.
    pub fn has_rows(&self) -> bool {
        let is_row = |entry: fs::DirEntry| entry.file_name().to_string_lossy().ends_with(".csv");
        let rows = fs::read_dir(self.folder.join("rows"));
        self.folder.join(RUNS).is_file() || rows.is_ok_and(|mut rows| rows.any(|entry| entry.is_ok_and(is_row)))
    }

    /// The grid's folder, made where it is not there. Fails where [`Store::vacant`] does.
    pub fn create(folder: &Path) -> Result<Store> {
        Store::vacant(folder)?;
        for name in ["rows", "runs"] {
            let path = folder.join(name);
            fs::create_dir_all(&path).map_err(|e| Error::io(&path, "cannot make this folder", e))?;
        }
        Ok(Store { folder: folder.to_path_buf() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a run is trained.
    pub fn run(&self, hash: &str) -> PathBuf {
        self.folder.join("runs").join(hash)
    }

    fn row_file(&self, hash: &str, ending: &str) -> PathBuf {
        self.folder.join("rows").join(format!("{hash}.{ending}"))
    }

    /// The right to work on a run; `None` where another process has it.
    pub fn claim(&self, hash: &str) -> Result<Option<Claim>> {
        let path = self.folder.join("runs").join(format!("{hash}.lock"));
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let lock = opened.map_err(|e| Error::io(&path, "cannot write in this folder", e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Claim { lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => {
                Err(Error::io(&path, "cannot be locked", e).help("Take a folder on a disk that knows file locks."))
            }
        }
    }

    /// A run's row, if it has one.
    pub fn find(&self, hash: &str) -> Found {
        let path = self.row_file(hash, "csv");
        match self.read(hash, &path) {
            Ok(None) => Found::Nothing,
            Ok(Some(finished)) => Found::Finished(Box::new(finished)),
            Err(what) => Found::Broken(format!("{}: {what}", path.display())),
        }
    }

    fn read(&self, hash: &str, path: &Path) -> std::result::Result<Option<Finished>, String> {
        if !path.exists() {
            return Ok(None);
        }
        let bytes = |path: &Path| fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()));
        let mut rows: Vec<Row> = row::read(&bytes(path)?)?;
        let tags: Vec<TagRow> = row::read(&bytes(&self.row_file(hash, "tags.csv"))?)?;
        let (Some(row), true) = (rows.pop(), rows.is_empty()) else {
            return Err("is not one row".into());
        };
        if row.hash != hash {
            return Err(format!("is the row of {}", row.hash));
        }
        let finished = Finished { row, tags };
        finished.check()?;
        Ok(Some(finished))
    }

    /// Keeps a finished run: its row comes last.
    pub fn keep(&self, finished: &Finished, scores: &Scores) -> Result<()> {
        let hash = &finished.row.hash;
        let shape = [scores.songs.len(), finished.row.tags];
        self.array(&self.row_file(hash, "scores.npy"), &shape, &scores.scores)?;
        self.array(&self.row_file(hash, "songs.npy"), &shape[..1], &scores.songs)?;
        atomic::write_among(&self.row_file(hash, "tags.csv"), &row::write(&finished.tags))?;
        atomic::write_among(&self.row_file(hash, "csv"), &row::write(std::slice::from_ref(&finished.row)))
    }

    /// An array, written beside its place under a name that no other process takes.
    fn array<T: Element>(&self, path: &Path, shape: &[usize], values: &[T]) -> Result<()> {
        let aside = self.folder.join("rows").join(format!(".{}", atomic::own_name()));
        npy::write(&aside, shape, values)?;
        fs::rename(&aside, path).map_err(|e| Error::io(path, "cannot rename into place", e))
    }

    /// The scores of a finished run; `None` where they were not kept or do not fit.
    pub fn scores(&self, finished: &Finished) -> Option<Scores> {
        let row = &finished.row;
        let scores = Array::<f32>::open(&self.row_file(&row.hash, "scores.npy")).ok()?;
        let songs = Array::<u32>::open(&self.row_file(&row.hash, "songs.npy")).ok()?;
        let fits = scores.shape() == [row.test_songs, row.tags] && songs.shape() == [row.test_songs];
        (fits && scores.iter().all(|s| s.is_finite())).then(|| Scores { scores: scores.to_vec(), songs: songs.to_vec() })
    }

    /// The finished runs of [`RUNS`] and [`TAGS`], by hash; with what is wrong with others in them.
    pub fn collected(&self) -> (BTreeMap<String, Finished>, Vec<String>) {
        let mut all = BTreeMap::new();
        let path = self.folder.join(RUNS);
        if !path.exists() {
            return (all, Vec::new());
        }
        let bytes =
            |name: &str| fs::read(self.folder.join(name)).map_err(|e| format!("{}: {e}", self.folder.join(name).display()));
        let (rows, tags) = match bytes(RUNS).and_then(|rows| Ok((rows, bytes(TAGS)?))) {
            Ok(read) => read,
            Err(what) => return (all, vec![what]),
        };
        let (rows, wrong) = row::read_each::<Row>(&rows);
        let mut wrong: Vec<String> = wrong.into_iter().map(|what| format!("{}: {what}", path.display())).collect();
        // A run that lacks a tag does not fit its check.
        let (tags, _) = row::read_each::<TagRow>(&tags);
        let mut by_run: BTreeMap<String, Vec<TagRow>> = BTreeMap::new();
        tags.into_iter().for_each(|tag| by_run.entry(tag.hash.clone()).or_default().push(tag));
        for row in rows {
            let hash = row.hash.clone();
            let finished = Finished { tags: by_run.remove(&hash).unwrap_or_default(), row };
            match finished.check() {
                Ok(()) => drop(all.insert(hash, finished)),
                Err(what) => wrong.push(format!("{}, row {hash}: {what}", path.display())),
            }
        }
        (all, wrong)
    }

    /// Writes [`RUNS`] and [`TAGS`].
    pub fn collect(&self, finished: &[&Finished]) -> Result<()> {
        let rows: Vec<&Row> = finished.iter().map(|f| &f.row).collect();
        let tags: Vec<&TagRow> = finished.iter().flat_map(|f| &f.tags).collect();
        atomic::write_among(&self.folder.join(TAGS), &row::write(&tags))?;
        atomic::write_among(&self.folder.join(RUNS), &row::write(&rows))
    }

    /// Keeps what is there of [`RUNS`] and [`TAGS`] beside, as `NAME.damaged`.
    pub fn set_aside(&self) -> Result<()> {
        for name in [RUNS, TAGS] {
            let path = self.folder.join(name);
            if path.exists() {
                let aside = self.folder.join(format!("{name}.damaged"));
                fs::copy(&path, &aside).map_err(|e| Error::io(&aside, "cannot be written", e))?;
            }
        }
        Ok(())
    }

    /// The rows of [`INTERVALS`]; none where it is not there. They stand for scores that may be gone, so a file that cannot be
    /// read is not passed over.
    pub fn intervals<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let path = self.folder.join(INTERVALS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io(&path, "cannot be read", e)),
        };
        row::read(&bytes).map_err(|what| {
            Error::input(&path, what)
                .help("Put back a whole copy, or move it away: intervals are then made of the scores that there are.")
        })
    }

    /// Writes [`INTERVALS`].
    pub fn keep_intervals<T: Serialize>(&self, rows: &[T]) -> Result<()> {
        atomic::write_among(&self.folder.join(INTERVALS), &row::write(rows))
    }

    /// Removes a run's training folder.
    pub fn clear(&self, hash: &str) -> Result<()> {
        let folder = self.run(hash);
        match fs::remove_dir_all(&folder) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io(&folder, "cannot remove", e)),
        }
    }
}
