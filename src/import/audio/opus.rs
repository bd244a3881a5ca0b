//! Opus in Ogg or MP4 (RFC 6716, RFC 7845): the identification header's channels and gain, and
//! packets to samples at 48 kHz, by the `opus-pure` crate.

use opus_pure::{ChannelLayout, MAX_PACKET_SAMPLES, OpusDecoder, OpusMSDecoder};

/// Opus decodes to this rate, Hz, whatever the rate of what was encoded (RFC 7845 section 5.1).
pub(super) const RATE: u32 = 48_000;

/// A stream of Opus packets.
pub(super) struct Decoder {
    streams: Streams,
    channels: usize,
    /// The header's output gain as a factor.
    gain: f32,
    frames: Vec<f32>,
}

enum Streams {
    One(Box<OpusDecoder>),
    Several(Box<OpusMSDecoder>),
}

impl Decoder {
    /// From the identification header (RFC 7845 section 5.1: `OpusHead`, version, channel count,
    /// pre-skip, input rate, output gain, mapping family, then streams, coupled streams and a
    /// table). Mapping families 0 (mono, stereo) and 1 (up to 7.1) are decoded; `Err` says what
    /// is not.
    pub fn new(head: &[u8]) -> Result<Decoder, String> {
        if head.len() < 19 || !head.starts_with(b"OpusHead") {
            return Err("its Opus header is damaged".to_string());
        }
        let (channels, family) = (usize::from(head[9]), head[18]);
        let cannot = |e| format!("Opus with {channels} channels in mapping family {family} cannot be decoded ({e})");
        let rate = RATE as i32;
        let streams = if family == 0 {
            Streams::One(Box::new(OpusDecoder::new(rate, channels).map_err(cannot)?))
        } else {
            let layout = ChannelLayout::surround(channels, family).map_err(cannot)?;
            // The crate takes the family's own layout. Which channel is which speaker is nothing to
            // their mean, but how many streams a packet holds must be as it takes it.
            let stated = head.get(19..21).map(|s| (usize::from(s[0]), usize::from(s[1])));
            if stated != Some((layout.nb_streams, layout.nb_coupled_streams)) {
                return Err(format!("Opus with {channels} channels in an unusual layout cannot be decoded"));
            }
            Streams::Several(Box::new(OpusMSDecoder::new(rate, channels, family).map_err(cannot)?))
        };
        // Decibels, with eight bits after the point.
        let gain = 10f32.powf(f32::from(i16::from_le_bytes([head[16], head[17]])) / (20.0 * 256.0));
        Ok(Decoder { streams, channels, gain, frames: vec![0.0; MAX_PACKET_SAMPLES * channels] })
    }

    /// The frames of one packet, interleaved; full scale is ±1, and peaks may go beyond it.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], String> {
        // To the decoder, an empty packet is a lost one that it should make up.
        if packet.is_empty() {
            return Err("an empty packet".to_string());
        }
        let count = match &mut self.streams {
            Streams::One(decoder) => decoder.decode(packet, MAX_PACKET_SAMPLES, &mut self.frames),
            Streams::Several(decoder) => decoder.decode(packet, MAX_PACKET_SAMPLES, &mut self.frames),
        }
        .map_err(|e| e.to_string())?;
        let frames = &mut self.frames[..count * self.channels];
        if self.gain != 1.0 {
            frames.iter_mut().for_each(|x| *x *= self.gain);
        }
        Ok(frames)
    }
}
