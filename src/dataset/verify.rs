//! Checking a dataset's files against the manifest's checksums.

use std::path::Path;

use rayon::prelude::*;

use super::manifest::{Manifest, entry};
use crate::error::Result;

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub file: String,
    /// As the manifest says; 0 where it does not.
    pub bytes: u64,
    /// What is wrong, if anything.
    pub fault: Option<String>,
}

/// Compares size and SHA-256 of every file, a made-up dataset's truth included, with the manifest's, and says
/// which files the manifest does not know. Fails only where there is no manifest to compare with.
pub fn verify(folder: &Path) -> Result<Vec<Checked>> {
    let (manifest, _) = Manifest::read(folder)?;
    let mut files = manifest.files.clone();
    let beside = super::truth::listed(&manifest.options);
    let truth: Vec<String> = beside.iter().map(|(file, _)| file.clone()).collect();
    files.extend(beside);
    let check = |(file, listed): (&String, &super::manifest::Entry)| {
        // A name from a damaged manifest must not lead out of the folder.
        let known = super::FILES.contains(&file.as_str()) || super::is_shard(file) || truth.contains(file);
        let fault = match known.then(|| entry(&folder.join(file))) {
            None => Some("is no file of a dataset".into()),
            Some(Err(error)) => Some(error.what),
            Some(Ok(found)) if found.bytes != listed.bytes => {
                Some(format!("has {} bytes, the manifest says {}", found.bytes, listed.bytes))
            }
            Some(Ok(found)) if found.sha256 != listed.sha256 => Some("its contents have changed".into()),
            Some(Ok(_)) => None,
        };
        Checked { file: file.clone(), bytes: listed.bytes, fault }
    };
    let mut all: Vec<Checked> = files.par_iter().map(check).collect();
    for file in super::FILES.iter().filter(|f| !manifest.files.contains_key(**f)) {
        all.push(Checked { file: file.to_string(), bytes: 0, fault: Some("is missing from the manifest".into()) });
    }
    Ok(all)
}
