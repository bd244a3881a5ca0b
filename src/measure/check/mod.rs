//! Every kernel's cases on a device against the reference in f64, judged on what the textbook
//! defines: z, pooled values, means and variances, gradients, logits, losses. Never on what a
//! kernel or a family keeps for itself: a convolution's partial sums are judged through the batch
//! norm that reads them, packed weights through the definition of their layout.

mod batch_norm;
mod conv;
mod data;
mod dense;
pub mod rounded;
mod small;

use std::collections::BTreeMap;

use crate::device::{Device, gpu};
use crate::error::{Error, Result};
use crate::kernels::bf16::Bf16;
use crate::kernels::{Access, Choice, Family, Kernel, Operand, Precision, cpu, f16};
use crate::tensor::DType;
use data::Data;

/// What a relative L2 error must stay below, for every kernel, case and tensor.
///
/// f32 rounds to 6e-8; sums of a few thousand products in any order stay below 1e-6, and dz, a
/// difference of terms several times its size, below 5e-6.
pub const BOUND: f64 = 1e-5;

/// The same for a value that is summed in f32 from operands that the judge rounded to bf16 as the kernel does: F(3,3)'s
/// products in mixed precision.
///
/// Before rounding, kernel and judge differ by f32's rounding, d = 5e-6 at most. Where a number lies so near to the
/// middle of two bf16 they round it apart, by 2u = 2^-7 of it, with a chance of d / 2u: sqrt(2u·d) in L2, 2e-4; both
/// operands 2.8e-4; F(3,3) magnifies by 1.6: 4.5e-4.
pub const PAIRED: f64 = 5e-4;

/// The same for a value that is stored in bf16, held against the judge's rounded to bf16: apart by d = [`PAIRED`] at most
/// before, and, as above, by sqrt(2u·d) = 2e-3 behind. Cutting off instead of rounding makes twice that.
pub const STORED: f64 = 2e-3;

/// The same for a value that is stored in f16, which has 11 bits of significand, u = 2^-11: behind f32's sums, d = 5e-6
/// at most, apart by sqrt(2u·d) = 7e-5. Cutting off instead of rounding makes 3e-4 and more.
pub const STORED_F16: f64 = 1e-4;

/// Behind products of f16 pairs, on cooperative matrices: kernel and judge round operands apart as above, 7e-5 each, 1e-4
/// both; what the hardware loses of f32 sums is less.
pub const PAIRED_F16: f64 = 1.5e-4;

/// And of what is stored then: sqrt(2u·d), d = [`PAIRED_F16`].
pub const STORED_PAIRED_F16: f64 = 4e-4;

/// The same against exact arithmetic: u for each operand and for what is stored, as if all pointed one way.
pub const EXACT_F16: f64 = 3.0 / 2048.0 + BOUND;

/// Of what is stored in f16 against exact arithmetic: u, and f32's rounding before.
pub const HALF_F16: f64 = 1.0 / 2048.0 + BOUND;

/// Of what is stored in bf16 against exact arithmetic: a number is rounded by u = 2^-8 of it at most (bf16 has 8 bits of
/// significand), so L2 is, too; and f32's rounding before.
pub const HALF: f64 = 1.0 / 256.0 + BOUND;

/// The same behind F(3,3): u for what is stored and u for each operand, magnified by 1.6 (`algebra.md`, 5), as if all
/// pointed one way: u·(1 + 2·1.6).
pub const EXACT: f64 = 4.2 / 256.0;

/// Runs a kernel's cases and says how many they were.
type Cases = fn(&mut Judge) -> Result<usize>;

/// Every kernel's room, in the order of a step, and how it is judged.
const ROOMS: &[(&str, Cases)] = &[
    ("pack_weights", small::pack_weights),
    ("conv_forward", conv::forward),
    ("batch_norm_forward", batch_norm::forward),
    ("dense_forward", dense::forward),
    ("loss", small::loss),
    ("dense_backward", dense::backward),
    ("batch_norm_backward", batch_norm::backward),
    ("conv_backward", conv::backward),
    ("sgd", small::sgd),
];

/// Their names.
pub const KERNELS: [&str; ROOMS.len()] = {
    let mut names = [""; ROOMS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = ROOMS[i].0;
        i += 1;
    }
    names
};

/// Runs one kernel on one device; as [`crate::kernels::cpu::run_alone`].
pub type Alone<'a> = dyn Fn(&dyn Kernel, &dyn Fn(&Operand) -> Option<Vec<u8>>) -> Result<Vec<Vec<u8>>> + 'a;

/// Runs a kernel by itself on a device.
pub fn alone(device: &Device, kernel: &dyn Kernel, inputs: &dyn Fn(&Operand) -> Option<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    match device {
        Device::Cpu => Ok(cpu::run_alone(kernel, inputs)),
        Device::Gpu(gpu) => gpu::run_alone(gpu, kernel, inputs),
    }
}

