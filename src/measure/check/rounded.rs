//! What mixed precision rounds, done to the reference in f64: values that are stored in bf16, and the operands of F(3,3)'s
//! products (`kernels/winograd`). So a kernel is held closely against the same roundings in exact sums.

use crate::kernels::bf16::Bf16;
use crate::kernels::conv::Conv;
use crate::kernels::f16::F16;
use crate::kernels::reference::ConvolutionGradient;
use crate::tensor::DType;

/// To bf16, as a kernel that has it in f32.
pub fn rounded(value: f64) -> f64 {
    f32::from(Bf16::from(value as f32)).into()
}

/// To an element type, as a kernel that has it in f32; the number itself where that is no 16 bits.
pub fn to(stored: DType, value: f64) -> f64 {
    match stored {
        DType::Bf16 => rounded(value),
        DType::F16 => f32::from(F16::from(value as f32)).into(),
        _ => value,
    }
}

/// F(3,3)'s matrices on the points 0, 1, -1, 2, infinity (`algebra.md`, 5).
const INPUT: [[f64; 5]; 5] = [
    [1.0, -0.5, -1.0, 0.5, 0.0],
    [0.0, 1.0, 0.5, -0.5, 0.0],
    [0.0, -2.0 / 3.0, 1.0, -1.0 / 3.0, 0.0],
    [0.0, -1.0, 0.0, 1.0, 0.0],
    [0.0, 1.0, -0.5, -1.0, 0.5],
];
pub const WEIGHT: [[f64; 3]; 5] =
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, -0.5, 0.5], [1.0 / 6.0, 1.0 / 3.0, 2.0 / 3.0], [0.0, 0.0, 2.0]];
const OUTPUT: [[f64; 5]; 3] = [[1.0, 1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, 2.0, 0.0], [0.0, 1.0, 1.0, 4.0, 1.0]];

/// A kernel-3 convolution by F(3,3) with rounded operands: a `[clip, input, cin]`, w `[tap, cin, cout]`.
pub struct Tiles<'a> {
    conv: &'a Conv,
    a: &'a [f64],
    /// U, rounded: `[product, cin, cout]`.
    u: Vec<f64>,
    /// Positions by which the first tile begins before the first position.
    left: usize,
    /// Tiles a clip.
    count: usize,
}

impl<'a> Tiles<'a> {
    pub fn new(conv: &'a Conv, a: &'a [f64], w: &[f64]) -> Tiles<'a> {
        let each = conv.cin * conv.cout;
        let element = |j: usize| (0..3).map(|tap| WEIGHT[j / each][tap] * w[tap * each + j % each]).sum();
        let u = (0..5 * each).map(|j| rounded(element(j))).collect();
        let left = if conv.unpooled() { 0 } else { conv.windows.left };
        Tiles { conv, a, u, left, count: (conv.length() + left).div_ceil(3) }
    }

    /// Where tile `t` of a clip has its `k`th output and where its `k`th input, if there is one.
    fn place(&self, t: usize, k: usize, padding: usize, length: usize) -> Option<usize> {
        (3 * t + k).checked_sub(self.left + padding).filter(|&l| l < length)
    }

    fn input(&self, t: usize, k: usize) -> Option<usize> {
        self.place(t, k, self.conv.padding[0], self.conv.input)
    }

    fn output(&self, t: usize, k: usize) -> Option<usize> {
        self.place(t, k, 0, self.conv.length())
    }

    /// V of a tile, rounded: `[product, cin]`.
    fn v(&self, clip: usize, t: usize) -> Vec<f64> {
        let c = self.conv.cin;
        let read = |k: usize, i: usize| self.input(t, k).map_or(0.0, |j| self.a[(clip * self.conv.input + j) * c + i]);
        (0..5 * c).map(|j| rounded((0..5).map(|k| INPUT[j / c][k] * read(k, j % c)).sum())).collect()
    }

    /// z `[clip, length, cout]`, not yet rounded.
    pub fn forward(&self) -> Vec<f64> {
        let Conv { clips, cin, cout, .. } = *self.conv;
        let mut z = vec![0.0; self.conv.positions() * cout];
        for (clip, t) in (0..clips).flat_map(|clip| (0..self.count).map(move |t| (clip, t))) {
            let v = self.v(clip, t);
            let mut m = vec![0.0; 5 * cout];
            for (row, (product, i)) in (0..5).flat_map(|product| (0..cin).map(move |i| (product, i))).enumerate() {
                for o in 0..cout {
                    m[product * cout + o] += v[product * cin + i] * self.u[row * cout + o];
                }
            }
            for (k, l) in (0..3).filter_map(|k| Some((k, self.output(t, k)?))) {
                for o in 0..cout {
                    z[(clip * self.conv.length() + l) * cout + o] = (0..5).map(|i| OUTPUT[k][i] * m[i * cout + o]).sum();
                }
            }
        }
        z
    }

    /// The gradients from dz `[clip, length, cout]`, not rounded themselves; of the bias there is none.
    pub fn backward(&self, dz: &[f64]) -> ConvolutionGradient<f64> {
        let Conv { clips, cin, cout, input, .. } = *self.conv;
        let mut du = vec![0.0; 5 * cin * cout];
        let mut a = vec![0.0; self.a.len()];
        for (clip, t) in (0..clips).flat_map(|clip| (0..self.count).map(move |t| (clip, t))) {
            let v = self.v(clip, t);
            let read = |k: usize, o: usize| self.output(t, k).map_or(0.0, |l| dz[(clip * self.conv.length() + l) * cout + o]);
            let dm: Vec<f64> =
                (0..5 * cout).map(|j| rounded((0..3).map(|k| OUTPUT[k][j / cout] * read(k, j % cout)).sum())).collect();
            for (row, (product, i)) in (0..5).flat_map(|product| (0..cin).map(move |i| (product, i))).enumerate() {
                let mut dv = 0.0;
                for o in 0..cout {
                    du[row * cout + o] += v[row] * dm[product * cout + o];
                    dv += dm[product * cout + o] * self.u[row * cout + o];
                }
                for (k, j) in (0..5).filter_map(|k| Some((k, self.input(t, k)?))) {
                    a[(clip * input + j) * cin + i] += INPUT[product][k] * dv;
                }
            }
        }
        let each = cin * cout;
        let element = |j: usize| (0..5).map(|product| WEIGHT[product][j / each] * du[product * each + j % each]).sum();
        ConvolutionGradient { a, w: (0..3 * each).map(element).collect(), bias: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_even_and_what_is_no_number_stays_none() {
        // 1 + 2^-7 is the number after 1; halves between neighbours go to the even one.
        let unit = 2f64.powi(-7);
        for (value, to) in [
            (1.0 + 0.5 * unit, 1.0),
            (1.0 + 0.51 * unit, 1.0 + unit),
            (1.0 + 1.5 * unit, 1.0 + 2.0 * unit),
            (-1.0 - 0.5 * unit, -1.0),
            (2.0 - 0.4 * unit, 2.0),
            (3.4e38, f64::INFINITY),
            (f64::NEG_INFINITY, f64::NEG_INFINITY),
        ] {
            assert_eq!(rounded(value), to, "{value}");
        }
        assert!(f32::from(Bf16::from(f32::from_bits(0x7fff_ffff))).is_nan());
        assert!(f32::from(Bf16::from(f32::from_bits(0xff80_0001))).is_nan());
    }
}
