//! f16, IEEE 754's 16 bits: what mixed precision stores on a GPU, with 11 bits of significand and exponents from -14 to
//! 15. Shaders round by their own text; this is its twin for whoever makes or reads their tensors.

use bytemuck::{Pod, Zeroable};

/// An f16: sign, 5 bits of exponent, 10 bits of fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct F16(pub u16);

impl From<f32> for F16 {
    /// To nearest, ties to even; what is no number stays none.
    fn from(x: f32) -> F16 {
        let (bits, size) = (x.to_bits(), x.abs().to_bits());
        let half = match size {
            0x7f80_0001.. => 0x7e00,
            // Half a step past 65504.
            0x477f_f000.. => 0x7c00,
            0x3880_0000.. => (size + 0xfff + (size >> 13 & 1) - 0x3800_0000) >> 13,
            // Below 2^-14 a step is 2^-24.
            _ => (x.abs() * 16_777_216.0).round_ties_even() as u32,
        };
        F16((half | bits >> 16 & 0x8000) as u16)
    }
}

impl From<F16> for f32 {
    fn from(x: F16) -> f32 {
        let (exponent, fraction) = (u32::from(x.0 >> 10 & 0x1f), u32::from(x.0 & 0x3ff));
        let size = match exponent {
            0 => fraction as f32 / 16_777_216.0,
            0x1f => f32::from_bits(0x7f80_0000 | fraction << 13),
            _ => f32::from_bits(((exponent + 112) << 23) | (fraction << 13)),
        };
        if x.0 >> 15 == 1 { -size } else { size }
    }
}

/// Rows of `row` values as a tensor's bytes: see [`crate::tensor::DType::F16`].
pub fn packed(values: &[f32], row: usize) -> Vec<u8> {
    let rows = values.chunks(row).flat_map(|r| r.iter().copied().chain((row % 2 == 1).then_some(0.0)));
    rows.flat_map(|v| F16::from(v).0.to_le_bytes()).collect()
}

/// The values of a tensor's bytes, rows of `row`.
pub fn unpacked(bytes: &[u8], row: usize) -> Vec<f32> {
    let value = |b: &[u8]| F16(u16::from_le_bytes([b[0], b[1]])).into();
    bytes.chunks_exact(2 * row.next_multiple_of(2)).flat_map(|r| r.chunks_exact(2).take(row).map(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_and_ties_go_to_even() {
        for bits in 0..=u16::MAX {
            let wide = f32::from(F16(bits));
            let back = F16::from(wide);
            assert!(back.0 == bits || wide.is_nan() && f32::from(back).is_nan(), "{bits:04x} {wide} {:04x}", back.0);
        }
        let unit = 2f32.powi(-10);
        for (value, to) in [
            (1.0 + 0.5 * unit, 1.0),
            (1.0 + 0.51 * unit, 1.0 + unit),
            (-1.0 - 1.5 * unit, -1.0 - 2.0 * unit),
            (2.0 - 0.2 * unit, 2.0),
            (65519.0, 65504.0),
            (65520.0, f32::INFINITY),
            (-1e30, f32::NEG_INFINITY),
            (2f32.powi(-25), 0.0),
            (1.1 * 2f32.powi(-25), 2f32.powi(-24)),
            (1.5 * 2f32.powi(-24), 2f32.powi(-23)),
            (2f32.powi(-14) - 2f32.powi(-26), 2f32.powi(-14)),
        ] {
            assert_eq!(f32::from(F16::from(value)), to, "{value}");
        }
    }

    #[test]
    fn odd_rows_are_filled_up() {
        let values = [1.0, -2.0, 0.5, 4.0, 5.0, 6.0];
        assert_eq!(packed(&values, 3).len(), 16);
        assert_eq!(unpacked(&packed(&values, 3), 3), values);
        assert_eq!(unpacked(&packed(&values, 2), 2), values);
    }
}
