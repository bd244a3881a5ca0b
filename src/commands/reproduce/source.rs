//! What the grid is on: a dataset's folder, the demo's music, or the files of the paper's set-up. What is
//! made of the last two lies in the grid's folder, and is made once.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Args;
use crate::commands::{demo, print};
use crate::dataset::{Dataset, manifest, truth};
use crate::error::{Error, Result};
use crate::experiment::grid::spec::SplitBy;
use crate::import::prepare::{self, Made, Msd, Others, PaperFiles};
use crate::run::interrupt;

/// The words that stand for no folder.
pub const DEMO: &str = "demo";
pub const MSD: &str = "msd";
/// Vocabularies of the paper.
pub const PAPER_TAGS: [usize; 2] = [50, 1000];

/// A dataset and how it is usually taken.
pub struct Source {
    pub title: String,
    pub dataset: Dataset,
    pub split: SplitBy,
    /// Share of the tagged training songs that lose their tags.
    pub remove: f64,
    /// Vocabularies; `None` is all of it.
    pub tops: Vec<Option<usize>>,
    /// A table of categories beside the data.
    pub categories: Option<PathBuf>,
    /// Where the dataset lies that a dry run has made to look at.
    _passing: Option<Passing>,
}

/// A folder that goes when it is no longer looked at.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Source {
    /// Opens it, or makes it first.
    pub fn open(args: &Args) -> Result<Source> {
        let name = args.dataset.to_string_lossy();
        let made = args.out.join("dataset");
        let is_made = made.join(manifest::FILE).is_file();
        let is_demo_folder = !args.dataset.join(manifest::FILE).exists() && args.dataset.join("tags.tsv").is_file();
        if name != MSD && !args.msd.is_empty() {
            return Err(Error::usage("DATASET", "flags of the paper's files go with the word msd")
                .help("Say: tagwalk reproduce msd --audio CLIPS --tags lastfm_tags.db --playlists aotm2011_playlists.json --msd-tracks unique_tracks.txt"));
        }
        if name == MSD {
            // A machine that does one run of many must not look through a million files first.
            if args.dry_run && !is_made {
                return Err(Error::usage("--dry-run", "writes nothing, and the paper's data are not prepared yet")
                    .help("The same command with --list in place of --dry-run prepares them."));
            }
            if !(is_made && (args.is_a_part() || args.dry_run)) {
                args.msd.prepare(&made)?;
            }
            let dataset = Dataset::open(&made)?;
            let tops = PAPER_TAGS.iter().map(|&top| (top < dataset.vocabulary().len()).then_some(top));
            let mut tops: Vec<Option<usize>> = tops.collect();
            tops.dedup();
            return Ok(Source {
                title: "the paper's data".into(),
                dataset,
                split: SplitBy::Prepared,
                remove: 0.0,
                tops,
                categories: None,
                _passing: None,
            });
        }
        if name == DEMO || is_demo_folder {
            let data = demo::find_data((name != DEMO).then_some(args.dataset.as_path())).map_err(|e| match name == DEMO {
                true => Error::usage("DATASET", "the demo's music was not found")
                    .help("Name data/demo of tagwalk's source folder: tagwalk reproduce FOLDER/data/demo --out GRID"),
                false => e,
            })?;
            let passing = (args.dry_run && !is_made)
                .then(|| Passing(std::env::temp_dir().join(format!("tagwalk-dry-run-{}", std::process::id()))));
            let folder = passing.as_ref().map_or(&made, |passing| &passing.0);
            let dataset = if is_made { Dataset::open(&made)? } else { demo::prepare_dataset(&data, folder, 0)? };
            let categories = Some(data.join("categories.tsv")).filter(|path| path.is_file());
            return Ok(Source {
                title: "the demo's music".into(),
                dataset,
                // Twelve games are too few for sides of whole games.
                split: SplitBy::Songs,
                remove: demo::REMOVED,
                tops: vec![None],
                categories,
                _passing: passing,
            });
        }
        let dataset = Dataset::open(&args.dataset)?;
        let by_side =
            dataset.manifest().options.pointer("/world/options/sparse_everywhere").and_then(Value::as_bool) == Some(false);
        let split = match dataset.manifest().groups {
            // Songs that were to test have all their tags there: they must not train.
            _ if by_side => SplitBy::Prepared,
            0..=2 => SplitBy::Songs,
            _ => SplitBy::Groups,
        };
        let categories = Some(args.dataset.join(truth::FOLDER).join(truth::CATEGORIES)).filter(|path| path.is_file());
        let many = dataset.vocabulary().len() > PAPER_TAGS[0];
        let tops = if many { vec![Some(PAPER_TAGS[0]), None] } else { vec![None] };
        let coherence = dataset.manifest().options.pointer("/world/options/coherence").and_then(Value::as_f64);
        let title = match coherence {
            Some(coherence) => format!("a made-up world, coherence {coherence}"),
            None => args.dataset.file_name().map_or(name.to_string(), |name| name.to_string_lossy().into_owned()),
        };
        Ok(Source { title, dataset, split, remove: 0.0, tops, categories, _passing: None })
    }
}

