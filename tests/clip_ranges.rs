//! A tensor larger than an adapter binds is bound by ranges of clips: on a Vulkan adapter (software Vulkan will do) the
//! convolution's shaders of every family, and of f16 storage, come to the same bits as bound whole.

use tagwalk::device::gpu::{Gpu, Options, adapters, open, run_alone};
use tagwalk::device::select::{DeviceKind, Selection};
use tagwalk::kernels::conv::{Case, Conv, cases};
use tagwalk::kernels::conv_backward::ConvBackward;
use tagwalk::kernels::conv_forward::ConvForward;
use tagwalk::kernels::f16::F16;
use tagwalk::kernels::product::Product;
use tagwalk::kernels::{Access, Choice, Family, Kernel, Operand, Precision, winograd};
use tagwalk::tensor::DType;

/// Bytes of a binding at most: most calls need several ranges, some beginning off alignment.
const SMALL: u64 = 8 << 10;

fn gpu(largest: Option<u64>) -> Gpu {
    let adapter = adapters::list().into_iter().min_by_key(|a| a.kind).expect("a Vulkan adapter, software or not");
    let selection = Selection { device: DeviceKind::Gpu, adapter: Some(adapter.index.to_string()) };
    open(&selection).unwrap().with(Options { checked: true, max_binding: largest, ..Options::default() })
}

/// Uneven numbers of an operand, the same for the same name; z and p of four values alone, so that a window's largest is
/// found in many places.
fn contents(operand: &Operand) -> Vec<u8> {
    let few = matches!(operand.name, "z" | "p");
    let salt: usize = operand.name.bytes().map(usize::from).sum();
    let value = |j: usize| {
        let mixed = (j * 2_654_435_761 + salt * 97) >> 7;
        if few { [0.25f32, 0.5, 0.75, 1.0][mixed % 4] } else { (mixed % 4096) as f32 / 2048.0 - 0.9 }
    };
    let count: usize = operand.bytes() / operand.dtype.bytes();
    match operand.dtype {
        DType::F32 => (0..count).flat_map(|j| value(j).to_le_bytes()).collect(),
        DType::F16 => (0..count).flat_map(|j| F16::from(value(j)).0.to_le_bytes()).collect(),
        DType::I16 => (0..count).flat_map(|j| ((value(j) * 20_000.0) as i16).to_le_bytes()).collect(),
        other => panic!("{}: {other:?}", operand.name),
    }
}

/// Relative L2 distance of two tensors of f32.
fn apart(a: &[u8], b: &[u8]) -> f64 {
    let of = |bytes: &[u8]| bytemuck::pod_collect_to_vec::<u8, f32>(bytes);
    let (a, b) = (of(a), of(b));
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (squares / b.iter().map(|&b| f64::from(b).powi(2)).sum::<f64>()).sqrt()
}

/// Whether a call took more ranges than one and wrote something in each operand: nothing but zeros would be the same
/// wherever it was read. `None` where a clip alone is too large and the call is refused.
fn compared(whole: &Gpu, ranges: &Gpu, case: &Case, kernel: &dyn Kernel, winograd: bool) -> Option<bool> {
    let dispatches = kernel.dispatches(&ranges.limits());
    if dispatches.iter().any(|d| d.bindings.iter().any(|b| b.length > SMALL)) {
        return None;
    }
    let inputs = |o: &Operand| matches!(o.access, Access::Read | Access::Update).then(|| contents(o));
    let [one, other] = [whole, ranges].map(|gpu| run_alone(gpu, kernel, &inputs).unwrap());
    let mut told = true;
    for ((a, b), operand) in one.iter().zip(&other).zip(kernel.operands()) {
        let written = matches!(operand.access, Access::Write | Access::Update);
        // F(3,3) sums the weights' gradient range by range: the same numbers, rounded in another order.
        let summed = winograd && operand.name == "weights_gradient";
        let same = a == b || summed && apart(a, b) < 1e-6;
        assert!(!written || same, "{case:?}, {}: {}, {:e} apart", kernel.name(), operand.name, apart(a, b));
        told &= !written || a.iter().any(|&byte| byte != a[0]);
    }
    Some(told && dispatches.len() > kernel.dispatches(&whole.limits()).len())
}

#[test]
fn ranges_of_clips_change_no_bit() {
    let (whole, ranges) = (gpu(None), gpu(Some(SMALL)));
    let choices = [
        Choice::gpu(Family::Winograd).with(winograd::SIZE, 3),
        Choice::gpu(Family::Tiled).in_precision(Precision::Mixed),
        Choice::gpu(Family::Plain),
        Choice::gpu(Family::Tiled),
        Choice::gpu(Family::Registers),
    ];
    for (c, choice) in choices.into_iter().enumerate() {
        let mut split = 0;
        for (i, case) in cases().into_iter().enumerate() {
            let clips = 2 * case.conv.clips + 9;
            let case = Case { conv: Conv { clips, ..case.conv }, ..case };
            let own = choice.family_for(Product::Forward, &case.conv) == choice.family;
            let narrow = case.conv.cin.max(case.conv.cout) <= 36;
            // What a family leaves to another is tested there; of the rest it takes a part, each shape in some family.
            let part = if matches!(choice.family, Family::Registers | Family::Winograd) { 2 } else { 3 };
            if !own || !narrow || i % part != c % part {
                continue;
            }
            let forward = ConvForward {
                conv: case.conv.clone(),
                source: case.source.clone(),
                keep_z: true,
                statistics: true,
                choice: choice.clone(),
            };
            let backward = ConvBackward { conv: case.conv.clone(), source: case.source.clone(), choice: choice.clone() };
            for kernel in [&forward as &dyn Kernel, &backward] {
                split +=
                    usize::from(compared(&whole, &ranges, &case, kernel, choice.family == Family::Winograd).unwrap_or(false));
            }
        }
        println!("{choice:?}: {split} calls in ranges");
        assert!(split >= 20, "{choice:?}: only {split} of the calls were split");
    }
}
