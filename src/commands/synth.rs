//! `tagwalk synth`: a made-up world as a dataset folder, with the truth about its tags beside it.

use std::path::PathBuf;

use serde::Serialize;

use super::{Outcome, print};
use crate::dataset::Split;
use crate::error::{Error, Result};
use crate::experiment::world::{Made, Options, World};
use crate::import::splits::Fractions;
use crate::run::interrupt;

/// Make up songs, tags and playlists of which the truth is known, to experiment with
///
/// Songs have audible traits (timbre, register, tempo, harmony, attack, vibrato, beat, hiss, echo). Tags are levels of
/// one to three traits, with a long tail; annotators record few of them; playlists wander through the space of
/// styles and know as much of the tags as --coherence says, down to nothing. The folder is a dataset for every
/// command, and has in truth/ what is true of each song: `tagwalk recovery` counts by it which missing tags
/// propagation would recover and which wrong ones it would add. Songs of validation and test have all their true tags,
/// so that `tagwalk evaluate` measures against the truth. The same flags make the same bytes.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The dataset's folder
    #[arg(long, value_name = "DATASET")]
    pub out: PathBuf,
    /// Songs with audio
    #[arg(long, value_name = "N", default_value_t = Options::default().songs)]
    pub songs: usize,
    /// Songs without audio besides, which lend their tags
    #[arg(long, value_name = "N", default_value_t = Options::default().lenders)]
    pub lenders: usize,
    /// Length of a song
    #[arg(long, value_name = "SECONDS", default_value_t = Options::default().seconds)]
    pub seconds: f64,
    /// Samples a second
    #[arg(long, value_name = "HZ", default_value_t = Options::default().rate)]
    pub rate: u32,
    /// Tags of the vocabulary
    #[arg(long, value_name = "N", default_value_t = Options::default().tags)]
    pub tags: usize,
    /// How fast tags become rare: the tag at rank k has about 0.45 k^-TAIL of the songs
    #[arg(long, value_name = "TAIL", default_value_t = Options::default().tail)]
    pub tail: f64,
    /// Genres, which artists belong to
    #[arg(long, value_name = "N", default_value_t = Options::default().genres)]
    pub genres: usize,
    /// Mean songs of an artist; artists are the groups of the dataset
    #[arg(long, value_name = "N", default_value_t = Options::default().artist_songs)]
    pub artist_songs: usize,
    /// Playlists
    #[arg(long, value_name = "N", default_value_t = Options::default().playlists)]
    pub playlists: usize,
    /// Mean songs of a playlist
    #[arg(long, value_name = "SONGS", default_value_t = Options::default().length)]
    pub length: f64,
    /// 0: playlists know nothing of the tags; 1: each next song is near in style to the one before it; between: with
    /// this probability
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().coherence)]
    pub coherence: f64,
    /// How near: the nearest in style of so many songs drawn by popularity
    #[arg(long, value_name = "N", default_value_t = Options::default().nearest_of)]
    pub nearest_of: usize,
    /// Share of the songs that nobody annotates
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().untagged)]
    pub untagged: f64,
    /// Mean share of its true tags that is recorded of any other song
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().recorded)]
    pub recorded: f64,
    /// Annotate songs of validation and test no better than others
    #[arg(long)]
    pub sparse_everywhere: bool,
    /// Shares of train, validation and test
    #[arg(long, value_name = "A,B,C", default_value = "0.6,0.1,0.3")]
    pub split_fractions: Fractions,
    /// Split song by song; an artist's songs may then be on two sides
    #[arg(long)]
    pub random_split: bool,
    /// Decides everything that is left to chance
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
    /// Threads; 0 takes one a core. The result does not depend on it
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Report {
    /// Whether the folder held this world already.
    already: bool,
    songs: usize,
    with_audio: usize,
    train: usize,
    valid: usize,
    test: usize,
    artists: usize,
    tags: usize,
    /// Share of the tags that fewer than 5 % of all songs truly have.
    long_tail: f64,
    /// Mean true tags of a song.
    true_tags: f64,
    /// Training songs and lenders: those without a recorded tag, and the share of their true tags that is recorded.
    untagged: usize,
    recorded: f64,
    playlists: usize,
    options: Options,
}

