//! What a grid's rows say: each arm's figures as means over seeds, its gain over the baseline paired by seed,
//! and how sure that is. Where an arm was trained with several ranges, each seed's range is chosen by that
//! seed's validation songs; its test songs have no say.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::evaluate::paired::{self, Gain, Pair, Unit};
use crate::evaluate::seeds::{OverSeeds, corrected};
use crate::evaluate::{Figures, Measured, Table, songs};
use crate::experiment::grid::{Finished, Job, Spec, Store};

/// A figure, as a choice is made by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Measure {
    AnnotationMap,
    RetrievalMap,
    RocAuc,
}

impl Measure {
    pub const ALL: [Measure; 3] = [Measure::AnnotationMap, Measure::RetrievalMap, Measure::RocAuc];

    pub fn of<V: Copy>(self, figures: &Figures<V>) -> V {
        match self {
            Measure::AnnotationMap => figures.annotation_map,
            Measure::RetrievalMap => figures.retrieval_map,
            Measure::RocAuc => figures.roc_auc,
        }
    }

    /// As people say it; retrieval MAP is what others call macro PR-AUC.
    pub fn name(self) -> &'static str {
        match self {
            Measure::AnnotationMap => "annotation MAP",
            Measure::RetrievalMap => "retrieval MAP (macro PR-AUC)",
            Measure::RocAuc => "ROC-AUC",
        }
    }
}

/// How rows are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Test songs that a tag needs to count.
    pub min_positives: usize,
    /// What a range is chosen by, on validation songs.
    pub choose_by: Measure,
    pub level: f64,
    pub replicates: usize,
}

/// A finished run of the grid.
pub struct Run {
    pub job: Job,
    pub finished: Finished,
    /// On test songs, retrieval MAP and ROC-AUC over the tags that count.
    pub test: Figures<Option<f64>>,
    /// On validation songs, over all tags.
    pub valid: Figures<Option<f64>>,
}

/// A gain over the baseline.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compared {
    /// Seeds that have both.
    pub seeds: usize,
    pub difference: Figures<Option<f64>>,
    /// Of the means over seeds.
    pub relative: Figures<Option<f64>>,
    pub over_seeds: Figures<Option<OverSeeds>>,
    pub by_songs: Figures<Option<Gain>>,
    pub by_groups: Figures<Option<Gain>>,
    pub by_tags: Figures<Option<Gain>>,
}

/// An arm, at one range or at the chosen ones.
#[derive(Clone, Debug)]
pub struct Line {
    pub arm: String,
    pub name: String,
    pub what: String,
    /// Where it is one of a scan.
    pub range: Option<f64>,
    /// Hash of each seed's run.
    pub runs: BTreeMap<u64, String>,
    /// The range that each seed chose, where it had a choice.
    pub chosen: BTreeMap<u64, f64>,
    pub mean: Figures<Option<f64>>,
    pub valid: Figures<Option<f64>>,
    /// None for the baseline.
    pub compared: Option<Compared>,
}

/// All arms with one vocabulary.
pub struct Panel {
    pub tags: usize,
    pub lines: Vec<Line>,
    /// Each scanned arm's lines, one a range, ascending.
    pub scans: Vec<Vec<Line>>,
    /// What knows nothing of a song: all tags equal, and the frequent ones first.
    pub equal: Figures<Option<f64>>,
    pub popularity: Figures<Option<f64>>,
    /// Tags that count in some seed, and those that count in none.
    pub counted: usize,
    pub left_out: Vec<String>,
    /// Scores were there for the intervals over songs.
    pub resampled: bool,
}

impl Panel {
    /// The line of the baseline.
    pub fn baseline(&self) -> Option<&Line> {
        self.lines.iter().find(|line| line.compared.is_none())
    }

    /// The line of the arm that is proposed.
    pub fn proposed(&self, spec: &Spec) -> Option<&Line> {
        let name = spec.scanned.first()?;
        self.lines.iter().find(|line| line.arm == *name && line.range.is_none())
    }
}

