//! Lists and dictionaries of text and numbers from Python's pickles, of protocols 0 to 4, as splits and
//! ids are passed on in. A pickle is a program for a small stack machine; here it can make a list or a
//! dictionary of text and integers and nothing else: no object is made and nothing of it is run.

use std::path::Path;
use std::rc::Rc;

use crate::error::{Error, Result};

/// Bytes of a pickle at most: the ids of a million songs take 41 MB.
const LIMIT: u64 = 128 << 20;

/// Text or a number, as text.
pub type Scalar = Rc<str>;

/// What a pickle holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pickle {
    List(Vec<Scalar>),
    /// Keys and values, in order.
    Dictionary(Vec<(Scalar, Scalar)>),
}

/// Whether a file is named as pickles are.
pub fn is_one(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    ["cp", "pkl", "pickle"].contains(&extension.as_str())
}

pub fn read(path: &Path) -> Result<Pickle> {
    let bytes = super::text::bytes(path, LIMIT)?;
    let help = "Pickles of lists and dictionaries of text and numbers are read; others, write out as text.";
    parse(&bytes).map_err(|what| Error::input(path, format!("cannot be read as a pickle: {what}")).help(help))
}

/// Reads a pickle; `Err` says what is wrong with it.
pub fn parse(bytes: &[u8]) -> std::result::Result<Pickle, String> {
    let mut machine = Machine { rest: bytes, stack: Vec::new(), memo: Vec::new() };
    loop {
        let opcode = machine.take(1)?[0];
        if opcode == b'.' {
            break;
        }
        machine.step(opcode)?;
    }
    match (machine.stack.pop(), machine.stack.is_empty()) {
        (Some(Item::Container(pickle)), true) => Ok(pickle),
        _ => Err("it holds no list or dictionary".into()),
    }
}

enum Item {
    Mark,
    Scalar(Scalar),
    Container(Pickle),
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Item>,
    /// What was put aside, by number; `None` for a container, which cannot stand inside another here.
    memo: Vec<Option<Scalar>>,
}

type Step<T> = std::result::Result<T, String>;

