//! `tagwalk bench kernels`: each kernel call of a step, beside what this machine's cores reach.

use serde::Serialize;

use super::{Place, Shape, Steps};
use crate::commands::{Outcome, print};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::format::table::{Align, Table};
use crate::kernels::{Choice, winograd};
use crate::measure::bench::Quantiles;
use crate::measure::bench::calls::{self, Call};
use crate::measure::bench::step::Bench;
use crate::measure::check::{self, KERNELS, Subject};
use crate::measure::peak::{Meter, Peaks};
use crate::plan;

/// Every kernel call of a step: time, operations and bytes a second, share of the step
///
/// Each kernel is first held against the reference, as `tagwalk check` does: what computes wrong is not
/// timed. Operations are counted as the textbook's convolution, bytes as the least that must be moved.
/// On the CPU, the peaks that both are compared with are measured between the steps; on a GPU, where
/// timestamps time the calls, there are none.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only this kernel, for example conv_forward; shares stay those of the whole step
    #[arg(value_name = "NAME")]
    kernel: Option<String>,
    #[command(flatten)]
    steps: Steps,
}

/// What `--json` prints, a call a line.
#[derive(Serialize)]
struct Object<'a> {
    bench: &'static str,
    kernel: &'static str,
    label: &'a str,
    section: String,
    #[serde(flatten)]
    shape: Shape<'a>,
    #[serde(flatten)]
    place: &'a Place,
    ms: Quantiles,
    spread: f64,
    flops: u64,
    bytes: u64,
    #[serde(flatten)]
    rates: Rates,
    /// Of the step: this call's median over all calls' medians.
    share: f64,
    peaks: Option<Peaks>,
}

/// A call's figures at its median.
#[derive(Clone, Copy, Serialize)]
struct Rates {
    gflops_per_second: f64,
    gb_per_second: f64,
    /// Over the cores' own peak product; absent on a GPU.
    of_peak: Option<f64>,
    /// Over their own copying; absent on a GPU.
    of_copy: Option<f64>,
}

impl Rates {
    fn of(call: &Call, peaks: Option<Peaks>) -> Rates {
        let gflops_per_second = call.flops as f64 / call.ms.median / 1e6;
        let gb_per_second = call.bytes as f64 / call.ms.median / 1e6;
        Rates {
            gflops_per_second,
            gb_per_second,
            of_peak: peaks.map(|peaks| gflops_per_second / peaks.gflops_per_second),
            of_copy: peaks.map(|peaks| gb_per_second / peaks.copy_gb_per_second),
        }
    }
}

pub fn run(args: Args) -> Result<Outcome> {
    let steps = &args.steps;
    steps.check()?;
    if let Some(wrong) = args.kernel.as_deref().filter(|name| !KERNELS.contains(name)) {
        return Err(
            Error::usage("NAME", format!("there is no kernel '{wrong}'")).help(format!("There are: {}.", KERNELS.join(", ")))
        );
    }
    let (device, choice) = steps.device.open()?;
    let place = Place::of(&device, &choice);
    let benches = steps.benches(&choice, None, true)?;
    for bench in &benches {
        verify(bench, args.kernel.as_deref(), &device, &choice)?;
        let (calls, peaks) = measure(bench, &device, &choice)?;
        let step: f64 = calls.iter().map(|call| call.ms.median).sum();
        let asked = |call: &&Call| args.kernel.as_ref().is_none_or(|name| call.kernel == name);
        let asked: Vec<&Call> = calls.iter().filter(asked).collect();
        if steps.json {
            for call in asked {
                print::json(&Object {
                    bench: "kernels",
                    kernel: call.kernel,
                    label: &call.label,
                    section: format!("{:?}", call.section).to_lowercase(),
                    shape: Shape::of(steps, bench),
                    place: &place,
                    ms: call.ms,
                    spread: call.ms.spread(),
                    flops: call.flops,
                    bytes: call.bytes,
                    rates: Rates::of(call, peaks),
                    share: call.ms.median / step,
                    peaks,
                })?;
            }
        } else {
            print::line(format!("{} on {}", Shape::of(steps, bench).say(), place.say()))?;
            print::line(table(&asked, step, peaks))?;
            print::line(foot(step, peaks))?;
        }
    }
    Ok(Outcome::Done)
}

/// Holds the kernels that will be timed against the reference.
fn verify(bench: &Bench, name: Option<&str>, device: &Device, choice: &Choice) -> Result<()> {
    let plan = plan::training(&bench.network, &bench.settings)?;
    let calls = plan.steps.iter().filter(|step| bench.run.holds(step.section));
    let mut rooms: Vec<&'static str> = calls.map(|step| step.kernel.name()).collect();
    rooms.sort_unstable();
    rooms.dedup();
    rooms.retain(|room| name.is_none_or(|name| name == *room));
    if rooms.is_empty() {
        return Err(Error::usage("NAME", "no call of this kernel is in such a step").help("Look at `tagwalk plan`."));
    }
    // The CPU takes direct products or F(3,3) by a layer's width: both are held, whatever a room's cases are like.
    let choices = match device {
        Device::Cpu => vec![choice.clone().with(winograd::SIZE, 1), choice.clone().with(winograd::SIZE, 3)],
        Device::Gpu(_) => vec![choice.clone()],
    };
    for choice in choices {
        let subject = Subject { choice, alone: &|kernel, inputs| check::alone(device, kernel, inputs) };
        rooms.iter().try_for_each(|room| calls::verify(&subject, room))?;
    }
    Ok(())
}

/// The calls' times and, on the CPU, the peaks between them.
fn measure(bench: &Bench, device: &Device, choice: &Choice) -> Result<(Vec<Call>, Option<Peaks>)> {
    let mut meter = match device {
        Device::Cpu => Some(Meter::new(choice.isa(), bench.threads)?),
        Device::Gpu(_) => None,
    };
    let calls = calls::measure(bench, device, &mut || {
        if let Some(meter) = &mut meter {
            meter.take();
        }
    })?;
    Ok((calls, meter.and_then(|meter| meter.peaks())))
}

fn table(calls: &[&Call], step: f64, peaks: Option<Peaks>) -> Table {
    let heads = ["ms", "spread", "GFLOP/s", "of peak", "GB/s", "of copy", "of step"];
    let right = heads.map(|head| (head, Align::Right));
    let mut table = Table::new(&[&[("call", Align::Left)], &right[..]].concat());
    let percent = |share: Option<f64>| share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share));
    for call in calls {
        let rates = Rates::of(call, peaks);
        table.row([
            call.label.clone(),
            format!("{:.3}", call.ms.median),
            percent(Some(call.ms.spread())),
            format!("{:.1}", rates.gflops_per_second),
            percent(rates.of_peak),
            format!("{:.1}", rates.gb_per_second),
            percent(rates.of_copy),
            percent(Some(call.ms.median / step)),
        ]);
    }
    table
}

fn foot(step: f64, peaks: Option<Peaks>) -> String {
    let sum = format!("all calls of the step together {step:.1} ms");
    match peaks {
        None => sum,
        Some(Peaks { gflops_per_second, copy_gb_per_second }) => {
            format!(
                "{sum}; this machine's peak product {gflops_per_second:.0} GFLOP/s, its copying {copy_gb_per_second:.1} GB/s \
                 (above 100 %: F(3,3) multiplies less than the definition that is counted, and small calls find their data in the caches)"
            )
        }
    }
}