/// Everything.
pub struct Results {
    pub runs: HashMap<String, Run>,
    pub panels: Vec<Panel>,
    /// Jobs without a row, by their numbers.
    pub missing: Vec<(usize, Job)>,
    pub all: usize,
}

impl Results {
    /// Reads the rows that there are for a grid's jobs. `say` hears of rows that cannot be trusted.
    pub fn new(
        spec: &Spec,
        jobs: &[Job],
        store: &Store,
        dataset: &Path,
        options: &Options,
        say: &dyn Fn(&str),
    ) -> Result<Results> {
        use crate::experiment::grid::store::Found;
        let (mut kept, wrong) = store.collected();
        wrong.iter().for_each(|what| say(&format!("{what}: it is left out")));
        let (mut runs, mut missing) = (HashMap::new(), Vec::new());
        for (i, job) in jobs.iter().enumerate() {
            let hash = job.hash();
            let finished = match store.find(&hash) {
                Found::Finished(finished) => Some(*finished),
                Found::Broken(what) => {
                    say(&format!("{what}: it is left out; run the grid again"));
                    None
                }
                Found::Nothing => kept.remove(&hash),
            };
            match finished {
                Some(finished) => {
                    let test = figures(&finished, options.min_positives);
                    let row = &finished.row;
                    let valid = Figures {
                        annotation_map: row.valid_annotation_map,
                        retrieval_map: row.valid_retrieval_map,
                        roc_auc: row.valid_roc_auc,
                    };
                    runs.insert(hash, Run { job: job.clone(), finished, test, valid });
                }
                None => missing.push((i + 1, job.clone())),
            }
        }
        let mut results = Results { runs, panels: Vec::new(), missing, all: jobs.len() };
        let mut tops: Vec<usize> = jobs.iter().map(|job| job.tags()).collect();
        tops.sort_unstable();
        tops.dedup();
        for tags in tops {
            let panel = results.panel(spec, jobs, tags, store, dataset, options)?;
            results.panels.push(panel);
        }
        Ok(results)
    }

    fn panel(&self, spec: &Spec, jobs: &[Job], tags: usize, store: &Store, dataset: &Path, options: &Options) -> Result<Panel> {
        let mut lines = Vec::new();
        let mut scans = Vec::new();
        // Runs of an arm by range (as bits, so that they can be keys) and seed.
        for arm in &spec.arms {
            let mut by_range: BTreeMap<Option<u64>, BTreeMap<u64, String>> = BTreeMap::new();
            for job in jobs.iter().filter(|job| job.tags() == tags && *job.arm == *arm.name) {
                let hash = job.hash();
                if self.runs.contains_key(&hash) {
                    by_range.entry(job.range().map(f64::to_bits)).or_default().insert(job.seed, hash);
                }
            }
            let line = |range: Option<f64>, runs: BTreeMap<u64, String>, chosen: BTreeMap<u64, f64>| Line {
                arm: arm.name.to_string(),
                name: range.map_or(arm.name.to_string(), |r| format!("{}, r = {r}", arm.name)),
                what: arm.what.to_string(),
                range,
                mean: self.mean(&runs, |run| run.test),
                valid: self.mean(&runs, |run| run.valid),
                runs,
                chosen,
                compared: None,
            };
            if spec.is_scanned(&arm.name) && spec.ranges.len() > 1 {
                let mut chosen: BTreeMap<u64, (f64, f64, String)> = BTreeMap::new();
                let mut scan = Vec::new();
                for (range, runs) in by_range {
                    let range = range.map_or(0.0, f64::from_bits);
                    for (seed, hash) in &runs {
                        let value = options.choose_by.of(&self.runs[hash].valid).unwrap_or(f64::NEG_INFINITY);
                        // Of equals the smaller range.
                        if chosen.get(seed).is_none_or(|best| value > best.0) {
                            chosen.insert(*seed, (value, range, hash.clone()));
                        }
                    }
                    scan.push(line(Some(range), runs, BTreeMap::new()));
                }
                let ranges = chosen.iter().map(|(&seed, best)| (seed, best.1)).collect();
                let runs = chosen.into_iter().map(|(seed, best)| (seed, best.2)).collect();
                let mut best = line(None, runs, ranges);
                best.name = format!("{}, r chosen on validation", arm.name);
                // r = 0 is an arm of its own: it borrows from the nearest, or from nobody.
                lines.extend(scan.iter().filter(|line| line.range == Some(0.0)).cloned());
                lines.push(best);
                scans.push(scan);
            } else {
                let runs = by_range.into_values().next().unwrap_or_default();
                lines.push(line(None, runs, BTreeMap::new()));
            }
        }
        lines.retain(|line| !line.runs.is_empty());
        let mut resampled = false;
        if let Some(baseline) = lines.iter().position(|line| spec.arms.first().is_some_and(|arm| *arm.name == *line.arm)) {
            let baseline = lines.remove(baseline);
            let measured = self.measure(&baseline, lines.iter().chain(scans.iter().flatten()), store, dataset)?;
            for line in lines.iter_mut().chain(scans.iter_mut().flatten()) {
                let compared = self.compare(&baseline, line, &measured, options)?;
                resampled |= compared.by_songs.roc_auc.is_some();
                line.compared = Some(compared);
            }
            lines.insert(0, baseline);
        }
        let (equal, popularity) = self.without_hearing(&lines, options);
        let (counted, left_out) = self.counted(&lines, options);
        Ok(Panel { tags, lines, scans, equal, popularity, counted, left_out, resampled })
    }

