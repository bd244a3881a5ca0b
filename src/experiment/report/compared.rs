//! An arm beside the baseline, paired by seed: the difference, and how sure it is over seeds, songs, groups and tags. The
//! bootstrap needs all songs' scores, which are large; what it came to is kept as rows, by what it was made from, and
//! taken from there where the scores are gone.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::results::{Line, Measure, Options, Run, each, frequent, mean};
use crate::dataset::Dataset;
use crate::error::Result;
use crate::evaluate::paired::{self, Gain, Pair, Unit};
use crate::evaluate::seeds::{OverSeeds, corrected};
use crate::evaluate::{Figures, Measured, Table, songs};
use crate::experiment::grid::Store;
use crate::format::hex;

/// A gain over the baseline.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compared {
    /// Seeds that have both.
    pub seeds: usize,
    pub difference: Figures<Option<f64>>,
    /// Of the means over seeds.
    pub relative: Figures<Option<f64>>,
    pub over_seeds: Figures<Option<OverSeeds>>,
    pub by_songs: Figures<Option<Ends>>,
    pub by_groups: Figures<Option<Ends>>,
    pub by_tags: Figures<Option<Ends>>,
}

/// The interval of a difference by resamples, and that of the relative one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    pub low: f64,
    pub high: f64,
    pub relative_low: f64,
    pub relative_high: f64,
}

impl From<Gain> for Ends {
    fn from(Gain { difference, relative }: Gain) -> Ends {
        Ends { low: difference.low, high: difference.high, relative_low: relative.low, relative_high: relative.high }
    }
}

/// An interval of the bootstrap, as `intervals.csv` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalRow {
    /// 16 hex digits of the SHA-256 of the runs of both arms and of how they were resampled.
    pub key: String,
    /// For people.
    pub arm: String,
    pub tags: usize,
    /// `songs`, `groups` or `tags`
    pub by: String,
    pub measure: String,
    pub low: f64,
    pub high: f64,
    pub relative_low: f64,
    pub relative_high: f64,
}

const UNITS: [(Unit, &str); 3] = [(Unit::Songs, "songs"), (Unit::Groups, "groups"), (Unit::Tags, "tags")];

/// A run's test songs, ranked.
struct Scored {
    table: Measured,
    songs: Vec<u32>,
    groups: Vec<Option<u32>>,
}

/// Compares lines with one baseline.
pub struct Comparing<'a> {
    runs: &'a HashMap<String, Run>,
    baseline: &'a Line,
    store: &'a Store,
    dataset: &'a Path,
    options: &'a Options,
    /// Of the runs whose scores are there, by hash.
    scored: HashMap<String, Scored>,
    /// Intervals by key, unit and figure: those that were there, and those that were made.
    kept: HashMap<(String, String, String), IntervalRow>,
    made: BTreeMap<(String, String, String), IntervalRow>,
}

