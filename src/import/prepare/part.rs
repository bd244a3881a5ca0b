//! A part of a dataset: the audio of one share of the songs, decoded, and everything gathered about all of them.
//! Each machine makes one, from the same inputs; [`super::join`] needs the parts and nothing else.
//!
//! | file | what |
//! |---|---|
//! | `part.json` | which part of how many, of which inputs; size and SHA-256 of the other files; written last |
//! | `gathered.json` | songs, tags, splits, groups, playlists: the same in every part |
//! | `songs.jsonl` | a line a file of this share: where its samples lie, or why it has none |
//! | `waves-00000.npy` ... | the samples, as in a dataset |

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::{fs, io::Read};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decoded::{self, Song, Unfinished};
use super::options::Options;
use super::report::Skipped;
use super::{Decoded, Event, Inputs, describe, is_there, outcome, same};
use crate::dataset::manifest::{self, Entry};
use crate::dataset::write;
use crate::error::{Error, Result};
use crate::format::atomic;

pub const FILE: &str = "part.json";
pub const GATHERED: &str = "gathered.json";
pub const SONGS: &str = "songs.jsonl";
const FORMAT: &str = "tagwalk part";
const VERSION: u32 = 1;
/// A part's description larger than this is none of ours.
const LIMIT: u64 = 64 << 20;

/// One share of the songs' files: of `of` shares the one of this number, from 1. File i is in share i mod `of` + 1,
/// so that folders of long songs are spread over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    number: usize,
    of: usize,
}

impl Part {
    /// Share `number` of `of`, counted from 1.
    pub fn new(number: usize, of: usize) -> Option<Part> {
        (1..=of).contains(&number).then_some(Part { number, of })
    }

    /// Files of this share, of so many.
    pub fn files(self, files: usize) -> impl Iterator<Item = usize> {
        (self.number - 1..files).step_by(self.of)
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Part, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        numbers
            .and_then(|(number, of)| Part::new(number, of))
            .ok_or_else(|| "give the part and how many there are, as 3/16".into())
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// `part.json`.
#[derive(Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    pub part: usize,
    pub of: usize,
    /// How the dataset is made: see `describe`.
    pub options: Value,
    /// What was passed over before decoding.
    pub skipped: Vec<Skipped>,
    pub files: BTreeMap<String, Entry>,
}

/// A line of `songs.jsonl`.
#[derive(Serialize, Deserialize)]
pub enum Line {
    Decoded { place: write::Place, song: Decoded },
    Failed(String),
}

impl Manifest {
    pub fn read(folder: &Path) -> Result<Manifest> {
        let path = folder.join(FILE);
        let file = fs::File::open(&path).map_err(|e| match folder.join(decoded::FOLDER).exists() {
            true => Error::input(folder, "is a part that is not finished").help("Run its `prepare --part` again: it goes on."),
            false => Error::io(&path, "no part of a dataset here", e).help("Parts are made by `tagwalk prepare --part I/N`."),
        })?;
        let mut text = Vec::new();
        file.take(LIMIT).read_to_end(&mut text).map_err(|e| Error::io(&path, "cannot read", e))?;
        let read: Manifest = serde_json::from_slice(&text).map_err(|e| Error::input(&path, format!("is no part's: {e}")))?;
        if read.format != FORMAT || read.version != VERSION || Part::new(read.part, read.of).is_none() {
            let what =
                format!("is {:.40?} of version {}; this program joins {FORMAT:?}, version {VERSION}", read.format, read.version);
            return Err(Error::input(&path, what).help("Make the part again with this program."));
        }
        Ok(read)
    }

    /// The share that it is.
    pub fn share(&self) -> Part {
        Part { number: self.part, of: self.of }
    }

    /// Compares size and SHA-256 of every file.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        let check = |(name, listed): (&String, &Entry)| {
            let wrong = |what: String| Error::input(folder.join(name), what).help("Copy the part again, or make it again.");
            if name.contains(['/', '\\']) {
                return Err(wrong("is no file of a part".into()));
            }
            let found = manifest::entry(&folder.join(name))?;
            if found == *listed {
                Ok(())
            } else {
                Err(wrong(format!("has changed: {} bytes, {} were written", found.bytes, listed.bytes)))
            }
        };
        self.files.par_iter().try_for_each(check)
    }
}

