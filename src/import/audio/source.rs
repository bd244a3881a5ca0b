//! A file as a stream of mono blocks at its own rate: container and codec by what the bytes are
//! (never the extension), encoder delay and padding taken off, channels mixed to their mean.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Trouble;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::mp4;
use super::opus;
use crate::error::{Error, Result};

/// An open file, decoded packet by packet.
pub(super) struct Source {
    path: PathBuf,
    reader: Box<dyn FormatReader>,
    stream: Stream,
    /// Hz.
    pub rate: u32,
    pub channels: u16,
    mono: Vec<f32>,
    /// Packets that could be decoded, and that could not or are not there.
    good: u64,
    damaged: u64,
    /// Where the packet before ended, by the file's own count.
    end: Option<i64>,
    /// Why reading stopped before the end, if it did.
    broken: Option<String>,
    finished: bool,
}

/// One audio track of the file.
struct Stream {
    track: u32,
    codec: Codec,
    rate: u32,
    channels: u16,
    /// The first packet is only there to overlap the second, and gives no frames.
    lapped: bool,
    /// Frames still to be dropped at the start, and to be given after that.
    skip: u64,
    left: u64,
    /// Ogg: the last page's granule position, and how many frames at most are padding before it.
    end: i64,
    padding: u64,
}

enum Codec {
    Symphonia { decoder: Box<dyn AudioDecoder>, frames: Vec<f32> },
    Opus(opus::Decoder),
}

impl Source {
    /// Opens a file and finds its default audio track.
    pub fn open(path: &Path) -> Result<Source> {
        let file = File::open(path).map_err(|e| Error::io(path, "cannot open", e))?;
        let about = file.metadata().map_err(|e| Error::io(path, "cannot open", e))?;
        if !about.is_file() {
            return Err(Error::input(path, "is not a file").help("Name audio files, or the folder that holds them."));
        }
        if about.len() == 0 {
            return Err(Error::input(path, "the file is empty").help("Leave it out, or get the file again."));
        }
        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        let reader = symphonia::default::get_probe()
            .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|e| unreadable(path, "no audio that this build can decode", &e))?;
        let stream = Stream::find(path, reader.as_ref())?;
        let (rate, channels) = (stream.rate, stream.channels);
        Ok(Source {
            path: path.to_path_buf(),
            reader,
            stream,
            rate,
            channels,
            mono: Vec::new(),
            good: 0,
            damaged: 0,
            end: None,
            broken: None,
            finished: false,
        })
    }

    /// The next frames, mixed; `None` at the end of what can be decoded (see [`Source::notes`]).
    /// An error only where nothing at all could be.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>> {
        while !self.finished && self.stream.left > 0 {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.stream.track => {
                    self.damaged = self.damaged.saturating_add(self.passed_over(&packet));
                    if self.decode(&packet) {
                        return Ok(Some(&self.mono));
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => self.finished = true,
                // Several streams, one after the other (Ogg calls it chaining).
                Err(Trouble::ResetRequired) => self.next_stream()?,
                Err(Trouble::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => self.stop("the file ends early"),
                Err(e) => self.stop(&format!("reading stopped: {e}")),
            }
        }
        if self.good == 0 && self.damaged > 0 {
            return Err(Error::input(&self.path, format!("none of its {} audio packets could be decoded", self.damaged))
                .help(super::convert(&self.path)));
        }
        Ok(None)
    }

    /// What went wrong on the way, for people.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.damaged > 0 {
            notes.push(format!("{} damaged audio packets of {} left out", self.damaged, self.damaged.saturating_add(self.good)));
        }
        notes.extend(self.broken.clone());
        notes
    }

    fn stop(&mut self, why: &str) {
        self.broken = Some(why.to_string());
        self.finished = true;
    }

    /// About how many packets the reader passed over before this one without a word, as it does where a
    /// checksum of FLAC or Ogg is wrong: so many as would fill the gap between the packets' times.
    fn passed_over(&mut self, packet: &Packet) -> u64 {
        let (begin, length) = (packet.pts.get(), packet.block_dur().get());
        let end = self.end.replace(begin.saturating_add_unsigned(length));
        let gap = end.map_or(0, |end| u64::try_from(begin.saturating_sub(end)).unwrap_or(0));
        // A page of Ogg is many packets; less than this is how its packets' times are counted.
        let least = match self.reader.format_info().short_name {
            "flac" => 1,
            "ogg" => u64::from(self.rate) / 20,
            _ => return 0,
        };
        if gap < least { 0 } else { gap.div_ceil(length.max(1)) }
    }

    fn next_stream(&mut self) -> Result<()> {
        self.end = None;
        match Stream::find(&self.path, self.reader.as_ref()) {
            Ok(next) if next.rate == self.rate && next.channels == self.channels => self.stream = next,
            Ok(next) => self.stop(&format!(
                "a second stream of {} Hz and {} channels in the same file is left out",
                next.rate, next.channels
            )),
            Err(e) => self.stop(&format!("a second stream in the same file is left out: {}", e.what)),
        }
        Ok(())
    }

    /// Decodes a packet into `mono`; false where it gives no frames.
    fn decode(&mut self, packet: &Packet) -> bool {
        self.mono.clear();
        let stream = &mut self.stream;
        let (frames, channels): (&[f32], usize) = match &mut stream.codec {
            Codec::Symphonia { decoder, frames } => match decoder.decode(packet) {
                // A stream may change its layout on the way; its rate may not.
                Ok(buffer) if buffer.spec().rate() == stream.rate => {
                    let channels = buffer.num_planes();
                    buffer.copy_to_vec_interleaved(frames);
                    (frames.as_slice(), channels)
                }
                _ => {
                    self.damaged += 1;
                    return false;
                }
            },
            Codec::Opus(decoder) => match decoder.decode(&packet.data) {
                Ok(frames) => (frames, usize::from(stream.channels)),
                Err(_) => {
                    self.damaged += 1;
                    return false;
                }
            },
        };
        self.good += 1;
        if channels == 0 || std::mem::take(&mut stream.lapped) {
            return false;
        }
        let count = (frames.len() / channels) as u64;
        let skipped = stream.skip.min(count);
        stream.skip -= skipped;
        // Packets of earlier pages may carry trims too (symphonia 0.6.1 makes some up where the first
        // two blocks of Vorbis differ in size); only what reaches the last page's end is padding.
        let trim = match packet.pts.get().saturating_add(packet.block_dur().get() as i64) >= stream.end {
            true => packet.trim_end.get().min(stream.padding).min(count - skipped),
            false => 0,
        };
        stream.padding -= trim;
        let kept = (count - skipped - trim).min(stream.left);
        stream.left -= kept;
        let wanted = &frames[skipped as usize * channels..(skipped + kept) as usize * channels];
        mix(wanted, channels, &mut self.mono);
        !self.mono.is_empty()
    }
}

