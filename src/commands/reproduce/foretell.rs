//! What a grid will cost, said before it begins: runs, time by steps measured now, memory.

use std::time::Duration;

use crate::batch::segments;
use crate::commands::print;
use crate::commands::train::duration;
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::experiment::grid::crew::{self, Crew};
use crate::experiment::grid::spec::SplitBy;
use crate::experiment::grid::work::Shop;
use crate::experiment::grid::{Job, Spec};

/// Runs of one network, which cost the same.
pub struct Kind<'a> {
    /// One of them.
    job: &'a Job,
    /// Those that are trained; what needs no network is of the grid's.
    runs: usize,
    /// Bytes that one takes.
    pub memory: usize,
}

/// The kinds of run that there are to do.
pub fn kinds(pending: &[(usize, Job)]) -> Result<Vec<Kind<'_>>> {
    let mut all: Vec<Kind> = Vec::new();
    for (_, job) in pending {
        let trained = usize::from(job.steps() > 0);
        match all.iter_mut().find(|kind| kind.job.network == job.network) {
            Some(kind) => kind.runs += trained,
            None => all.push(Kind { job, runs: trained, memory: crew::memory(job)? }),
        }
    }
    Ok(all)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// See the module's page.
pub fn foretell(spec: &Spec, jobs: &[Job], pending: usize, kinds: &[Kind], crew: Crew, shop: &Shop) -> Result<()> {
    let dataset = Dataset::open(shop.dataset)?;
    let (mut seconds, mut steps) = (0.0, Vec::new());
    for Kind { job, runs, .. } in kinds.iter().filter(|kind| kind.runs > 0) {
        print::note(format_args!("timing a step of {}, {} at once", job.network_name(), crew.at_once));
        let step = crew::measure(shop, job, crew, Duration::from_millis(1500))?;
        // A forward pass is about a third of a step's work.
        let length = job.network.clip_length;
        let scored = |side| dataset.heard(side).map(|song| segments(dataset.samples(song), length)).sum::<usize>() as f64;
        let evaluation = (scored(Split::Valid) + scored(Split::Test)) / spec.batch as f64 / 3.0;
        seconds += *runs as f64 * (spec.steps as f64 + evaluation) * step / crew.at_once as f64;
        let named = if kinds.len() > 1 { format!(" of {} tags by {}", job.tags(), job.network_name()) } else { String::new() };
        steps.push(format!("a step{named} takes {:.1} ms ({:.1} GFLOP)", 1000.0 * step, crew::gflop(job)?));
    }
    let time = Duration::try_from_secs_f64(seconds).map_or("longer than can be said".into(), duration);
    let vocabularies = match spec.tops[..] {
        [top] => format!("{} tags", top.unwrap_or(spec.vocabulary)),
        _ => format!("{} vocabularies", spec.tops.len()),
    };
    let sides = match spec.split {
        SplitBy::Prepared => "the dataset's own sides",
        SplitBy::Songs => "sides of songs drawn by each seed (--split-by prepared takes the dataset's own)",
        SplitBy::Groups => "sides of whole groups drawn by each seed (--split-by prepared takes the dataset's own)",
    };
    print::note(format_args!(
        "{} ({}, {}, {}, {}, {vocabularies}), {pending} of them to do; {sides}; {} steps of {} clips each, network {}",
        count(jobs.len(), "run"),
        count(spec.arms.len(), "arm"),
        count((spec.seeds.end - spec.seeds.start) as usize, "seed"),
        count(spec.ranges.len(), "range"),
        count(spec.rates.len(), "rate"),
        spec.steps,
        spec.batch,
        spec.network
    ));
    let each = kinds.iter().map(|kind| kind.memory).max().unwrap_or(0);
    print::note(format_args!(
        "{} at once with {} each; {}: about {time} in all, {} MiB of memory",
        crew.at_once,
        count(crew.threads, "thread"),
        steps.join("; "),
        (each * crew.at_once) >> 20
    ));
    Ok(())
}
