//! Dispatches over clips: the tensors that grow with the batch are bound by ranges of clips where
//! one binding of the adapter does not hold them whole, and a step becomes several dispatches.

use std::ops::Range;

use super::gpu::{Binding, Dispatch, Limits, Value, grid, word};
use super::{Access, Operand};

/// How a dispatch binds one operand.
#[derive(Clone, Copy, Debug)]
pub enum Bind {
    /// All of it.
    Whole(usize),
    /// The range's clips; the named constant is how many words (of 4 bytes) of the binding lie
    /// before them.
    Clips(usize, &'static str),
    /// A binding that the shader declares and does not touch in this shape: the beginning of any
    /// operand of the same access.
    Unused(usize),
    /// The first clips of a scratch tensor, as many as the range has: written.
    Made(usize),
    /// The same, read.
    Held(usize),
}

/// Ranges of `units` (clips, parts) such that for each tensor, given its bytes a unit, a range fits
/// one binding, and one dimension of a grid. Where it can, a range begins at an aligned place
/// in every tensor, so that all dispatches have the same constants. A single unit that does not fit
/// is still given; the device refuses it by name.
pub fn ranges(sizes: &[u64], units: usize, limits: &Limits) -> Vec<Range<usize>> {
    let most = limits.max_workgroups as usize;
    if units <= most && sizes.iter().all(|bytes| bytes * units as u64 <= limits.max_binding) {
        return std::iter::once(0..units).collect();
    }
    let mut fits = most;
    let mut period = 1;
    for &bytes in sizes.iter().filter(|&&b| b > 0) {
        let before = if bytes % limits.alignment == 0 { 0 } else { limits.alignment - 4 };
        fits = fits.min((limits.max_binding.saturating_sub(before) / bytes) as usize);
        // Alignments are powers of two, so the largest period holds the others.
        period = period.max((limits.alignment >> bytes.trailing_zeros().min(limits.alignment.ilog2())) as usize);
    }
    let each = if fits >= period { fits / period * period } else { fits.max(1) };
    (0..units).step_by(each).map(|first| first..units.min(first + each)).collect()
}

/// The binding of a range of an operand's units, and how many 4-byte words of it lie before them.
pub fn binding(operands: &[Operand], operand: usize, units: usize, range: &Range<usize>, limits: &Limits) -> (Binding, u32) {
    let of = &operands[operand];
    let each = (of.bytes() / units) as u64;
    let start = range.start as u64 * each;
    let offset = start / limits.alignment * limits.alignment;
    let length = range.end as u64 * each - offset;
    (Binding { operand, offset, length, access: of.access }, word(((start - offset) / 4) as usize))
}

/// One shader over all clips: `groups` workgroups a clip in x and y (the constant GRID is x), clips in z.
pub fn dispatches(
    shader: &'static str,
    constants: &[(&'static str, Value)],
    binds: &[Bind],
    groups: usize,
    clips: usize,
    operands: &[Operand],
    limits: &Limits,
) -> Vec<Dispatch> {
    let sizes: Vec<u64> = binds
        .iter()
        .filter_map(|b| if let Bind::Clips(operand, _) = b { Some((operands[*operand].bytes() / clips) as u64) } else { None })
        .collect();
    let one = |range| Part { clips, range, operands, limits }.dispatch(shader, constants, binds, groups);
    ranges(&sizes, clips, limits).into_iter().map(one).collect()
}

/// A range of the clips of a call.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    pub clips: usize,
    pub range: Range<usize>,
    pub operands: &'a [Operand],
    pub limits: &'a Limits,
}

impl Part<'_> {
    /// One shader over these clips: `groups` workgroups a clip in x and y (the constant GRID is x), clips in z.
    pub fn dispatch(&self, shader: &'static str, constants: &[(&'static str, Value)], binds: &[Bind], groups: usize) -> Dispatch {
        let [x, y, _] = grid(groups, self.limits);
        let mut constants = constants.to_vec();
        constants.push(("GRID", Value::U32(x)));
        let bind = |b: &Bind| match *b {
            Bind::Whole(operand) => super::gpu::whole(self.operands, operand),
            Bind::Clips(operand, name) => {
                let (binding, before) = binding(self.operands, operand, self.clips, &self.range, self.limits);
                constants.push((name, Value::U32(before)));
                binding
            }
            Bind::Unused(operand) => {
                let of = &self.operands[operand];
                let access = if of.access == Access::Read { Access::Read } else { Access::Update };
                Binding { operand, offset: 0, length: of.bytes().min(256) as u64, access }
            }
            Bind::Made(operand) | Bind::Held(operand) => {
                let of = &self.operands[operand];
                let length = (of.bytes() / of.shape[0] * self.range.len()) as u64;
                let access = if let Bind::Held(_) = b { Access::Read } else { Access::Write };
                Binding { operand, offset: 0, length, access }
            }
        };
        let bindings = binds.iter().map(bind).collect();
        Dispatch { shader, entry: "main", constants, bindings, workgroups: [x, y, word(self.range.len())] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_all_fit_and_begin_aligned_where_they_can() {
        let limits = Limits { max_binding: 8 << 10, ..Limits::WEBGPU };
        // 1 KiB a clip: aligned, eight at a time.
        assert_eq!(ranges(&[1024], 20, &limits), [0..8, 8..16, 16..20]);
        // 96 bytes a clip begin aligned at every eighth: 80, not 82 at a time.
        assert_eq!(ranges(&[96], 100, &limits), [0..80, 80..100]);
        // 3000 bytes begin aligned at every 32nd only, and two fit.
        assert_eq!(ranges(&[3000, 16], 5, &limits), [0..2, 2..4, 4..5]);
        assert_eq!(ranges(&[3000], 2, &limits).len(), 1);
        assert_eq!(ranges(&[9000], 2, &limits), [0..1, 1..2]);
        assert_eq!(ranges(&[4], 5, &Limits { max_workgroups: 2, ..limits }).len(), 3);
    }

    #[test]
    fn a_range_that_begins_off_alignment_says_by_how_much() {
        let limits = Limits { max_binding: 8 << 10, ..Limits::WEBGPU };
        let operands = [Operand::read("z", &[5, 750])];
        let (bound, before) = binding(&operands, 0, 5, &(2..4), &limits);
        assert_eq!((bound.offset, before, bound.length), (5888, 28, 12_000 - 5888));
        assert!(bound.length <= limits.max_binding);
    }
}
