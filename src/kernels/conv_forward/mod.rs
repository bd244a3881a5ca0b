//! `z[b,l,o] = Σ a[b, l·stride + k − pad, i] · w[k,i,o]`, pooled to `p = select(z)`, with the
//! tiles' count, mean and squared deviations for the statistics (`algebra.md`, 1, 2, 4).
//! `a` is made while reading: see [`Source`]. The convolution's bias is left out of z.

mod cpu;
mod gpu;
mod matrices;
mod outputs;
mod statistics;
mod winograd;

use super::conv::{Conv, Source};
use super::pack_weights::Packing;
use super::{Choice, Kernel, Operand, Product, Way, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// Operands, in order: the source's ([`Source::operands`]); `weights` (as the family packs them:
/// [`Packing::shape`]); `gamma [cout]` if pooled; `z [clip, length, cout]` if `keep_z` or
/// not pooled; `p [clip, window, cout]` if pooled; `partials [tile, 3, cout]` if `statistics`:
/// count, mean, Σ(z − mean)² of each tile of positions; what the GPU's register families make beforehand, scratch.
#[derive(Clone, Debug)]
pub struct ConvForward {
    pub conv: Conv,
    pub source: Source,
    /// Training keeps z for backward; evaluation needs only p.
    pub keep_z: bool,
    pub statistics: bool,
    pub choice: Choice,
}

impl ConvForward {
    pub fn packing(&self) -> Packing {
        Packing::new(&self.conv, Product::Forward, &self.choice)
    }

    fn way(&self) -> Option<Way> {
        Way::of(&self.conv, &self.choice)
    }

    /// Rows of `partials`: decided by shape and choice, never by the number of threads.
    pub fn tiles(&self) -> usize {
        match self.way() {
            Some(Way::Direct) => cpu::tiles(self),
            Some(Way::Winograd) => winograd::tiles(self),
            Some(Way::Matrices) => matrices::tiles(self),
            None => gpu::tiles(self),
        }
    }

    /// The shapes it is checked on, one for each of [`super::conv::cases`]; every fifth as in
    /// evaluation.
    pub fn cases(choice: &Choice) -> Vec<ConvForward> {
        let kernel = |(i, case): (usize, super::conv::Case)| {
            let training = i % 5 != 4;
            let (conv, source) = (case.conv, case.source);
            ConvForward { conv, source, keep_z: training, statistics: training, choice: choice.clone() }
        };
        super::conv::cases().into_iter().enumerate().map(kernel).collect()
    }

    /// Places of the operands behind the source's, in [`Kernel::operands`].
    pub fn places(&self) -> Places {
        let mut next = self.source.count();
        let mut take = || {
            next += 1;
            next - 1
        };
        let pooled = !self.conv.unpooled();
        Places {
            weights: take(),
            gamma: pooled.then(&mut take),
            z: (self.keep_z || !pooled).then(&mut take),
            p: pooled.then(&mut take),
            partials: self.statistics.then(&mut take),
        }
    }
}

/// See [`ConvForward::places`].
#[derive(Clone, Copy, Debug)]
pub struct Places {
    pub weights: usize,
    pub gamma: Option<usize>,
    pub z: Option<usize>,
    pub p: Option<usize>,
    pub partials: Option<usize>,
}

impl Kernel for ConvForward {
    fn name(&self) -> &'static str {
        "conv_forward"
    }

    fn operands(&self) -> Vec<Operand> {
        let (c, stored) = (&self.conv, self.choice.storage());
        let mut all = self.source.operands(c, stored);
        all.push(Operand::read("weights", &self.packing().shape()).stored(self.packing().dtype()));
        if !c.unpooled() {
            all.push(Operand::read("gamma", &[c.cout]));
        }
        if self.keep_z || c.unpooled() {
            all.push(Operand::write("z", &[c.clips, c.length(), c.cout]).stored(stored));
        }
        if !c.unpooled() {
            all.push(Operand::write("p", &[c.clips, c.windows.count, c.cout]).stored(stored));
        }
        if self.statistics {
            all.push(Operand::write("partials", &[self.tiles(), 3, c.cout]));
        }
        if !self.choice.is_native() {
            all.extend(gpu::scratch(self));
        }
        all
    }

    fn flops(&self) -> u64 {
        let first = match &self.source {
            Source::FirstLayer { layer, .. } => 2 * (self.conv.clips * self.conv.input * layer.kernel * layer.cout) as u64,
            _ => 0,
        };
        self.conv.product_flops() + first
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
        for kernel in Family::ALL.into_iter().flat_map(|family| ConvForward::cases(&Choice::of(family))) {
            let (places, operands) = (kernel.places(), kernel.operands());
            let all = [
                ("weights", Some(places.weights)),
                ("gamma", places.gamma),
                ("z", places.z),
                ("p", places.p),
                ("partials", places.partials),
            ];
            for (name, place) in all {
                assert_eq!(operands.iter().position(|o| o.name == name), place, "{name} of {kernel:?}");
            }
        }
    }
}