/// The files of the paper's set-up, as docs/datasets.md has them.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Files of the paper's set-up (with `msd`; docs/datasets.md)")]
pub struct MsdFlags {
    /// 7digital's clips
    #[arg(long, value_name = "FOLDER")]
    pub audio: Option<PathBuf>,
    /// lastfm_tags.db, or the folders of Last.fm's JSON files
    #[arg(long, value_name = "FILE|FOLDER", num_args = 1..)]
    pub tags: Vec<PathBuf>,
    /// aotm2011_playlists.json
    #[arg(long, value_name = "FILE")]
    pub playlists: Option<PathBuf>,
    /// unique_tracks.txt
    #[arg(long, value_name = "FILE")]
    pub msd_tracks: Option<PathBuf>,
    /// sid_mismatches.txt
    #[arg(long, value_name = "FILE")]
    pub msd_mismatches: Option<PathBuf>,
    /// Which clip is which track's, where clips are not named by their tracks
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub msd_clips: Vec<PathBuf>,
    /// Published lists of validation and test songs [default: drawn]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub split: Vec<PathBuf>,
    /// Validation and test songs to draw [default: 10054,6354]
    #[arg(long, value_name = "VALID,TEST", conflicts_with = "split")]
    pub paper_split: Option<crate::import::splits::Numbers>,
}

impl MsdFlags {
    fn is_empty(&self) -> bool {
        self.audio.is_none() && self.tags.is_empty() && self.playlists.is_none() && self.msd_tracks.is_none()
    }

    fn prepare(&self, out: &Path) -> Result<()> {
        let needed = |flag: &str, path: &Option<PathBuf>| {
            path.clone().ok_or_else(|| Error::usage(flag, "is missing").help("docs/datasets.md says which file it is."))
        };
        if self.tags.is_empty() {
            return Err(Error::usage("--tags", "is missing").help("Name lastfm_tags.db."));
        }
        let files = PaperFiles {
            audio: needed("--audio", &self.audio)?,
            tags: self.tags.clone(),
            playlists: needed("--playlists", &self.playlists)?,
            msd: Msd {
                tracks: needed("--msd-tracks", &self.msd_tracks)?,
                mismatches: self.msd_mismatches.clone(),
                clips: self.msd_clips.clone(),
            },
            split: self.split.clone(),
        };
        let mut options = files.options(out, PAPER_TAGS[1], 0);
        if let Some(numbers) = self.paper_split {
            options.split = Some(prepare::SplitFrom::Playlists(Others::Drawn { numbers, seed: 0 }));
        }
        print::note(format_args!("preparing the paper's data in {}; `tagwalk prepare` says more of the same", out.display()));
        match prepare::prepare(&options, interrupt::flag(), &|_| ())? {
            Made::Already => {}
            Made::New(report) => {
                print::note(format_args!(
                    "{} songs, {} with audio and tags on a side of the split; what was left out is in {}",
                    report.songs,
                    report.songs_with_audio,
                    out.join("not-found.tsv").display()
                ));
            }
        }
        Ok(())
    }
}
