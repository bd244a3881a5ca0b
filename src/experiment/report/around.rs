//! Runs around a grid's own setting, one factor at a time: tags that are removed, playlists that know less of the tags (worlds
//! of `tagwalk synth`), and the search range. Rows of other grids in the same folder count where they differ in the factor
//! alone. Beside the gain stands what a draw brings: tags that were missing, and wrong ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::About;
use super::results::{Measure, Results, figures, mean};
use crate::evaluate::Figures;
use crate::evaluate::seeds::{OverSeeds, corrected};
use crate::experiment::grid::{Finished, Row, Spec};

/// What is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    Removed,
    Coherence,
}

impl Factor {
    pub fn name(self) -> &'static str {
        match self {
            Factor::Removed => "share of the tagged training songs that lose their tags",
            Factor::Coherence => "coherence of playlists with tags",
        }
    }

    pub fn of(self, row: &Row) -> Option<f64> {
        match self {
            Factor::Removed => Some(row.remove),
            Factor::Coherence => row.coherence,
        }
    }

    /// Whether rows are alike but for this factor, arm, range and seed.
    pub fn differ_only_in(self, a: &Row, b: &Row) -> bool {
        let same =
            |row: &Row| (row.network.clone(), row.steps, row.batch, row.rate, row.reduction.clone(), row.sides.clone(), row.tags);
        same(a) == same(b)
            && match self {
                Factor::Removed => a.dataset == b.dataset,
                Factor::Coherence => a.remove == b.remove && a.untagged == b.untagged && a.recorded == b.recorded,
            }
    }
}

/// Runs of one setting, by seed: of the baseline, and of the proposed arm at each range (as bits, which are in order).
#[derive(Default)]
pub struct Setting<'a> {
    pub baseline: BTreeMap<u64, &'a Finished>,
    pub proposed: BTreeMap<u64, BTreeMap<u64, &'a Finished>>,
}

/// A setting at one range, as `data/factors.csv` has it.
#[derive(Serialize)]
pub struct Point {
    factor: &'static str,
    value: f64,
    range: f64,
    measure: &'static str,
    seeds: usize,
    baseline: Option<f64>,
    proposed: Option<f64>,
    validation: Option<f64>,
    gain: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// Of the missing tags, those that a draw brings; of the untrue pairs; of the new tags, the true ones, and as many with
    /// random lenders.
    recovered: Option<f64>,
    wrong: Option<f64>,
    precision: Option<f64>,
    precision_at_random: Option<f64>,
}

pub struct Around<'a> {
    min_positives: usize,
    level: f64,
    /// The search range at which other factors are compared.
    pub range: f64,
    /// The share of tags that the grid itself removes.
    pub remove: f64,
    /// Settings by factor and value, in order.
    pub all: Vec<(Factor, f64, Setting<'a>)>,
}