impl<'a> Machine<'a> {
    fn take(&mut self, bytes: usize) -> Step<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(bytes).ok_or("it ends early")?;
        self.rest = rest;
        Ok(head)
    }

    fn number(&mut self, bytes: usize) -> Step<usize> {
        let little = self.take(bytes)?;
        Ok(little.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
    }

    /// A line of text, a byte a character.
    fn line(&mut self) -> Step<String> {
        let end = self.rest.iter().position(|&b| b == b'\n').ok_or("it ends early")?;
        let line = &self.take(end + 1)?[..end];
        Ok(line.strip_suffix(b"\r").unwrap_or(line).iter().map(|&b| char::from(b)).collect())
    }

    fn text(&mut self, bytes: usize) -> Step<()> {
        let text = super::text::decode(self.take(bytes)?);
        self.push(text);
        Ok(())
    }

    fn push(&mut self, text: impl Into<Scalar>) {
        self.stack.push(Item::Scalar(text.into()));
    }

    fn signed(&mut self, bytes: usize) -> Step<()> {
        let little = self.take(bytes)?;
        if bytes > 8 {
            return Err("a number is too large".into());
        }
        let negative = little.last().is_some_and(|byte| byte >> 7 == 1);
        let mut all = if negative { [0xff; 8] } else { [0; 8] };
        all[..bytes].copy_from_slice(little);
        self.push(i64::from_le_bytes(all).to_string());
        Ok(())
    }

    /// Puts the top aside under a number. Numbers count up from 0 or 1 in what Python writes.
    fn put(&mut self, number: usize) -> Step<()> {
        let top = match self.stack.last() {
            Some(Item::Scalar(text)) => Some(text.clone()),
            Some(Item::Container(_)) => None,
            _ => return Err("there is nothing to put aside".into()),
        };
        if number > self.memo.len() + 1 {
            return Err(format!("it puts {number} aside before what comes before"));
        }
        self.memo.resize(self.memo.len().max(number + 1), None);
        self.memo[number] = top;
        Ok(())
    }

    fn get(&mut self, number: usize) -> Step<()> {
        let text = self.memo.get(number).cloned().flatten().ok_or("it takes what was not put aside")?;
        self.push(text);
        Ok(())
    }

    /// What is above the last mark, which goes too.
    fn above_mark(&mut self) -> Step<Vec<Scalar>> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark)).ok_or("a mark is missing")?;
        let items = self.stack.drain(mark + 1..).map(scalar).collect::<Step<Vec<Scalar>>>();
        self.stack.pop();
        items
    }

    fn add(&mut self, items: Vec<Scalar>, pairs: bool) -> Step<()> {
        match (self.stack.last_mut(), pairs) {
            (Some(Item::Container(Pickle::List(all))), false) => all.extend(items),
            (Some(Item::Container(Pickle::Dictionary(all))), true) => all.extend(two_by_two(items)?),
            _ => return Err("it adds to what is no list or dictionary".into()),
        }
        Ok(())
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            b'(' => self.stack.push(Item::Mark),
            b']' => self.stack.push(Item::Container(Pickle::List(Vec::new()))),
            b'}' => self.stack.push(Item::Container(Pickle::Dictionary(Vec::new()))),
            b'l' => {
                let items = self.above_mark()?;
                self.stack.push(Item::Container(Pickle::List(items)));
            }
            b'd' => {
                let items = two_by_two(self.above_mark()?)?;
                self.stack.push(Item::Container(Pickle::Dictionary(items)));
            }
            b'a' => {
                let item = self.pop()?;
                self.add(vec![item], false)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.add(vec![key, value], true)?;
            }
            b'e' | b'u' => {
                let items = self.above_mark()?;
                self.add(items, opcode == b'u')?;
            }
            b'S' => {
                let line = self.line()?;
                let inner = ['\'', '"'].iter().find_map(|&q| line.strip_prefix(q)?.strip_suffix(q));
                // Python 2's text is bytes.
                let text = unescaped(inner.ok_or("text without quotes")?);
                let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
                self.push(bytes.map_or(text, |bytes| super::text::decode(&bytes)));
            }
            b'V' => {
                let text = unescaped(&self.line()?);
                self.push(text);
            }
            b'I' | b'L' => {
                let line = self.line()?;
                let number: i64 = line.trim_end_matches('L').parse().map_err(|_| format!("{line:.30?} is no number"))?;
                self.push(number.to_string());
            }
            b'K' | b'M' => {
                let number = self.number(usize::from(opcode == b'M') + 1)?;
                self.push(number.to_string());
            }
            b'J' => self.signed(4)?,
            0x8a => {
                let bytes = self.number(1)?;
                self.signed(bytes)?;
            }
            b'U' | b'C' | 0x8c => {
                let bytes = self.number(1)?;
                self.text(bytes)?;
            }
            b'T' | b'X' | b'B' => {
                let bytes = self.number(4)?;
                self.text(bytes)?;
            }
            b'p' | b'g' => {
                let line = self.line()?;
                let number = line.parse().map_err(|_| format!("{line:.30?} is no number"))?;
                if opcode == b'p' { self.put(number)? } else { self.get(number)? }
            }
            b'q' | b'r' => {
                let number = self.number(if opcode == b'q' { 1 } else { 4 })?;
                self.put(number)?;
            }
            b'h' | b'j' => {
                let number = self.number(if opcode == b'h' { 1 } else { 4 })?;
                self.get(number)?;
            }
            0x94 => self.put(self.memo.len())?,
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            other => return Err(format!("it holds more than text and numbers (opcode {other:#04x})")),
        }
        Ok(())
    }

    fn pop(&mut self) -> Step<Scalar> {
        scalar(self.stack.pop().ok_or("it takes what is not there")?)
    }
}