/// Appends the mean of each frame's channels. Files of floats may hold anything; one NaN would spread
/// over a whole filter's length, so it counts as silence.
fn mix(frames: &[f32], channels: usize, mono: &mut Vec<f32>) {
    let share = 1.0 / channels as f32;
    let finite = |mean: f32| if mean.is_finite() { mean } else { 0.0 };
    match channels {
        // Nearly all music is: a loop that the compiler turns into vectors.
        2 => mono.extend(frames.as_chunks().0.iter().map(|[left, right]| finite((left + right) * share))),
        _ => mono.extend(frames.chunks_exact(channels).map(|frame| finite(frame.iter().sum::<f32>() * share))),
    }
}

impl Stream {
    fn find(path: &Path, reader: &dyn FormatReader) -> Result<Stream> {
        let none = || Error::input(path, "holds no audio track that this build can decode").help(super::convert(path));
        let track = reader.default_track(TrackType::Audio).ok_or_else(none)?;
        let Some(CodecParameters::Audio(parameters)) = &track.codec_params else { return Err(none()) };
        let lapped = parameters.codec == CODEC_ID_VORBIS;
        let codec = if parameters.codec == CODEC_ID_OPUS {
            let head = parameters.extra_data.as_deref().unwrap_or(&[]);
            Codec::Opus(opus::Decoder::new(head).map_err(|e| Error::input(path, e).help(super::convert(path)))?)
        } else {
            // Vorbis is trimmed in `decode`, which says why.
            let options = AudioDecoderOptions::default().gapless(!lapped);
            let decoder = symphonia::default::get_codecs()
                .make_audio_decoder(parameters, &options)
                .map_err(|e| unreadable(path, "its audio cannot be decoded by this build", &e))?;
            Codec::Symphonia { decoder, frames: Vec::new() }
        };
        let rate = match &codec {
            Codec::Opus(_) => opus::RATE,
            Codec::Symphonia { .. } => parameters.sample_rate.ok_or_else(none)?,
        };
        let channels = parameters.channels.as_ref().map_or(0, |c| c.count());
        let (mut skip, mut left, mut end, mut padding) = (0, u64::MAX, 0, 0);
        match reader.format_info().short_name {
            // The demuxer leaves an MP4's edit list to us: it says where the encoder's delay ends.
            "isomp4" => {
                if let Some(edit) = mp4::edit(path, track.id, rate) {
                    (skip, left) = (edit.skip, edit.length.unwrap_or(u64::MAX));
                }
            }
            "ogg" if lapped || matches!(codec, Codec::Opus(_)) => {
                skip = ogg_skip(track, lapped);
                end = track.num_frames.map_or(i64::MAX, |n| n.min(i64::MAX as u64) as i64);
                padding = u64::from(track.padding.unwrap_or(0));
            }
            // The decoder has done it.
            _ => {}
        }
        Ok(Stream { track: track.id, codec, rate, channels: channels as u16, lapped, skip, left, end, padding })
    }
}

/// How many frames to drop at the start of an Ogg stream: of Opus the header's pre-skip (RFC 7845
/// section 4.2), of Vorbis those before 0 by the first page's granule position, which counts the
/// frames up to the page's end (Vorbis I appendix A.2).
fn ogg_skip(track: &Track, lapped: bool) -> u64 {
    let delay = track.delay.unwrap_or(0);
    if lapped {
        // The demuxer's delay is the first packet, which gives no frames here.
        track.start_ts.get().saturating_add(i64::from(delay)).min(0).unsigned_abs()
    } else {
        u64::from(delay)
    }
}

/// The error for a file that symphonia refuses.
fn unreadable(path: &Path, what: &str, trouble: &Trouble) -> Error {
    Error::input(path, format!("{what} ({trouble})")).help(super::convert(path))
}
