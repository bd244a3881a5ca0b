//! Calling clips by the tracks of the Million Song Dataset that they are of.

use super::options::Msd;
use super::scan::File;
use crate::error::Result;
use crate::import::counts::{Counts, file_name};
use crate::import::msd::{clips, is_track};
use crate::import::names::{Names, bare_stem};

/// Why a file is no song.
pub const NO_TRACK: &str = "audio of no track";
pub const SECOND: &str = "audio of a track that has another file";

/// Renames each file to its track: the one that its own name is, else the one that the lists of clips give.
/// Files of no track, and all but the first of a track, are left out and given to `miss`.
pub fn name(files: Vec<File>, msd: &Msd, counts: &mut Counts, miss: &mut dyn FnMut(&str, &'static str)) -> Result<Vec<File>> {
    let mut tracks: Vec<Option<String>> =
        files.iter().map(|file| Some(bare_stem(&file.name)).filter(|stem| is_track(stem)).map(String::from)).collect();
    let names = Names::new(files.iter().map(|file| file.name.clone()).collect());
    let of = "clips";
    for path in &msd.clips {
        let mut pairs = Vec::new();
        let odd = clips::read(path, &mut pairs)?;
        let (mut absent, mut taken) = (0, 0);
        for (track, clip) in &pairs {
            match names.find(clip).song().map(|file| &mut tracks[file as usize]) {
                None => absent += 1,
                Some(named @ None) => *named = Some(track.clone()),
                Some(Some(other)) => taken += u64::from(other != track),
            }
        }
        let of = file_name(path);
        counts.read(&of, "tracks and their clips", pairs.len() as u64);
        counts.dropped(&of, "rows without a track and a clip", odd);
        counts.dropped(&of, "clips that are not there", absent);
        counts.dropped(&of, "tracks whose clip is another track's too", taken);
    }
    counts.read(of, "files of audio", files.len() as u64);
    let mut named: Vec<(String, File)> = Vec::with_capacity(files.len());
    let mut trackless = 0;
    for (file, track) in files.into_iter().zip(tracks) {
        match track {
            Some(track) => named.push((track, file)),
            None => {
                trackless += 1;
                miss(&file.name, NO_TRACK);
            }
        }
    }
    // Files are in order of their paths, and the sort keeps that order within a track.
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let mut kept: Vec<File> = Vec::with_capacity(named.len());
    let mut second = 0;
    for (track, mut file) in named {
        if kept.last().is_some_and(|last| last.name == track) {
            second += 1;
            miss(&file.name, SECOND);
            continue;
        }
        file.shown = format!("{} ({track})", file.name);
        file.name = track;
        kept.push(file);
    }
    counts.dropped(of, "files of no track", trackless);
    counts.dropped(of, "files of a track that has another", second);
    Ok(kept)
}
