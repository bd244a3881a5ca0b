//! One kernel alone on a GPU, for `check` and tests; the same promise as the CPU's
//! `kernels::cpu::run_alone`.

use super::Gpu;
use super::program::{Call, GpuProgram};
use crate::device::Program;
use crate::error::Result;
use crate::kernels::{Kernel, Operand};
use crate::plan::{Plan, Run, Section};
use crate::tensor::Role;

/// Runs a kernel on bytes and returns every operand, scratch included. `inputs` gives bytes for
/// operands that are read; all others start as NaN (every bit set), so that an element nobody
/// writes shows.
pub fn run_alone(gpu: &Gpu, kernel: &dyn Kernel, inputs: &dyn Fn(&Operand) -> Option<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let operands = kernel.operands();
    let mut plan = Plan::default();
    let mut views = Vec::new();
    for operand in &operands {
        // State: all of them can be uploaded and read back, and none shares memory.
        let id = plan.tensor(operand.name, &operand.shape, operand.dtype, Role::State);
        views.push(plan.view(id));
    }
    let call = Call {
        label: kernel.name().into(),
        section: Section::Forward,
        operands: views.clone(),
        flops: kernel.flops(),
        dispatches: kernel.dispatches(&gpu.limits()),
    };
    let mut program = GpuProgram::new(gpu, plan, vec![call])?;
    for (operand, view) in operands.iter().zip(&views) {
        let bytes = inputs(operand).unwrap_or_else(|| vec![0xff; operand.bytes()]);
        program.upload(view.tensor, &bytes)?;
    }
    program.submit(Run::Train)?;
    let mut results = Vec::with_capacity(operands.len());
    for (operand, view) in operands.iter().zip(&views) {
        let mut bytes = vec![0; operand.bytes()];
        program.download(view.tensor, &mut bytes)?;
        results.push(bytes);
    }
    Ok(results)
}