/// What a part came to.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    pub part: usize,
    pub of: usize,
    /// Files of all parts.
    pub files: usize,
    /// Files of this part.
    pub share: usize,
    /// Of audio.
    pub seconds: f64,
    pub skipped: Vec<Skipped>,
}

pub enum MadePart {
    New(PartReport),
    /// The folder holds just this part already.
    Already,
}

/// Decodes one share of the songs into a part of the dataset in `options.out`. Like [`super::prepare`] it is stopped
/// and gone on with, and makes the same bytes.
pub fn prepare_part(options: &Options, part: Part, stop: &AtomicBool, tell: &(dyn Fn(Event) + Sync)) -> Result<MadePart> {
    let Inputs { files, skipped, gathered } = Inputs::read(options)?;
    let description = describe::describe(options, &files)?;
    // What could not be made of it is better known before the hours of decoding.
    drop(gathered.contents(&vec![true; files.len()])?);
    let out = &options.out;
    if is_there(out, FILE, "part of a dataset")? && !options.force {
        let found = Manifest::read(out)?;
        let of = |options: &Value, part: Part| serde_json::json!({"part": part.to_string(), "inputs": options});
        if found.share() == part {
            same(out, "part", &found.options, &description)?;
        } else {
            same(out, "part", &of(&found.options, found.share()), &of(&found.options, part))?;
        }
        return Ok(MadePart::Already);
    }
    fs::create_dir_all(out).map_err(|e| Error::io(out, "cannot create", e))?;
    let unfinished = Unfinished::open(out, &options.decode)?;
    clear(out)?;
    let total = files.len();
    let mine: Vec<_> = part.files(total).map(|file| files[file].clone()).collect();
    drop(files);
    unfinished.decode(&mine, &options.decode, stop, tell)?;

    let mut report =
        PartReport { part: part.number, of: part.of, files: total, share: mine.len(), seconds: 0.0, skipped: Vec::new() };
    let mut writer = write::Writer::create(out)?;
    let mut lines = Vec::new();
    for (done, file) in mine.iter().enumerate() {
        if stop.load(Relaxed) {
            return Err(decoded::interrupted());
        }
        let song = unfinished.song(file);
        let line = match (outcome(&song), song) {
            (Ok(song), Some(Song::Decoded { wave, .. })) => {
                report.seconds += song.samples as f64 / f64::from(options.decode.rate);
                Line::Decoded { place: writer.wave(&unfinished.wave(wave)?)?, song }
            }
            (song, _) => {
                let why = song.err().unwrap_or_default();
                report.skipped.push(Skipped { file: file.shown.clone(), why: why.clone() });
                Line::Failed(why)
            }
        };
        serde_json::to_writer(&mut lines, &line).expect("a line has no map");
        lines.push(b'\n');
        tell(Event::Written { done: done + 1, of: mine.len() });
    }
    let mut names = writer.end()?;
    atomic::write(&out.join(SONGS), &lines)?;
    atomic::write(&out.join(GATHERED), &serde_json::to_vec(&gathered).expect("its maps have text for keys"))?;
    names.extend([SONGS, GATHERED].map(String::from));
    let entries = names.into_par_iter().map(|name| Ok((name.clone(), manifest::entry(&out.join(name))?)));
    let manifest = Manifest {
        format: FORMAT.into(),
        version: VERSION,
        part: part.number,
        of: part.of,
        options: description,
        skipped,
        files: entries.collect::<Result<_>>()?,
    };
    let mut text = serde_json::to_vec_pretty(&manifest).expect("its maps have text for keys");
    text.push(b'\n');
    atomic::write(&out.join(FILE), &text)?;
    unfinished.remove()?;
    Ok(MadePart::New(report))
}

/// Deletes a part's files, `part.json` first, so that what is left is no part.
fn clear(out: &Path) -> Result<()> {
    for name in [FILE, SONGS, GATHERED] {
        decoded::remove(&out.join(name))?;
    }
    write::clear(out)
}
