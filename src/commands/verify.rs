//! `tagwalk verify`: every file of a dataset against its manifest, and that against its checksum.

use std::path::PathBuf;

use serde::Serialize;

use super::print;
use crate::dataset;
use crate::error::{Error, Result};

use super::Outcome;

/// Check every file of a dataset against the manifest's sizes and SHA-256 checksums, and the manifest against its own
///
/// Exit code 1 where a file has changed.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    pub dataset: PathBuf,
    /// One JSON object a file
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    file: &'a str,
    bytes: u64,
    fault: Option<&'a str>,
}

/// Exit code 1 where a file has changed; 2 where the folder cannot be used although none has.
pub fn run(args: Args) -> Result<Outcome> {
    let all = dataset::verify(&args.dataset).map_err(|e| super::or_music(&args.dataset, e))?;
    let mut faults = 0;
    for checked in &all {
        let fault = checked.fault.as_deref();
        faults += usize::from(fault.is_some());
        match args.json {
            true => print::json(&Json { file: &checked.file, bytes: checked.bytes, fault })?,
            false => print::line(format!("{}: {}", checked.file, fault.unwrap_or("as it was made")))?,
        }
    }
    if faults > 0 {
        let what = format!("{faults} of {} files are damaged", all.len());
        print::note(
            Error::input(&args.dataset, what).help("Copy them again from where they are whole, or prepare the dataset again."),
        );
        return Ok(Outcome::SomeFailed);
    }
    super::dataset(&args.dataset)?;
    Ok(Outcome::Done)
}
