//! Flags in, exit code out; nothing else.

use std::process::ExitCode;

use clap::Parser;
use tagwalk::commands::{Cli, Outcome, print, run};

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Err(error) => {
            print::note(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
