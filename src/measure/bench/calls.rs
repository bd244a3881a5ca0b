//! Each kernel call of a step by itself: how long it takes, of what it has to compute and to move.
//! Wrong results are not timed: `verify` holds a call's room against the reference before.

use super::Quantiles;
use crate::batch::{self, Inputs};
use crate::device::{Device, gpu};
use crate::error::{Error, Result};
use crate::measure::check::{self, Subject};
use crate::measure::synthetic;
use crate::network::{Network, Parameters};
use crate::plan::{self, Plan, Run, Section, Settings};

/// One call of a step and its times.
#[derive(Clone, Debug)]
pub struct Call {
    /// The kernel and its layer, for people.
    pub label: String,
    /// The room's name.
    pub kernel: &'static str,
    pub section: Section,
    /// Operations as the textbook counts them.
    pub flops: u64,
    /// The least bytes that it must move.
    pub bytes: u64,
    /// Milliseconds.
    pub ms: Quantiles,
}

/// Times of the calls of a run, collected run by run.
pub struct Times {
    run: Run,
    /// `[call][run]`, milliseconds.
    ms: Vec<Vec<f64>>,
}

impl Times {
    pub fn of(plan: &Plan, run: Run) -> Times {
        let calls = plan.steps.iter().filter(|step| run.holds(step.section)).count();
        Times { run, ms: vec![Vec::new(); calls] }
    }

    /// Adds a run's seconds by call, as [`crate::device::Program::timings`] gives them; those of a
    /// device that does not tell are empty and add nothing.
    pub fn add(&mut self, seconds: &[f64]) {
        for (ms, seconds) in self.ms.iter_mut().zip(seconds) {
            ms.push(seconds * 1e3);
        }
    }

    /// The calls of `plan`, which the times are of; none where nothing was told.
    pub fn calls(self, plan: &Plan) -> Vec<Call> {
        let steps = plan.steps.iter().filter(|step| self.run.holds(step.section));
        let timed = steps.zip(self.ms).filter(|(_, ms)| !ms.is_empty());
        let calls = timed.map(|(step, ms)| Call {
            label: step.label.clone(),
            kernel: step.kernel.name(),
            section: step.section,
            flops: step.kernel.flops(),
            bytes: step.kernel.bytes(),
            ms: Quantiles::of(ms),
        });
        calls.collect()
    }
}

/// Medians summed by room: kernel and milliseconds a step, the longest first.
pub fn by_kernel(calls: &[Call]) -> Vec<(&'static str, f64)> {
    let mut all: Vec<(&'static str, f64)> = Vec::new();
    for call in calls {
        match all.iter_mut().find(|(kernel, _)| *kernel == call.kernel) {
            Some((_, ms)) => *ms += call.ms.median,
            None => all.push((call.kernel, call.ms.median)),
        }
    }
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

/// Fails where a kernel is wrong on this device in any case of its room.
pub fn verify(subject: &Subject, kernel: &str) -> Result<()> {
    match check::kernel(subject, kernel)?.failed.first() {
        None => Ok(()),
        Some(wrong) => {
            let what = format!("{kernel} computes wrong here ({} is off by {:.1e}), so it is not timed", wrong.what, wrong.error);
            Err(Error::device(what).help(format!("`tagwalk check {kernel}` with the same device and family says more.")))
        }
    }
}

/// Runs steps on made-up clips and times each call; `between` is called before every run that
/// counts, while the device has nothing to do. Fails where the device cannot tell its times.
pub fn measure(bench: &super::step::Bench, device: &Device, between: &mut dyn FnMut()) -> Result<Vec<Call>> {
    let (network, run) = (&bench.network, bench.run);
    let mut program = load_timed(network, &bench.settings, device, bench.threads)?;
    let table = Parameters::new(network)?;
    synthetic::begin(&mut *program, &table, 0, 0.01, 0.9)?;
    let batch = synthetic::batch(network, bench.settings.batch, 0, 0)?;
    let ids = Inputs::of(program.plan());
    let mut times = Times::of(program.plan(), run);
    for step in 0..bench.warm_up + bench.steps {
        let counts = step >= bench.warm_up;
        if counts {
            between();
        }
        batch::upload(&mut *program, &ids, &batch)?;
        program.submit(run)?;
        let seconds = program.timings()?;
        if counts {
            times.add(&seconds);
        }
    }
    let calls = times.calls(program.plan());
    if calls.is_empty() {
        return Err(Error::device(format!("{} has no timestamps, so its calls cannot be timed one by one", device.name()))
            .help("`tagwalk bench step` times whole steps."));
    }
    Ok(calls)
}

fn load_timed(
    network: &Network,
    settings: &Settings,
    device: &Device,
    threads: usize,
) -> Result<Box<dyn crate::device::Program>> {
    let plan = plan::training(network, settings)?;
    match device {
        Device::Cpu => device.load(plan, threads),
        Device::Gpu(gpu) => gpu.with(gpu::Options { timed: true, ..gpu.options }).load(plan),
    }
}
