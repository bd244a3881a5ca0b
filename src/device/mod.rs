//! Devices: memory, running and timing of a plan. They know kernels and plans, nothing about
//! networks.

pub mod cpu;
pub mod gpu;
mod huge;
pub mod select;

use crate::error::{Error, Result};
use crate::kernels::{Choice, Family, Precision};
use crate::plan::{Plan, Run, TensorId};
use crate::tensor::Role;
use select::{DeviceKind, Selection};

/// An open device.
pub enum Device {
    /// The processor: nothing is opened until a plan is loaded.
    Cpu,
    /// An adapter with its queue.
    Gpu(Box<gpu::Gpu>),
}

/// Opens the device that a selection means: `auto` a real GPU, else the CPU. No driver is touched
/// for `cpu`.
pub fn open(selection: &Selection) -> Result<Device> {
    if selection.device == DeviceKind::Cpu && selection.adapter.is_none() {
        return Ok(Device::Cpu);
    }
    match select::choose(&gpu::adapters::list(), selection)? {
        select::Chosen::Cpu => Ok(Device::Cpu),
        select::Chosen::Gpu(_) => gpu::open(selection).map(|gpu| Device::Gpu(Box::new(gpu))),
    }
}

impl Device {
    /// The families of kernels that this device runs: the CPU's best instructions, or tiles on a
    /// GPU. (On software Vulkan they were measured three to four times ahead of the plain ones.)
    pub fn choice(&self) -> Choice {
        match self {
            Device::Cpu => Choice::cpu(Precision::F32),
            Device::Gpu(_) => Choice::gpu(Family::Tiled),
        }
    }

    /// Puts a plan into the device's memory; `threads` (0: one a core) counts on the CPU only.
    pub fn load(&self, plan: Plan, threads: usize) -> Result<Box<dyn Program>> {
        match self {
            Device::Cpu => Ok(Box::new(cpu::load(plan, threads)?)),
            Device::Gpu(gpu) => gpu.load(plan),
        }
    }

    /// What it is, for people.
    pub fn name(&self) -> &str {
        match self {
            Device::Cpu => "CPU",
            Device::Gpu(gpu) => &gpu.adapter.name,
        }
    }
}

/// A run that was submitted; its outputs can be asked for until the next but one of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub u64);

/// A plan in a device's memory, ready to be run. Everything is allocated and compiled by the time
/// one exists; uploading, submitting and collecting allocate nothing of ours.
pub trait Program: Send {
    /// The plan that was loaded.
    fn plan(&self) -> &Plan;

    /// Puts bytes into a tensor (role Input, Parameter, Gradient or State), whole, as they lie in memory. What was
    /// submitted before still sees the old contents. Fails where the tensor has another size or role.
    fn upload(&mut self, tensor: TensorId, bytes: &[u8]) -> Result<()>;

    /// Starts a run on what has been uploaded. On a GPU it returns before the run has ended, on a
    /// CPU after.
    fn submit(&mut self, run: Run) -> Result<Ticket>;

    /// Waits for a run and reads what its tensor of role Output held at its end. Fails where the tensor has another size
    /// or role, or where the run is not one of the two submitted last.
    fn output(&mut self, ticket: Ticket, tensor: TensorId, bytes: &mut [u8]) -> Result<()>;

    /// Waits for everything and reads a tensor that is kept (role Parameter, Gradient, State,
    /// Output). For checkpoints and tests, not for the step loop. Fails where the tensor has another size or role.
    fn download(&mut self, tensor: TensorId, bytes: &mut [u8]) -> Result<()>;

    /// Waits for everything submitted.
    fn wait(&mut self) -> Result<()>;

    /// Seconds that each call of the last run took, in order of the plan's calls of that run; empty
    /// where the device cannot tell or timing was not asked for.
    fn timings(&mut self) -> Result<Vec<f64>>;

    /// Bytes of the plan's own memory on this device.
    fn memory(&self) -> usize;
}

/// What may be asked of a tensor from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Upload,
    Output,
    Download,
}

/// Fails where a tensor is not of so many bytes, or has no role for what is asked.
fn check(plan: &Plan, tensor: TensorId, bytes: usize, asked: Asked) -> Result<()> {
    let t = &plan.tensors[tensor.0];
    if t.bytes() != bytes {
        return Err(Error::device(format!("{} is {} bytes, not {bytes}", t.name, t.bytes())));
    }
    let (may, not) = match asked {
        Asked::Upload => (!matches!(t.role, Role::Temporary | Role::Output), "cannot be uploaded"),
        Asked::Output => (t.role == Role::Output, "is no output of a run"),
        Asked::Download => (!matches!(t.role, Role::Temporary | Role::Input), "is not kept, so it cannot be read"),
    };
    if may { Ok(()) } else { Err(Error::device(format!("{} {not}: it is {:?}", t.name, t.role))) }
}
