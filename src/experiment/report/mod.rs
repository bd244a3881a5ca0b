//! What a grid comes to: tables, figures and one page.
//!
//! | file | what |
//! |---|---|
//! | [`results`] | rows to means; ranges and rates chosen on validation |
//! | [`compared`] | gains over the baseline, and how sure they are |
//! | [`figures`] | a figure; those of the dataset alone, Figs. 1 and 2 |
//! | [`search`] | Figs. 3 and 4, by search range |
//! | [`tags`] | Figs. 5 and 6, by tag |
//! | [`around`] | rows that differ in one factor alone |
//! | [`factors`] | what changes as tags, playlists and ranges do, one at a time |
//! | [`paper`] | what the paper prints |
//! | `page` | the report as one page |

pub mod around;
pub mod compared;
pub mod factors;
pub mod figures;
mod page;
pub mod paper;
pub mod results;
pub mod search;
pub mod tags;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::experiment::grid::{Finished, Spec, Store, row};
use crate::format::atomic;
use compared::IntervalRow;
use results::{Line, Measure, Results};

/// The page's name.
pub const PAGE: &str = "report.html";

/// What a report says of itself.
pub struct About {
    pub title: String,
    pub dataset_line: String,
    /// What a reader must know before believing a number.
    pub notes: Vec<String>,
    /// The exact command.
    pub command: String,
    /// Device, versions, configuration.
    pub facts: Vec<(String, String)>,
    pub min_positives: usize,
    /// What ranges and rates were chosen by, on validation songs.
    pub choose_by: Measure,
    pub level: f64,
    /// Tags of each category.
    pub categories: Vec<(String, Vec<String>)>,
}

/// Writes the report of `results` into the grid's folder: the page, `figures/*.svg`, `data/*.csv`, and the
/// collected rows. Gives the page's path.
pub fn write(results: &Results, spec: &Spec, dataset: &Dataset, store: &Store, about: &About) -> Result<PathBuf> {
    // Rows of other grids in the same folder stay; tables of which a part cannot be read are set aside before they are written
    // again.
    let (mut kept, wrong) = store.collected();
    if !wrong.is_empty() {
        store.set_aside()?;
    }
    kept.extend(results.runs.iter().map(|(hash, run)| (hash.clone(), run.finished.clone())));
    let categories = tags::categorised(results, spec, dataset, about);
    let mut all = vec![
        figures::long_tail(dataset),
        figures::distance(dataset),
        search::search_range(results, spec, &[Measure::AnnotationMap], 3, "annotation"),
        search::search_range(results, spec, &[Measure::RetrievalMap, Measure::RocAuc], 4, "retrieval"),
        tags::popularity(results, spec, about.min_positives),
        tags::categories(results, &categories, about.min_positives),
    ];
    all.extend(factors::factors(results, spec, kept.values(), about));
    let mut finished: Vec<&Finished> = kept.values().collect();
    let key = |f: &Finished| (f.row.seed, f.row.tags, f.row.arm.clone(), f.row.range.map(f64::to_bits), f.row.hash.clone());
    finished.sort_by_key(|f| key(f));
    store.collect(&finished)?;
    let mut intervals: Vec<IntervalRow> = store.intervals()?;
    intervals.retain(|row| results.intervals.iter().all(|new| new.key != row.key));
    intervals.extend(results.intervals.iter().cloned());
    intervals.sort_by(|a, b| (a.tags, &a.arm, &a.key, &a.by, &a.measure).cmp(&(b.tags, &b.arm, &b.key, &b.by, &b.measure)));
    store.keep_intervals(&intervals)?;
    let folder = store.folder();
    let place = |name: &str| -> Result<PathBuf> {
        let path = folder.join(name);
        fs::create_dir_all(&path).map_err(|e| Error::io(&path, "cannot make this folder", e))?;
        Ok(path)
    };
    let (pictures, data) = (place("figures")?, place("data")?);
    let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for figure in &all {
        debug_assert!(figures::IDS.contains(&figure.id.as_str()));
        let several = figure.pictures.len() > 1;
        for (i, picture) in figure.pictures.iter().enumerate() {
            let name = if several { format!("{}-{}.svg", figure.id, i + 1) } else { format!("{}.svg", figure.id) };
            files.insert(pictures.join(name), picture.clone().into_bytes());
        }
        files.insert(data.join(format!("{}.csv", figure.id)), figure.csv.clone());
    }
    files.insert(data.join("tags.csv"), tags::table(results, spec));
    files.insert(data.join("arms.csv"), row::write_headed(&arms(results)));
    for (path, bytes) in &files {
        atomic::write_among(path, bytes)?;
    }
    // A figure that an earlier report had and this one has not would be taken for this one's.
    for (folder, ending) in [(&pictures, "svg"), (&data, "csv")] {
        let there = fs::read_dir(folder).map_err(|e| Error::io(folder, "cannot list this folder", e))?;
        for path in there.flatten().map(|entry| entry.path()) {
            if is_ours(&path, ending) && !files.contains_key(&path) {
                let _ = fs::remove_file(&path);
            }
        }
    }
    let page = page::page(results, spec, &all, &categories, about);
    let path = folder.join(PAGE);
    atomic::write_among(&path, page.as_bytes())?;
    Ok(path)
}

