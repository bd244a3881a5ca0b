//! Walks along playlists: eqs. (2) and (4), the walk in all its readings, propagated labels.
