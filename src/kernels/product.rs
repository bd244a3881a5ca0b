//! The products of a convolution, each of which a choice may compute in a family of its own.

use super::Family;

/// A product of a layer's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// z: reduces over (tap, cin), gives cout.
    Forward,
    /// dw: reduces over positions, gives (tap, cin, cout). The one that reads no weights.
    WeightGradient,
    /// da: reduces over (tap, cout), gives cin.
    InputGradient,
}

impl Product {
    /// In the order in which they are tuned.
    pub const ALL: [Product; 3] = [Product::Forward, Product::WeightGradient, Product::InputGradient];

    /// Its name: in configurations, where it is a room ([`super::Choice::rooms`]), and in those of its shaders.
    pub const fn name(self) -> &'static str {
        self.shader(Family::Plain)
    }

    /// The kernel that computes it.
    pub const fn kernel(self) -> &'static str {
        match self {
            Product::Forward => "conv_forward",
            Product::WeightGradient | Product::InputGradient => "conv_backward",
        }
    }

    /// The shader of a GPU's family; what F(3,3) multiplies goes through the registers'.
    pub const fn shader(self, family: Family) -> &'static str {
        use Product::{Forward, InputGradient, WeightGradient};
        match (self, family) {
            (Forward, Family::Plain) => "conv_forward",
            (Forward, Family::Tiled | Family::Native(_)) => "conv_forward.tiled",
            (Forward, Family::Registers | Family::Winograd) => "conv_forward.registers",
            (Forward, Family::Cooperative(_)) => "conv_forward.cooperative",
            (WeightGradient, Family::Plain) => "conv_weight_gradient",
            (WeightGradient, Family::Tiled | Family::Native(_)) => "conv_weight_gradient.tiled",
            (WeightGradient, Family::Registers | Family::Winograd) => "conv_weight_gradient.registers",
            (WeightGradient, Family::Cooperative(_)) => "conv_weight_gradient.cooperative",
            (InputGradient, Family::Plain) => "conv_input_gradient",
            (InputGradient, Family::Tiled | Family::Native(_)) => "conv_input_gradient.tiled",
            (InputGradient, Family::Registers | Family::Winograd) => "conv_input_gradient.registers",
            (InputGradient, Family::Cooperative(_)) => "conv_input_gradient.cooperative",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::shaders;
    use super::*;

    #[test]
    fn names_are_those_that_configurations_keep_and_shaders_begin_with() {
        assert_eq!(Product::ALL.map(Product::name), ["conv_forward", "conv_weight_gradient", "conv_input_gradient"]);
        for product in Product::ALL {
            for family in [Family::Plain, Family::Tiled, Family::Registers, Family::Cooperative(8)] {
                let shader = product.shader(family);
                assert_eq!(
                    shader.strip_prefix(product.name()).unwrap().trim_start_matches('.'),
                    match family {
                        Family::Plain => "",
                        family => family.name(),
                    }
                );
                assert!(shaders::text(shader, &[]).is_ok(), "{shader}");
            }
        }
    }
}
