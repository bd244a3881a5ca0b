//! Reading what people have: audio, tags, playlists, splits; and `prepare`, which makes a dataset of it.

pub mod audio;
