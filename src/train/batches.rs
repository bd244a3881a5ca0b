//! A run's first steps as files: which clips, with which labels, weights, masks and rates, and the
//! weights before the first of them. With the dataset's audio this is all that another program
//! needs to compute the same losses.
//!
//! | file | what |
//! |---|---|
//! | `config.json` | the configuration of the run whose steps these are |
//! | `initial.safetensors` | weights and running statistics, under the names of every checkpoint |
//! | `clips.npy` u64 `[steps · batch, 2]` | song, first sample; past the song's end a clip is silent |
//! | `own.npy`, `propagated.npy` f32 `[steps · batch, tags]` | labels |
//! | `weights.npy` f32 `[steps · 2, batch]` | weights of own and propagated term |
//! | `tag_weights.npy` f32 `[steps · batch, tags]` | of the propagated term, where the run weighs tags one by one |
//! | `keep.npy` u8 `[steps · batch, features]` | dropout: 1 where a feature is kept (and times 1 / (1 − rate)) |
//! | `rates.npy` f64 `[steps]` | learning rates |

use std::path::Path;

use super::options::Config;
use super::schedule::{Rule, State};
use crate::batch::{Sampling, Stage};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::format::npy::{self, Writer};
use crate::network::Parameters;
use crate::playlists::Labels;
use crate::run::Weights;

/// Writes the first `steps` steps of a run into `folder`, which is made. Only a fixed schedule has
/// steps that can be told beforehand: the others look at the validation loss.
pub fn write(config: &Config, dataset: &Dataset, steps: u64, folder: &Path) -> Result<()> {
    let schedule = &config.train.schedule;
    if schedule.rule != Rule::Fixed || schedule.steps < steps {
        return Err(Error::usage(
            "schedule.rule",
            "must be fixed, with no fewer steps than are to be written: other rates follow from validation",
        ));
    }
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "cannot create", e))?;
    config.write(folder)?;
    let table = Parameters::new(&config.network)?;
    let weights = Weights { about: config.about(), parameters: table.initial(config.seed), running: table.initial_running() };
    weights.write(&folder.join("initial.safetensors"), &[])?;

    let labels = Labels::new(dataset, &config.train.propagation, config.seed)?;
    let size = config.settings.batch;
    let sampling = Sampling { batch: size, clips_per_song: config.train.clips_per_song, seed: config.seed };
    let stage = Stage::new(labels, &config.network, sampling)?;
    let mut batch = stage.batch()?;
    let by_tag = config.train.propagation.weighs_tags();
    let mut files = Files::create(folder, by_tag)?;
    let mut rates = Vec::new();
    for step in 0..steps {
        stage.fill(step / stage.steps(), step % stage.steps(), &mut batch);
        for clip in &batch.clips {
            files.clips.push(&[u64::from(clip.song), clip.start])?;
        }
        files.own.push(&batch.own)?;
        files.propagated.push(&batch.propagated)?;
        files.weights.push(&batch.weights)?;
        if let Some(file) = &mut files.tag_weights {
            file.push(&batch.tag_weights)?;
        }
        let keep: Vec<u8> = batch.mask.iter().map(|&m| u8::from(m > 0.0)).collect();
        files.keep.push(&keep)?;
        rates.push(schedule.rate(&State::default(), step));
    }
    npy::write(&folder.join("rates.npy"), &[rates.len()], &rates)?;
    files.finish(rates.len(), size, config.network.tags, table.features())
}

/// The files that grow step by step.
struct Files {
    clips: Writer<u64>,
    own: Writer<f32>,
    propagated: Writer<f32>,
    weights: Writer<f32>,
    tag_weights: Option<Writer<f32>>,
    keep: Writer<u8>,
}

impl Files {
    fn create(folder: &Path, by_tag: bool) -> Result<Files> {
        Ok(Files {
            clips: Writer::create(&folder.join("clips.npy"))?,
            own: Writer::create(&folder.join("own.npy"))?,
            propagated: Writer::create(&folder.join("propagated.npy"))?,
            weights: Writer::create(&folder.join("weights.npy"))?,
            tag_weights: by_tag.then(|| Writer::create(&folder.join("tag_weights.npy"))).transpose()?,
            keep: Writer::create(&folder.join("keep.npy"))?,
        })
    }

    fn finish(self, steps: usize, batch: usize, tags: usize, features: usize) -> Result<()> {
        self.clips.finish(&[steps * batch, 2])?;
        self.own.finish(&[steps * batch, tags])?;
        self.propagated.finish(&[steps * batch, tags])?;
        self.weights.finish(&[steps * 2, batch])?;
        if let Some(file) = self.tag_weights {
            file.finish(&[steps * batch, tags])?;
        }
        self.keep.finish(&[steps * batch, features])
    }
}
