//! A plan's tensors in buffers: one each for tensors that are kept, slots that temporaries take in
//! turn. (One big arena is not possible: wgpu refuses a buffer bound both read-only and
//! writable in one dispatch.)

use super::Gpu;
use super::errors::guard;
use crate::error::{Error, Result};
use crate::plan::memory::slots;
use crate::plan::{Plan, TensorId, names};

pub struct Memory {
    buffers: Vec<wgpu::Buffer>,
    /// By tensor id: which buffer.
    place: Vec<usize>,
    /// Sum of the buffers.
    pub bytes: usize,
}

impl Memory {
    pub fn new(gpu: &Gpu, plan: &Plan) -> Result<Memory> {
        let slots = slots(plan);
        let mut wanted: Vec<(usize, &str)> = slots.bytes.iter().map(|&b| (b, "")).collect();
        let mut place = Vec::with_capacity(plan.tensors.len());
        for (tensor, slot) in plan.tensors.iter().zip(&slots.slot) {
            if tensor.bytes() as u64 > gpu.adapter.max_buffer {
                return Err(too_large(plan, &tensor.name, tensor.bytes(), gpu.adapter.max_buffer, "one buffer holds"));
            }
            match slot {
                Some(at) => {
                    // A slot is named after its largest tenant.
                    if tensor.bytes() == wanted[*at].0 {
                        wanted[*at].1 = &tensor.name;
                    }
                    place.push(*at);
                }
                None => {
                    wanted.push((tensor.bytes(), &tensor.name));
                    place.push(wanted.len() - 1);
                }
            }
        }
        let total: usize = wanted.iter().map(|w| w.0).sum();
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let mut buffers = Vec::with_capacity(wanted.len());
        for (bytes, name) in wanted {
            let doing = format!("{name}, {:.1} of {:.1} MiB in all", mib(bytes as u64), mib(total as u64));
            let size = padded(bytes);
            buffers.push(guard(&gpu.device, &doing, || {
                gpu.device.create_buffer(&wgpu::BufferDescriptor { label: Some(name), size, usage, mapped_at_creation: false })
            })?);
        }
        let bytes = buffers.iter().map(|b| b.size() as usize).sum();
        Ok(Memory { buffers, place, bytes })
    }

    /// The buffer that a tensor lies in, at its beginning.
    pub fn buffer(&self, tensor: TensorId) -> &wgpu::Buffer {
        &self.buffers[self.place[tensor.0]]
    }
}

/// Bytes of a buffer: wgpu copies and binds words, and no buffer is empty.
pub fn padded(bytes: usize) -> u64 {
    (bytes as u64).next_multiple_of(4).max(4)
}

pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The error of a tensor over a limit, with the largest batch that stays within it.
pub fn too_large(plan: &Plan, tensor: &str, bytes: usize, limit: u64, what: &str) -> Error {
    let error = Error::device(format!("{tensor} needs {:.1} MiB, {what} at most {:.1} MiB", mib(bytes as u64), mib(limit)));
    let batch = plan.find(names::WAVE).map(|id| plan.tensors[id.0].shape[0] as u64);
    match batch.map(|b| b * limit / bytes as u64) {
        Some(fits) if fits > 0 => error.help(format!("The largest batch that fits is {fits}: --batch {fits}.")),
        Some(_) => error.help("Not even one clip fits: take shorter clips (--clip), another --adapter, or --device cpu."),
        None => error,
    }
}
