//! How far a grid is: a live line where stderr is a terminal, else a line a run.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::commands::{print, train::duration};
use crate::experiment::grid::Job;
use crate::experiment::grid::crew::News;
use crate::experiment::grid::work::Ended;
use crate::experiment::report::results::figures;
use crate::format::table::figure;
use crate::train::Event;

/// What is shown of all jobs.
pub struct Show<'a> {
    jobs: &'a [(usize, Job)],
    all: usize,
    /// Test songs that a tag needs to count, in a run's line as in the tables.
    min_positives: usize,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    shown: Option<Instant>,
    live: bool,
    /// Steps that each job at work has done, and those seen in this session.
    at: HashMap<usize, u64>,
    seen: u64,
    ended: usize,
    /// Steps of the jobs that ended.
    past: u64,
}

impl<'a> Show<'a> {
    /// `all` runs in the grid, of which `jobs` are to be done.
    pub fn new(jobs: &'a [(usize, Job)], all: usize, min_positives: usize) -> Show<'a> {
        let live = std::io::stderr().is_terminal();
        let (at, began) = (HashMap::new(), Instant::now());
        Show { jobs, all, min_positives, state: Mutex::new(State { began, shown: None, live, at, seen: 0, ended: 0, past: 0 }) }
    }

    fn job(&self, number: usize) -> Option<&Job> {
        self.jobs.iter().find(|job| job.0 == number).map(|job| &job.1)
    }

    pub fn tell(&self, news: News) {
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        match news {
            News::Note(text) => state.line(text),
            News::Began { job } => drop(state.at.insert(job, 0)),
            News::Step { job, event } => {
                let Event::Step { done, .. } = event else { return };
                state.seen += 1;
                state.at.insert(job, done.number());
                if state.live && state.shown.is_none_or(|at| at.elapsed().as_millis() >= 200) {
                    state.shown = Some(Instant::now());
                    let text = self.status(&state);
                    state.passing(&text);
                }
            }
            News::Ended { job, how } => {
                state.at.remove(&job);
                state.ended += 1;
                let Some(of) = self.job(job) else { return };
                state.past += of.steps();
                let text = match how {
                    Ok(Ended::Done(finished)) => {
                        let row = &finished.row;
                        format!(
                            "ROC-AUC {} over tags of at least {} test songs; validation, over all tags, {} ({} songs)",
                            figure(figures(finished, self.min_positives).roc_auc),
                            self.min_positives,
                            figure(row.valid_roc_auc),
                            row.valid_songs
                        )
                    }
                    Ok(Ended::Before(_)) => "is there already".into(),
                    Ok(Ended::Elsewhere) => "another process works on it".into(),
                    Err(e) => e.what.clone(),
                };
                let left = self.left(&state).map_or(String::new(), |left| format!("; {} left", duration(left)));
                let text = format!("run {job} of {}, {}: {text}{left}", self.all, of.title());
                state.line(&text);
            }
        }
    }

    /// Ends the live line.
    pub fn end(&self) {
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        if state.live {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn status(&self, state: &State) -> String {
        let steps: u64 = self.jobs.iter().map(|job| job.1.steps()).sum();
        let done = state.past + state.at.values().sum::<u64>();
        let left = self.left(state).map_or("?".into(), duration);
        let mut now: Vec<usize> = state.at.keys().copied().collect();
        now.sort_unstable();
        let now: Vec<String> = now.iter().map(usize::to_string).collect();
        format!(
            "{} of {} runs to do are done, now {}; {:.0} % of the steps, {left} left",
            state.ended,
            self.jobs.len(),
            now.join(" and "),
            100.0 * done as f64 / steps.max(1) as f64
        )
    }

    /// By the speed of this session, scoring included.
    fn left(&self, state: &State) -> Option<Duration> {
        let steps: u64 = self.jobs.iter().map(|job| job.1.steps()).sum();
        let done = state.past + state.at.values().sum::<u64>();
        let each = (state.seen > 20).then(|| state.began.elapsed().as_secs_f64() / state.seen as f64)?;
        Duration::try_from_secs_f64(each * steps.saturating_sub(done) as f64).ok()
    }
}

impl State {
    fn line(&self, text: &str) {
        if self.live {
            let _ = writeln!(std::io::stderr(), "\r\x1b[K{text}");
        } else {
            print::note(text);
        }
    }

    fn passing(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[K{text}");
        let _ = stderr.flush();
    }
}
