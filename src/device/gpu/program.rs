//! A plan in a GPU's memory: all buffers, bind groups and pipelines made beforehand, one
//! submission a run, or several where a run would take longer than about a second.

use super::errors::guard;
use super::memory::Memory;
use super::pipelines::{Ready, ready};
use super::readback::{Readback, download, wait};
use super::timing::Timing;
use super::{AdapterKind, Gpu};
use crate::device::{Asked, Program, Ticket, check};
use crate::error::{Error, Result};
use crate::kernels::gpu::{Dispatch, Limits};
use crate::plan::{Plan, Run, Section, TensorId, View};

/// A kernel call as this device needs it.
pub struct Call {
    pub label: String,
    pub section: Section,
    pub operands: Vec<View>,
    pub flops: u64,
    pub dispatches: Vec<Dispatch>,
}

/// The calls of a plan, in its order.
pub fn calls(plan: &Plan, limits: &Limits) -> Vec<Call> {
    let call = |s: &crate::plan::Step| Call {
        label: s.label.clone(),
        section: s.section,
        operands: s.operands.clone(),
        flops: s.kernel.flops(),
        dispatches: s.kernel.dispatches(limits),
    };
    plan.steps.iter().map(call).collect()
}

/// One call's dispatches, and where it stands in its run.
struct Part {
    /// Place among the calls of its run.
    call: usize,
    dispatches: Vec<Ready>,
}

pub struct GpuProgram {
    gpu: Gpu,
    plan: Plan,
    memory: Memory,
    readback: Readback,
    timing: Option<Timing>,
    /// Submissions of a training run and of an evaluation.
    train: Vec<Vec<Part>>,
    evaluate: Vec<Vec<Part>>,
    next: u64,
}

impl GpuProgram {
    pub fn new(gpu: &Gpu, plan: Plan, calls: Vec<Call>) -> Result<GpuProgram> {
        let memory = Memory::new(gpu, &plan)?;
        let all = ready(gpu, &plan, &memory, &calls)?;
        for (call, dispatches) in calls.iter().zip(&all) {
            // Encoded once and thrown away: what wgpu finds wrong then, it finds with the call's name.
            guard(&gpu.device, &call.label, || {
                let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()), dispatches);
                encoder.finish();
            })?;
        }
        let (mut train, mut evaluate) = (Submissions::new(gpu), Submissions::new(gpu));
        for (call, dispatches) in calls.iter().zip(all) {
            let run = if Run::Train.holds(call.section) { &mut train } else { &mut evaluate };
            run.add(call.flops, dispatches);
        }
        let readback = Readback::new(gpu, &plan)?;
        let timing = Timing::new(gpu, train.calls.max(evaluate.calls))?;
        Ok(GpuProgram { gpu: gpu.clone(), plan, memory, readback, timing, train: train.all, evaluate: evaluate.all, next: 0 })
    }
}

/// What may be asked of an adapter at once, so that a run of the plain family stays below about a second:
/// desktop systems kill what blocks the screen for longer.
fn flops_a_submission(kind: AdapterKind) -> u64 {
    match kind {
        AdapterKind::Discrete => 200_000_000_000,
        AdapterKind::Integrated | AdapterKind::Virtual | AdapterKind::Other => 25_000_000_000,
        AdapterKind::Software => 2_000_000_000,
    }
}

/// The calls of a run, divided into submissions.
struct Submissions {
    all: Vec<Vec<Part>>,
    calls: usize,
    budget: u64,
    spent: u64,
    /// A call that is timed stays in one pass.
    timed: bool,
}

impl Submissions {
    fn new(gpu: &Gpu) -> Submissions {
        let budget = flops_a_submission(gpu.adapter.kind);
        Submissions { all: vec![Vec::new()], calls: 0, budget, spent: 0, timed: gpu.options.timed }
    }

