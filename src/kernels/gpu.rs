//! What a kernel says of its work on a GPU, as plain data: which shader, with which constants,
//! on which ranges of which operands, in how many workgroups. No wgpu here: `device/gpu` reads it.

use super::{Access, Family};

/// What an adapter allows, as far as kernels must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one storage binding.
    pub max_binding: u64,
    /// Bytes that a binding's offset is a multiple of.
    pub alignment: u64,
    /// Workgroups in each dimension.
    pub max_workgroups: u32,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Invocations a workgroup.
    pub invocations: u32,
}

impl Limits {
    /// What WebGPU promises everywhere.
    pub const WEBGPU: Limits =
        Limits { max_binding: 128 << 20, alignment: 256, max_workgroups: 65_535, workgroup_memory: 16 << 10, invocations: 256 };
}

/// A value for a top-level `const` line of a shader, or a type for an `alias` line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    U32(u32),
    F32(f32),
    Type(&'static str),
}

/// One binding of group 0, in the order of the shader's `@binding` numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Place in the kernel's operands.
    pub operand: usize,
    /// Bytes from the operand's beginning; a multiple of `Limits::alignment`.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// As the shader declares it: `Read` is `var<storage, read>`, all else `read_write`.
    pub access: Access,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// File stem under `shaders/`, for example `conv_forward.tiled`.
    pub shader: &'static str,
    pub entry: &'static str,
    /// Values of top-level `const` and `alias` lines, by name. A name that the shader has not is an error.
    pub constants: Vec<(&'static str, Value)>,
    pub bindings: Vec<Binding>,
    pub workgroups: [u32; 3],
}

/// The shader of a kernel in a family: `NAME`, or in all but the plain one `NAME.tiled`; kernels without a tiled
/// shader use the plain one everywhere. What is no convolution has no other families: theirs take the tiled one.
pub fn shader_name(plain: &'static str, tiled: &'static str, family: Family) -> &'static str {
    if family == Family::Plain { plain } else { tiled }
}

/// A grid of `groups` workgroups that stays within the limit of each dimension: `[x, y, 1]` with
/// x·y at least `groups`. The shader numbers them `group.x + group.y * GRID`, GRID being x, and
/// leaves those past the end.
pub fn grid(groups: usize, limits: &Limits) -> [u32; 3] {
    let groups = word(groups.max(1));
    let rows = groups.div_ceil(limits.max_workgroups);
    [groups.div_ceil(rows), rows, 1]
}

/// Invocations a workgroup of the shaders in which an invocation owns one element.
pub const LINE: usize = 64;

/// A grid of workgroups of [`LINE`] invocations, one for each of `elements`.
pub fn line(elements: usize, limits: &Limits) -> [u32; 3] {
    grid(elements.div_ceil(LINE), limits)
}

/// A size as the u32 of shaders and grids. What is larger becomes the largest there is, not some small number: dispatches
/// are made before the device refuses tensors of such sizes by their names.
pub fn word(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The same as a shader's constant.
pub fn count(n: usize) -> Value {
    Value::U32(word(n))
}

/// Sizes as constants.
pub fn numbers(sizes: &[(&'static str, usize)]) -> impl Iterator<Item = (&'static str, Value)> {
    sizes.iter().map(|&(name, size)| (name, count(size)))
}

/// A binding of a whole operand.
pub fn whole(operands: &[super::Operand], operand: usize) -> Binding {
    let of = &operands[operand];
    Binding { operand, offset: 0, length: of.bytes() as u64, access: of.access }
}
