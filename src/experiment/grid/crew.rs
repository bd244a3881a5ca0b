//! Several runs at once. The rule: a GPU takes one at a time; on a CPU as many as there are cores, each with
//! an equal share of them, as long as four fifths of the memory that is free hold them all. A run's numbers
//! do not depend on its threads. What they will cost is measured before they begin, in the same numbers at once.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Job;
use super::work::{Ended, Shop, work};
use crate::dataset::Dataset;
use crate::device::Device;
use crate::error::{Error, Kind, Result};
use crate::plan::{self, Run, training};
use crate::train::trainer::Place;
use crate::train::{Event, Trainer};

/// What the program itself and the pages of audio in use take, about.
const BASE: usize = 64 << 20;

/// How many at once, and the threads of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crew {
    pub at_once: usize,
    pub threads: usize,
}

impl Crew {
    /// By the module's rule: `cores` to share, `free` bytes of memory where the system tells, `each` bytes a run.
    pub fn new(device: &Device, jobs: usize, cores: usize, free: Option<usize>, each: usize) -> Crew {
        let cores = cores.max(1);
        if !matches!(device, Device::Cpu) {
            return Crew { at_once: 1, threads: cores };
        }
        let fit = free.map_or(cores, |free| free / 5 * 4 / each.max(1));
        let at_once = fit.clamp(1, cores).min(jobs.max(1));
        Crew { at_once, threads: (cores / at_once).max(1) }
    }
}

/// Memory that is free for the taking, in bytes (Linux: MemAvailable).
pub fn free_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? << 10)
}

/// Bytes that a run of this job takes: its plan's block, weights and momenta once more for checkpoints,
/// batches; and what the program takes anyhow.
pub fn memory(job: &Job) -> Result<usize> {
    let network = job.network.clone();
    let plan = training(&network, &job.settings)?;
    let parameters = crate::network::Parameters::new(&network)?.length * size_of::<f32>();
    let batch = job.settings.batch * (network.wave_stride() * size_of::<i16>() + 2 * job.tags() * size_of::<f32>());
    Ok(plan::memory::block(&plan).bytes + 4 * parameters + 2 * batch + BASE)
}

/// Operations of a step, for people.
pub fn gflop(job: &Job) -> Result<f64> {
    Ok(training(&job.network.clone(), &job.settings)?.flops(Run::Train) as f64 / 1e9)
}

/// Seconds that a step of `job` takes while the whole crew works, measured for about `budget`.
pub fn measure(shop: &Shop, job: &Job, crew: Crew, budget: Duration) -> Result<f64> {
    let one = || -> Result<f64> {
        let dataset = Dataset::open(shop.dataset)?.seen(job.train.view)?;
        let config = job.config(&dataset, shop.device, shop.choice.clone());
        let mut trainer = Trainer::new(&dataset, shop.device, &config, crew.threads)?;
        let mut place = Place::default();
        let mut step = |trainer: &mut Trainer| -> Result<()> {
            // At a rate of 0 a step takes as long, and none leaves the numbers that there are.
            trainer.step(place, 0.0)?;
            place = trainer.after(place);
            Ok(())
        };
        // The first steps touch memory for the first time, and compile shaders.
        (0..3).try_for_each(|_| step(&mut trainer))?;
        let (began, mut steps) = (Instant::now(), 0u32);
        while began.elapsed() < budget {
            step(&mut trainer)?;
            steps += 1;
        }
        while trainer.collect()?.is_some() {}
        Ok(began.elapsed().as_secs_f64() / f64::from(steps.max(1)))
    };
    let each: Vec<Result<f64>> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..crew.at_once).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(Error::device("a measuring thread ended")))).collect()
    });
    let each = each.into_iter().collect::<Result<Vec<f64>>>()?;
    Ok(each.iter().sum::<f64>() / each.len() as f64)
}

/// What a crew tells. Jobs are called by their numbers in the list they were given in.
pub enum News<'a> {
    Note(&'a str),
    Began { job: usize },
    Step { job: usize, event: &'a Event },
    Ended { job: usize, how: &'a Result<Ended> },
}

/// What came of all jobs.
#[derive(Default)]
pub struct Sum {
    /// Jobs that another process works on.
    pub elsewhere: Vec<usize>,
    /// Jobs that failed, and why.
    pub failed: Vec<(usize, Error)>,
}

/// Does all jobs, each by its number. A job that fails stops no other; Ctrl-C, or a device that fails, stops
/// all, with what was trained saved.
pub fn run(shop: &Shop, jobs: &[(usize, Job)], crew: Crew, tell: &(dyn Fn(News) + Sync)) -> Result<Sum> {
    let queue: Mutex<VecDeque<&(usize, Job)>> = Mutex::new(jobs.iter().collect());
    let sum = Mutex::new(Sum::default());
    let stopped: Mutex<Option<Error>> = Mutex::new(None);
    let stop = AtomicBool::new(false);
    let next = || queue.lock().unwrap_or_else(|e| e.into_inner()).pop_front();
    let worker = || {
        while !stop.load(Ordering::SeqCst) {
            let Some(&(number, ref job)) = next() else { return };
            tell(News::Began { job: number });
            let how = work(shop, job, &|text| tell(News::Note(text)), &mut |event| tell(News::Step { job: number, event }));
            tell(News::Ended { job: number, how: &how });
            let mut sum = sum.lock().unwrap_or_else(|e| e.into_inner());
            match how {
                Ok(Ended::Done(_) | Ended::Before(_)) => {}
                Ok(Ended::Elsewhere) => sum.elsewhere.push(number),
                Err(e) if matches!(e.kind, Kind::Interrupted | Kind::Device) => {
                    stop.store(true, Ordering::SeqCst);
                    stopped.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert(e);
                }
                Err(e) => sum.failed.push((number, e)),
            }
        }
    };
    std::thread::scope(|scope| (0..crew.at_once).for_each(|_| drop(scope.spawn(worker))));
    match stopped.into_inner().unwrap_or_else(|e| e.into_inner()) {
        Some(error) => Err(error),
        None => Ok(sum.into_inner().unwrap_or_else(|e| e.into_inner())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule() {
        let crew = |jobs, cores, free, each| {
            let c = Crew::new(&Device::Cpu, jobs, cores, free, each);
            (c.at_once, c.threads)
        };
        assert_eq!(crew(36, 8, None, 1 << 30), (8, 1));
        assert_eq!(crew(3, 8, None, 1 << 30), (3, 2));
        // 10 GiB free hold two of 4 GiB in four fifths; never none.
        assert_eq!(crew(36, 8, Some(10 << 30), 4 << 30), (2, 4));
        assert_eq!(crew(36, 8, Some(1 << 30), 4 << 30), (1, 8));
        assert_eq!(crew(36, 0, None, 0), (1, 1));
    }
}
