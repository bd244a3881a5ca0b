//! One file a command: read flags, call the library, print. `mod.rs` has the table of commands and
//! what they share.

pub mod evaluate;
pub mod info;
#[cfg(feature = "import")]
pub mod prepare;
pub mod print;
pub mod verify;

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
    Evaluate(evaluate::Args),
    Info(info::Args),
    #[cfg(feature = "import")]
    Prepare(prepare::Args),
    Verify(verify::Args),
}

/// How a command that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Done,
    /// Exit code 1: done, but some items failed; they have been listed.
    SomeFailed,
}

/// Runs a command.
pub fn run(cli: Cli) -> Result<Outcome> {
    match cli.command {
        Command::Evaluate(args) => evaluate::run(args),
        Command::Info(args) => info::run(args),
        #[cfg(feature = "import")]
        Command::Prepare(args) => prepare::run(args),
        Command::Verify(args) => verify::run(args),
    }
}