pub fn run(args: Args) -> Result<Outcome> {
    if args.threads > super::flags::THREADS {
        return Err(Error::usage("--threads", format!("{} is more than {}", args.threads, super::flags::THREADS)));
    }
    let options = options(&args);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build();
    let pool = pool.map_err(|e| Error::usage("--threads", format!("cannot start the threads: {e}")))?;
    interrupt::listen("stopping; what was written so far is replaced by the next run")?;
    let (made, world) = pool.install(|| -> Result<_> {
        let world = World::new(&options)?;
        Ok((world.write(&args.out, &mut |_| interrupt::check())?, world))
    })?;
    let report = report(&world, made == Made::Already);
    if args.json {
        print::json(&report)?;
        return Ok(Outcome::Done);
    }
    if report.already {
        print::note(format!("{} holds this world already", args.out.display()));
    }
    print::line(format!(
        "{} songs of {} artists, {} with audio ({} train, {} valid, {} test); {} playlists\n\
         {} tags, {:.1} true ones a song; {:.0} % of the tags on fewer than 5 % of the songs\n\
         {} of the songs that train or lend have no recorded tag; {:.0} % of their true tags are recorded\n\
         next: tagwalk info {out}; tagwalk recovery {out}; tagwalk train {out} --out RUN --network 3^5-81 --rate 0.05 --schedule fixed --steps 2000 --exclude-self",
        report.songs,
        report.artists,
        report.with_audio,
        report.train,
        report.valid,
        report.test,
        report.playlists,
        report.tags,
        report.true_tags,
        100.0 * report.long_tail,
        report.untagged,
        100.0 * report.recorded,
        out = args.out.display(),
    ))?;
    Ok(Outcome::Done)
}

fn options(args: &Args) -> Options {
    Options {
        songs: args.songs,
        lenders: args.lenders,
        seconds: args.seconds,
        rate: args.rate,
        tags: args.tags,
        tail: args.tail,
        genres: args.genres,
        artist_songs: args.artist_songs,
        playlists: args.playlists,
        length: args.length,
        coherence: args.coherence,
        nearest_of: args.nearest_of,
        untagged: args.untagged,
        recorded: args.recorded,
        sparse_everywhere: args.sparse_everywhere,
        split: args.split_fractions,
        grouped: !args.random_split,
        seed: args.seed,
    }
}

fn report(world: &World, already: bool) -> Report {
    let songs = &world.songs;
    let side = |split| songs.iter().filter(|song| song.split == split).count();
    let mut counts = vec![0usize; world.tags.len()];
    songs.iter().flat_map(|song| &song.truth).for_each(|&tag| counts[tag as usize] += 1);
    let rare = counts.iter().filter(|&&n| (n as f64) < 0.05 * songs.len() as f64).count();
    let lends: Vec<_> = songs.iter().filter(|song| matches!(song.split, Split::Train | Split::None)).collect();
    let (truth, recorded) = lends.iter().fold((0, 0), |(a, b), song| (a + song.truth.len(), b + song.recorded.len()));
    Report {
        already,
        songs: songs.len(),
        with_audio: songs.iter().filter(|song| song.has_audio).count(),
        train: side(Split::Train),
        valid: side(Split::Valid),
        test: side(Split::Test),
        artists: world.artists.len(),
        tags: world.tags.len(),
        long_tail: rare as f64 / world.tags.len() as f64,
        true_tags: counts.iter().sum::<usize>() as f64 / songs.len() as f64,
        untagged: lends.iter().filter(|song| song.recorded.is_empty()).count(),
        recorded: recorded as f64 / truth.max(1) as f64,
        playlists: world.playlists.len(),
        options: world.options.clone(),
    }
}