/// A device under test.
pub struct Subject<'a> {
    /// How kernels are computed on it.
    pub choice: Choice,
    pub alone: &'a Alone<'a>,
}

/// A tensor of a case beside the reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The case's place among the kernel's cases, from 0.
    pub case: usize,
    /// Its shapes.
    pub shape: String,
    /// What was compared.
    pub what: &'static str,
    /// Relative L2 error; NaN where a value is not a number, which an element never written is.
    pub error: f64,
    /// What it must stay below.
    pub bound: f64,
}

impl Finding {
    /// Not-a-number never holds.
    pub fn holds(&self) -> bool {
        self.error <= self.bound
    }
}

/// What came of a kernel's cases.
#[derive(Clone, Debug)]
pub struct Report {
    pub kernel: &'static str,
    pub cases: usize,
    /// Tensors compared over all cases.
    pub compared: usize,
    /// The largest error beside its bound; `None` where the family has no cases (nothing to pack).
    pub worst: Option<Finding>,
    /// All that do not hold.
    pub failed: Vec<Finding>,
}

/// Checks kernel `name` ([`KERNELS`]).
pub fn kernel(subject: &Subject, name: &str) -> Result<Report> {
    checked(subject, name, 0)
}

/// Checks a convolution's kernel `name` in a few cases only: those with about as many channels as a
/// network has, so that large tiles are filled, and cut short at their ends.
pub fn large(subject: &Subject, name: &str) -> Result<Report> {
    checked(subject, name, 100)
}

/// The size (rows and columns) of an adapter's cooperative matrices that compute right. Each size that its driver lists, the
/// largest first, is held against the reference in both kernels, at edges that fill no matrix: drivers differ in
/// what they list and in which way matrices lie. Fails, saying what was wrong, where none is right.
pub fn cooperative_size(gpu: &gpu::Gpu) -> Result<u8> {
    let name = &gpu.adapter.name;
    let mut found = format!("{name} has no cooperative matrices that multiply f16 and add f32");
    for &size in gpu.cooperative_sizes() {
        let choice = Choice::gpu(Family::Cooperative(size)).in_precision(Precision::Mixed);
        let alone: &Alone = &|kernel, inputs| gpu::run_alone(gpu, kernel, inputs);
        let subject = Subject { choice, alone };
        let wrong = ["conv_forward", "conv_backward"].into_iter().find_map(|kernel| match checked(&subject, kernel, 128) {
            Err(error) => Some(error.to_string()),
            Ok(report) => report.failed.first().map(|f| format!("{} of {kernel}, relative error {:.1e}", f.what, f.error)),
        });
        match wrong {
            None => return Ok(size),
            Some(what) => found = format!("{name} computes wrong on cooperative matrices of {size}: {what}"),
        }
    }
    Err(Error::device(found).help("Leave --family out: tiled shaders compute in mixed precision, too."))
}

fn checked(subject: &Subject, name: &str, channels: usize) -> Result<Report> {
    let Some((kernel, cases)) = ROOMS.iter().find(|(room, _)| *room == name) else {
        let what = format!("there is no kernel '{name}'");
        return Err(Error::usage("KERNEL", what).help(format!("There are: {}.", KERNELS.join(", "))));
    };
    let mut judge = Judge { subject, channels, case: 0, shape: String::new(), found: Vec::new() };
    let cases = cases(&mut judge)?;
    let size = |f: &Finding| if f.error.is_nan() { f64::INFINITY } else { f.error / f.bound };
    let worst = judge.found.iter().max_by(|a, b| size(a).total_cmp(&size(b))).cloned();
    let compared = judge.found.len();
    let failed = judge.found.into_iter().filter(|f| !f.holds()).collect();
    Ok(Report { kernel, cases, compared, worst, failed })
}

/// Runs cases and collects what it finds.
struct Judge<'a> {
    subject: &'a Subject<'a>,
    /// Convolutions with fewer are left out.
    channels: usize,
    case: usize,
    shape: String,
    found: Vec<Finding>,
}

