//! Flags in, exit code out; nothing else.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tagwalk::commands::{Cli, Outcome, print, run};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version, asked for or not.
        Err(error) if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        Err(error) => {
            print::note(print::paragraph(&error.to_string()));
            return ExitCode::from(2);
        }
    };
    match run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Err(error) => {
            print::note(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
