//! Rows of a SQLite table. The file is opened read-only and as one that nobody changes: nothing is written,
//! beside it neither. It may come from anybody: only ordinary tables are read, whole, in order of their rows.

use std::path::Path;

use crate::error::{Error, Result};

/// What such a file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Integer(i64),
    Real(f64),
    Text(&'a str),
    /// NULL, bytes, or text that is not UTF-8.
    Other,
}

impl<'a> Cell<'a> {
    /// A row's number: an integer, or a real that is one.
    pub fn integer(self) -> Option<i64> {
        match self {
            Cell::Integer(number) => Some(number),
            Cell::Real(real) if real == real.trunc() && real.abs() < 9e15 => Some(real as i64),
            _ => None,
        }
    }

    pub fn real(self) -> Option<f64> {
        match self {
            Cell::Integer(number) => Some(number as f64),
            Cell::Real(real) => Some(real),
            _ => None,
        }
    }

    pub fn text(self) -> Option<&'a str> {
        match self {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Whether a file is one of SQLite, by its first bytes.
pub fn is_one(path: &Path) -> Result<bool> {
    Ok(super::text::beginning(path, MAGIC.len())? == MAGIC)
}

/// Whether the file has this ordinary table with these columns.
pub fn has_table(path: &Path, table: &str, columns: &[&str]) -> Result<bool> {
    reading::has_table(path, table, columns)
}

/// Gives the number and the cells of each row of a table to `take`, ordered by the number.
pub fn rows(path: &Path, table: &str, columns: &[&str], take: &mut dyn FnMut(i64, &[Cell])) -> Result<()> {
    if !has_table(path, table, columns)? {
        let what = format!("is an SQLite file without a table {table} ({})", columns.join(", "));
        return Err(Error::input(path, what).help("Look into it: sqlite3 FILE .schema"));
    }
    reading::rows(path, table, columns, take)
}

#[cfg(feature = "sqlite")]
mod reading {
    use rusqlite::config::DbConfig;
    use rusqlite::limits::Limit;
    use rusqlite::types::ValueRef;
    use rusqlite::{Connection, OpenFlags};

    use super::{Cell, Error, Path, Result};

    /// Bytes of a cell at most.
    const CELL: i32 = 1 << 20;

    fn wrong(path: &Path, error: rusqlite::Error) -> Error {
        Error::input(path, format!("cannot be read: {error}"))
            .help("Get the file again; sqlite3 FILE 'PRAGMA integrity_check' says more.")
    }

    fn open(path: &Path) -> Result<Connection> {
        let whole = std::path::absolute(path).map_err(|e| Error::io(path, "cannot open", e))?;
        let mut uri = String::from("file://");
        for &byte in whole.as_os_str().as_encoded_bytes() {
            match byte {
                b'\\' if cfg!(windows) => uri.push('/'),
                b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(byte.into()),
                b':' if cfg!(windows) => uri.push(':'),
                byte => uri += &format!("%{byte:02X}"),
            }
        }
        if cfg!(windows) {
            uri.insert(7, '/');
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(uri + "?immutable=1", flags).map_err(|e| wrong(path, e))?;
        let safe = || {
            opened.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            opened.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            opened.set_limit(Limit::SQLITE_LIMIT_LENGTH, CELL)?;
            opened.execute_batch("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0")
        };
        safe().map_err(|e| wrong(path, e))?;
        Ok(opened)
    }

    pub fn has_table(path: &Path, table: &str, columns: &[&str]) -> Result<bool> {
        let file = open(path)?;
        let look = || {
            // A view or a virtual table has no root page: what it would run is not known.
            let find = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND lower(name) = ?1";
            if file.query_row(find, [table], |row| row.get::<_, i64>(0))? != 1 {
                return Ok(false);
            }
            // Generated columns are computed: they count as missing.
            let mut statement = file.prepare("SELECT lower(name) FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
            let names = statement.query_map([table], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(columns.iter().all(|column| names.iter().any(|name| name == column)))
        };
        look().map_err(|e| wrong(path, e))
    }

    pub fn rows(path: &Path, table: &str, columns: &[&str], take: &mut dyn FnMut(i64, &[Cell])) -> Result<()> {
        let file = open(path)?;
        let bytes = std::fs::metadata(path).map_err(|e| Error::io(path, "cannot read", e))?.len();
        // Pages that point at the same pages again and again: a row takes two bytes at least.
        let mut left = bytes / 2;
        let mut read = || {
            let sql = format!("SELECT rowid, {} FROM {table} NOT INDEXED ORDER BY rowid", columns.join(", "));
            let mut statement = file.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut cells = [Cell::Other; 4];
                for (i, cell) in cells.iter_mut().take(columns.len()).enumerate() {
                    *cell = match row.get_ref(i + 1)? {
                        ValueRef::Integer(number) => Cell::Integer(number),
                        ValueRef::Real(real) => Cell::Real(real),
                        ValueRef::Text(text) => std::str::from_utf8(text).map_or(Cell::Other, Cell::Text),
                        ValueRef::Null | ValueRef::Blob(_) => Cell::Other,
                    };
                }
                take(row.get(0)?, &cells[..columns.len()]);
                if left == 0 {
                    return Ok(false);
                }
                left -= 1;
            }
            Ok(true)
        };
        match read().map_err(|e| wrong(path, e))? {
            true => Ok(()),
            false => Err(Error::input(path, format!("is damaged: table {table} has more rows than {bytes} bytes can hold"))),
        }
    }
}

#[cfg(not(feature = "sqlite"))]
mod reading {
    use super::{Cell, Error, Path, Result};

    fn not_built(path: &Path) -> Error {
        Error::input(path, "is an SQLite file, and this program was built without the feature `sqlite`")
            .help("Build it with its default features; that needs a C compiler.")
    }

    pub fn has_table(path: &Path, _: &str, _: &[&str]) -> Result<bool> {
        Err(not_built(path))
    }

    pub fn rows(path: &Path, _: &str, _: &[&str], _: &mut dyn FnMut(i64, &[Cell])) -> Result<()> {
        Err(not_built(path))
    }
}
