//! The adapters of this machine, in the driver's order, as wgpu finds them.

use crate::device::select::{Adapter, AdapterKind};
use crate::kernels::cooperative;
use crate::kernels::gpu::Limits;

/// All adapters; none where there is no driver.
pub fn list() -> Vec<Adapter> {
    find().into_iter().map(|(adapter, _)| adapter).collect()
}

pub(super) fn find() -> Vec<(Adapter, wgpu::Adapter)> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL;
    let descriptor = wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let handles = pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(backends));
    handles.into_iter().enumerate().map(|(index, handle)| (describe(index, &handle), handle)).collect()
}

/// What the shaders of cooperative matrices need.
pub(super) const COOPERATIVE: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16).union(wgpu::Features::SUBGROUP);

/// Sizes of the cooperative matrices that multiply f16 and add f32, the largest first.
pub(super) fn cooperative_sizes(handle: &wgpu::Adapter) -> Vec<u8> {
    use wgpu::CooperativeScalarType::{F16, F32};
    if !handle.features().contains(COOPERATIVE) {
        return Vec::new();
    }
    let listed = handle.cooperative_matrix_properties();
    let has = |n: u32| listed.iter().any(|p| [p.m_size, p.n_size, p.k_size] == [n; 3] && (p.ab_type, p.cr_type) == (F16, F32));
    cooperative::SIZES.into_iter().filter(|&n| has(n.into())).collect()
}

fn describe(index: usize, handle: &wgpu::Adapter) -> Adapter {
    let info = handle.get_info();
    let limits = handle.limits();
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
        wgpu::DeviceType::Other => AdapterKind::Other,
        wgpu::DeviceType::Cpu => AdapterKind::Software,
    };
    let features = [
        ("timestamps", wgpu::Features::TIMESTAMP_QUERY),
        ("f16", wgpu::Features::SHADER_F16),
        ("subgroups", wgpu::Features::SUBGROUP),
        ("cooperative matrices", wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
        ("pipeline cache", wgpu::Features::PIPELINE_CACHE),
    ];
    Adapter {
        index,
        name: info.name,
        kind,
        backend: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        limits: Limits {
            max_binding: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            alignment: u64::from(limits.min_storage_buffer_offset_alignment),
            max_workgroups: limits.max_compute_workgroups_per_dimension,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            invocations: limits.max_compute_invocations_per_workgroup,
        },
        max_buffer: limits.max_buffer_size,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        features: features.iter().filter(|(_, f)| handle.features().contains(*f)).map(|(name, _)| *name).collect(),
    }
}
