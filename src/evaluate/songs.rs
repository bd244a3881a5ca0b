//! A split's songs: their scores by a network, their truth, and both as files for other programs. Where it is known what is
//! true of a song (`tagwalk synth`), songs are measured against that, not against what annotators recorded.

use std::path::{Path, PathBuf};

use super::score::Scorer;
use crate::dataset::{Dataset, Reference, Split};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::format::{atomic, csv, npy};
use crate::plan::{Settings, evaluation};
use crate::run::Weights;

/// The songs of a split that can be measured.
pub struct Chosen {
    /// With audio and a tag, ascending.
    pub songs: Vec<usize>,
    /// With audio and no tag: nothing is known of them.
    pub untagged: usize,
}

/// The songs of a split that have audio and a tag. Fails where there is none.
pub fn of_split(dataset: &Dataset, split: Split) -> Result<Chosen> {
    let reference = Reference::of(dataset)?;
    let (songs, untagged): (Vec<usize>, Vec<usize>) = dataset.heard(split).partition(|&song| reference.is_tagged(song));
    if songs.is_empty() {
        return Err(Error::input(dataset.folder(), format!("split {split:?} has no song with audio and a tag").to_lowercase())
            .help("`tagwalk info` shows the splits; prepare the dataset with --split or --split-fractions."));
    }
    Ok(Chosen { songs, untagged: untagged.len() })
}

/// How many training songs have each tag: the ranking that knows nothing else.
pub fn popularity(dataset: &Dataset) -> Vec<f64> {
    let mut counts = vec![0.0; dataset.vocabulary().len()];
    for song in (0..dataset.songs()).filter(|&s| dataset.split(s) == Split::Train) {
        for (tag, count) in counts.iter_mut().enumerate() {
            *count += f64::from(u8::from(dataset.has_tag(song, tag)));
        }
    }
    counts
}

/// Truth `[song, tag]` of some songs. Fails where a made-up world's truth is damaged.
pub fn truth(dataset: &Dataset, songs: &[usize]) -> Result<Vec<u8>> {
    Ok(Reference::of(dataset)?.table(songs, dataset.vocabulary().len()))
}

/// Songs with their scores and truth, both `[song, tag]`.
pub struct Scored {
    pub songs: Vec<usize>,
    pub scores: Vec<f32>,
    pub truth: Vec<u8>,
}

impl Scored {
    /// Runs a network over songs. `progress` hears how many are done.
    pub fn new(
        dataset: &Dataset,
        songs: &[usize],
        weights: &Weights,
        settings: &Settings,
        device: &Device,
        threads: usize,
        progress: impl FnMut(usize) -> Result<()>,
    ) -> Result<Scored> {
        let network = &weights.about.network;
        let mut program = device.load(evaluation(network, settings)?, threads)?;
        let mut scorer = Scorer::new(program.as_mut(), network)?;
        scorer.load(weights)?;
        let scores = scorer.songs(songs.len(), |i| dataset.wave(songs[i]), progress)?;
        Ok(Scored { songs: songs.to_vec(), scores, truth: truth(dataset, songs)? })
    }

    /// Writes `probabilities-NAME.npy` `[song, tag]` f32, `truth-NAME.npy` u8 and
    /// `probabilities-NAME.csv` (a row a song, a column a tag). Gives the first and the last.
    pub fn write(&self, folder: &Path, name: &str, dataset: &Dataset) -> Result<[PathBuf; 2]> {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot make this folder", e))?;
        let tags = dataset.vocabulary().len();
        let shape = [self.songs.len(), tags];
        let array = folder.join(format!("probabilities-{name}.npy"));
        npy::write(&array, &shape, &self.scores)?;
        npy::write(&folder.join(format!("truth-{name}.npy")), &shape, &self.truth)?;
        let mut text = String::from("song");
        for tag in dataset.vocabulary() {
            text.push(',');
            text.push_str(&csv::cell(tag));
        }
        text.push('\n');
        for (&song, row) in self.songs.iter().zip(self.scores.chunks_exact(tags)) {
            text.push_str(&csv::cell(dataset.name(song)));
            row.iter().for_each(|p| text.push_str(&format!(",{p}")));
            text.push('\n');
        }
        let table = folder.join(format!("probabilities-{name}.csv"));
        atomic::write(&table, text.as_bytes())?;
        Ok([array, table])
    }
}