impl<'a> Comparing<'a> {
    pub fn new(
        runs: &'a HashMap<String, Run>,
        baseline: &'a Line,
        store: &'a Store,
        dataset: &'a Path,
        options: &'a Options,
    ) -> Comparing<'a> {
        let kept = store.intervals().into_iter().map(|row| (id(&row), row)).collect();
        Comparing { runs, baseline, store, dataset, options, scored: HashMap::new(), kept, made: BTreeMap::new() }
    }

    /// Reads the scores of the baseline's runs and of some lines', as far as they are there.
    pub fn read<'l>(&mut self, lines: impl Iterator<Item = &'l Line>) -> Result<()> {
        let mut hashes: Vec<&String> = self.baseline.runs.values().chain(lines.flat_map(|line| line.runs.values())).collect();
        hashes.sort_by_key(|hash| (self.runs[*hash].job.seed, *hash));
        hashes.dedup();
        let mut seen: Option<Dataset> = None;
        for hash in hashes {
            let run = &self.runs[hash];
            let Some(scores) = self.store.scores(&run.finished) else { continue };
            let view = run.job.train.view;
            if seen.as_ref().is_none_or(|dataset| dataset.view() != view) {
                seen = Some(Dataset::open(self.dataset)?.seen(view)?);
            }
            let Some(dataset) = &seen else { continue };
            if scores.songs.iter().any(|&song| song as usize >= dataset.songs()) {
                continue;
            }
            let numbers: Vec<usize> = scores.songs.iter().map(|&song| song as usize).collect();
            let truth = songs::truth(dataset, &numbers)?;
            let table = Measured::new(&Table::new(&scores.scores, &truth, run.job.tags())?);
            let groups = numbers.iter().map(|&song| dataset.group(song)).collect();
            self.scored.insert(hash.clone(), Scored { table, songs: scores.songs, groups });
        }
        Ok(())
    }

    /// A line's gain.
    pub fn with(&mut self, line: &Line) -> Result<Compared> {
        let both: Vec<(&String, &String)> =
            line.runs.iter().filter_map(|(seed, hash)| Some((self.baseline.runs.get(seed)?, hash))).collect();
        let test = |hash: &String| self.runs[hash].test;
        let differences =
            |m: Measure| -> Vec<f64> { both.iter().filter_map(|(a, b)| Some(m.of(&test(b))? - m.of(&test(a))?)).collect() };
        let relative = |m: Measure| {
            let (a, b): (Vec<f64>, Vec<f64>) = both.iter().filter_map(|(a, b)| Some((m.of(&test(a))?, m.of(&test(b))?))).unzip();
            mean(b.into_iter().map(Some)).zip(mean(a.into_iter().map(Some))).filter(|ba| ba.1 > 0.0).map(|(b, a)| b / a - 1.0)
        };
        // By the split's training side, whatever share of it an arm can train on.
        let rows = || both.iter().map(|(_, b)| &self.runs[*b].finished.row);
        let trained: f64 = rows().map(|row| row.split_songs as f64).sum();
        let ratio = rows().map(|row| row.test_songs as f64).sum::<f64>() / trained.max(1.0);
        let difference = each(|m| mean(differences(m).into_iter().map(Some)));
        let (relative, over_seeds) = (
            each(relative),
            each(|m| {
                // Seeds that agree to the last digit, as on a tag or two, say nothing of how far others would lie.
                corrected(&differences(m), ratio, self.options.level).filter(|sure| sure.error > 0.0)
            }),
        );
        let [by_songs, by_groups, by_tags] = self.resampled(line, &both)?;
        Ok(Compared { seeds: both.len(), difference, relative, over_seeds, by_songs, by_groups, by_tags })
    }

    /// The intervals by songs, groups and tags: made of the scores, else those that were kept.
    fn resampled(&mut self, line: &Line, both: &[(&String, &String)]) -> Result<[Figures<Option<Ends>>; 3]> {
        let nothing = [each(|_| None); 3];
        if both.is_empty() || self.options.replicates == 0 {
            return Ok(nothing);
        }
        let key = self.key(both);
        let frequent = |hash: &String| frequent(&self.runs[hash].finished, self.options.min_positives);
        let tags: Vec<Vec<usize>> = both.iter().map(|(a, _)| frequent(a)).collect();
        let pairs: Option<Vec<Pair>> = both
            .iter()
            .zip(&tags)
            .map(|((a, b), tags)| {
                let (a, b) = (self.scored.get(*a)?, self.scored.get(*b)?);
                Some(Pair { a: &a.table, b: &b.table, songs: &a.songs, groups: &a.groups, tags })
            })
            .collect();
        let id = |unit: &str, m: Measure| (key.clone(), unit.to_string(), m.name().to_string());
        let mut all = nothing;
        let mut made = Vec::new();
        let grouped = pairs.iter().flatten().any(|pair| pair.groups.iter().any(Option::is_some));
        for ((unit, name), of) in UNITS.into_iter().zip(&mut all) {
            // Without groups each song stands for itself: the interval by songs again.
            if unit == Unit::Groups && pairs.is_some() && !grouped {
                continue;
            }
            let gains = match &pairs {
                Some(pairs) => {
                    let boot = paired::Options { replicates: self.options.replicates, seed: 0 };
                    paired::gains(pairs, unit, &boot)?.map(|gain| gain.map(Ends::from).filter(|ends| ends.low < ends.high))
                }
                None => each(|m| self.kept.get(&id(name, m)).map(IntervalRow::ends)),
            };
            let tags = self.runs[both[0].1].job.tags();
            let row = |m: Measure| Some(IntervalRow::new(&key, &line.name, tags, name, m, m.of(&gains)?));
            made.extend(Measure::ALL.into_iter().filter_map(row));
            *of = gains;
        }
        self.made.extend(made.into_iter().map(|row| (self::id(&row), row)));
        Ok(all)
    }

    fn key(&self, both: &[(&String, &String)]) -> String {
        let Options { min_positives, level, replicates, .. } = self.options;
        // Intervals that an earlier version kept were percentiles.
        let text = format!("{both:?} {min_positives} {level} {replicates} normal");
        hex(&Sha256::digest(text)[..8])
    }

    /// The intervals of all lines that were compared.
    pub fn intervals(self) -> Vec<IntervalRow> {
        self.made.into_values().collect()
    }
}

fn id(row: &IntervalRow) -> (String, String, String) {
    (row.key.clone(), row.by.clone(), row.measure.clone())
}

impl IntervalRow {
    fn new(key: &str, arm: &str, tags: usize, by: &str, measure: Measure, ends: Ends) -> IntervalRow {
        let Ends { low, high, relative_low, relative_high } = ends;
        let [key, arm, by, measure] = [key, arm, by, measure.name()].map(String::from);
        IntervalRow { key, arm, tags, by, measure, low, high, relative_low, relative_high }
    }

    fn ends(&self) -> Ends {
        let IntervalRow { low, high, relative_low, relative_high, .. } = *self;
        Ends { low, high, relative_low, relative_high }
    }
}