    /// Adds a call; one that is bound by ranges of clips can be divided between its dispatches.
    fn add(&mut self, flops: u64, dispatches: Vec<Ready>) {
        let call = self.calls;
        self.calls += 1;
        let each = flops / dispatches.len().max(1) as u64;
        for (i, dispatch) in dispatches.into_iter().enumerate() {
            let divisible = i == 0 || !self.timed;
            if divisible && self.spent > 0 && self.spent + each > self.budget {
                self.all.push(Vec::new());
                self.spent = 0;
            }
            self.spent += each;
            let submission = self.all.last_mut().expect("never empty");
            match submission.last_mut().filter(|p| p.call == call) {
                Some(part) => part.dispatches.push(dispatch),
                None => submission.push(Part { call, dispatches: vec![dispatch] }),
            }
        }
    }
}

fn encode(pass: &mut wgpu::ComputePass<'_>, dispatches: &[Ready]) {
    for d in dispatches {
        pass.set_pipeline(&d.pipeline);
        pass.set_bind_group(0, &d.group, &[]);
        pass.dispatch_workgroups(d.workgroups[0], d.workgroups[1], d.workgroups[2]);
    }
}

impl Program for GpuProgram {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn upload(&mut self, tensor: TensorId, bytes: &[u8]) -> Result<()> {
        check(&self.plan, tensor, bytes.len(), Asked::Upload)?;
        let t = &self.plan.tensors[tensor.0];
        if !bytes.len().is_multiple_of(4) {
            return Err(Error::device(format!("{} has an odd number of samples, which a GPU cannot take", t.name)));
        }
        // In order with submissions: what was submitted before sees the old contents.
        self.gpu.queue.write_buffer(self.memory.buffer(tensor), 0, bytes);
        self.gpu.faults.check("uploading")
    }

    fn submit(&mut self, run: Run) -> Result<Ticket> {
        let ticket = Ticket(self.next);
        self.readback.free(&self.gpu, ticket)?;
        let submissions = if run == Run::Train { &self.train } else { &self.evaluate };
        let device = &self.gpu.device;
        for (i, parts) in submissions.iter().enumerate() {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("run") });
            match &self.timing {
                None => {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    parts.iter().for_each(|part| encode(&mut pass, &part.dispatches));
                }
                Some(timing) => {
                    for part in parts {
                        let timestamp_writes = Some(timing.writes(part.call));
                        let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
                        encode(&mut encoder.begin_compute_pass(&descriptor), &part.dispatches);
                    }
                }
            }
            if i + 1 < submissions.len() {
                self.gpu.queue.submit([encoder.finish()]);
                continue;
            }
            if let Some(timing) = &mut self.timing {
                timing.resolve(&mut encoder, submissions.iter().flatten().map(|p| p.call + 1).max().unwrap_or(0));
            }
            self.readback.copy(&mut encoder, &self.plan, &self.memory, ticket);
            let index = self.gpu.queue.submit([encoder.finish()]);
            self.readback.map(ticket, index);
        }
        self.next += 1;
        self.gpu.faults.check("running a step")?;
        Ok(ticket)
    }

    fn output(&mut self, ticket: Ticket, tensor: TensorId, bytes: &mut [u8]) -> Result<()> {
        check(&self.plan, tensor, bytes.len(), Asked::Output)?;
        self.readback.read(&self.gpu, &self.plan, ticket, tensor, bytes)
    }

    fn download(&mut self, tensor: TensorId, bytes: &mut [u8]) -> Result<()> {
        check(&self.plan, tensor, bytes.len(), Asked::Download)?;
        download(&self.gpu, self.memory.buffer(tensor), bytes, &self.plan.tensors[tensor.0].name)
    }

    fn wait(&mut self) -> Result<()> {
        wait(&self.gpu, None)
    }

    fn timings(&mut self) -> Result<Vec<f64>> {
        self.timing.as_mut().map_or(Ok(Vec::new()), |t| t.read(&self.gpu))
    }

    fn memory(&self) -> usize {
        self.memory.bytes + self.readback.bytes()
    }
}
