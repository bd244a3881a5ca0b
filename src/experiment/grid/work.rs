//! A job done: begun, or gone on with where it was stopped; its weights scored on validation and test songs; its row kept.
//! Whoever else works on it is let be.

use std::path::Path;
use std::time::{Duration, Instant};

use super::floor::{Fitted, Heard};
use super::measured::measured;
use super::store::{Found, Store};
use super::{Finished, Job};
use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::{Error, Kind, Result};
use crate::evaluate::songs::Scored;
use crate::experiment::arms::Learner;
use crate::kernels::Choice;
use crate::plan::Settings;
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
    pub heard: Heard,
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
    let (mut finished, scores) = if job.learner == Learner::Network {
        let training_songs = train(shop, job, &dataset, &folder, note, watch)?;
        let weights = Weights::read(&folder.join(files::BEST))?;
        let settings = Settings { choice: shop.choice.clone(), ..job.settings.clone() };
        measured(job, &dataset, training_songs, describe(shop), &|chosen| {
            Scored::new(&dataset, chosen, &weights, &settings, shop.device, shop.threads, |_| interrupt::check())
        })?
    } else {
        let fitted = Fitted::new(job, &dataset, &shop.heard)?;
        measured(job, &dataset, fitted.songs, "cpu".into(), &|chosen| fitted.score(chosen))?
    };
    finished.row.seconds = (began.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    finished.row.hash = hash.clone();
    finished.row.commands = job.commands(shop.store.folder());
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

fn describe(shop: &Shop) -> String {
    format!("{}, {}", shop.device.name(), shop.choice.family)
}
