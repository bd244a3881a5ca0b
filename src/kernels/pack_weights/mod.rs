//! Weights as the chosen family wants them, once a step: for the forward product, and turned
//! round for the input's gradient.

mod cpu;
mod gpu;

use super::conv::Conv;
use super::products::{COLUMNS, SIDE};
use super::winograd::{self, PRODUCTS};
use super::{Choice, DType, Family, Kernel, Operand, Product, Way, cpu::Arguments, gpu::Dispatch, gpu::Limits};

/// How weights `[tap, cin, cout]` lie for a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Not the weights' gradient, which reads none.
    pub product: Product,
    pub taps: usize,
    pub cin: usize,
    pub cout: usize,
    pub layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As the parameter lies; no packing call is made.
    AsIs,
    /// `[panel, reduced, width]`: panels of `width` output channels side by side, the last one
    /// filled up with zeros. For InputGradient the reduced index is (tap', cout) with
    /// tap' = taps − 1 − tap, so that the product is a plain convolution of dz.
    Panels { width: usize },
    /// `[panel, product, reduced, width]`: the transformed weights U of [`winograd`],
    /// in panels as above; for InputGradient Uᵀ, which reduces over cout.
    Winograd { width: usize },
    /// `[panel, product, reduced / 2, width, 2]`: the same as pairs of bf16 along the reduced index, a zero behind an
    /// odd number.
    WinogradPairs { width: usize },
    /// `[panel, tap, filled / 2, COLUMNS, 2]`: panels as above for a matrix unit, as pairs of bf16 along the reduced channels,
    /// each tap's filled up with zeros to whole tiles of pairs ([`filled`]).
    Pairs,
    /// `[tap, cout, cin]`, so that neighbouring invocations read neighbouring input channels.
    Turned,
}

impl Packing {
    pub fn new(conv: &Conv, product: Product, choice: &Choice) -> Packing {
        assert!(product != Product::WeightGradient, "the weights' gradient reads no weights");
        let layout = match (&choice.family, product) {
            (Family::Native(isa), _) => match Way::of(conv, choice).expect("a CPU's") {
                Way::Direct => Layout::Panels { width: isa.width() },
                Way::Winograd if winograd::paired(choice) => Layout::WinogradPairs { width: isa.width() },
                Way::Winograd => Layout::Winograd { width: isa.width() },
                Way::Matrices => Layout::Pairs,
            },
            (_, Product::InputGradient) => match choice.family_for(product, conv) {
                Family::Tiled | Family::Cooperative(_) => Layout::Turned,
                Family::Registers => Layout::Panels { width: conv.cin },
                Family::Winograd => Layout::Winograd { width: conv.cin },
                _ => Layout::AsIs,
            },
            (_, Product::Forward | Product::WeightGradient) => match choice.family_for(product, conv) {
                Family::Winograd => Layout::Winograd { width: conv.cout },
                _ => Layout::AsIs,
            },
        };
        Packing { product, taps: conv.taps, cin: conv.cin, cout: conv.cout, layout }
    }

    /// (reduced, given): channels summed over and channels given.
    pub fn sides(&self) -> (usize, usize) {
        if self.is_turned() { (self.cout, self.cin) } else { (self.cin, self.cout) }
    }

    /// Whether it is of the input's gradient, which reduces over cout.
    pub fn is_turned(&self) -> bool {
        self.product == Product::InputGradient
    }

    /// Shape of the packed weights.
    pub fn shape(&self) -> Vec<usize> {
        let (reduced, given) = self.sides();
        match self.layout {
            Layout::AsIs => vec![self.taps, self.cin, self.cout],
            Layout::Panels { width } => vec![given.div_ceil(width), self.taps * reduced, width],
            Layout::Winograd { width } => vec![given.div_ceil(width), PRODUCTS, reduced, width],
            Layout::WinogradPairs { width } => vec![given.div_ceil(width), PRODUCTS, reduced.div_ceil(2), width, 2],
            Layout::Pairs => vec![given.div_ceil(COLUMNS), self.taps, filled(reduced) / 2, COLUMNS, 2],
            Layout::Turned => vec![self.taps, self.cout, self.cin],
        }
    }

    /// Element type of the packed weights.
    pub fn dtype(&self) -> DType {
        if let Layout::WinogradPairs { .. } | Layout::Pairs = self.layout { DType::Bf16 } else { DType::F32 }
    }

    /// Whether a `pack_weights` call is needed.
    pub fn is_needed(&self) -> bool {
        self.layout != Layout::AsIs
    }
}

/// Channels filled up to what a tile of a matrix unit takes of the sum at a time: 16 pairs.
pub fn filled(channels: usize) -> usize {
    const { assert!(2 * SIDE == COLUMNS, "channels that are filled up are whole panels, too") };
    channels.next_multiple_of(2 * SIDE)
}

/// Operands: `weights [tap, cin, cout]`, `packed` ([`Packing::shape`]).
#[derive(Clone, Debug)]
pub struct PackWeights {
    pub packing: Packing,
    pub choice: Choice,
}

impl PackWeights {
    /// The shapes it is checked on: those of the convolutions, for both products, where the family
    /// packs at all.
    pub fn cases(choice: &Choice) -> Vec<PackWeights> {
        let mut all = Vec::new();
        for case in super::conv::cases() {
            for product in [Product::Forward, Product::InputGradient] {
                let packing = Packing::new(&case.conv, product, choice);
                if packing.is_needed() {
                    all.push(PackWeights { packing, choice: choice.clone() });
                }
            }
        }
        all
    }
}

impl Kernel for PackWeights {
    fn name(&self) -> &'static str {
        "pack_weights"
    }

    fn operands(&self) -> Vec<Operand> {
        let p = &self.packing;
        vec![Operand::read("weights", &[p.taps, p.cin, p.cout]), Operand::write("packed", &p.shape()).stored(p.dtype())]
    }

    fn flops(&self) -> u64 {
        0
    }

    fn run(&self, args: &Arguments) {
        cpu::run(self, args)
    }

    fn dispatches(&self, limits: &Limits) -> Vec<Dispatch> {
        gpu::dispatches(self, limits)
    }
}
