//! `tagwalk tag`: the best tags of audio files, by a run's weights.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;

use super::flags::DeviceFlags;
use super::{Outcome, print};
use crate::error::{Error, Result};
use crate::evaluate::score::Scorer;
use crate::format::table::{Align, Table};
use crate::import::audio::{self, EXTENSIONS};
use crate::plan::{Settings, evaluation};
use crate::run::{files, interrupt};

/// Files that are decoded together, so that memory stays bounded and the device is kept busy.
const TOGETHER: usize = 32;

/// Tag audio files with a trained network
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A run's folder, or a .safetensors file of weights that tagwalk wrote
    pub run: PathBuf,
    /// Audio files, or folders that are searched for them
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Tags a file at most
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub top: usize,
    /// Only tags that are at least so probable
    #[arg(long, default_value_t = 0.0, value_name = "P")]
    pub threshold: f32,
    /// Clips that are computed together
    #[arg(long, default_value_t = 23, value_name = "CLIPS")]
    pub batch: usize,
    /// An object a file, a line each
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceFlags,
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.batch == 0 {
        return Err(Error::usage("--batch", "must be greater than 0"));
    }
    if args.top == 0 {
        return Err(Error::usage("--top", "must be greater than 0"));
    }
    if !(0.0..=1.0).contains(&args.threshold) {
        return Err(Error::usage("--threshold", "must lie between 0 and 1"));
    }
    in_order(&args.run, &args.paths)?;
    let path = if args.run.is_dir() { args.run.join(files::BEST) } else { args.run.clone() };
    let weights = super::weights(&path)?;
    let found = find(&args.paths)?;
    interrupt::listen("stopping after these files")?;
    let (device, choice) = args.device.open()?;
    let network = &weights.about.network;
    let settings = Settings { lambda: 0.0, ..Settings::new(args.batch, choice) };
    let mut program = device.load(evaluation(network, &settings)?, args.device.threads)?;
    let mut scorer = Scorer::new(program.as_mut(), network)?;
    scorer.load(&weights)?;
    let options = audio::Options { rate: weights.about.sample_rate, start: 0.0, length: None };
    let mut failed = 0;
    for some in found.chunks(TOGETHER) {
        interrupt::check()?;
        let decoded: Vec<_> = some.par_iter().map(|path| audio::decode(path, &options)).collect();
        let mut heard = Vec::new();
        for (path, decoded) in some.iter().zip(decoded) {
            match decoded {
                Ok(decoded) => heard.push((path, decoded)),
                Err(error) => {
                    failed += 1;
                    print::note(&error);
                    if args.json {
                        print::json(&json!({"path": path.to_string_lossy(), "error": error.what}))?;
                    }
                }
            }
        }
        let scores = scorer.songs(heard.len(), |i| &heard[i].1.samples, |_| Ok(()))?;
        for ((path, decoded), scores) in heard.iter().zip(scores.chunks_exact(network.tags)) {
            if let Some(note) = &decoded.note {
                print::note(format_args!("{}: {note}", path.display()));
            }
            if decoded.samples.iter().all(|&sample| sample == 0) {
                print::note(format_args!(
                    "{}: silent from beginning to end: its tags are the network's for silence",
                    path.display()
                ));
            }
            if decoded.samples.len() < network.clip_length {
                print::note(format_args!(
                    "{}: shorter than a clip of {} samples; padded with silence",
                    path.display(),
                    network.clip_length
                ));
            }
            show(path, scores, &weights.about.vocabulary, &args)?;
        }
    }
    if failed > 0 {
        print::note(format_args!("{failed} of {} files could not be read", found.len()));
        return Ok(Outcome::SomeFailed);
    }
    Ok(Outcome::Done)
}

/// Refuses audio where the run should be, and says how it is called.
fn in_order(run: &Path, paths: &[PathBuf]) -> Result<()> {
    let is_run = |path: &Path| path.join(files::CONFIG).is_file() || path.extension().is_some_and(|e| e == "safetensors");
    if is_run(run) {
        return Ok(());
    }
    if let Some(other) = paths.iter().find(|path| is_run(path)) {
        return Err(Error::input(run, "is no run, and the run comes first").help(format!(
            "Write: tagwalk tag {} {}",
            other.display(),
            run.display()
        )));
    }
    if run.is_file() && audio::is_named(run) {
        let help = format!("The run's folder comes first: tagwalk tag RUN {}", run.display());
        return Err(Error::input(run, "is audio, and no run").help(help));
    }
    Ok(())
}

fn show(path: &Path, scores: &[f32], vocabulary: &[String], args: &Args) -> Result<()> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|&t| scores[t] >= args.threshold).collect();
    // Equal scores keep the vocabulary's order.
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order.truncate(args.top);
    if args.json {
        let tags: Vec<_> = order.iter().map(|&t| json!({"tag": vocabulary[t], "probability": scores[t]})).collect();
        return print::json(&json!({"path": path.to_string_lossy(), "tags": tags}));
    }
    print::line(path.display())?;
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right)]);
    for t in order {
        table.row([format!("  {}", vocabulary[t]), format!("{:.3}", scores[t])]);
    }
    print::line(&table)
}

/// Audio files named or below the named folders, in order; links out of a folder are not followed.
/// A named file that is not there is kept: decoding says so, and the others are tagged.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        search(path, &mut found)?;
        if found.len() == before {
            return Err(Error::input(path, "no audio files in this folder")
                .help(format!("Files are known by their extensions: {}.", EXTENSIONS.join(", "))));
        }
    }
    Ok(found)
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, "cannot read this folder", e))?;
    let mut paths: Vec<_> = entries.filter_map(|e| e.ok()).collect();
    paths.sort_by_key(|e| e.file_name());
    for entry in paths {
        let (path, kind) = (entry.path(), entry.file_type());
        match kind {
            Ok(kind) if kind.is_dir() => search(&path, found)?,
            Ok(kind) if kind.is_file() && audio::is_named(&path) => found.push(path),
            _ => {}
        }
    }
    Ok(())
}
