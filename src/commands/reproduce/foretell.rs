//! What a grid will cost, said before it begins: runs, time by steps measured now, memory.

use std::time::Duration;

use crate::batch::segments;
use crate::commands::print;
use crate::commands::train::duration;
use crate::dataset::{Dataset, Split};
use crate::error::Result;
use crate::experiment::grid::crew::{self, Crew};
use crate::experiment::grid::work::Shop;
use crate::experiment::grid::{Job, Spec};

/// See the module's page.
pub fn foretell(spec: &Spec, jobs: &[Job], pending: &[(usize, Job)], hardest: &Job, crew: Crew, shop: &Shop) -> Result<()> {
    let dataset = Dataset::open(shop.dataset)?;
    let each = crew::memory(hardest)?;
    print::note(format_args!("timing a step of {}, {} at once", hardest.network_name(), crew.at_once));
    let step = crew::measure(shop, hardest, crew, Duration::from_millis(1500))?;
    let network = hardest.network.clone();
    // A forward pass is about a third of a step's work.
    let scored =
        |side| dataset.heard(side).map(|song| segments(dataset.samples(song), network.clip_length)).sum::<usize>() as f64;
    let evaluation = (scored(Split::Valid) + scored(Split::Test)) / spec.batch as f64 / 3.0;
    let trained = pending.iter().filter(|(_, job)| job.steps() > 0).count();
    let seconds = trained as f64 * (spec.steps as f64 + evaluation) * step / crew.at_once as f64;
    let time = Duration::try_from_secs_f64(seconds).map_or("longer than can be said".into(), duration);
    print::note(format_args!(
        "{} runs ({} arms, {} seeds, {}), {} of them to do: {} steps of {} clips each, network {}",
        jobs.len(),
        spec.arms.len(),
        spec.seeds.end - spec.seeds.start,
        if spec.tops.len() > 1 { format!("{} vocabularies", spec.tops.len()) } else { format!("{} tags", hardest.tags()) },
        pending.len(),
        spec.steps,
        spec.batch,
        spec.network
    ));
    print::note(format_args!(
        "{} at once with {} thread{} each; a step takes {:.1} ms ({:.1} GFLOP): about {time} in all, {} MiB of memory",
        crew.at_once,
        crew.threads,
        if crew.threads == 1 { "" } else { "s" },
        1000.0 * step,
        crew::gflop(hardest)?,
        (each * crew.at_once) >> 20
    ));
    Ok(())
}