fn scalar(item: Item) -> Step<Scalar> {
    match item {
        Item::Scalar(text) => Ok(text),
        Item::Mark | Item::Container(_) => Err("a list or dictionary inside another".into()),
    }
}

fn two_by_two(items: Vec<Scalar>) -> Step<Vec<(Scalar, Scalar)>> {
    if items.len() % 2 == 1 {
        return Err("a key without a value".into());
    }
    let mut items = items.into_iter();
    Ok(std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect())
}

/// Python's escapes of text: `\n`, `\\`, `\'`, `\xhh`, `\uhhhh`; a backslash before anything else is itself.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let hex = |digits: usize| {
            let digits = after.get(1..1 + digits)?;
            char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?)
        };
        let code = after.chars().next();
        let (c, used) = match code {
            Some('n') => (Some('\n'), 1),
            Some('r') => (Some('\r'), 1),
            Some('t') => (Some('\t'), 1),
            Some(c @ ('\\' | '\'' | '"')) => (Some(c), 1),
            Some('x') => (hex(2), 3),
            Some('u') => (hex(4), 5),
            _ => (None, 0),
        };
        match c {
            Some(c) => {
                out.push(c);
                rest = &after[used..];
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> Vec<Scalar> {
        items.iter().map(|&text| text.into()).collect()
    }

    /// Made by Python: pickle.dumps(x, protocol), of ["TRAADIN128F931D672", "é'\\\n", 3, -70000] and of
    /// {"TRAADIN128F931D672": 6010476, "b": "8/9/1.clip.mp3", "c": "8/9/1.clip.mp3"}.
    const LISTS: [&[u8]; 3] = [
        b"(lp0\nVTRAADIN128F931D672\np1\naV\xe9'\\u005c\\u000a\np2\naI3\naI-70000\na.",
        b"\x80\x02]q\x00(X\x12\x00\x00\x00TRAADIN128F931D672q\x01X\x05\x00\x00\x00\xc3\xa9'\\\nq\x02K\x03J\x90\xee\xfe\xffe.",
        b"\x80\x04\x95\x29\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x12TRAADIN128F931D672\x94\x8c\x05\xc3\xa9'\\\n\x94K\x03J\x90\xee\xfe\xffe.",
    ];
    const DICTIONARY: &[u8] = b"\x80\x02}q\x00(X\x12\x00\x00\x00TRAADIN128F931D672q\x01J\x6c\xb6\x5b\x00X\x01\x00\x00\x00bq\x02X\x0e\x00\x00\x008/9/1.clip.mp3q\x03X\x01\x00\x00\x00cq\x04h\x03u.";

    #[test]
    fn what_python_writes() {
        for list in LISTS {
            assert_eq!(parse(list).unwrap(), Pickle::List(texts(&["TRAADIN128F931D672", "é'\\\n", "3", "-70000"])));
        }
        let pairs = [("TRAADIN128F931D672", "6010476"), ("b", "8/9/1.clip.mp3"), ("c", "8/9/1.clip.mp3")];
        let pairs = pairs.map(|(key, value)| (key.into(), value.into())).to_vec();
        assert_eq!(parse(DICTIONARY).unwrap(), Pickle::Dictionary(pairs));
        // As Python 2 wrote lists: numbers from 1.
        let old = b"(lp1\nS'TRAADIN128F931D672'\np2\naS'it\\'s \\xc3\\xa9'\np3\na.";
        assert_eq!(parse(old).unwrap(), Pickle::List(texts(&["TRAADIN128F931D672", "it's é"])));
    }

    #[test]
    fn objects_and_damage_are_refused() {
        let run = b"cos\nsystem\n(S'true'\ntR.";
        assert!(parse(run).unwrap_err().contains("more than text and numbers"));
        for bad in [&b""[..], b".", b"(l", b"]]a.", b"a.", b"(S'a'\nd.", b"]p9999999999\n.", b"]q\xff.", b"U\xffx.", b"(("] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
