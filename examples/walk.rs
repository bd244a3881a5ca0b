//! Walks along a playlist: how often each neighbour lends its tags, exactly and drawn.
//!
//!     cargo run --release --example walk -- 0.4

use std::collections::BTreeMap;

use tagwalk::dataset::Rows;
use tagwalk::error::Result;
use tagwalk::playlists::{Bits, Options, Walks};
use tagwalk::random::{Purpose, generator};

const SONGS: [&str; 6] = ["Overture", "Morning", "Chase", "Storm", "Evening", "Finale"];
const WALKS: usize = 1_000_000;

fn main() -> Result<()> {
    let range = std::env::args().nth(1).and_then(|r| r.parse().ok()).unwrap_or(0.4);

    // Two playlists, as compressed rows: songs of each, and which of them each song is in.
    let playlists = Rows { offsets: &[0, 5, 8], values: &[0, 1, 2, 3, 4, 2, 4, 5] };
    let memberships = Rows { offsets: &[0, 1, 2, 4, 5, 7, 8], values: &[0, 0, 0, 1, 0, 0, 1, 1] };
    // Everybody has tags but "Storm", which therefore cannot lend: walks step over it.
    let lenders = Bits::from_fn(SONGS.len(), |song| SONGS[song] != "Storm");
    let walks = Walks::new(playlists, memberships, lenders, &Options { range, ..Options::default() })?;

    let song = 2;
    let exact = walks.exact(song, false);
    let mut random = generator(1, Purpose::Walk, [0, 0, 0]);
    let mut drawn: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    for _ in 0..WALKS {
        *drawn.entry(walks.draw(song, false, &mut random)).or_default() += 1;
    }

    println!("walks from \"{}\", range {range}: exact, drawn", SONGS[song]);
    let share = |lender: Option<u32>| *drawn.get(&lender).unwrap_or(&0) as f64 / WALKS as f64;
    for &(lender, probability) in &exact.songs {
        println!("  {:<10} {probability:.4}  {:.4}", SONGS[lender as usize], share(Some(lender)));
    }
    println!("  {:<10} {:.4}  {:.4}", "nothing", exact.nothing, share(None));
    Ok(())
}