/// Bytes of operands by name.
type Inputs = Vec<(&'static str, Vec<u8>)>;

fn bytes<T: bytemuck::NoUninit>(values: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

fn double(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| v.into()).collect()
}

impl Judge<'_> {
    /// Begins case `case` of a kernel and makes its source of data.
    fn begin(&mut self, case: usize, kernel: &dyn Kernel) -> Data {
        self.case = case;
        let shapes = kernel.operands().into_iter().filter(|o| o.access != Access::Scratch);
        self.shape = shapes.map(|o| format!("{} {:?}", o.name, o.shape)).collect::<Vec<_>>().join(", ");
        Data::new(kernel.name(), case)
    }

    /// Runs a kernel; what it writes, by the operands' names.
    fn run(&self, kernel: &dyn Kernel, inputs: &Inputs) -> Result<BTreeMap<&'static str, Vec<f32>>> {
        let raw = self.run_raw(kernel, inputs)?;
        let operands = kernel.operands();
        let floats = raw.into_iter().map(|(name, b)| {
            let operand = operands.iter().find(|o| o.name == name);
            let values: Vec<f32> = match operand.map(|o| (o.dtype, row(o))) {
                Some((DType::Bf16, _)) => bytemuck::pod_collect_to_vec::<u8, Bf16>(&b).into_iter().map(f32::from).collect(),
                Some((DType::F16, row)) => f16::unpacked(&b, row),
                _ => bytemuck::pod_collect_to_vec(&b),
            };
            (name, values)
        });
        Ok(floats.collect())
    }

    /// The same as bytes. Inputs may be f32 where the kernel has them in 16 bits. Operands that are not in `inputs` begin as NaN, so
    /// that what is never written is seen.
    fn run_raw(&self, kernel: &dyn Kernel, inputs: &Inputs) -> Result<BTreeMap<&'static str, Vec<u8>>> {
        let given = |o: &Operand| {
            let (_, given) = inputs.iter().find(|(name, _)| *name == o.name)?;
            if o.dtype.bytes() == 4 || given.len() != 4 * o.len() {
                return Some(given.clone());
            }
            let singles: Vec<f32> = bytemuck::pod_collect_to_vec(given);
            Some(match o.dtype {
                DType::F16 => f16::packed(&singles, row(o)),
                _ => bytes(&singles.into_iter().map(Bf16::from).collect::<Vec<_>>()),
            })
        };
        let operands = kernel.operands();
        for o in &operands {
            assert!(given(o).is_some() != (o.access == Access::Write || o.access == Access::Scratch), "{}", o.name);
        }
        let all = (self.subject.alone)(kernel, &given)?;
        let written = operands.iter().zip(all).filter(|(o, _)| matches!(o.access, Access::Write | Access::Update));
        Ok(written.filter(|(o, _)| o.dtype != DType::I16).map(|(o, b)| (o.name, b)).collect())
    }

    /// What z, p and dy are stored as.
    fn storage(&self) -> DType {
        self.subject.choice.storage()
    }

    /// Whether they are stored in 16 bits.
    fn is_mixed(&self) -> bool {
        self.storage() != DType::F32
    }

    /// Values as they are stored.
    fn stored(&self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|&v| rounded::to(self.storage(), v)).collect()
    }

    /// The same of what a kernel is given.
    fn given(&self, values: &[f32]) -> Vec<f32> {
        single(&self.stored(&double(values)))
    }

    /// The bound of what is stored.
    fn stored_bound(&self) -> f64 {
        match self.storage() {
            DType::F16 => STORED_F16,
            DType::Bf16 => STORED,
            _ => BOUND,
        }
    }

    /// The bound of what is stored, against exact arithmetic.
    fn half_bound(&self) -> f64 {
        if self.storage() == DType::F16 { HALF_F16 } else { HALF }
    }

    /// Compares by relative L2 error.
    fn compare(&mut self, what: &'static str, got: &[f32], want: &[f64]) {
        self.compare_within(what, got, want, BOUND);
    }

    /// The same with a bound of its own.
    fn compare_within(&mut self, what: &'static str, got: &[f32], want: &[f64], bound: f64) {
        self.compare_over(what, got, want, 0.0);
        self.bound(bound);
    }

    /// Gives what was compared last a bound of its own.
    fn bound(&mut self, bound: f64) {
        if let Some(last) = self.found.last_mut() {
            last.bound = bound;
        }
    }

    /// The same, over `size` where the reference is smaller: the size of what a sum adds up, where
    /// its terms may cancel to nothing.
    fn compare_over(&mut self, what: &'static str, got: &[f32], want: &[f64], size: f64) {
        assert_eq!(got.len(), want.len(), "{what}");
        let error = length(got.iter().zip(want).map(|(&g, w)| f64::from(g) - w));
        let size = size.max(length(want.iter().copied()));
        self.push(what, if error == 0.0 { 0.0 } else { error / size });
    }

    fn push(&mut self, what: &'static str, error: f64) {
        self.found.push(Finding { case: self.case, shape: self.shape.clone(), what, error, bound: BOUND });
    }
}

/// Values of the last dimension.
fn row(operand: &Operand) -> usize {
    operand.shape.last().copied().unwrap_or(1)
}

/// Euclidean length.
fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|v| v * v).sum::<f64>().sqrt()
}
