//! How commands print: results to standard output, everything else to standard error behind
//! `tagwalk: `. A reader that has gone away (a broken pipe) is no failure. Nothing is coloured here,
//! so `NO_COLOR` has nothing to turn off.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::format::json_lines;

/// A line of the result.
pub fn line(text: impl Display) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Error::io("standard output", "cannot write", e)),
        Ok(()) => Ok(()),
    }
}

/// An object of the result as one line of JSON, beginning with its `schema`.
pub fn json(object: &impl Serialize) -> Result<()> {
    line(json_lines::line(object))
}

/// What clap says of wrong flags, as every other error looks: no prefix of its own, the lines after the first indented.
pub fn paragraph(text: &str) -> String {
    let lines = text.strip_prefix("error: ").unwrap_or(text).lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n  ")
}

/// Something to know that is no result. Where nobody reads it, it is lost.
pub fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "tagwalk: {text}");
}
