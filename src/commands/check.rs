//! `tagwalk check`: every kernel's cases on the chosen device against the reference. What a user
//! runs first on a new GPU.

use serde::Serialize;

use super::flags::DeviceFlags;
use super::{Outcome, print};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::format::table::{Align, Table};
use crate::kernels::{Choice, Family, Precision, winograd};
use crate::measure::check::{
    BOUND, EXACT, EXACT_F16, HALF_F16, KERNELS, PAIRED, PAIRED_F16, Report, STORED, STORED_F16, STORED_PAIRED_F16, Subject,
    alone, kernel,
};
use crate::tensor::DType;

/// Of a GPU's mixed precision: any power of two.
const LOSS_SCALE: u32 = 1 << 14;

/// Check every kernel on a device against the reference, in f64, over odd and even shapes
///
/// Prints each kernel's largest relative error beside its bound: 1e-5 in f32; in mixed precision what is stored or
/// multiplied in 16 bits has bounds of its own. Exit code 1 where one is exceeded.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only this kernel, for example conv_forward
    pub kernel: Option<String>,
    // Without --family, all that the device has.
    #[command(flatten)]
    pub device: DeviceFlags,
    /// One JSON object a kernel and family instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    device: &'a str,
    family: &'a str,
    kernel: &'static str,
    cases: usize,
    compared: usize,
    /// The largest relative L2 error and what it is of; null where a value is not a number.
    worst: Option<f64>,
    worst_of: Option<&'static str>,
    bound: f64,
    failed: usize,
}

pub fn run(args: Args) -> Result<Outcome> {
    let names: Vec<&str> = match &args.kernel {
        Some(name) => vec![name],
        None => KERNELS.to_vec(),
    };
    if let Some(wrong) = names.iter().find(|name| !KERNELS.contains(name)) {
        return Err(
            Error::usage("KERNEL", format!("there is no kernel '{wrong}'")).help(format!("There are: {}.", KERNELS.join(", ")))
        );
    }
    let (device, mut choice) = args.device.open()?;
    let precision = choice.precision;
    if choice.storage() == DType::F16 {
        choice.loss_scale = Some(LOSS_SCALE);
    }
    let choices = match (&device, args.device.family) {
        (_, Some(_)) => vec![choice],
        (Device::Cpu, None) => winograd::ways(precision),
        // What was tuned is a third one.
        (Device::Gpu(gpu), None) => {
            let families = match precision {
                Precision::F32 => vec![Family::Plain, Family::Tiled, Family::Registers, Family::Winograd],
                Precision::Mixed => {
                    let cooperative = gpu.cooperative_sizes().iter().map(|&size| Family::Cooperative(size));
                    std::iter::once(Family::Tiled).chain(cooperative).collect()
                }
            };
            let families = families.into_iter();
            let of = |family| Choice { loss_scale: choice.loss_scale, ..Choice::gpu(family).in_precision(precision) };
            // F(3,3) on all layers that it can take, not the wide ones alone.
            let everywhere =
                |choice: Choice| if choice.family == Family::Winograd { choice.with(winograd::SIZE, 3) } else { choice };
            let families: Vec<Choice> = families.map(of).map(everywhere).collect();
            let tuned = Some(choice).filter(|c| !families.contains(c));
            families.into_iter().chain(tuned).collect()
        }
    };

    let columns = [("kernel", Align::Left), ("family", Align::Left), ("cases", Align::Right)];
    let columns = [&columns[..], &[("worst error", Align::Right), ("of", Align::Left), ("", Align::Left)]].concat();
    let mut table = Table::new(&columns);
    let mut outcome = Outcome::Done;
    for choice in choices {
        let family = &match (choice.tiles.get(winograd::SIZE), winograd::paired(&choice)) {
            (Some(3), _) if !choice.is_native() => format!("{} shaders", choice.family),
            (Some(3), true) if !choice.isa().has_matrices() => format!("{choice} F(3,3), pairs"),
            (Some(3), false) => format!("{choice} F(3,3)"),
            _ => choice.to_string(),
        };
        let subject = Subject { choice, alone: &|kernel, inputs| alone(&device, kernel, inputs) };
        for name in &names {
            let report = kernel(&subject, name)?;
            if !report.failed.is_empty() {
                outcome = Outcome::SomeFailed;
            }
            for f in &report.failed {
                print::note(format!("{} {family}, case {}: {} {:.1e} ({})", report.kernel, f.case, f.what, f.error, f.shape));
            }
            if args.json {
                print::json(&line(device.name(), family, &report))?;
            } else {
                row(&mut table, family, &report);
            }
        }
    }
    if !args.json {
        print::line(table)?;
        print::line(match precision {
            Precision::F32 => format!("relative L2 errors; the bound is {BOUND:.0e}"),
            Precision::Mixed if matches!(device, Device::Gpu(_)) => format!(
                "relative L2 errors nearest to their bounds: {BOUND:.0e} for f32; for what is stored in f16 {STORED_F16:.0e} against \
                 the same rounding in f64 (of f16 products {STORED_PAIRED_F16:.0e}, their sums {PAIRED_F16:.1e}), {HALF_F16:.1e} \
                 ({EXACT_F16:.1e}) against exact arithmetic"
            ),
            Precision::Mixed => format!(
                "relative L2 errors nearest to their bounds: {BOUND:.0e} for f32; against the same roundings in f64 {PAIRED:.0e} for \
                 sums of 16-bit products and {STORED:.0e} for what is stored in 16 bits; {EXACT:.1e} against exact arithmetic"
            ),
        })?;
    }
    Ok(outcome)
}

fn line<'a>(device: &'a str, family: &'a str, report: &Report) -> Line<'a> {
    Line {
        device,
        family,
        kernel: report.kernel,
        cases: report.cases,
        compared: report.compared,
        worst: report.worst.as_ref().map(|w| w.error),
        worst_of: report.worst.as_ref().map(|w| w.what),
        bound: report.worst.as_ref().map_or(BOUND, |w| w.bound),
        failed: report.failed.len(),
    }
}

fn row(table: &mut Table, family: &str, report: &Report) {
    let verdict = if report.failed.is_empty() { "ok".into() } else { format!("{} FAILED", report.failed.len()) };
    let (error, what) = match &report.worst {
        Some(worst) => (format!("{:.1e}", worst.error), worst.what),
        None => ("-".into(), "nothing to do in this family"),
    };
    table.row([report.kernel, family, &report.cases.to_string(), &error, what, &verdict]);
}
