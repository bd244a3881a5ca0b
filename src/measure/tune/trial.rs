//! A room's calls of a training step as a program of their own, on numbers that any order of sums gives
//! exactly: how long they take, and what comes out.

use std::time::{Duration, Instant};

use crate::batch::{self, Inputs};
use crate::device::Program;
use crate::error::Result;
use crate::kernels::{Access, f16};
use crate::measure::clock::Clock;
use crate::measure::synthetic;
use crate::network::{Network, Parameters};
use crate::plan::{Plan, Run, Settings, Step, TensorId, View, training};
use crate::tensor::{DType, Role};

/// Calls that are timed: the two heaviest are four fifths of a room's work in a network whose layers
/// shrink by three.
const CALLS: usize = 2;
/// What is compared: all that a family must leave as every other does.
const COMPARED: [&str; 4] = ["z", "p", "weights_gradient", "below_dy"];
/// Three levels, so that a pooled value equals one of its window as often as in earnest, and sums of
/// products are exact.
const LEVELS: [f32; 3] = [-1.0, 0.5, 1.0];
/// Numbers before they repeat: a prime, so that no channel always gets the same.
const PERIOD: usize = 65_521;

const FEWEST_TURNS: usize = 5;
const MOST_TURNS: usize = 25;

pub struct Trial {
    program: Box<dyn Program>,
    compared: Vec<TensorId>,
    /// Whether the processor's own time counts: that of a driver that computes on it.
    processor: bool,
}

impl Trial {
    /// Loads and warms up the calls of `kernel` in a step of the network, those with at most
    /// `most_flops` operations.
    pub fn new(
        load: &dyn Fn(Plan) -> Result<Box<dyn Program>>,
        network: &Network,
        settings: &Settings,
        kernel: &str,
        most_flops: u64,
        processor: bool,
    ) -> Result<Trial> {
        let whole = training(network, settings)?;
        let (plan, compared) = part(&whole, kernel, most_flops);
        let mut program = load(plan)?;
        fill(program.as_mut())?;
        let mut trial = Trial { program, compared, processor };
        trial.run()?;
        Ok(trial)
    }

    /// Loads and warms up a whole step.
    pub fn whole(
        load: &dyn Fn(Plan) -> Result<Box<dyn Program>>,
        network: &Network,
        settings: &Settings,
        processor: bool,
    ) -> Result<Trial> {
        let mut program = load(training(network, settings)?)?;
        synthetic::begin(program.as_mut(), &Parameters::new(network)?, 0, 0.01, 0.9)?;
        let ids = Inputs::of(program.plan());
        batch::upload(program.as_mut(), &ids, &synthetic::batch(network, settings.batch, 0, 0)?)?;
        let mut trial = Trial { program, compared: Vec::new(), processor };
        trial.run()?;
        Ok(trial)
    }

    /// Seconds of one run.
    pub fn run(&mut self) -> Result<f64> {
        let clock = Clock::begin(self.processor);
        self.program.submit(Run::Train)?;
        self.program.wait()?;
        Ok(clock.seconds())
    }

    /// Seconds of runs in turn with another's, the other's beside: whatever slows the machine down slows both.
    pub fn in_turn(&mut self, other: &mut Trial) -> Result<Vec<[f64; 2]>> {
        const ENOUGH: Duration = Duration::from_millis(150);
        // The processor's time tells with fewer.
        let fewest = if self.processor { FEWEST_TURNS / 2 } else { FEWEST_TURNS };
        let (begin, mut turns) = (Instant::now(), Vec::new());
        while turns.len() < fewest || (turns.len() < MOST_TURNS && begin.elapsed() < ENOUGH) {
            // Who goes first alternates.
            turns.push(match turns.len() % 2 {
                0 => [self.run()?, other.run()?],
                _ => {
                    let others = other.run()?;
                    [self.run()?, others]
                }
            });
        }
        Ok(turns)
    }

    /// What the runs wrote, one list a compared operand.
    pub fn results(&mut self) -> Result<Vec<Vec<f32>>> {
        let mut all = Vec::with_capacity(self.compared.len());
        for &tensor in &self.compared {
            let of = &self.program.plan().tensors[tensor.0];
            let (dtype, row, mut bytes) = (of.dtype, of.shape.last().copied().unwrap_or(1), vec![0u8; of.bytes()]);
            self.program.download(tensor, &mut bytes)?;
            all.push(if dtype == DType::F16 { f16::unpacked(&bytes, row) } else { bytemuck::pod_collect_to_vec(&bytes) });
        }
        Ok(all)
    }
}

/// The chosen calls with the packing of their weights, as a plan whose tensors can all be filled and
/// read; and which of them are compared.
fn part(whole: &Plan, kernel: &str, most_flops: u64) -> (Plan, Vec<TensorId>) {
    let of_room = |s: &&Step| s.kernel.name() == kernel && Run::Train.holds(s.section);
    let mut chosen: Vec<&Step> = whole.steps.iter().filter(of_room).collect();
    chosen.sort_by_key(|s| std::cmp::Reverse(s.kernel.flops()));
    let too_heavy = chosen.iter().take_while(|s| s.kernel.flops() > most_flops).count();
    chosen.drain(..too_heavy.min(chosen.len().saturating_sub(1)));
    chosen.truncate(CALLS);
    let reads = |packed: &View| chosen.iter().any(|s| s.operands.contains(packed));
    let packs = whole.steps.iter().filter(|s| s.kernel.name() == "pack_weights" && reads(&s.operands[1]));
    let packs: Vec<&Step> = packs.collect();

    // Every operand has a tensor of its own, so that no run changes what another reads: of the calls only
    // packed weights are shared.
    let mut plan = Plan::default();
    let mut packed: Vec<(View, View)> = Vec::new();
    let mut compared = Vec::new();
    for step in packs.into_iter().chain(chosen) {
        let mut step = step.clone();
        for (view, operand) in step.operands.iter_mut().zip(step.kernel.operands()) {
            if let Some((_, there)) = packed.iter().find(|(of, _)| of == view) {
                *view = *there;
                continue;
            }
            // State: it can be filled and read, and shares memory with no other.
            let own = plan.tensor(operand.name, &operand.shape, operand.dtype, Role::State);
            let there = plan.view(own);
            if operand.name == "packed" {
                packed.push((*view, there));
            }
            if operand.access == Access::Write && COMPARED.contains(&operand.name) {
                compared.push(own);
            }
            *view = there;
        }
        plan.steps.push(step);
    }
    (plan, compared)
}

/// Fills every tensor, the same for the same plan.
fn fill(program: &mut dyn Program) -> Result<()> {
    // A fixed sequence without a short period (Marsaglia's xorshift).
    let mut x = 0x9e37_79b9u32;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        x
    };
    let levels: Vec<f32> = (0..PERIOD).map(|_| LEVELS[next() as usize % LEVELS.len()]).collect();
    let samples: Vec<i16> = (0..PERIOD).map(|_| next() as i16).collect();
    for (i, tensor) in program.plan().tensors.clone().iter().enumerate() {
        let cycle = |bytes: &[u8]| bytes.iter().copied().cycle().take(tensor.bytes()).collect::<Vec<u8>>();
        let bytes = match tensor.dtype {
            DType::I16 => cycle(bytemuck::cast_slice(&samples)),
            DType::F16 => cycle(&f16::packed(&levels, 2)),
            _ => cycle(bytemuck::cast_slice(&levels)),
        };
        program.upload(TensorId(i), &bytes)?;
    }
    Ok(())
}