    fn mean(&self, runs: &BTreeMap<u64, String>, of: impl Fn(&Run) -> Figures<Option<f64>>) -> Figures<Option<f64>> {
        let all: Vec<Figures<Option<f64>>> = runs.values().map(|hash| of(&self.runs[hash])).collect();
        each(|m| mean(all.iter().map(|f| m.of(f))))
    }

    /// Tables of all runs whose scores are there, by hash, with their songs' numbers and groups.
    fn measure<'l>(
        &self,
        baseline: &Line,
        lines: impl Iterator<Item = &'l Line>,
        store: &Store,
        dataset: &Path,
    ) -> Result<HashMap<String, Scored>> {
        let mut hashes: Vec<&String> = baseline.runs.values().chain(lines.flat_map(|line| line.runs.values())).collect();
        hashes.sort_by_key(|hash| (self.runs[*hash].job.seed, *hash));
        hashes.dedup();
        let mut seen: Option<Dataset> = None;
        let mut all = HashMap::new();
        for hash in hashes {
            let run = &self.runs[hash];
            let Some(scores) = store.scores(&run.finished) else { continue };
            let view = run.job.train.view;
            if seen.as_ref().is_none_or(|dataset| dataset.view() != view) {
                seen = Some(Dataset::open(dataset)?.seen(view)?);
            }
            let Some(dataset) = &seen else { continue };
            if scores.songs.iter().any(|&song| song as usize >= dataset.songs()) {
                continue;
            }
            let numbers: Vec<usize> = scores.songs.iter().map(|&song| song as usize).collect();
            let truth = songs::truth(dataset, &numbers)?;
            let table = Measured::new(&Table::new(&scores.scores, &truth, run.job.tags())?);
            let groups = numbers.iter().map(|&song| dataset.group(song)).collect();
            all.insert(hash.clone(), Scored { table, songs: scores.songs, groups });
        }
        Ok(all)
    }

    fn compare(&self, baseline: &Line, line: &Line, scored: &HashMap<String, Scored>, options: &Options) -> Result<Compared> {
        let both: Vec<(&String, &String)> =
            line.runs.iter().filter_map(|(seed, hash)| Some((baseline.runs.get(seed)?, hash))).collect();
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

        let tags: Vec<Vec<usize>> = both.iter().map(|(a, _)| frequent(&self.runs[*a].finished, options.min_positives)).collect();
        let pairs: Vec<Pair> = both
            .iter()
            .zip(&tags)
            .filter_map(|((a, b), tags)| {
                let (a, b) = (scored.get(*a)?, scored.get(*b)?);
                Some(Pair { a: &a.table, b: &b.table, songs: &a.songs, groups: &a.groups, tags })
            })
            .collect();
        let boot = paired::Options { replicates: options.replicates, level: options.level, seed: 0 };
        let gains = |unit| {
            if pairs.is_empty() || options.replicates == 0 { Ok(each(|_| None)) } else { paired::gains(&pairs, unit, &boot) }
        };
        Ok(Compared {
            seeds: both.len(),
            difference: each(|m| mean(differences(m).into_iter().map(Some))),
            relative: each(relative),
            over_seeds: each(|m| corrected(&differences(m), ratio, options.level)),
            by_songs: gains(Unit::Songs)?,
            by_groups: gains(Unit::Groups)?,
            by_tags: gains(Unit::Tags)?,
        })
    }

    /// What needs no network: all equal, and by popularity.
    fn without_hearing(&self, lines: &[Line], options: &Options) -> (Figures<Option<f64>>, Figures<Option<f64>>) {
        let Some(line) = lines.first() else { return (each(|_| None), each(|_| None)) };
        let rows: Vec<&Finished> = line.runs.values().map(|hash| &self.runs[hash].finished).collect();
        let prevalence = mean(rows.iter().map(|finished| {
            let tags = frequent(finished, options.min_positives);
            mean(tags.iter().map(|&t| Some(finished.tags[t].prevalence)))
        }));
        let of = |annotation_map| Figures { annotation_map, retrieval_map: prevalence, roc_auc: Some(0.5) };
        (
            of(mean(rows.iter().map(|finished| finished.row.equal_annotation_map))),
            of(mean(rows.iter().map(|finished| finished.row.popularity_annotation_map))),
        )
    }

    /// How many tags count in some seed, and those that count in none.
    fn counted(&self, lines: &[Line], options: &Options) -> (usize, Vec<String>) {
        let Some(line) = lines.first() else { return (0, Vec::new()) };
        let mut most: BTreeMap<usize, (usize, String)> = BTreeMap::new();
        for hash in line.runs.values() {
            for (t, tag) in self.runs[hash].finished.tags.iter().enumerate() {
                let entry = most.entry(t).or_insert((0, tag.tag.clone()));
                entry.0 = entry.0.max(tag.positives);
            }
        }
        let all = most.len();
        let left_out: Vec<String> = most.into_values().filter(|t| t.0 < options.min_positives).map(|t| t.1).collect();
        (all - left_out.len(), left_out)
    }
}

