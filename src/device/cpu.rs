//! The CPU device: a plan in one block of memory, its calls one after the other on a pool of threads.

use std::ops::Range;
use std::time::Instant;

use super::huge::Huge;
use super::{Asked, Program, Ticket, check};
use crate::error::{Error, Result};
use crate::kernels::Access;
use crate::kernels::cpu::{Arguments, Place};
use crate::plan::memory::{Block, block};
use crate::plan::{Plan, Run, TensorId};
use crate::tensor::Role;

/// What each of the two runs submitted last left in the output tensors.
const KEPT: u64 = 2;

/// A plan in memory.
pub struct CpuProgram {
    plan: Plan,
    block: Block,
    memory: Huge,
    workspace: Huge,
    workspace_each: usize,
    /// Places of the operands of each call.
    places: Vec<Vec<Place>>,
    pool: rayon::ThreadPool,
    tickets: u64,
    /// Copies of the outputs, `KEPT` a tensor; empty for others.
    outputs: Vec<Vec<u8>>,
    seconds: Vec<f64>,
}

/// Loads a plan; `threads` 0 takes one a core.
pub fn load(plan: Plan, threads: usize) -> Result<CpuProgram> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("kernel-{i}"))
        .build()
        .map_err(|e| Error::device(format!("cannot start the threads: {e}")))?;
    let block = block(&plan);
    let mut memory = Huge::zeroed(block.bytes)?;
    let workspace_each = plan.steps.iter().map(|s| s.kernel.workspace()).max().unwrap_or(0).next_multiple_of(1024);
    let workspace = Huge::zeroed(workspace_each * pool.current_num_threads() * size_of::<f32>())?;
    let base = memory.as_mut_ptr();
    let places = plan
        .steps
        .iter()
        .map(|step| {
            // What `Arguments` promises to kernels, held against the plan once.
            let operands = step.kernel.operands();
            assert_eq!(step.operands.len(), operands.len(), "{}", step.label);
            let ranges: Vec<Range<usize>> = step
                .operands
                .iter()
                .zip(&operands)
                .map(|(view, operand)| {
                    let tensor = &plan.tensors[view.tensor.0];
                    let size = tensor.dtype.bytes();
                    let at = block.offsets[view.tensor.0] + view.offset * size;
                    let end = at + view.length * size;
                    assert!(view.offset + view.length <= tensor.len() && end <= block.bytes && at.is_multiple_of(64));
                    assert_eq!(view.length * size, operand.bytes(), "{}: {}", step.label, operand.name);
                    at..end
                })
                .collect();
            for (i, written) in ranges.iter().enumerate().filter(|(i, _)| operands[*i].access != Access::Read) {
                let apart =
                    |(j, other): (usize, &Range<usize>)| i == j || written.end <= other.start || other.end <= written.start;
                assert!(ranges.iter().enumerate().all(apart), "{}: {} overlaps another operand", step.label, operands[i].name);
            }
            // SAFETY: inside the block by the lines above.
            let place = |range: Range<usize>| Place { pointer: unsafe { base.add(range.start) }, length: range.len() };
            ranges.into_iter().map(place).collect()
        })
        .collect();
    let outputs =
        plan.tensors.iter().map(|t| vec![0; if t.role == Role::Output { KEPT as usize * t.bytes() } else { 0 }]).collect();
    let calls = plan.steps.len();
    Ok(CpuProgram {
        plan,
        block,
        memory,
        workspace,
        workspace_each,
        places,
        pool,
        tickets: 0,
        outputs,
        seconds: Vec::with_capacity(calls),
    })
}

impl CpuProgram {
    fn bytes(&mut self, tensor: TensorId) -> &mut [u8] {
        let at = self.block.offsets[tensor.0];
        let length = self.plan.tensors[tensor.0].bytes();
        &mut self.memory[at..at + length]
    }

    /// Threads that run the kernels.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on the kernels' threads, for what goes on beside a step.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }
}

impl Program for CpuProgram {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn upload(&mut self, tensor: TensorId, bytes: &[u8]) -> Result<()> {
        check(&self.plan, tensor, bytes.len(), Asked::Upload)?;
        self.bytes(tensor).copy_from_slice(bytes);
        Ok(())
    }

    fn submit(&mut self, run: Run) -> Result<Ticket> {
        self.seconds.clear();
        let each = self.workspace_each;
        let (steps, places, workspace, seconds) = (&self.plan.steps, &self.places, &mut self.workspace, &mut self.seconds);
        self.pool.install(|| {
            for (step, places) in steps.iter().zip(places).filter(|(s, _)| run.holds(s.section)) {
                let start = Instant::now();
                // SAFETY: the plan's block keeps written operands apart from all others of a call
                // (they are alive at the same time), `self` is borrowed until the calls end, and
                // the workspace has a piece a thread of the pool.
                let args = unsafe { Arguments::new(places, bytemuck::cast_slice_mut(&mut workspace[..]), each) };
                step.kernel.run(&args);
                seconds.push(start.elapsed().as_secs_f64());
            }
        });
        self.tickets += 1;
        for i in 0..self.plan.tensors.len() {
            if self.plan.tensors[i].role == Role::Output {
                let bytes = self.plan.tensors[i].bytes();
                let at = (self.tickets % KEPT) as usize * bytes;
                let mut copies = std::mem::take(&mut self.outputs[i]);
                copies[at..at + bytes].copy_from_slice(self.bytes(TensorId(i)));
                self.outputs[i] = copies;
            }
        }
        Ok(Ticket(self.tickets))
    }

    fn output(&mut self, ticket: Ticket, tensor: TensorId, bytes: &mut [u8]) -> Result<()> {
        check(&self.plan, tensor, bytes.len(), Asked::Output)?;
        if ticket.0 + KEPT <= self.tickets || ticket.0 > self.tickets {
            return Err(Error::device("the run of this ticket is not one of the last two"));
        }
        let at = (ticket.0 % KEPT) as usize * bytes.len();
        bytes.copy_from_slice(&self.outputs[tensor.0][at..at + bytes.len()]);
        Ok(())
    }

    fn download(&mut self, tensor: TensorId, bytes: &mut [u8]) -> Result<()> {
        check(&self.plan, tensor, bytes.len(), Asked::Download)?;
        bytes.copy_from_slice(self.bytes(tensor));
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }

    fn timings(&mut self) -> Result<Vec<f64>> {
        Ok(self.seconds.clone())
    }

    fn memory(&self) -> usize {
        self.memory.len() + self.workspace.len()
    }
}
