//! One file a command: read flags, call the library, print. `mod.rs` has the table of commands and
//! what they share.

#[cfg(feature = "baselines")]
pub mod baseline;
pub mod batches;
pub mod bench;
pub mod check;
#[cfg(feature = "import")]
pub mod demo;
pub mod devices;
pub mod evaluate;
pub mod explain;
pub mod figures;
pub mod flags;
pub mod info;
pub mod plan;
#[cfg(feature = "import")]
pub mod prepare;
pub mod print;
pub mod progress;
pub mod recovery;
#[cfg(feature = "report")]
pub mod reproduce;
#[cfg(feature = "import")]
pub mod synth;
#[cfg(feature = "import")]
pub mod tag;
pub mod train;
pub mod tune;
pub mod verify;
pub mod walk;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// Music auto-tagging with playlist-based tag propagation.
#[derive(Parser, Debug)]
#[command(name = "tagwalk", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    #[cfg(feature = "import")]
    Demo(demo::Args),
    #[cfg(feature = "report")]
    Reproduce(Box<reproduce::Args>),
    #[cfg(feature = "import")]
    Prepare(prepare::Args),
    #[cfg(feature = "import")]
    Synth(synth::Args),
    Info(info::Args),
    Verify(verify::Args),
    Walk(walk::Args),
    Recovery(recovery::Args),
    #[cfg(feature = "baselines")]
    Baseline(baseline::Args),
    Explain(explain::Args),
    Train(train::Args),
    Evaluate(evaluate::Args),
    #[cfg(feature = "import")]
    Tag(tag::Args),
    Devices(devices::Args),
    Plan(plan::Args),
    Check(check::Args),
    Tune(tune::Args),
    Bench(bench::Args),
    Batches(batches::Args),
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: done, but some items failed; they have been listed.
    SomeFailed,
}

/// Runs a command. Choices that cannot be are named by their flags.
pub fn run(cli: Cli) -> Result<Outcome> {
    command(cli.command).map_err(flags::fields::by_flag)
}

fn command(command: Command) -> Result<Outcome> {
    match command {
        #[cfg(feature = "import")]
        Command::Demo(args) => demo::run(args),
        #[cfg(feature = "report")]
        Command::Reproduce(args) => reproduce::run(*args),
        #[cfg(feature = "import")]
        Command::Prepare(args) => prepare::run(args),
        #[cfg(feature = "import")]
        Command::Synth(args) => synth::run(args),
        Command::Info(args) => info::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Walk(args) => walk::run(args),
        Command::Recovery(args) => recovery::run(args),
        #[cfg(feature = "baselines")]
        Command::Baseline(args) => baseline::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Train(args) => train::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        #[cfg(feature = "import")]
        Command::Tag(args) => tag::run(args),
        Command::Devices(args) => devices::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Check(args) => check::run(args),
        Command::Tune(args) => tune::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Batches(args) => batches::run(args),
    }
}

/// Weights for using them; says what to do where there are none yet.
fn weights(path: &std::path::Path) -> Result<crate::run::Weights> {
    if path.exists() {
        return crate::run::Weights::read(path);
    }
    let is_weights = path.extension().is_some_and(|ending| ending == "safetensors");
    if is_weights && path.parent().is_some_and(|run| run.join(crate::run::files::CONFIG).exists()) {
        let help = "A run has best.safetensors once an epoch is finished: go on with `tagwalk train --resume --out RUN`, or take its last.safetensors.";
        return Err(crate::error::Error::input(path, "there are no weights").help(help));
    }
    Err(crate::error::Error::input(path, "no run here").help("A run's folder is what `tagwalk train DATASET --out RUN` makes."))
}

/// Opens a dataset; says what to do where a folder of music was named instead.
fn dataset(folder: &std::path::Path) -> Result<crate::dataset::Dataset> {
    crate::dataset::Dataset::open(folder).map_err(|error| or_music(folder, error))
}

/// Why a folder is no dataset.
fn or_music(folder: &std::path::Path, error: crate::error::Error) -> crate::error::Error {
    if !holds_music(folder) {
        return error;
    }
    let help = format!("Make one of it: tagwalk prepare --out DATASET --audio {} --tags TAGS.tsv", folder.display());
    crate::error::Error::input(folder, "is a folder of music, and no dataset").help(help)
}

/// Whether a folder is no dataset and has audio in it, or in a folder of it.
#[cfg(feature = "import")]
fn holds_music(folder: &std::path::Path) -> bool {
    use crate::import::audio::is_named;
    let below = |folder: &std::path::Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let holds = |folder: &std::path::Path| below(folder).any(|path| is_named(&path));
    !folder.join(crate::dataset::manifest::FILE).exists() && (holds(folder) || below(folder).any(|inner| holds(&inner)))
}

#[cfg(not(feature = "import"))]
fn holds_music(_: &std::path::Path) -> bool {
    false
}
