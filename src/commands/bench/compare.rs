//! `tagwalk bench compare`: two files of results side by side.

use std::path::PathBuf;

use crate::commands::{Outcome, print};
use crate::error::{Error, Result};
use crate::format::table::{Align, Table};
use crate::measure::bench::compare::{compare, read};

/// Set two files of results side by side: what both measured, with the ratio B / A
///
/// Results are what the others print with --json. Device and family may differ: they are what one
/// compares.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[arg(value_name = "A")]
    a: PathBuf,
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Print an object a figure
    #[arg(long)]
    json: bool,
}

pub fn run(args: Args) -> Result<Outcome> {
    let found = compare(&read(&args.a)?, &read(&args.b)?);
    for (path, only) in [(&args.a, &found.only_a), (&args.b, &found.only_b)] {
        for what in only {
            print::note(format!("only in {}: {what}", path.display()));
        }
    }
    if found.pairs.is_empty() {
        let what = format!("has nothing in common with {}", args.a.display());
        return Err(Error::input(&args.b, what).help("Take results of the same bench, network, batch and mode."));
    }
    if args.json {
        found.pairs.iter().try_for_each(print::json)?;
        return Ok(Outcome::Done);
    }
    let figures = ["A", "B", "B / A"].map(|head| (head, Align::Right));
    let mut table = Table::new(&[&[("what", Align::Left), ("figure", Align::Left)], &figures[..]].concat());
    for pair in &found.pairs {
        let [a, b, ratio] = [pair.a, pair.b, pair.ratio].map(number);
        table.row([&pair.what, pair.figure, &a, &b, &ratio]);
    }
    print::line(table)?;
    Ok(Outcome::Done)
}

/// Four digits that count, or all before the point.
fn number(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (3 - value.abs().log10().floor() as i32).clamp(0, 9) };
    format!("{value:.0$}", digits as usize)
}
