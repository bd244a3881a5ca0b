//! An arm beside a baseline, paired by seed: the difference, and how sure it is over seeds, songs, groups and tags. The
//! bootstrap needs all songs' scores, which are large; what it came to is kept as rows, by what it was made from, and
//! taken from there where the scores are gone.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::results::{Line, Measure, Options, Run, each, frequent, mean};
use crate::dataset::{Dataset, View};
use crate::error::Result;
use crate::evaluate::paired::{self, Gain, Pair, Unit};
use crate::evaluate::seeds::{OverSeeds, corrected};
use crate::evaluate::{Figures, Measured, Table, songs};
use crate::experiment::grid::store::Scores;
use crate::experiment::grid::{Row, Store};
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

/// The test songs of runs that see the dataset alike.
struct Tested {
    view: View,
    songs: Vec<u32>,
    groups: Vec<Option<u32>>,
    /// u8 `[song, tag]`
    truth: Vec<u8>,
}

/// A run's test songs, ranked.
struct Scored {
    table: Measured,
    tested: Rc<Tested>,
}

/// Compares lines with others, a line at a time: ranked songs are many, and only baselines' stay.
pub struct Comparing<'a> {
    runs: &'a HashMap<String, Run>,
    store: &'a Store,
    dataset: &'a Path,
    options: &'a Options,
    tested: Vec<Rc<Tested>>,
    /// Of baselines' runs, by hash; `None` where their scores are gone.
    baselines: HashMap<String, Option<Scored>>,
    /// Intervals by key, unit and figure: those that were there, and those that were made.
    kept: HashMap<(String, String, String), IntervalRow>,
    made: BTreeMap<(String, String, String), IntervalRow>,
}

/// How sure a mean of differences by seed is; `rows` are those of one side of each.
pub fn over_seeds<'r>(differences: &[f64], rows: impl Iterator<Item = &'r Row>, level: f64) -> Option<OverSeeds> {
    // By the split's training side, whatever share of it an arm can train on.
    let (test, trained) =
        rows.fold((0.0, 0.0), |(test, trained), row| (test + row.test_songs as f64, trained + row.split_songs as f64));
    // Seeds that agree to the last digit, as on a tag or two, say nothing of how far others would lie.
    corrected(differences, test / f64::max(trained, 1.0), level).filter(|sure| sure.error > 0.0)
}

impl<'a> Comparing<'a> {
    pub fn new(
        runs: &'a HashMap<String, Run>,
        store: &'a Store,
        dataset: &'a Path,
        options: &'a Options,
    ) -> Result<Comparing<'a>> {
        let kept = store.intervals()?.into_iter().map(|row| (id(&row), row)).collect();
        let (tested, baselines, made) = (Vec::new(), HashMap::new(), BTreeMap::new());
        Ok(Comparing { runs, store, dataset, options, tested, baselines, kept, made })
    }

    /// A run's scores, ranked, as far as they are there.
    fn scored(&mut self, hash: &str) -> Result<Option<Scored>> {
        let run = &self.runs[hash];
        let Some(Scores { scores, songs }) = self.store.scores(&run.finished) else { return Ok(None) };
        let Some(tested) = self.tested(run.job.train.view, songs)? else { return Ok(None) };
        let table = Measured::new(&Table::new(&scores, &tested.truth, run.job.tags())?);
        Ok(Some(Scored { table, tested }))
    }

    /// Those songs, seen so; `None` where the dataset has not so many.
    fn tested(&mut self, view: View, songs: Vec<u32>) -> Result<Option<Rc<Tested>>> {
        if let Some(tested) = self.tested.iter().find(|tested| tested.view == view && tested.songs == songs) {
            return Ok(Some(tested.clone()));
        }
        let dataset = Dataset::open(self.dataset)?.seen(view)?;
        if songs.iter().any(|&song| song as usize >= dataset.songs()) {
            return Ok(None);
        }
        let numbers: Vec<usize> = songs.iter().map(|&song| song as usize).collect();
        let truth = songs::truth(&dataset, &numbers)?;
        let groups = numbers.iter().map(|&song| dataset.group(song)).collect();
        let tested = Rc::new(Tested { view, songs, groups, truth });
        self.tested.push(tested.clone());
        Ok(Some(tested))
    }

    /// A line's gain over a baseline.
    pub fn with(&mut self, baseline: &Line, line: &Line) -> Result<Compared> {
        let both: Vec<(&String, &String)> =
            line.runs.iter().filter_map(|(seed, hash)| Some((baseline.runs.get(seed)?, hash))).collect();
        let test = |hash: &String| self.runs[hash].test;
        let differences =
            |m: Measure| -> Vec<f64> { both.iter().filter_map(|(a, b)| Some(m.of(&test(b))? - m.of(&test(a))?)).collect() };
        let relative = |m: Measure| {
            let (a, b): (Vec<f64>, Vec<f64>) = both.iter().filter_map(|(a, b)| Some((m.of(&test(a))?, m.of(&test(b))?))).unzip();
            mean(b.into_iter().map(Some)).zip(mean(a.into_iter().map(Some))).filter(|ba| ba.1 > 0.0).map(|(b, a)| b / a - 1.0)
        };
        let rows = || both.iter().map(|(_, b)| &self.runs[*b].finished.row);
        let difference = each(|m| mean(differences(m).into_iter().map(Some)));
        let (relative, sure) = (each(relative), each(|m| over_seeds(&differences(m), rows(), self.options.level)));
        let [by_songs, by_groups, by_tags] = self.resampled(line, &both)?;
        Ok(Compared { seeds: both.len(), difference, relative, over_seeds: sure, by_songs, by_groups, by_tags })
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
        for (a, _) in both {
            if !self.baselines.contains_key(*a) {
                let scored = self.scored(a)?;
                self.baselines.insert(a.to_string(), scored);
            }
        }
        let theirs: Vec<Option<Scored>> = both.iter().map(|(_, b)| self.scored(b)).collect::<Result<_>>()?;
        let pairs: Option<Vec<Pair>> = both
            .iter()
            .zip(&theirs)
            .zip(&tags)
            .map(|(((a, _), b), tags)| {
                let (a, b) = (self.baselines[*a].as_ref()?, b.as_ref()?);
                Some(Pair { a: &a.table, b: &b.table, songs: &a.tested.songs, groups: &a.tested.groups, tags })
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
                    paired::gains(pairs, unit, &boot)?.map(|gain| gain.map(Ends::from).filter(|ends| ends.high - ends.low > 1e-9))
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
