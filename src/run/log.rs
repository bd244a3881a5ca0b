//! `metrics.jsonl`: lines appended and flushed one by one. What a killed run left torn at its end is
//! cut off when it goes on, and so is what it wrote after its last checkpoint.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::format::{atomic, json_lines};

/// An open log.
pub struct Log {
    path: PathBuf,
    file: File,
    length: u64,
    /// The last line, kept for its memory.
    line: Vec<u8>,
}

impl Log {
    /// Begins an empty log.
    pub fn create(path: &Path) -> Result<Log> {
        let file = File::create(path).map_err(|e| Error::io(path, "cannot create", e))?;
        Ok(Log { path: path.to_path_buf(), file, length: 0, line: Vec::new() })
    }

    /// Goes on with a log at a checkpoint's position: whole lines within the first `length` bytes
    /// stay, the rest is cut off.
    pub fn resume(path: &Path, length: u64) -> Result<Log> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = opened.map_err(|e| Error::io(path, "cannot open", e))?;
        let cut = |file: &mut File| {
            let mut end = file.metadata()?.len().min(length);
            // Back to the end of the last whole line.
            let mut byte = [0u8];
            while end > 0 {
                file.seek(SeekFrom::Start(end - 1))?;
                file.read_exact(&mut byte)?;
                if byte == *b"\n" {
                    break;
                }
                end -= 1;
            }
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))
        };
        let length = cut(&mut file).map_err(|e| Error::io(path, "cannot cut off its torn end", e))?;
        Ok(Log { path: path.to_path_buf(), file, length, line: Vec::new() })
    }

    /// Appends an object as one line. Allocates only where a line is longer than all before.
    pub fn write<T: Serialize>(&mut self, object: &T) -> Result<()> {
        self.line.clear();
        json_lines::append(&mut self.line, object);
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(|e| atomic::failed_write(&self.path, e))?;
        self.length += self.line.len() as u64;
        Ok(())
    }

    /// Makes durable what was written and says how long that is: what a checkpoint's position keeps.
    pub fn sync(&mut self) -> Result<u64> {
        self.file.sync_data().map_err(|e| atomic::failed_write(&self.path, e))?;
        Ok(self.length)
    }

    /// Reads a log's objects, one at a time. A torn last line is left out; a line that is no JSON is an
    /// error that names it.
    pub fn read(path: &Path) -> Result<impl Iterator<Item = Result<Value>>> {
        let file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
        let mut lines = BufReader::new(file);
        let path = path.to_path_buf();
        let mut number = 0;
        Ok(std::iter::from_fn(move || {
            let mut line = Vec::new();
            match lines.read_until(b'\n', &mut line) {
                Err(e) => return Some(Err(Error::io(&path, "cannot read", e))),
                Ok(_) if line.last() != Some(&b'\n') => return None,
                Ok(_) => number += 1,
            }
            Some(serde_json::from_slice(&line).map_err(|e| Error::input(&path, format!("line {number}: {e}"))))
        }))
    }
}
