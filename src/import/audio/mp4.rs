//! The edit list of an MP4 file (ISO/IEC 14496-12 section 8.6.6): which part of a track's frames is
//! the music, without what the encoder put before and after it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// The part of a track that is played, in frames of the audio's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub skip: u64,
    /// All that follows if `None`.
    pub length: Option<u64>,
}

/// A `moov` box larger than this is not music.
const LARGEST: u64 = 256 << 20;

/// The first edit with sound of the track with this identifier; `None` where there is no edit list
/// or it cannot be read, which leaves all frames in.
pub(super) fn edit(path: &Path, track: u32, rate: u32) -> Option<Edit> {
    let moov = read_moov(&mut File::open(path).ok()?)?;
    edit_in(&moov, track, rate)
}

/// Finds the top-level `moov` box and reads its content.
fn read_moov(file: &mut File) -> Option<Vec<u8>> {
    let end = file.metadata().ok()?.len();
    let mut at = 0;
    while at + 8 <= end {
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at)).ok()?;
        let read = (end - at).min(16) as usize;
        file.read_exact(&mut header[..read]).ok()?;
        let (size, content) = match u32_at(&header, 0)? {
            0 => (end - at, 8),
            1 => (u64_at(&header, 8)?, 16),
            size => (u64::from(size), 8),
        };
        if size < content || size > end - at {
            return None;
        }
        if &header[4..8] == b"moov" {
            if size > LARGEST {
                return None;
            }
            let mut moov = vec![0; (size - content) as usize];
            file.seek(SeekFrom::Start(at + content)).ok()?;
            file.read_exact(&mut moov).ok()?;
            return Some(moov);
        }
        at += size;
    }
    None
}

fn edit_in(moov: &[u8], track: u32, rate: u32) -> Option<Edit> {
    let all = 0..moov.len();
    let movie_scale = timescale(moov, child(moov, all.clone(), b"mvhd")?)?;
    let trak = children(moov, all)
        .filter(|(kind, _)| kind == b"trak")
        .map(|(_, range)| range)
        .find(|range| child(moov, range.clone(), b"tkhd").and_then(|header| track_id(moov, header)) == Some(track))?;
    let mdia = child(moov, trak.clone(), b"mdia")?;
    let media_scale = timescale(moov, child(moov, mdia, b"mdhd")?)?;
    let elst = child(moov, child(moov, trak, b"edts")?, b"elst")?;
    let list = &moov[elst];
    let long = *list.first()? == 1;
    let entry_size = if long { 20 } else { 12 };
    let frames = |time: u64, scale: u32| {
        // Rounded; 128 bits, since a hostile file may give any two numbers.
        let (time, rate, scale) = (u128::from(time), u128::from(rate), u128::from(scale));
        u64::try_from((2 * time * rate + scale) / (2 * scale)).ok()
    };
    for entry in list.get(8..)?.chunks_exact(entry_size).take(u32_at(list, 4)? as usize) {
        let (duration, start) = if long {
            (u64_at(entry, 0)?, u64_at(entry, 8)? as i64)
        } else {
            (u64::from(u32_at(entry, 0)?), i64::from(u32_at(entry, 4)? as i32))
        };
        // -1 is an empty edit: silence before the sound begins.
        if let Ok(start) = u64::try_from(start) {
            let length = if duration == 0 { None } else { Some(frames(duration, movie_scale)?) };
            return Some(Edit { skip: frames(start, media_scale)?, length });
        }
    }
    None
}

/// The boxes directly inside a range: kind and content.
fn children(bytes: &[u8], within: Range<usize>) -> impl Iterator<Item = ([u8; 4], Range<usize>)> + '_ {
    let mut at = within.start;
    std::iter::from_fn(move || {
        let size = u32_at(bytes, at)? as usize;
        let kind = bytes.get(at + 4..at + 8)?.try_into().ok()?;
        let size = if size == 0 { within.end - at } else { size };
        if size < 8 || size > within.end - at {
            return None;
        }
        let content = at + 8..at + size;
        at += size;
        Some((kind, content))
    })
    .fuse()
}

fn child(bytes: &[u8], within: Range<usize>, kind: &[u8; 4]) -> Option<Range<usize>> {
    children(bytes, within).find(|(k, _)| k == kind).map(|(_, range)| range)
}

/// Units a second, from the content of an `mvhd` or `mdhd` box; `None` if 0.
fn timescale(bytes: &[u8], header: Range<usize>) -> Option<u32> {
    let header = &bytes[header];
    let at = if *header.first()? == 1 { 20 } else { 12 };
    u32_at(header, at).filter(|&scale| scale > 0)
}

fn track_id(bytes: &[u8], header: Range<usize>) -> Option<u32> {
    let header = &bytes[header];
    let at = if *header.first()? == 1 { 20 } else { 12 };
    u32_at(header, at)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_be_bytes)
}
