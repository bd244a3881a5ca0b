//! The Million Song Dataset's own lists (Bertin-Mahieux et al., ISMIR 2011): which track is which song's, which
//! of these pairs not to trust, and which clip of 7digital is which track's audio.

pub mod clips;
pub mod mismatches;
pub mod tracks;

/// Whether this is a track's id: `TR` and 16 letters or digits.
pub fn is_track(id: &str) -> bool {
    is_id(id, "TR")
}

/// Whether this is a song's id: `SO` and 16 letters or digits.
pub fn is_song(id: &str) -> bool {
    is_id(id, "SO")
}

fn is_id(id: &str, kind: &str) -> bool {
    id.len() == 18 && id.starts_with(kind) && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
