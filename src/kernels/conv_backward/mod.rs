//! From `dy`, the gradient at the pooled positions, both products of backward, with dz made while
//! reading (`algebra.md`, 3):
//!
//! ```text
//! dz = s·dy (at the selected position, else 0) + c0 + c1·(z − mean)
//! dw[k,i,o] = Σ a[b, l·stride + k − pad, i] · dz[b,l,o]
//! da[b,j,i] = Σ dz[b,l,o] · w[k,i,o]   over l·stride + k − pad = j
//! ```
//!
//! `da` ends with the mask of the layer below and that layer's sums; for layer 1 only the sums
//! are kept (`algebra.md`, 4); for a wave there is no `da`.

mod below;
mod cpu;
mod dz;
mod gpu;
mod matrices;
mod matrix_operands;
mod winograd;

use super::conv::{Conv, Source};
use super::pack_weights::Packing;
use super::{Choice, Kernel, Operand, Product, Way, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Operands, in order: the source's ([`Source::operands`]); `z [clip, length, cout]`;
/// `p [clip, window, cout]` if pooled; `dy` of p's shape; `coefficients [4, cout]` (s, c0, c1, mean);
/// `weights` (as the family packs them for the input's gradient) unless the source is the wave;
/// `weights_gradient [tap, cin, cout]`;
/// source Below: `below_dy [clip, input, cin]` = da·[scale'·(p' − mean') + beta' > 0] and
/// `below_partials [tile, 2, cin]`: Σ dy' and Σ dy'·(p' − mean')·r' of each tile;
/// source FirstLayer: `below_partials [tile, taps' + 1, cin]`: Σ patch_k·dy' for each tap k, then
/// Σ dy', where dy' = da·[scale'·(z' − mean') + beta' > 0];
/// `weight_partials`: scratch, the parts of dw that are joined in a fixed order; what the GPU's register families make
/// beforehand, scratch too.
#[derive(Clone, Debug)]
pub struct ConvBackward {
    pub conv: Conv,
    pub source: Source,
    pub choice: Choice,
}

impl ConvBackward {
    pub fn packing(&self) -> Packing {
        Packing::new(&self.conv, Product::InputGradient, &self.choice)
    }

    fn way(&self) -> Option<Way> {
        Way::of(&self.conv, &self.choice)
    }

    /// Rows of `below_partials`.
    pub fn tiles(&self) -> usize {
        match self.way() {
            Some(Way::Direct) => cpu::tiles(self),
            Some(Way::Winograd) => winograd::tiles(self),
            Some(Way::Matrices) => matrices::tiles(self),
            None => gpu::tiles(self),
        }
    }

    /// Values each tile of `below_partials` holds a channel.
    pub fn sums(&self) -> usize {
        match &self.source {
            Source::Wave { .. } => 0,
            Source::FirstLayer { layer, .. } => layer.kernel + 1,
            Source::Below => 2,
        }
    }

    /// Parts of dw before they are joined.
    pub fn weight_parts(&self) -> usize {
        match self.way() {
            Some(Way::Direct) => cpu::weight_parts(self),
            Some(Way::Winograd) => winograd::weight_parts(self),
            Some(Way::Matrices) => matrices::weight_parts(self),
            None => gpu::weight_parts(self),
        }
    }

    /// Values of a part.
    fn weight_values(&self) -> usize {
        if self.choice.is_native() { self.conv.taps * self.conv.cin * self.conv.cout } else { gpu::weight_values(self) }
    }

    /// The shapes it is checked on, one for each of [`super::conv::cases`].
    pub fn cases(choice: &Choice) -> Vec<ConvBackward> {
        let kernel = |case: super::conv::Case| ConvBackward { conv: case.conv, source: case.source, choice: choice.clone() };
        super::conv::cases().into_iter().map(kernel).collect()
    }

    /// Places of the operands behind the source's, in [`Kernel::operands`].
    pub fn places(&self) -> Places {
        let mut next = self.source.count();
        let mut take = || {
            next += 1;
            next - 1
        };
        let wave = matches!(self.source, Source::Wave { .. });
        Places {
            z: take(),
            p: (!self.conv.unpooled()).then(&mut take),
            dy: take(),
            coefficients: take(),
            weights: (!wave).then(&mut take),
            weights_gradient: take(),
            below_dy: (self.source == Source::Below).then(&mut take),
            below_partials: (!wave).then(&mut take),
            weight_partials: take(),
        }
    }
}

/// See [`ConvBackward::places`].
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub z: usize,
    pub p: Option<usize>,
    pub dy: usize,
    pub coefficients: usize,
    pub weights: Option<usize>,
    pub weights_gradient: usize,
    pub below_dy: Option<usize>,
    pub below_partials: Option<usize>,
    pub weight_partials: usize,
}

impl Kernel for ConvBackward {
    fn name(&self) -> &'static str {
        "conv_backward"
    }

    fn operands(&self) -> Vec<Operand> {
        let (c, stored) = (&self.conv, self.choice.storage());
        let mut all = self.source.operands(c, stored);
        all.push(Operand::read("z", &[c.clips, c.length(), c.cout]).stored(stored));
        if !c.unpooled() {
            all.push(Operand::read("p", &[c.clips, c.windows.count, c.cout]).stored(stored));
        }
        all.push(Operand::read("dy", &[c.clips, c.windows.count, c.cout]).stored(stored));
        all.push(Operand::read("coefficients", &[4, c.cout]));
        let wave = matches!(self.source, Source::Wave { .. });
        if !wave {
            all.push(Operand::read("weights", &self.packing().shape()).stored(self.packing().dtype()));
        }
        all.push(Operand::write("weights_gradient", &[c.taps, c.cin, c.cout]));
        if self.source == Source::Below {
            all.push(Operand::write("below_dy", &[c.clips, c.input, c.cin]).stored(stored));
        }
        if !wave {
            all.push(Operand::write("below_partials", &[self.tiles(), self.sums(), c.cin]));
        }
        all.push(Operand::scratch("weight_partials", &[self.weight_parts(), self.weight_values()]));
        if !self.choice.is_native() {
            all.extend(gpu::scratch(self));
        }
        all
    }

    fn flops(&self) -> u64 {
        let products = if matches!(self.source, Source::Wave { .. }) { 1 } else { 2 };
        products * self.conv.product_flops()
    }

    fn workspace(&self) -> usize {
        match self.way() {
            Some(Way::Winograd) => winograd::workspace(self),
            Some(Way::Matrices) => matrices::workspace(self),
            Some(Way::Direct) | None => cpu::workspace(self),
        }
    }

    fn run(&self, args: &Arguments) {
        match self.way() {
            Some(Way::Winograd) => winograd::run(self, args),
            Some(Way::Matrices) => matrices::run(self, args),
            Some(Way::Direct) | None => cpu::run(self, args),
        }
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Family;
    use super::*;

    #[test]
    fn places_are_those_of_the_operands() {
        for kernel in Family::ALL.into_iter().flat_map(|family| ConvBackward::cases(&Choice::of(family))) {
            let (places, operands) = (kernel.places(), kernel.operands());
            let all = [
                ("z", Some(places.z)),
                ("p", places.p),
                ("dy", Some(places.dy)),
                ("coefficients", Some(places.coefficients)),
                ("weights", places.weights),
                ("weights_gradient", Some(places.weights_gradient)),
                ("below_dy", places.below_dy),
                ("below_partials", places.below_partials),
                ("weight_partials", Some(places.weight_partials)),
            ];
            for (name, place) in all {
                assert_eq!(operands.iter().position(|o| o.name == name), place, "{name} of {kernel:?}");
            }
        }
    }
}