/// A run's test songs, ranked.
struct Scored {
    table: Measured,
    songs: Vec<u32>,
    groups: Vec<Option<u32>>,
}

/// A value for each figure.
pub fn each<V>(of: impl Fn(Measure) -> V) -> Figures<V> {
    Figures { annotation_map: of(Measure::AnnotationMap), retrieval_map: of(Measure::RetrievalMap), roc_auc: of(Measure::RocAuc) }
}

/// Mean of what is there.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, n) = values.into_iter().flatten().fold((0.0, 0u32), |(sum, n), v| (sum + v, n + 1));
    (n > 0).then(|| sum / f64::from(n))
}

/// The tags that enough test songs have.
fn frequent(finished: &Finished, min_positives: usize) -> Vec<usize> {
    (0..finished.tags.len()).filter(|&t| finished.tags[t].positives >= min_positives).collect()
}

/// A run's figures over the tags that count.
fn figures(finished: &Finished, min_positives: usize) -> Figures<Option<f64>> {
    let tags = frequent(finished, min_positives);
    Figures {
        annotation_map: finished.row.annotation_map,
        retrieval_map: mean(tags.iter().map(|&t| finished.tags[t].average_precision)),
        roc_auc: mean(tags.iter().map(|&t| finished.tags[t].roc_auc)),
    }
}