impl<'a> Around<'a> {
    pub fn new(results: &Results, spec: &Spec, kept: Vec<&'a Finished>, about: &About) -> Option<Around<'a>> {
        let (baseline, proposed) = (&spec.arms.first()?.name, spec.scanned.first()?);
        let panel = results.panels.last()?;
        let own = |name: &str| {
            let line = panel.lines.iter().find(|line| line.arm == name)?;
            line.runs.values().next().map(|hash| &results.runs[hash].finished.row)
        };
        // The baseline is never tuned, so that its row has the grid's rate.
        let here = own(baseline)?;
        let mut all: Vec<(Factor, f64, Setting)> = Vec::new();
        for factor in [Factor::Removed, Factor::Coherence] {
            let mut by_value: BTreeMap<u64, Setting> = BTreeMap::new();
            let alike: Vec<(f64, &Finished)> = kept
                .iter()
                .filter(|f| factor.differ_only_in(here, &f.row))
                .filter_map(|f| Some((factor.of(&f.row)?, *f)))
                .collect();
            let mut datasets: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
            for (value, finished) in &alike {
                datasets.entry(value.to_bits()).or_default().insert(&finished.row.dataset);
            }
            for (value, finished) in alike {
                let row = &finished.row;
                // Two worlds of one value differ in something else that rows do not tell: none of them, unless one is the grid's.
                if datasets[&value.to_bits()].len() > 1 && row.dataset != here.dataset {
                    continue;
                }
                let setting = by_value.entry(value.to_bits()).or_default();
                if row.arm == *baseline {
                    setting.baseline.insert(row.seed, finished);
                } else if row.arm == *proposed
                    && let Some(range) = row.range
                {
                    setting.proposed.entry(range.to_bits()).or_default().insert(row.seed, finished);
                }
            }
            by_value.retain(|_, setting| !setting.baseline.is_empty() && !setting.proposed.is_empty());
            all.extend(by_value.into_iter().map(|(value, setting)| (factor, f64::from_bits(value), setting)));
        }
        Some(Around { min_positives: about.min_positives, level: about.level, range: spec.range, remove: here.remove, all })
    }

    pub fn of(&self, factor: Factor) -> impl Iterator<Item = (f64, &Setting<'a>)> {
        self.all.iter().filter(move |one| one.0 == factor).map(|(_, value, setting)| (*value, setting))
    }

    pub fn test(&self, finished: &Finished) -> Figures<Option<f64>> {
        figures(finished, self.min_positives)
    }

    /// Differences by seed, and how sure their mean is.
    pub fn gain(
        &self,
        from: &BTreeMap<u64, &Finished>,
        to: &BTreeMap<u64, &Finished>,
        m: Measure,
    ) -> (Vec<f64>, Option<OverSeeds>) {
        let both = || to.iter().filter_map(|(seed, b)| Some((*from.get(seed)?, *b)));
        let differences: Vec<f64> = both().filter_map(|(a, b)| Some(m.of(&self.test(b))? - m.of(&self.test(a))?)).collect();
        let (test, trained) = both()
            .fold((0.0, 0.0), |(test, trained), (_, b)| (test + b.row.test_songs as f64, trained + b.row.split_songs as f64));
        let sure = corrected(&differences, test / f64::max(trained, 1.0), self.level);
        (differences, sure)
    }

    pub fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (factor, value, setting) in &self.all {
            for (range, runs) in &setting.proposed {
                let share = |of: &dyn Fn(&Row) -> Option<f64>| mean(runs.values().map(|f| of(&f.row)));
                for m in Measure::ALL {
                    let (differences, sure) = self.gain(&setting.baseline, runs, m);
                    points.push(Point {
                        factor: factor.name(),
                        value: *value,
                        range: f64::from_bits(*range),
                        measure: m.name(),
                        seeds: differences.len(),
                        baseline: mean(setting.baseline.values().map(|f| m.of(&self.test(f)))),
                        proposed: mean(runs.values().map(|f| m.of(&self.test(f)))),
                        validation: mean(runs.values().map(|f| validation(&f.row, m))),
                        gain: mean(differences.into_iter().map(Some)),
                        low: sure.map(|s| s.low),
                        high: sure.map(|s| s.high),
                        recovered: share(&recovered),
                        wrong: share(&wrong),
                        precision: share(&precision),
                        precision_at_random: share(&precision_at_random),
                    });
                }
            }
        }
        points
    }
}

pub fn validation(row: &Row, m: Measure) -> Option<f64> {
    m.of(&Figures {
        annotation_map: row.valid_annotation_map,
        retrieval_map: row.valid_retrieval_map,
        roc_auc: row.valid_roc_auc,
    })
}

fn share(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    part.zip(whole).filter(|(_, whole)| *whole > 0.0).map(|(part, whole)| part / whole)
}

pub fn recovered(row: &Row) -> Option<f64> {
    share(row.recovered, row.missing.map(|n| n as f64))
}

pub fn wrong(row: &Row) -> Option<f64> {
    share(row.wrong, row.untrue.map(|n| n as f64))
}

pub fn precision(row: &Row) -> Option<f64> {
    share(row.recovered, row.recovered.zip(row.wrong).map(|(a, b)| a + b))
}

pub fn precision_at_random(row: &Row) -> Option<f64> {
    share(row.recovered_at_random, row.recovered_at_random.zip(row.wrong_at_random).map(|(a, b)| a + b))
}
