//! One error type for the whole crate: what went wrong, in which file or flag, what to do next,
//! and the exit code that follows from it.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

/// What sort of trouble it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A choice that cannot be, or choices that cannot be together: a flag, or the field that it sets.
    Usage,
    /// A file or value from outside that cannot be used.
    Input,
    /// No device of the kind asked for, or the device refused or was lost.
    Device,
    /// The user stopped it.
    Interrupted,
}

/// An error for people. Build one with [`Error::usage`], [`Error::input`], [`Error::device`] or
/// [`Error::io`] and say with [`Error::help`] what to do next.
#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    /// The file, flag or tensor it is about, if there is one.
    pub place: Option<String>,
    /// What is wrong, one clause, no full stop.
    pub what: String,
    /// What to do next, one sentence.
    pub help: Option<String>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(kind: Kind, place: Option<String>, what: impl Into<String>) -> Error {
        Error { kind, place, what: what.into(), help: None }
    }

    /// A wrong choice, by its flag in a command, `Error::usage("--rate", "must be above 0")`, and in the library by its
    /// field, "schedule.rate": whoever chose it may have written a program or a file.
    pub fn usage(choice: impl Into<String>, what: impl Into<String>) -> Error {
        Error::new(Kind::Usage, Some(choice.into()), what)
    }

    /// Something wrong in a file or folder.
    pub fn input(path: impl AsRef<Path>, what: impl Into<String>) -> Error {
        Error::new(Kind::Input, Some(path.as_ref().display().to_string()), what)
    }

    /// No device, or a device that failed.
    pub fn device(what: impl Into<String>) -> Error {
        Error::new(Kind::Device, None, what)
    }

    /// The operating system refused a file operation: `Error::io(path, "cannot read", e)`.
    pub fn io(path: impl AsRef<Path>, doing: &str, error: std::io::Error) -> Error {
        let help = match error.kind() {
            ErrorKind::NotFound => Some("Look whether the path is right."),
            ErrorKind::PermissionDenied => Some("Look who may read and write there."),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some("Make room there and run the same command again."),
            _ => None,
        };
        Error { help: help.map(Into::into), ..Error::input(path, format!("{doing}: {error}")) }
    }

    /// Stopped by Ctrl-C.
    pub fn interrupted(what: impl Into<String>) -> Error {
        Error::new(Kind::Interrupted, None, what)
    }

    /// The same of another place: a command names the flag for what the library names by its idea.
    pub fn place(mut self, place: impl Into<String>) -> Error {
        self.place = Some(place.into());
        self
    }

    /// A wrong choice as what is wrong in the file that says it; other errors as they are.
    pub fn chosen_in(self, path: impl AsRef<Path>) -> Error {
        if self.kind != Kind::Usage {
            return self;
        }
        let wrong = Error::input(path, self.clause());
        Error { help: self.help, ..wrong }
    }

    /// Place and what is wrong, without what to do next: a clause inside another error.
    pub fn clause(&self) -> String {
        self.place.as_ref().map_or_else(|| self.what.clone(), |place| format!("{place}: {}", self.what))
    }

    /// Adds what to do next.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    /// The program's exit code: 2 usage or input, 3 no device, 130 interrupted.
    /// (0 is done, 1 is done but some items failed; neither is an error.)
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage | Kind::Input => 2,
            Kind::Device => 3,
            Kind::Interrupted => 130,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clause())?;
        if let Some(help) = &self.help {
            write!(f, "\n  {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
