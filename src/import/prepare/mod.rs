//! From what people have to a dataset folder: find the files, bring the tables together by name,
//! decode (resumable), write; or decode a share of the files on each of many machines, and join the parts.
//!
//! The result depends on the inputs alone: not on threads, interruptions, parts, or where the files lie.

mod catalogue;
mod contents;
mod decoded;
mod describe;
mod gather;
mod join;
mod options;
mod part;
mod report;
mod resolve;
mod scan;
mod tracks;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::audio;
use super::counts::Counts;
use crate::dataset::{manifest, write};
use crate::error::{Error, Result};
use contents::Selected;
use decoded::{Song, Unfinished};
use gather::{Gathered, Misses};

pub(super) use catalogue::Catalogue;
pub use join::join;
pub use options::{Msd, Options, Others, PaperFiles, SplitFrom};
pub use part::{MadePart, Part, PartReport, prepare_part};
pub use report::{NOT_FOUND, Report, SKIPPED, Skipped, write_skipped};
pub(super) use resolve::Finder;

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Decoded { done: usize, of: usize },
    Written { done: usize, of: usize },
}

/// What `prepare` came to.
pub enum Made {
    New(Box<Report>),
    /// The folder holds just this dataset already.
    Already,
}

/// A file that was decoded.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Decoded {
    samples: u64,
    /// Samples beyond int16 that were cut to it.
    saturated: u64,
    note: Option<String>,
}

/// What became of a file; `Err` says why it gave no audio.
type Outcome = std::result::Result<Decoded, String>;

/// What there is to work on.
struct Inputs {
    files: Vec<scan::File>,
    /// What the scan passed over, and playlists that cannot be read.
    skipped: Vec<Skipped>,
    gathered: Gathered,
}

impl Inputs {
    fn read(options: &Options) -> Result<Inputs> {
        let (mut files, mut skipped) = scan::scan(&options.audio)?;
        if files.is_empty() {
            let help = format!("Files are known by their extensions: {}.", audio::EXTENSIONS.join(", "));
            return Err(Error::usage("--audio", "no audio files there").help(help));
        }
        let (mut counts, mut misses) = (Counts::default(), Misses::default());
        if let Some(msd) = &options.msd {
            files = tracks::name(files, msd, &mut counts, &mut |name, why| misses.miss("audio", name, why))?;
            if files.is_empty() {
                let help = "Name a list of which clip is which track's: --msd-clips FILE.";
                return Err(Error::usage("--audio", "no file there is known to be a track's").help(help));
            }
        }
        let mut gathered = Gathered::new(options, &files, counts, misses)?;
        skipped.append(&mut gathered.skipped);
        if options.msd.is_some() || matches!(options.split, Some(SplitFrom::Playlists(_))) {
            files = gathered.only_split(files)?;
        }
        Ok(Inputs { files, skipped, gathered })
    }
}

/// Makes a dataset, on the threads of the pool it is called in. `stop` ends it after the songs at
/// hand; `tell` hears how far it is.
pub fn prepare(options: &Options, stop: &AtomicBool, tell: &(dyn Fn(Event) + Sync)) -> Result<Made> {
    let Inputs { files, skipped, gathered } = Inputs::read(options)?;
    let description = describe::describe(options, &files)?;
    if is_made(&options.out, &description, options.force)? {
        return Ok(Made::Already);
    }
    fs::create_dir_all(&options.out).map_err(|e| Error::io(&options.out, "cannot create", e))?;
    let unfinished = Unfinished::open(&options.out, &options.decode)?;
    write::clear(&options.out)?;
    unfinished.decode(&files, &options.decode, stop, tell)?;
    let songs: Vec<Option<Song>> = files.iter().map(|file| unfinished.song(file)).collect();
    let decoded: Vec<_> = songs.iter().map(outcome).collect();
    let wave = |file: usize| match &songs[file] {
        Some(Song::Decoded { wave, .. }) => unfinished.wave(*wave),
        _ => Ok(Vec::new()),
    };
    let made = Finish { out: &options.out, gathered: &gathered, description, skipped, decoded: &decoded, wave: &wave };
    let report = made.write(stop, tell)?;
    unfinished.remove()?;
    Ok(Made::New(Box::new(report)))
}

/// What [`prepare`] would make if every file decoded; writes nothing.
pub fn plan(options: &Options) -> Result<Report> {
    let Inputs { files, skipped, gathered } = Inputs::read(options)?;
    let selected = gathered.contents(&vec![true; files.len()])?;
    Ok(Report::new(&gathered, &selected, skipped, &[]))
}

fn outcome(song: &Option<Song>) -> Outcome {
    match song {
        Some(Song::Decoded { samples, saturated, note, .. }) => {
            Ok(Decoded { samples: *samples, saturated: *saturated, note: note.clone() })
        }
        Some(Song::Failed(why)) => Err(why.clone()),
        None => Err("changed while it was read".into()),
    }
}

/// All that a dataset is written from, once its songs are decoded.
struct Finish<'a> {
    out: &'a Path,
    gathered: &'a Gathered,
    description: Value,
    skipped: Vec<Skipped>,
    decoded: &'a [Outcome],
    /// A file's samples.
    wave: &'a dyn Fn(usize) -> Result<Vec<i16>>,
}

impl Finish<'_> {
    fn write(self, stop: &AtomicBool, tell: &(dyn Fn(Event) + Sync)) -> Result<Report> {
        let audio: Vec<bool> = self.decoded.iter().map(Outcome::is_ok).collect();
        let mut selected = self.gathered.contents(&audio)?;
        selected.contents.options = self.description;
        let report = Report::new(self.gathered, &selected, self.skipped, self.decoded);
        let Selected { contents, files, .. } = selected;
        let mut writer = write::Writer::create(self.out)?;
        let mut written = Vec::with_capacity(files.len());
        for file in &files {
            if stop.load(Relaxed) {
                return Err(decoded::interrupted());
            }
            written.push(match file {
                Some(file) => writer.wave(&(self.wave)(*file)?)?,
                None => write::Place::default(),
            });
            tell(Event::Written { done: written.len(), of: files.len() });
        }
        report::write_lists(self.out, self.gathered, &report.skipped)?;
        writer.finish(&contents, &written)?;
        Ok(report)
    }
}

/// Whether the folder holds this very dataset. Fails where something else is there.
fn is_made(out: &Path, description: &Value, force: bool) -> Result<bool> {
    if !is_there(out, manifest::FILE, "dataset")? || force {
        return Ok(false);
    }
    let (found, _) = manifest::Manifest::read(out)?;
    same(out, "dataset", &found.options, description)?;
    Ok(true)
}

/// Whether a folder holds what `file` is the end of. Fails where something else is there.
fn is_there(out: &Path, file: &str, what: &str) -> Result<bool> {
    if out.join(file).exists() {
        return Ok(true);
    }
    let occupied = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some());
    if occupied && !out.join(decoded::FOLDER).exists() {
        return Err(Error::input(out, format!("is not empty, and holds no {what}")).help("Choose a new folder for --out."));
    }
    Ok(false)
}

/// Holds what was made against what would be. What is the same needs nothing unfinished any more.
fn same(out: &Path, what: &str, made: &Value, asked: &Value) -> Result<()> {
    if made != asked {
        let changed = describe::differences(made, asked).join(", ");
        return Err(Error::input(out, format!("holds a {what} made otherwise (changed: {changed})"))
            .help("Choose another folder, or make it again with --force."));
    }
    let unfinished = out.join(decoded::FOLDER);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(|e| Error::io(&unfinished, "cannot delete", e))?;
    }
    Ok(())
}
