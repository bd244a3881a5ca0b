//! A job done: begun, or gone on with where it was stopped; its best weights scored on validation and test
//! songs; its row kept. Whoever else works on it is let be.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::store::{Found, Scores, Store};
use super::{Finished, Job, Row, TagRow};
use crate::dataset::{Dataset, Reference, Split};
use crate::device::Device;
use crate::error::{Error, Kind, Result};
use crate::evaluate::metrics::{Measured, Table};
use crate::evaluate::songs::{self, Scored};
use crate::experiment::recovery::{Pairs, recovery};
use crate::kernels::Choice;
use crate::playlists::{Mode, RandomLenders};
use crate::run::{Weights, files, interrupt};
use crate::train::options::Config;
use crate::train::{Cadence, Ending, Event, Session};

/// What all jobs of a grid share.
pub struct Shop<'a> {
    pub store: &'a Store,
    /// The dataset's folder.
    pub dataset: &'a Path,
    pub device: &'a Device,
    pub choice: Choice,
    /// Threads of one job.
    pub threads: usize,
    /// Whether the folders of finished runs stay.
    pub keep: bool,
}

/// How it went with a job.
pub enum Ended {
    /// It is finished now, and was not before.
    Done(Box<Finished>),
    /// It was finished already.
    Before(Box<Finished>),
    /// Another process works on it.
    Elsewhere,
}

/// Does a job, unless it is done or being done. `note` hears what people should know, `watch` the steps.
pub fn work(shop: &Shop, job: &Job, note: &dyn Fn(&str), watch: &mut dyn FnMut(&Event)) -> Result<Ended> {
    let hash = job.hash();
    let finished = |note: &dyn Fn(&str)| match shop.store.find(&hash) {
        Found::Finished(finished) => Some(finished),
        Found::Broken(what) => {
            note(&format!("{what}; the run is done again"));
            None
        }
        Found::Nothing => None,
    };
    if let Some(finished) = finished(&|_| ()) {
        return Ok(Ended::Before(finished));
    }
    let Some(_claim) = shop.store.claim(&hash)? else { return Ok(Ended::Elsewhere) };
    // It may have been finished between the two looks.
    if let Some(finished) = finished(note) {
        return Ok(Ended::Before(finished));
    }
    let began = Instant::now();
    let dataset = Dataset::open(shop.dataset)?.seen(job.train.view)?;
    let folder = shop.store.run(&hash);
    let training_songs = train(shop, job, &dataset, &folder, note, watch)?;
    let (mut finished, scores) = score(shop, job, &dataset, &folder, training_songs)?;
    finished.row.seconds = (began.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    finished.row.hash = hash.clone();
    finished.tags.iter_mut().for_each(|tag| tag.hash.clone_from(&hash));
    finished.seal();
    shop.store.keep(&finished, &scores)?;
    if !shop.keep {
        shop.store.clear(&hash)?;
    }
    Ok(Ended::Done(Box::new(finished)))
}

/// Trains to the end; gives the number of training songs.
fn train(
    shop: &Shop,
    job: &Job,
    dataset: &Dataset,
    folder: &Path,
    note: &dyn Fn(&str),
    watch: &mut dyn FnMut(&Event),
) -> Result<usize> {
    let cadence = Cadence { every: Duration::from_secs(120), steps: 0, keep: false };
    let mut session = match resume(shop, job, dataset, folder, cadence, note)? {
        Some(session) => session,
        None => {
            let config = job.config(dataset, shop.device, shop.choice.clone());
            Session::begin(folder, config, dataset, shop.device, shop.threads, cadence)?
        }
    };
    let songs = session.trainer.stage().songs().len();
    match session.run(&mut |event| watch(&event))? {
        Ending::Finished => Ok(songs),
        Ending::Interrupted => {
            Err(Error::interrupted("stopped; what was trained is saved").help("The same command goes on where it was."))
        }
    }
}

/// The session of a run that was stopped; `None`, and no folder, where there is none to go on with.
fn resume<'a>(
    shop: &Shop,
    job: &Job,
    dataset: &'a Dataset,
    folder: &Path,
    cadence: Cadence,
    note: &dyn Fn(&str),
) -> Result<Option<Session<'a>>> {
    if !folder.exists() {
        return Ok(None);
    }
    let again = |why: String| {
        note(&format!("{}: {why}; the run begins again", folder.display()));
        std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, "cannot remove", e)).map(|()| None)
    };
    match Config::read(folder) {
        Err(e) => again(e.what),
        Ok(config) if !job.began(&config) => again("holds another run".into()),
        Ok(_) => match Session::resume(folder, dataset, shop.device, shop.threads, cadence) {
            Ok(session) => Ok(Some(session)),
            Err(e) if e.kind == Kind::Interrupted => Err(e),
            Err(e) => again(e.what),
        },
    }
}

