//! Which runs a grid has: arms, seeds, vocabularies, and search ranges for the arms that are scanned. A seed
//! decides split, removed tags and initial weights together, and all arms of a seed share them.

use std::collections::HashSet;

use super::Job;
pub use crate::dataset::SplitBy;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::experiment::Arm;
use crate::playlists::{self, Mode};
use crate::train::options::Config;

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The first is the baseline.
    pub arms: Vec<Arm>,
    /// Names of arms that are trained with each of `ranges`, the best one chosen on validation; the first is
    /// the one that is proposed.
    pub scanned: Vec<String>,
    pub ranges: Vec<f64>,
    /// The range of the other arms, unless they have one of their own.
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
}

/// What a dataset is to an experiment.
pub struct About {
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
            tags: dataset.vocabulary().len(),
            training: count(Split::Train, false),
            tagged: count(Split::Train, true),
            valid: count(Split::Valid, true),
            test: count(Split::Test, true),
        }
    }
}

/// Reads flags of `tagwalk train`: the configuration that they make.
pub type Read<'a> = &'a dyn Fn(&[String]) -> Result<Config>;

impl Spec {
    /// All runs, seed by seed; no two are the same one.
    pub fn jobs(&self, read: Read) -> Result<Vec<Job>> {
        for name in &self.scanned {
            if !self.arms.iter().any(|arm| *arm.name == **name) {
                return Err(Error::usage("--scan", format!("{name} is none of the arms")));
            }
        }
        let (mut jobs, mut hashes) = (Vec::new(), HashSet::new());
        for seed in self.seeds.clone() {
            for &top in &self.tops {
                for arm in &self.arms {
                    for range in self.ranges_of(arm) {
                        let flags = self.flags(arm, range, seed, top);
                        let job = Job::new(&arm.name, flags.clone(), read(&flags)?);
                        // Of two arms that come to the same here, the first is run.
                        if hashes.insert(job.hash()) {
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

    /// The ranges that an arm is trained with; an arm may have one of its own.
    fn ranges_of(&self, arm: &Arm) -> Vec<f64> {
        let own = arm.propagation.range;
        match arm.propagation.mode != Mode::None {
            true if self.is_scanned(&arm.name) => self.ranges.clone(),
            true if own == playlists::Options::default().range => vec![self.range],
            _ => vec![own],
        }
    }

    /// The flags of a run: what all share, unless the arm says otherwise, and the arm's.
    fn flags(&self, arm: &Arm, range: f64, seed: u64, top: Option<usize>) -> Vec<String> {
        let arm = Arm { propagation: playlists::Options { range, ..arm.propagation.clone() }, ..arm.clone() };
        let own = arm.flags();
        let mut flags = Vec::new();
        let mut shared = |name: &str, value: String| {
            if !own.iter().any(|flag| flag == name) {
                flags.extend([name.to_string(), value]);
            }
        };
        shared("--network", self.network.clone());
        shared("--seed", seed.to_string());
        shared("--batch", self.batch.to_string());
        shared("--schedule", "fixed".into());
        shared("--rate", self.rate.to_string());
        shared("--steps", self.steps.to_string());
        shared("--clips-per-song", self.clips_per_song.to_string());
        if self.split != SplitBy::Prepared {
            shared("--split-by", self.split.name().into());
        }
        if let Some(top) = top {
            shared("--top", top.to_string());
        }
        flags.extend(own);
        flags
    }
}