/// Whether a file is called as those that a report writes for its figures: `ID.csv`, `ID.svg`, `ID-N.svg`.
fn is_ours(path: &Path, ending: &str) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let id = stem.split_once('-').filter(|(_, n)| n.parse::<u32>().is_ok()).map_or(stem, |(id, _)| id);
    path.extension().is_some_and(|e| e == ending) && figures::IDS.contains(&id)
}

/// A figure of an arm, as `data/arms.csv` has it: what the tables print of arms, and the intervals of relative gains beside.
#[derive(Debug, Default, Serialize, serde::Deserialize)]
pub struct ArmRow {
    pub tags: usize,
    pub arm: String,
    pub range: Option<f64>,
    pub seeds: usize,
    /// What it is compared with, and what each seed chose, where it had a choice.
    pub against: String,
    pub chosen: String,
    pub measure: String,
    pub test: Option<f64>,
    pub validation: Option<f64>,
    pub difference: Option<f64>,
    pub relative: Option<f64>,
    pub seeds_low: Option<f64>,
    pub seeds_high: Option<f64>,
    pub seeds_p: Option<f64>,
    pub songs_low: Option<f64>,
    pub songs_high: Option<f64>,
    pub groups_low: Option<f64>,
    pub groups_high: Option<f64>,
    pub tags_low: Option<f64>,
    pub tags_high: Option<f64>,
    pub relative_groups_low: Option<f64>,
    pub relative_groups_high: Option<f64>,
}

/// All lines of all panels, a row a figure.
pub fn arms(results: &Results) -> Vec<ArmRow> {
    let mut rows = Vec::new();
    for panel in &results.panels {
        // A scan of one range is the arm's own line.
        let own = |line: &Line| panel.lines.iter().any(|l| l.runs == line.runs && l.chosen.is_empty());
        let ranges = panel.scans.iter().flatten().filter(|line| !own(line));
        for line in panel.lines.iter().chain(ranges) {
            rows.extend(Measure::ALL.map(|m| arm_row(panel.tags, line, m)));
        }
    }
    rows
}

fn arm_row(tags: usize, line: &Line, m: Measure) -> ArmRow {
    let compared = line.compared.as_ref();
    let seeds = compared.and_then(|c| m.of(&c.over_seeds));
    let [songs, groups, by_tags] = [
        compared.and_then(|c| m.of(&c.by_songs)),
        compared.and_then(|c| m.of(&c.by_groups)),
        compared.and_then(|c| m.of(&c.by_tags)),
    ];
    ArmRow {
        tags,
        arm: line.name.clone(),
        range: line.range,
        seeds: compared.map_or(line.runs.len(), |c| c.seeds),
        against: line.against.clone(),
        chosen: line.choices(),
        measure: m.name().into(),
        test: m.of(&line.mean),
        validation: m.of(&line.valid),
        difference: compared.and_then(|c| m.of(&c.difference)),
        relative: compared.and_then(|c| m.of(&c.relative)),
        seeds_low: seeds.map(|s| s.low),
        seeds_high: seeds.map(|s| s.high),
        seeds_p: seeds.and_then(|s| s.p),
        songs_low: songs.map(|g| g.low),
        songs_high: songs.map(|g| g.high),
        groups_low: groups.map(|g| g.low),
        groups_high: groups.map(|g| g.high),
        tags_low: by_tags.map(|g| g.low),
        tags_high: by_tags.map(|g| g.high),
        relative_groups_low: groups.map(|g| g.relative_low),
        relative_groups_high: groups.map(|g| g.relative_high),
    }
}

/// Categories of tags from a table `tag<TAB>category`, a header or not; in the order of their first tags.
pub fn read_categories(path: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let mut rows = crate::import::table::Rows::open(path)?;
    let first: Vec<String> = rows.first().iter().map(|cell| cell.trim().to_lowercase()).collect();
    if first.len() != 2 {
        return Err(rows.wrong("a table of categories has two columns: tag and category"));
    }
    if first == ["tag", "category"] {
        rows.skip_header();
    }
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    while let Some(row) = rows.row()? {
        let (tag, category) = (row[0].trim().to_string(), row[1].trim().to_string());
        match all.iter_mut().find(|(name, _)| *name == category) {
            Some((_, tags)) => tags.push(tag),
            None => all.push((category, vec![tag])),
        }
    }
    Ok(all)
}