fn score(shop: &Shop, job: &Job, dataset: &Dataset, folder: &Path, training_songs: usize) -> Result<(Finished, Scores)> {
    let weights = Weights::read(&folder.join(files::BEST))?;
    let settings = crate::plan::Settings { choice: shop.choice.clone(), ..job.settings.clone() };
    let measure = |split: Split| -> Result<(Scored, Measured)> {
        let chosen = songs::of_split(dataset, split)?;
        let scored = Scored::new(dataset, &chosen.songs, &weights, &settings, shop.device, shop.threads, |_| interrupt::check())?;
        let measured = Measured::new(&Table::new(&scored.scores, &scored.truth, job.tags())?);
        Ok((scored, measured))
    };
    // A collection may be too small for validation songs; then no choice can be made, and none is needed for one range.
    let validated = if songs::of_split(dataset, Split::Valid).is_ok() { Some(measure(Split::Valid)?.1) } else { None };
    let (scored, measured) = measure(Split::Test)?;
    let every: Vec<usize> = (0..job.tags()).collect();
    let valid = validated.as_ref().map(|v| v.figures(&every));
    let test = measured.figures(&every);
    let groups: HashSet<(bool, u32)> =
        scored.songs.iter().map(|&s| dataset.group(s).map_or((false, s as u32), |g| (true, g))).collect();
    let world = |option: &str| dataset.manifest().options.pointer(&format!("/world/options/{option}"))?.as_f64();
    let pairs = recovered(job, dataset)?;
    let row = Row {
        dataset: job.fingerprint.chars().take(16).collect(),
        coherence: world("coherence"),
        untagged: world("untagged"),
        recorded: world("recorded"),
        arm: job.arm.clone(),
        range: job.range(),
        seed: job.seed,
        tags: job.tags(),
        sides: match job.train.view.sides {
            crate::dataset::Sides::Prepared => "prepared",
            crate::dataset::Sides::Songs(_) => "songs",
            crate::dataset::Sides::Groups(_) => "groups",
        }
        .into(),
        remove: job.train.propagation.remove,
        network: job.network_name().to_string(),
        steps: job.train.schedule.steps,
        batch: job.settings.batch,
        rate: job.train.schedule.rate,
        reduction: if job.settings.mean { "mean" } else { "sum" }.into(),
        split_songs: (0..dataset.songs()).filter(|&s| dataset.split(s) == Split::Train && dataset.samples(s) > 0).count(),
        training_songs,
        valid_songs: validated.as_ref().map_or(0, Measured::songs),
        test_songs: measured.songs(),
        test_groups: groups.len(),
        valid_annotation_map: valid.and_then(|v| v.annotation_map),
        valid_retrieval_map: valid.and_then(|v| v.retrieval_map),
        valid_roc_auc: valid.and_then(|v| v.roc_auc),
        annotation_map: test.annotation_map,
        retrieval_map: test.retrieval_map,
        roc_auc: test.roc_auc,
        equal_annotation_map: measured.prevalence().annotation_map,
        popularity_annotation_map: measured.popularity(&songs::popularity(dataset)).annotation_map,
        missing: pairs.map(|pairs| pairs.missing),
        recovered: pairs.map(|pairs| pairs.recovered),
        untrue: pairs.map(|pairs| pairs.untrue),
        wrong: pairs.map(|pairs| pairs.wrong),
        recovered_at_random: pairs.map(|pairs| pairs.recovered_at_random),
        wrong_at_random: pairs.map(|pairs| pairs.wrong_at_random),
        device: describe(shop),
        program: env!("CARGO_PKG_VERSION").into(),
        commands: job.commands(Path::new("DATASET"), Path::new("RUN")),
        ..Row::default()
    };
    let counts = dataset.tag_counts();
    let tags = measured.by_tag().iter().zip(dataset.vocabulary()).zip(counts).map(|((of, tag), songs)| TagRow {
        hash: String::new(),
        tag: tag.clone(),
        songs,
        positives: of.positives,
        prevalence: of.prevalence,
        average_precision: of.average_precision,
        roc_auc: of.roc_auc,
    });
    let finished = Finished { tags: tags.collect(), row };
    Ok((finished, Scores { scores: scored.scores, songs: scored.songs.iter().map(|&s| s as u32).collect() }))
}

/// What a draw for every song brings: see [`Row::missing`].
fn recovered(job: &Job, dataset: &Dataset) -> Result<Option<Pairs>> {
    let options = &job.train.propagation;
    let reference = Reference::of(dataset)?;
    let known = matches!(reference, Reference::World(_)) || options.remove > 0.0;
    if !known || options.mode == Mode::None || options.random_lenders != RandomLenders::None {
        return Ok(None);
    }
    recovery(dataset, &reference, options, job.seed).map(|found| Some(found.pairs))
}

fn describe(shop: &Shop) -> String {
    let family = match &shop.choice.family {
        crate::kernels::Family::Native(isa) => format!("{isa:?}").to_lowercase(),
        other => format!("{other:?}").to_lowercase(),
    };
    format!("{}, {family}", shop.device.name())
}
