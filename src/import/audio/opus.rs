//! Opus in Ogg or MP4 (RFC 6716, RFC 7845): the identification header's gain and channels, and
//! packets to samples at 48 kHz, by the `opus-decoder` crate.

use opus_decoder::OpusDecoder;

/// Opus decodes to this rate, Hz, whatever the rate of what was encoded (RFC 7845 section 5.1).
pub(super) const RATE: u32 = 48_000;

/// A stream of Opus packets of one or two channels.
pub(super) struct Decoder {
    decoder: OpusDecoder,
    channels: usize,
    /// The header's output gain as a factor.
    gain: f32,
    frames: Vec<f32>,
}

impl Decoder {
    /// From the identification header (RFC 7845 section 5.1: `OpusHead`, version, channel count,
    /// pre-skip, input rate, output gain, mapping family and table). `Err` says what cannot be done.
    pub fn new(head: &[u8]) -> Result<Decoder, String> {
        if head.len() < 19 || !head.starts_with(b"OpusHead") {
            return Err("its Opus header is damaged".to_string());
        }
        let channels = usize::from(head[9]);
        let gain_q8 = i16::from_le_bytes([head[16], head[17]]);
        // Families other than 0 state how many streams a packet holds. Surround sound has several,
        // and the decoder crate (0.1) does not split their packets as RFC 6716 appendix B has it.
        let streams = if head[18] == 0 { 1 } else { head.get(19).copied().unwrap_or(0) };
        if !matches!(channels, 1 | 2) || streams != 1 {
            return Err(format!("Opus with {channels} channels is not decoded by this build"));
        }
        let decoder = OpusDecoder::new(RATE, channels).map_err(|e| format!("cannot decode Opus: {e}"))?;
        let frames = vec![0.0; decoder.max_frame_size_per_channel() * channels];
        // Q7.8 decibels.
        let gain = 10f32.powf(f32::from(gain_q8) / (20.0 * 256.0));
        Ok(Decoder { decoder, channels, gain, frames })
    }

    /// The frames of one packet, interleaved, full scale ±1.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[f32], String> {
        if packet.is_empty() {
            return Err("an empty packet".to_string());
        }
        let n = self.decoder.decode_float(packet, &mut self.frames, false).map_err(|e| e.to_string())?;
        let frames = &mut self.frames[..n * self.channels];
        if self.gain != 1.0 {
            frames.iter_mut().for_each(|x| *x *= self.gain);
        }
        Ok(frames)
    }
}
