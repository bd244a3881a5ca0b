//! What a CPU kernel is handed: its operands in memory and a working space a thread.

use std::marker::PhantomData;
use std::ops::Range;

use super::Operand;

/// One operand's memory.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub pointer: *mut u8,
    /// In bytes.
    pub length: usize,
}

// SAFETY: a place is only an address; `Arguments` says who may touch what lies there.
unsafe impl Send for Place {}
unsafe impl Sync for Place {}

/// The operands of one call, in the order of [`super::Kernel::operands`], and the threads'
/// working spaces.
pub struct Arguments<'a> {
    places: &'a [Place],
    /// One piece of working space a thread of the pool, all of the same length.
    workspace: Shared<'a, f32>,
    workspace_each: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Arguments<'a> {
    /// # Safety
    /// Places are those of the kernel's operands, in their order and of their lengths. Every place is
    /// valid memory, aligned to 64 bytes, for `'a`; places of operands that are written overlap no other place; nobody else touches any of them during `'a`.
    /// `workspace` holds `workspace_each` values for each thread of the pool that calls.
    pub unsafe fn new(places: &'a [Place], workspace: &'a mut [f32], workspace_each: usize) -> Arguments<'a> {
        Arguments { places, workspace: Shared::new(workspace), workspace_each, memory: PhantomData }
    }

    /// An operand that is read, of any element type.
    pub fn slice<T: bytemuck::Pod>(&self, operand: usize) -> &'a [T] {
        let place = self.places[operand];
        // SAFETY: the constructor's promise.
        unsafe { std::slice::from_raw_parts(place.pointer.cast::<T>(), place.length / size_of::<T>()) }
    }

    /// An f32 operand that is read.
    pub fn read(&self, operand: usize) -> &'a [f32] {
        self.slice(operand)
    }

    /// The clips.
    pub fn samples(&self, operand: usize) -> &'a [i16] {
        self.slice(operand)
    }

    /// An operand that is written, to be shared out among threads in disjoint ranges.
    pub fn write(&self, operand: usize) -> Shared<'a, f32> {
        self.share(operand)
    }

    /// The same for u32.
    pub fn write_u32(&self, operand: usize) -> Shared<'a, u32> {
        self.share(operand)
    }

    /// The same for any element type.
    pub fn share<T: bytemuck::Pod>(&self, operand: usize) -> Shared<'a, T> {
        let place = self.places[operand];
        Shared { pointer: place.pointer.cast(), length: place.length / size_of::<T>(), memory: PhantomData }
    }

    /// This thread's working space: contents undefined, 64-byte aligned.
    ///
    /// # Safety
    /// Called once a task, from a thread of the pool; the slice is not kept past the task.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn workspace(&self) -> &'a mut [f32] {
        let thread = rayon::current_thread_index().unwrap_or(0);
        // SAFETY: a thread runs one task at a time, and tasks here do not wait on others.
        unsafe { self.workspace.range(thread * self.workspace_each..(thread + 1) * self.workspace_each) }
    }
}

/// Memory that several tasks write in disjoint ranges.
#[derive(Clone, Copy)]
pub struct Shared<'a, T> {
    pointer: *mut T,
    length: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: access goes through `range`, whose caller promises that ranges are disjoint.
unsafe impl<T: Send> Send for Shared<'_, T> {}
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub fn new(slice: &'a mut [T]) -> Shared<'a, T> {
        Shared { pointer: slice.as_mut_ptr(), length: slice.len(), memory: PhantomData }
    }

    pub fn len(&self) -> usize {
        self.length
    }

    /// Where it begins, for writing a vector at a time: ranges as for [`Shared::range`].
    pub fn pointer(&self) -> *mut T {
        self.pointer
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// # Safety
    /// No other live slice of this memory overlaps the range.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.length);
        // SAFETY: in bounds by the line above, disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(range.start), range.end - range.start) }
    }

    /// # Safety
    /// No other live slice of this memory exists.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn all(&self) -> &'a mut [T] {
        // SAFETY: the caller's promise.
        unsafe { self.range(0..self.length) }
    }
}

/// Whether rows of `c` values from `at` on are whole lines of the cache, so that stores may go past it.
pub fn whole_lines<T>(at: *const T, c: usize) -> bool {
    (c * size_of::<T>()).is_multiple_of(64) && at.align_offset(64) == 0
}

/// Runs a kernel on vectors, for tests and `check`: allocates the operands, fills the inputs,
/// runs on the current Rayon pool and returns every operand.
/// `inputs` gives bytes for operands that are read; others start as NaN. Panics if the kernel wrote
/// behind the end of an operand.
pub fn run_alone(kernel: &dyn super::Kernel, inputs: &dyn Fn(&Operand) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    #[repr(align(64))]
    #[derive(Clone, Copy)]
    struct Line([u8; 64]);
    const GUARD: u8 = 0xff;
    let operands = kernel.operands();
    let mut memory: Vec<Vec<Line>> = Vec::new();
    for operand in &operands {
        // One line more than is needed, for the guard.
        let mut lines = vec![Line([GUARD; 64]); operand.bytes().div_ceil(64) + 1];
        if let Some(bytes) = inputs(operand) {
            assert_eq!(bytes.len(), operand.bytes(), "{}", operand.name);
            for (line, chunk) in lines.iter_mut().zip(bytes.chunks(64)) {
                line.0[..chunk.len()].copy_from_slice(chunk);
            }
        }
        memory.push(lines);
    }
    let places: Vec<Place> = memory
        .iter_mut()
        .zip(&operands)
        .map(|(lines, o)| Place { pointer: lines.as_mut_ptr().cast(), length: o.bytes() })
        .collect();
    let each = kernel.workspace().next_multiple_of(16);
    let mut workspace = vec![Line([0xff; 64]); (each / 16 * rayon::current_num_threads()).max(1)];
    // SAFETY: a Line is 64 bytes, 16 floats, without padding.
    let floats = unsafe { std::slice::from_raw_parts_mut(workspace.as_mut_ptr().cast::<f32>(), workspace.len() * 16) };
    // SAFETY: every operand has its own vector, alive until the end of this function.
    kernel.run(&unsafe { Arguments::new(&places, floats, each) });
    let whole = operands.iter().zip(&memory).map(|(operand, lines)| {
        let mut bytes: Vec<u8> = lines.iter().flat_map(|l| l.0).collect();
        let behind = bytes.split_off(operand.bytes());
        assert!(behind.iter().all(|&b| b == GUARD), "{} wrote behind the end of {}", kernel.name(), operand.name);
        bytes
    });
    whole.collect()
}
