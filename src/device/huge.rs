//! Memory in huge pages: with small ones a step takes half a million page faults, and every pass over z misses the TLB.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::error::{Error, Result};

/// A huge page of x86-64, and of AArch64 with pages of 4 KiB.
const PAGE: usize = 2 << 20;

/// Zeroed memory that begins with a huge page. That the system gives some is only a wish: where it does not, pages are
/// small.
pub struct Huge {
    /// A page longer than what is used of it: a mapping begins anywhere. What is not touched takes no memory.
    map: MmapMut,
    start: usize,
    length: usize,
}

impl Huge {
    pub fn zeroed(bytes: usize) -> Result<Huge> {
        let length = bytes.max(1).next_multiple_of(PAGE);
        let map = MmapMut::map_anon(length + PAGE).map_err(|e| {
            Error::device(format!("cannot get {} MiB of memory: {e}", bytes >> 20)).help("Take a smaller --batch.")
        })?;
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = map.as_ptr().align_offset(PAGE);
        Ok(Huge { map, start, length })
    }
}

impl Deref for Huge {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[self.start..][..self.length]
    }
}

impl DerefMut for Huge {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map[self.start..][..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_a_huge_page_and_is_whole_ones() {
        for (bytes, length) in [(0, PAGE), (1, PAGE), (PAGE, PAGE), (PAGE + 1, 2 * PAGE)] {
            let mut memory = Huge::zeroed(bytes).unwrap();
            assert!(memory.len() == length && memory.as_ptr().align_offset(PAGE) == 0);
            assert!(memory.iter().all(|&b| b == 0));
            memory[length - 1] = 1;
        }
    }
}
