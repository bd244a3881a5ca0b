//! Which runs a grid has: arms, seeds, vocabularies, search ranges for the arms that are scanned, and rates for those whose
//! rate is chosen. A seed decides split, removed tags and initial weights together, and all arms of a seed share them.

use std::collections::HashSet;

use super::Job;
pub use crate::dataset::SplitBy;
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
    /// Names of arms that are trained with each of `rates` too, the best one chosen on validation.
    pub tuned: Vec<String>,
    /// Multiples of `rate`.
    pub rates: Vec<f64>,
    pub seeds: std::ops::Range<u64>,
    /// Vocabularies: `None` is the dataset's.
    pub tops: Vec<Option<usize>>,
    /// The dataset's tags.
    pub vocabulary: usize,
    pub split: SplitBy,
    pub network: String,
    pub batch: usize,
    /// Of losses that are means. Where they are summed it is divided by clips and tags, which makes equal steps of it.
    pub rate: f64,
    pub steps: u64,
    pub clips_per_song: usize,
}

/// Reads flags of `tagwalk train`: the configuration that they make.
pub type Read<'a> = &'a dyn Fn(&[String]) -> Result<Config>;

impl Spec {
    /// All runs, seed by seed; no two are the same one.
    pub fn jobs(&self, read: Read) -> Result<Vec<Job>> {
        for name in self.scanned.iter().chain(&self.tuned) {
            if !self.arms.iter().any(|arm| *arm.name == **name) {
                return Err(Error::usage("--scan, --tune", format!("{name} is none of the arms")));
            }
        }
        let (mut jobs, mut hashes) = (Vec::new(), HashSet::new());
        for seed in self.seeds.clone() {
            for &top in &self.tops {
                let mut all: Vec<(String, bool, Job)> = Vec::new();
                for arm in &self.arms {
                    for (range, rate) in self.cells(arm, top) {
                        let flags = self.flags(arm, range, rate, seed, top);
                        let job = Job::new(arm, flags.clone(), read(&flags)?);
                        all.push((job.hash(), self.is_scanned(&arm.name) || self.is_tuned(&arm.name), job));
                    }
                }
                // Of two arms that come to the same here one is run: one that has a choice, since it needs all that it is to
                // choose among; else the first.
                let chosen: HashSet<String> = all.iter().filter(|job| job.1).map(|job| job.0.clone()).collect();
                for (hash, has_choice, job) in all {
                    if (has_choice || !chosen.contains(&hash)) && hashes.insert(hash) {
                        jobs.push(job);
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

    /// Whether the arm's rate is chosen among several.
    pub fn is_tuned(&self, arm: &str) -> bool {
        self.rates.len() > 1 && self.tuned.iter().any(|name| name == arm)
    }

    /// The ranges that an arm is trained with; an arm may have one of its own.
    fn ranges_of(&self, arm: &Arm) -> Vec<f64> {
        if arm.propagation.mode != Mode::None && self.is_scanned(&arm.name) {
            self.ranges.clone()
        } else {
            vec![self.range_of(arm)]
        }
    }

    /// An arm's range where it is not scanned.
    fn range_of(&self, arm: &Arm) -> f64 {
        let own = arm.propagation.range;
        if arm.propagation.mode == Mode::None || arm.has_range { own } else { self.range }
    }

    /// The rate that a multiple makes of the grid's, for a vocabulary.
    fn rate(&self, arm: &Arm, multiple: f64, top: Option<usize>) -> f64 {
        let equal = if arm.sums() { (self.batch * top.unwrap_or(self.vocabulary)) as f64 } else { 1.0 };
        self.rate * multiple / equal
    }

    /// Range and rate of each of an arm's runs: the ranges at the grid's rate, and the rates at the one range.
    fn cells(&self, arm: &Arm, top: Option<usize>) -> Vec<(f64, f64)> {
        let mut cells: Vec<(f64, f64)> = self.ranges_of(arm).into_iter().map(|range| (range, self.rate(arm, 1.0, top))).collect();
        if self.is_tuned(&arm.name) {
            cells.extend(self.rates.iter().map(|&multiple| (self.range_of(arm), self.rate(arm, multiple, top))));
        }
        cells
    }

    /// Whether a job is one of those that its arm's range is chosen among; else its rate is.
    pub fn scans(&self, arm: &Arm, job: &Job) -> bool {
        let top = Some(job.tags());
        let range = job.train.propagation.range;
        job.train.schedule.rate == self.rate(arm, 1.0, top) && self.ranges_of(arm).contains(&range)
    }

    /// Whether a job is one of those that its arm's rate is chosen among.
    pub fn tunes(&self, arm: &Arm, job: &Job) -> bool {
        let top = Some(job.tags());
        let rate = job.train.schedule.rate;
        self.is_tuned(&arm.name)
            && job.train.propagation.range == self.range_of(arm)
            && self.rates.iter().any(|&multiple| self.rate(arm, multiple, top) == rate)
    }

    /// The flags of a run: what all share, unless the arm says otherwise, and the arm's.
    fn flags(&self, arm: &Arm, range: f64, rate: f64, seed: u64, top: Option<usize>) -> Vec<String> {
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
        shared("--rate", rate.to_string());
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
