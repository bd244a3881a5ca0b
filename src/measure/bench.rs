//! How fast a device runs a step: synthetic inputs, a few steps to warm up, then the median over
//! the steps that count, with their spread and the memory at its peak.

use std::time::Instant;

use serde::Serialize;

use super::synthetic;
use crate::batch::{self, Batch, Inputs, Patches};
use crate::device::Device;
use crate::error::Result;
use crate::network::{Network, Parameters};
use crate::plan::names;
use crate::plan::{self, Run, Settings};

/// Batches that take turns, so that no step finds its inputs in a cache.
const BATCHES: u64 = 4;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Bench {
    pub network: Network,
    pub settings: Settings,
    /// Train: forward, two losses, backward, update. Evaluate: probabilities only.
    pub run: Run,
    /// Steps that count.
    pub steps: usize,
    /// Steps before them that do not.
    pub warm_up: usize,
    /// Threads of the CPU device; 0: one a core.
    pub threads: usize,
}

/// What came out. Times are of whole steps: moments of the patches, upload, run, reading back the
/// losses of the step before. Cutting clips and drawing labels, which training does beside the
/// device, is not in them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Clips of the batch over the median step.
    pub clips_per_second: f64,
    /// (p90 - p10) / median.
    pub spread: f64,
    /// Milliseconds a step.
    pub step_ms: Quantiles,
    /// Operations as the textbook counts them, 10^9 a second, at the median.
    pub gflops_per_second: f64,
    /// The plan's own tensors.
    pub plan_mib: f64,
    /// The process at its peak (VmHWM); absent where the system does not tell.
    pub peak_memory_mib: Option<f64>,
}

/// Order statistics of times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    pub least: f64,
    pub p10: f64,
    pub median: f64,
    pub p90: f64,
    pub most: f64,
}

impl Quantiles {
    /// Of at least one value. The median of an even number is the mean of the middle two; the other
    /// quantiles are the values next below.
    pub fn of(mut values: Vec<f64>) -> Quantiles {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let at = |share: f64| values[((n - 1) as f64 * share) as usize];
        Quantiles {
            least: values[0],
            p10: at(0.1),
            median: (values[(n - 1) / 2] + values[n / 2]) / 2.0,
            p90: at(0.9),
            most: at(1.0),
        }
    }
}

/// Measures on a device. Fails where the plan does not fit it.
pub fn run(bench: &Bench, device: &Device) -> Result<Figures> {
    let plan = plan::training(&bench.network, &bench.settings)?;
    let flops = plan.flops(bench.run) as f64;
    let ids = Inputs::of(&plan);
    let mut program = device.load(plan, bench.threads)?;
    let table = Parameters::new(&bench.network)?;
    synthetic::begin(&mut *program, &table, 0, 0.01, 0.9)?;
    let clips = bench.settings.batch;
    let mut batches =
        (0..BATCHES).map(|step| synthetic::batch(&bench.network, clips, 0, step)).collect::<Result<Vec<Batch>>>()?;
    let patches = Patches::of(&bench.network)?.filter(|_| bench.run == Run::Train);

    let losses = program.plan().find(names::LOSSES).expect("a training plan has losses");
    let mut read = vec![0u8; program.plan().tensors[losses.0].bytes()];
    let mut times = Vec::with_capacity(bench.steps);
    let mut before = None;
    for step in 0..bench.warm_up + bench.steps {
        let start = Instant::now();
        let turn = &mut batches[step % BATCHES as usize];
        if let Some(patches) = &patches {
            turn.sum_patches(patches, &bench.network);
        }
        batch::upload(&mut *program, &ids, turn)?;
        let ticket = program.submit(bench.run)?;
        if let Some(ticket) = before.replace(ticket) {
            program.output(ticket, losses, &mut read)?;
        }
        if step + 1 == bench.warm_up + bench.steps {
            program.wait()?;
        }
        if step >= bench.warm_up {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let step_ms = Quantiles::of(times);
    Ok(Figures {
        clips_per_second: clips as f64 * 1e3 / step_ms.median,
        spread: (step_ms.p90 - step_ms.p10) / step_ms.median,
        step_ms,
        gflops_per_second: flops / step_ms.median / 1e6,
        plan_mib: program.memory() as f64 / (1 << 20) as f64,
        peak_memory_mib: peak_memory_mib(),
    })
}

/// The most memory that this process has held at once, in MiB (Linux: VmHWM).
pub fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_one_two_and_many() {
        let q = Quantiles::of(vec![3.0]);
        assert_eq!((q.least, q.p10, q.median, q.p90, q.most), (3.0, 3.0, 3.0, 3.0, 3.0));
        assert_eq!(Quantiles::of(vec![4.0, 1.0]).median, 2.5);
        let q = Quantiles::of((0..=10).rev().map(f64::from).collect());
        assert_eq!((q.least, q.p10, q.median, q.p90, q.most), (0.0, 1.0, 5.0, 9.0, 10.0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_holds_what_was_touched() {
        let block = vec![1u8; 64 << 20];
        let peak = peak_memory_mib().expect("Linux tells");
        assert!(peak >= 64.0, "{peak} MiB with {} bytes in use", block.len());
    }
}
