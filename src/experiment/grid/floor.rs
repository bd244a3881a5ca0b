//! An arm that needs no network, fitted in a run's place: seconds where the network takes minutes.

use std::sync::{Arc, Mutex};

use super::Job;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::songs::{self, Scored};
use crate::experiment::arms::Learner;
use crate::experiment::audio::Statistics;
use crate::experiment::{floor, groups, linear};
use crate::playlists::{Labels, Tags};
use crate::run::interrupt;

/// Statistics of all songs that are heard, made when they are first asked for. They are the same for every seed and split;
/// what scales them is not.
#[derive(Default)]
pub struct Heard(Mutex<Option<Arc<Statistics>>>);

impl Heard {
    pub fn of(&self, dataset: &Dataset) -> Result<Arc<Statistics>> {
        let mut made = self.0.lock().unwrap_or_else(|e| e.into_inner());
        match &*made {
            Some(statistics) => Ok(statistics.clone()),
            None => {
                let statistics = Arc::new(Statistics::new(dataset, &floor::heard(dataset), &interrupt::check)?);
                *made = Some(statistics.clone());
                Ok(statistics)
            }
        }
    }
}

/// What a job without a network has come to.
pub struct Fitted<'a> {
    dataset: &'a Dataset,
    /// Songs that it was fitted to.
    pub songs: usize,
    model: Model<'a>,
}

enum Model<'a> {
    Linear(floor::Floor, Statistics),
    /// Tags that are known after the seed's removal.
    Group(Tags<'a>),
}

impl<'a> Fitted<'a> {
    /// Fits it on the dataset as the job sees it.
    pub fn new(job: &Job, dataset: &'a Dataset, heard: &Heard) -> Result<Fitted<'a>> {
        let options = &job.train.propagation;
        match job.learner {
            Learner::Network => Err(Error::usage(&job.arm, "is learned by a network")),
            Learner::Linear => {
                let mut statistics = heard.of(dataset)?.as_ref().clone();
                floor::standardise(dataset, &mut statistics);
                let how = linear::Options::default();
                let floor = floor::Floor::fit(dataset, &statistics, options, job.seed, f64::from(job.settings.lambda), &how)?;
                Ok(Fitted { dataset, songs: floor.songs, model: Model::Linear(floor, statistics) })
            }
            Learner::Group => {
                let labels = Labels::new(dataset, options, job.seed)?;
                let songs = (0..dataset.songs()).filter(|&song| labels.trains(song)).count();
                Ok(Fitted { dataset, songs, model: Model::Group(Tags::removing(dataset, options.remove, job.seed)) })
            }
        }
    }

    /// Scores of some songs, and their truth.
    pub fn score(&self, chosen: &[usize]) -> Result<Scored> {
        let scores = match &self.model {
            Model::Linear(floor, statistics) => floor.score(statistics, chosen),
            Model::Group(known) => groups::mean_tags(self.dataset, known, chosen),
        };
        Ok(Scored { songs: chosen.to_vec(), scores, truth: songs::truth(self.dataset, chosen)? })
    }
}
