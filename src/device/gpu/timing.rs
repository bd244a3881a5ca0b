//! How long each call of a run took, by the device's own clock: two timestamps a call, where
//! the adapter has them and timing was asked for.

use super::Gpu;
use super::errors::guard;
use super::readback::{staging, wait};
use crate::error::Result;

pub struct Timing {
    queries: wgpu::QuerySet,
    /// wgpu resolves queries into one buffer and maps another.
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Calls of the last run.
    calls: usize,
}

impl Timing {
    /// For runs of up to `calls` calls; `None` where it is not wanted or cannot be had.
    pub fn new(gpu: &Gpu, calls: usize) -> Result<Option<Timing>> {
        let count = 2 * calls as u32;
        let has = gpu.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        if !gpu.options.timed || !has || count == 0 || count > wgpu::QUERY_SET_MAX_QUERIES {
            return Ok(None);
        }
        let size = u64::from(count) * 8;
        let timing = guard(&gpu.device, "timestamps", || Timing {
            queries: gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timing"),
                ty: wgpu::QueryType::Timestamp,
                count,
            }),
            resolved: gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
            staging: staging(gpu, size),
            calls: 0,
        })?;
        Ok(Some(timing))
    }

    /// The timestamps around call `i` of a run, which is a pass of its own.
    pub fn writes(&self, i: usize) -> wgpu::ComputePassTimestampWrites<'_> {
        let i = 2 * i as u32;
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(i),
            end_of_pass_write_index: Some(i + 1),
        }
    }

    /// Encodes the end of a run of `calls` calls.
    pub fn resolve(&mut self, encoder: &mut wgpu::CommandEncoder, calls: usize) {
        self.calls = calls;
        if calls > 0 {
            encoder.resolve_query_set(&self.queries, 0..2 * calls as u32, &self.resolved, 0);
        }
    }

    /// Waits for the last run and gives each call's seconds.
    pub fn read(&mut self, gpu: &Gpu) -> Result<Vec<f64>> {
        if self.calls == 0 {
            return Ok(Vec::new());
        }
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("timing") });
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, self.staging.size());
        let index = gpu.queue.submit([encoder.finish()]);
        self.staging.map_async(wgpu::MapMode::Read, .., |_| {});
        wait(gpu, Some(index))?;
        let period = f64::from(gpu.queue.get_timestamp_period()) * 1e-9;
        let seconds = match self.staging.get_mapped_range(..) {
            Err(e) => return Err(crate::error::Error::device(format!("reading timestamps: {e}"))),
            Ok(view) => {
                let ticks: Vec<u64> = view.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes"))).collect();
                ticks.chunks_exact(2).take(self.calls).map(|t| t[1].saturating_sub(t[0]) as f64 * period).collect()
            }
        };
        self.staging.unmap();
        Ok(seconds)
    }
}
