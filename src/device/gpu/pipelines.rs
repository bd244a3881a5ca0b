//! Pipelines and bind groups, all made with the plan: each different shader text is compiled once, in
//! parallel on Rayon.

use rayon::prelude::*;

use super::Gpu;
use super::errors::guard;
use super::memory::{Memory, too_large};
use super::program::Call;
use crate::error::{Error, Result};
use crate::kernels::Access;
use crate::kernels::gpu::Dispatch;
use crate::kernels::shaders;
use crate::plan::Plan;

/// A dispatch ready to be encoded.
pub struct Ready {
    pub pipeline: wgpu::ComputePipeline,
    pub group: wgpu::BindGroup,
    pub workgroups: [u32; 3],
}

struct Compiled {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// Whether two dispatches run the same pipeline.
fn same(a: &Dispatch, b: &Dispatch) -> bool {
    let access = |d: &Dispatch| d.bindings.iter().map(|b| b.access == Access::Read).collect::<Vec<_>>();
    a.shader == b.shader && a.entry == b.entry && a.constants == b.constants && access(a) == access(b)
}

/// Makes every dispatch of every call ready, in their order.
pub fn ready(gpu: &Gpu, plan: &Plan, memory: &Memory, calls: &[Call]) -> Result<Vec<Vec<Ready>>> {
    let mut kinds: Vec<(&str, &Dispatch)> = Vec::new();
    let mut kind_of: Vec<Vec<usize>> = Vec::new();
    for call in calls {
        let mut of = Vec::with_capacity(call.dispatches.len());
        for dispatch in &call.dispatches {
            of.push(kinds.iter().position(|(_, k)| same(k, dispatch)).unwrap_or_else(|| {
                kinds.push((&call.label, dispatch));
                kinds.len() - 1
            }));
        }
        kind_of.push(of);
    }
    let compiled: Vec<Compiled> =
        kinds.par_iter().map(|(label, dispatch)| compile(gpu, label, dispatch)).collect::<Result<_>>()?;
    let mut all = Vec::with_capacity(calls.len());
    for (call, kinds) in calls.iter().zip(&kind_of) {
        let mut of = Vec::with_capacity(kinds.len());
        for (dispatch, kind) in call.dispatches.iter().zip(kinds) {
            let compiled = &compiled[*kind];
            of.push(Ready {
                pipeline: compiled.pipeline.clone(),
                group: bind(gpu, plan, memory, call, dispatch, &compiled.layout)?,
                workgroups: dispatch.workgroups,
            });
        }
        all.push(of);
    }
    Ok(all)
}

fn compile(gpu: &Gpu, label: &str, dispatch: &Dispatch) -> Result<Compiled> {
    if dispatch.bindings.len() > gpu.adapter.max_storage_buffers as usize {
        return Err(Error::device(format!(
            "{label} binds {} buffers at once, {} allows {}",
            dispatch.bindings.len(),
            gpu.adapter.name,
            gpu.adapter.max_storage_buffers
        ))
        .help("Use another --adapter or --device cpu."));
    }
    if dispatch.shader.contains("cooperative") && gpu.cooperative_sizes().is_empty() {
        return Err(Error::device(format!("{label} is computed on cooperative matrices, which {} has not", gpu.adapter.name))
            .help("Leave out --family, or go on with the run where it began."));
    }
    let text = shaders::text(dispatch.shader, &dispatch.constants)?;
    let entries: Vec<wgpu::BindGroupLayoutEntry> =
        dispatch.bindings.iter().zip(0..).map(|(b, i)| layout_entry(i, b.access)).collect();
    guard(&gpu.device, &format!("{label} ({})", dispatch.shader), || {
        let module = module(gpu, dispatch.shader, text);
        let layout =
            gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries });
        let whole = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&whole),
            module: &module,
            entry_point: Some(dispatch.entry),
            // Every shader writes workgroup memory before it reads it.
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        Compiled { pipeline, layout }
    })
}

fn layout_entry(binding: u32, access: Access) -> wgpu::BindGroupLayoutEntry {
    let ty = wgpu::BufferBindingType::Storage { read_only: access == Access::Read };
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}

fn module(gpu: &Gpu, name: &str, text: String) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some(name), source: wgpu::ShaderSource::Wgsl(text.into()) };
    if gpu.options.checked {
        return gpu.device.create_shader_module(descriptor);
    }
    // SAFETY: the shaders are this crate's own, not a user's. Their loops end and their indices stay
    // within the bound ranges for every shape that a kernel's room gives: the tests run all cases
    // with the checks on, and compare with results of the Rust kernels.
    unsafe { gpu.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

fn bind(
    gpu: &Gpu,
    plan: &Plan,
    memory: &Memory,
    call: &Call,
    dispatch: &Dispatch,
    layout: &wgpu::BindGroupLayout,
) -> Result<wgpu::BindGroup> {
    let max_binding = gpu.limits().max_binding;
    let mut entries = Vec::with_capacity(dispatch.bindings.len());
    for (binding, i) in dispatch.bindings.iter().zip(0..) {
        let view = call.operands[binding.operand];
        let tensor = &plan.tensors[view.tensor.0];
        if binding.length > max_binding {
            let what = format!("{} in {}", tensor.name, call.label);
            return Err(too_large(plan, &what, binding.length as usize, max_binding, "one binding of this adapter holds"));
        }
        let size = wgpu::BufferSize::new(binding.length.next_multiple_of(4));
        let offset = (view.offset * tensor.dtype.bytes()) as u64 + binding.offset;
        let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: memory.buffer(view.tensor), offset, size });
        entries.push(wgpu::BindGroupEntry { binding: i, resource });
    }
    guard(&gpu.device, &format!("{} ({})", call.label, dispatch.shader), || {
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some(&call.label), layout, entries: &entries })
    })
}
