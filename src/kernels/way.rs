//! The ways in which the CPU computes a convolution, and which of them a layer takes.

use super::Choice;
use super::conv::Conv;
use super::winograd::applies;

/// How the CPU computes a convolution, forward and backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Direct products of f32 (a room's `cpu.rs`): any shape.
    Direct,
    /// F(3,3) (`winograd.rs`): wide layers of kernel 3.
    Winograd,
    /// Direct products of pairs of bf16 on a matrix unit (`matrices.rs`), which multiplies so fast that F(3,3)'s transforms
    /// would cost more than they save: the same layers, in mixed precision.
    Matrices,
}

impl Way {
    /// `None` where a GPU computes.
    pub fn of(conv: &Conv, choice: &Choice) -> Option<Way> {
        match choice.is_native() {
            false => None,
            true if !applies(conv, choice) => Some(Way::Direct),
            true if choice.isa().has_matrices() => Some(Way::Matrices),
            true => Some(Way::Winograd),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conv::cases;
    use super::super::products::Isa;
    use super::super::winograd::{PAIRS, SIZE};
    use super::super::{Family, Precision};
    use super::*;

    /// Of shapes that miss one condition each.
    #[test]
    fn a_layer_is_computed_in_the_way_that_its_shape_suits() {
        let f32 = Choice::native(Isa::Avx512);
        let mixed = |isa| Choice::native(isa).in_precision(Precision::Mixed);
        // clips, positions, channels, taps, stride, pool of a case; whether it is wide enough by itself, and if it is asked for.
        let wanted = [
            ([2, 27, 64, 64, 3, 1, 3], [true, true]),
            ([5, 10, 68, 64, 3, 1, 1], [true, true]),
            ([3, 29, 36, 32, 3, 1, 3], [false, true]),
            ([2, 18, 64, 64, 3, 1, 2], [false, false]),
            ([2, 9, 64, 64, 1, 1, 1], [false, false]),
            ([2, 20, 64, 64, 2, 1, 1], [false, false]),
            ([1, 30, 64, 64, 3, 3, 1], [false, false]),
        ];
        for ([clips, input, cin, cout, taps, stride, pool], [wide, asked]) in wanted {
            let case = cases().into_iter().find(|case| {
                let c = &case.conv;
                (c.clips, c.input, c.cin, c.cout) == (clips, input, cin, cout)
                    && (c.taps, c.stride, c.windows.size) == (taps, stride, pool)
            });
            let conv = case.unwrap_or_else(|| panic!("no case {clips} x {input}, {cin} to {cout}")).conv;
            let of = |choice: &Choice| Way::of(&conv, choice);
            for (choice, way) in [
                (f32.clone(), Way::Winograd),
                (mixed(Isa::Avx512Bf16).with(PAIRS, 1), Way::Winograd),
                (mixed(Isa::Amx), Way::Matrices),
                (mixed(Isa::AmxTwin), Way::Matrices),
            ] {
                let expected = |suits| Some(if suits { way } else { Way::Direct });
                assert_eq!(of(&choice), expected(wide), "{choice}: {conv:?}");
                assert_eq!(of(&choice.clone().with(SIZE, 3)), expected(asked), "{choice}: {conv:?}");
                assert_eq!(of(&choice.with(SIZE, 1)), Some(Way::Direct), "{conv:?}");
            }
            assert_eq!(of(&Choice::gpu(Family::Winograd)), None);
        }
    }
}
