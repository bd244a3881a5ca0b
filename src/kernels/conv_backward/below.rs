//! The end of the input's gradient: the mask of the layer below, and that layer's sums.

use crate::kernels::blocks::Reader;
use crate::kernels::conv::{Conv, norm};
use crate::kernels::cpu::Shared;

pub struct Below<'a, 'b> {
    pub conv: &'a Conv,
    pub reader: &'a Reader<'b>,
    /// Where dy' goes, if the layer below is stored.
    pub dy: Option<Shared<'b, f32>>,
}

impl Below<'_, '_> {
    /// Finishes input position `j` of a clip, the channels from `from` on that `da` holds: writes their dy' and adds
    /// them to `sums` `[sum, cin]`. `da` becomes dy'. Every position and channel is finished once.
    #[inline(always)]
    pub fn finish(&self, clip: usize, j: usize, from: usize, da: &mut [f32], sums: &mut [f32]) {
        let (conv, c, n) = (self.conv, self.conv.cin, da.len());
        match self.reader {
            Reader::Below { below, norm } => {
                let at = (clip * conv.input + j) * c + from;
                let p = &below[at..][..n];
                let [scale, shift, mean, r] = [norm::SCALE, norm::SHIFT, norm::MEAN, norm::R].map(|k| &norm[k * c + from..][..n]);
                let dy = self.dy.as_ref().expect("a stored layer below takes its gradient");
                // SAFETY: every input position and channel is finished once.
                let dy = unsafe { dy.range(at..at + n) };
                let (sum, sum_normal) = sums.split_at_mut(c);
                let (sum, sum_normal) = (&mut sum[from..][..n], &mut sum_normal[from..][..n]);
                for i in 0..n {
                    let masked = if scale[i] * p[i] + shift[i] > 0.0 { da[i] } else { 0.0 };
                    dy[i] = masked;
                    sum[i] += masked;
                    sum_normal[i] += masked * ((p[i] - mean[i]) * r[i]);
                }
            }
            Reader::FirstLayer { layer, .. } => {
                let mut patch = [0.0f32; 9];
                let patch = &mut patch[..layer.kernel];
                self.reader.patch(clip, j, patch);
                // By vectors that fit every panel: the mask is layer 1's, computed again.
                for (part, da) in da.chunks_mut(PART).enumerate() {
                    let (from, n) = (from + part * PART, da.len());
                    let mut a = [0.0f32; PART];
                    let a = &mut a[..n];
                    self.reader.part(clip, j, conv, from, a);
                    for i in 0..n {
                        da[i] = if a[i] > 0.0 { da[i] } else { 0.0 };
                    }
                    let mut sums = sums.chunks_exact_mut(c).map(|sum| &mut sum[from..][..n]);
                    for (x, sum) in patch.iter().zip(&mut sums) {
                        for i in 0..n {
                            sum[i] += x * da[i];
                        }
                    }
                    let sum = sums.next().expect("a sum a tap and one more");
                    for i in 0..n {
                        sum[i] += da[i];
                    }
                }
            }
            Reader::Wave { .. } => unreachable!("a wave has no gradient"),
        }
    }
}

/// Channels whose activations are computed again together.
const PART: usize = 32;
