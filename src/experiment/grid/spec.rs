//! Which runs a grid has: arms, seeds, vocabularies, and search ranges for the arms that are scanned. A seed
//! decides split, removed tags and initial weights together, and all arms of a seed share them.

use std::collections::HashSet;

use crate::dataset::{Dataset, Sides, Split, View};
use crate::error::{Error, Result};
use crate::experiment::Arm;
use crate::kernels::Choice;
use crate::plan::Settings;
use crate::playlists::Mode;
use crate::train::options::Options;
use crate::train::{Rule, Schedule};

use super::Job;

/// Where each seed's split comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    Prepared,
    Songs,
    Groups,
}

impl SplitBy {
    /// The sides of a seed.
    pub fn sides(self, seed: u64) -> Sides {
        match self {
            SplitBy::Prepared => Sides::Prepared,
            SplitBy::Songs => Sides::Songs(seed),
            SplitBy::Groups => Sides::Groups(seed),
        }
    }

    /// As rows have it.
    pub fn name(self) -> &'static str {
        match self {
            SplitBy::Prepared => "prepared",
            SplitBy::Songs => "songs",
            SplitBy::Groups => "groups",
        }
    }
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The first is the baseline.
    pub arms: Vec<Arm>,
    /// Names of arms that are trained with each of `ranges`, the best one chosen on validation; the first is
    /// the one that is proposed.
    pub scanned: Vec<String>,
    pub ranges: Vec<f64>,
    /// The range of the other arms.
    pub range: f64,
    pub seeds: std::ops::Range<u64>,
    /// Vocabularies: `None` is the dataset's.
    pub tops: Vec<Option<usize>>,
    pub split: SplitBy,
    pub network: String,
    pub batch: usize,
    pub rate: f64,
    pub steps: u64,
    pub clips_per_song: usize,
    pub choice: Choice,
}

/// What a dataset is to an experiment.
pub struct About {
    pub fingerprint: String,
    pub tags: usize,
    /// Training songs with audio; those of them that have tags.
    pub training: usize,
    pub tagged: usize,
    pub valid: usize,
    pub test: usize,
}

impl About {
    pub fn of(dataset: &Dataset) -> About {
        let count = |side, tagged: bool| {
            let on = |&s: &usize| dataset.split(s) == side && dataset.samples(s) > 0 && (!tagged || dataset.is_tagged(s));
            (0..dataset.songs()).filter(on).count()
        };
        About {
            fingerprint: dataset.fingerprint(),
            tags: dataset.vocabulary().len(),
            training: count(Split::Train, false),
            tagged: count(Split::Train, true),
            valid: count(Split::Valid, true),
            test: count(Split::Test, true),
        }
    }
}

impl Spec {
    /// All runs, seed by seed; no two are the same one.
    pub fn jobs(&self, about: &About) -> Result<Vec<Job>> {
        for name in &self.scanned {
            if !self.arms.iter().any(|arm| arm.name == name.as_str()) {
                return Err(Error::usage("--scan", format!("{name} is none of the arms")));
            }
        }
        let mut jobs: Vec<Job> = Vec::new();
        let mut hashes = HashSet::new();
        for seed in self.seeds.clone() {
            for &top in &self.tops {
                for arm in &self.arms {
                    for &range in self.ranges_of(arm) {
                        let job = self.job(about, arm, range, seed, top)?;
                        // Of two arms that come to the same here, the first is run.
                        if hashes.insert(job.hash()?) {
                            jobs.push(job);
                        }
                    }
                }
            }
        }
        if jobs.is_empty() {
            return Err(Error::usage("--arms", "makes a grid without runs").help("Take at least one arm, range and seed."));
        }
        Ok(jobs)
    }

    /// Whether the arm is trained with several ranges.
    pub fn is_scanned(&self, arm: &str) -> bool {
        self.scanned.iter().any(|name| name == arm)
    }

    fn ranges_of(&self, arm: &Arm) -> &[f64] {
        let borrows = arm.propagation.mode != Mode::None;
        if borrows && self.is_scanned(arm.name) { &self.ranges } else { std::slice::from_ref(&self.range) }
    }

    fn job(&self, about: &About, arm: &Arm, range: f64, seed: u64, top: Option<usize>) -> Result<Job> {
        let mut propagation = arm.propagation.clone();
        if propagation.mode != Mode::None {
            propagation.range = range;
        }
        propagation.check()?;
        let schedule = Schedule { rule: Rule::Fixed, rate: self.rate, momentum: 0.9, epochs: 0, steps: self.steps };
        schedule.check()?;
        let top = top.filter(|&top| top < about.tags);
        let view = View { sides: self.split.sides(seed), top };
        let choice = self.choice.clone();
        let job = Job {
            arm: arm.name.to_string(),
            seed,
            network: self.network.clone(),
            settings: Settings { batch: self.batch, mean: true, lambda: 1.0, unbiased_variance: false, choice },
            train: Options { schedule, propagation, clips_per_song: self.clips_per_song, view },
            fingerprint: about.fingerprint.clone(),
            tags: top.unwrap_or(about.tags),
        };
        job.network()?.check()?;
        Ok(job)
    }
}
