//! Reading back: a ring of two staging buffers for the outputs of the last two runs, so that the
//! newest run is never waited for; and whole tensors, for checkpoints and tests.

use super::Gpu;
use super::errors::guard;
use super::memory::{Memory, padded};
use crate::device::Ticket;
use crate::error::{Error, Result};
use crate::plan::{Plan, TensorId};
use crate::tensor::Role;

struct Slot {
    buffer: wgpu::Buffer,
    /// The run whose outputs it holds or will hold.
    holds: Option<(Ticket, wgpu::SubmissionIndex)>,
}

pub struct Readback {
    /// Outputs and their places in a staging buffer.
    outputs: Vec<(TensorId, u64)>,
    slots: [Slot; 2],
}

impl Readback {
    pub fn new(gpu: &Gpu, plan: &Plan) -> Result<Readback> {
        let mut outputs = Vec::new();
        let mut bytes = 0;
        for (i, tensor) in plan.tensors.iter().enumerate() {
            if tensor.role == Role::Output {
                outputs.push((TensorId(i), bytes));
                // Mapped ranges begin at multiples of 8.
                bytes += padded(tensor.bytes()).next_multiple_of(wgpu::MAP_ALIGNMENT);
            }
        }
        let make = || {
            guard(&gpu.device, "staging for outputs", || staging(gpu, bytes.max(wgpu::MAP_ALIGNMENT)))
                .map(|buffer| Slot { buffer, holds: None })
        };
        Ok(Readback { outputs, slots: [make()?, make()?] })
    }

    /// Bytes of both staging buffers.
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|s| s.buffer.size() as usize).sum()
    }

    fn slot(&mut self, ticket: Ticket) -> &mut Slot {
        &mut self.slots[(ticket.0 % 2) as usize]
    }

    /// Makes room for a run: gives up the outputs of the run before the last. Waits for that run,
    /// so that no more than two are ever in flight.
    pub fn free(&mut self, gpu: &Gpu, ticket: Ticket) -> Result<()> {
        let slot = self.slot(ticket);
        if let Some((_, index)) = slot.holds.take() {
            wait(gpu, Some(index))?;
            slot.buffer.unmap();
        }
        Ok(())
    }

    /// Encodes the copies at the end of a run.
    pub fn copy(&mut self, encoder: &mut wgpu::CommandEncoder, plan: &Plan, memory: &Memory, ticket: Ticket) {
        let slot = &self.slots[(ticket.0 % 2) as usize];
        for &(tensor, at) in &self.outputs {
            let size = padded(plan.tensors[tensor.0].bytes());
            encoder.copy_buffer_to_buffer(memory.buffer(tensor), 0, &slot.buffer, at, size);
        }
    }

    /// Asks for a run's outputs once it was submitted.
    pub fn map(&mut self, ticket: Ticket, index: wgpu::SubmissionIndex) {
        let slot = self.slot(ticket);
        // Whether it worked shows when the range is asked for.
        slot.buffer.map_async(wgpu::MapMode::Read, .., |_| {});
        slot.holds = Some((ticket, index));
    }

    /// Waits for a run and reads one of its outputs.
    pub fn read(&mut self, gpu: &Gpu, plan: &Plan, ticket: Ticket, tensor: TensorId, bytes: &mut [u8]) -> Result<()> {
        let name = &plan.tensors[tensor.0].name;
        let Some(&(_, at)) = self.outputs.iter().find(|(id, _)| *id == tensor) else {
            return Err(Error::device(format!("{name} is no output of the plan")));
        };
        let slot = self.slot(ticket);
        match &slot.holds {
            Some((held, index)) if *held == ticket => wait(gpu, Some(index.clone()))?,
            _ => return Err(Error::device(format!("{name} of run {} is gone: only the last two runs are kept", ticket.0))),
        }
        copy_out(gpu, &slot.buffer, at, bytes, name)
    }
}

/// Waits for a submission, or for all.
pub fn wait(gpu: &Gpu, submission_index: Option<wgpu::SubmissionIndex>) -> Result<()> {
    let polled = gpu.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
    gpu.faults.check("waiting for the device")?;
    polled.map(|_| ()).map_err(|e| Error::device(format!("waiting for the device: {e}")))
}

/// Waits for everything and reads a buffer's first bytes, a piece at a time.
pub fn download(gpu: &Gpu, buffer: &wgpu::Buffer, bytes: &mut [u8], name: &str) -> Result<()> {
    const PIECE: usize = 64 << 20;
    let piece =
        guard(&gpu.device, "staging for a download", || staging(gpu, padded(bytes.len().min(PIECE)).next_multiple_of(8)))?;
    for (i, part) in bytes.chunks_mut(PIECE).enumerate() {
        let size = padded(part.len());
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("download") });
        encoder.copy_buffer_to_buffer(buffer, (i * PIECE) as u64, &piece, 0, size);
        let index = gpu.queue.submit([encoder.finish()]);
        piece.map_async(wgpu::MapMode::Read, .., |_| {});
        wait(gpu, Some(index))?;
        copy_out(gpu, &piece, 0, part, name)?;
        piece.unmap();
    }
    Ok(())
}

fn copy_out(gpu: &Gpu, mapped: &wgpu::Buffer, at: u64, bytes: &mut [u8], name: &str) -> Result<()> {
    let view = mapped.get_mapped_range(at..at + padded(bytes.len()));
    let view = view.map_err(|e| match gpu.faults.check("reading back") {
        Err(fault) => fault,
        Ok(()) => Error::device(format!("reading back {name}: {e}")),
    })?;
    bytes.copy_from_slice(&view[..bytes.len()]);
    Ok(())
}

pub fn staging(gpu: &Gpu, size: u64) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    gpu.device.create_buffer(&wgpu::BufferDescriptor { label: Some("staging"), size, usage, mapped_at_creation: false })
}
