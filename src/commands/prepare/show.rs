//! What `tagwalk prepare` says: how far it is, what it made, and what should be known before training.

use std::sync::Mutex;

use crate::commands::progress::Progress as Line;
use crate::commands::{print, train};
use crate::error::Result;
use crate::format::table::{Align, Table, visible};
use crate::import::prepare::{Event, NOT_FOUND, Options, PartReport, Report, SplitFrom};

/// What was made, or would be.
pub fn people(report: &Report, options: &Options, dry_run: bool) -> Result<()> {
    let r = report;
    print::line(format!(
        "{} songs: {} with audio, {} with tags, {} lend only (tags without audio)",
        r.songs, r.songs_with_audio, r.songs_with_tags, r.lend_only
    ))?;
    print::line(format!("{} tags, {} playlists, {} groups", r.tags, r.playlists, r.groups))?;
    print::line(format!("split: train {}, valid {}, test {}", r.train, r.valid, r.test))?;
    if r.on_no_side > 0 {
        print::line(format!("{} songs with audio are on no side of the split: they only lend their tags", r.on_no_side))?;
    }
    if r.groups_on_two_sides > 0 {
        print::line(format!(
            "{} groups have songs on two sides of the split (--group-split keeps them whole)",
            r.groups_on_two_sides
        ))?;
    }
    if !dry_run {
        print::line(format!("{:.2} hours of audio", r.seconds / 3600.0))?;
    } else if let Some(length) = options.decode.length {
        let bytes = 2.0 * length * f64::from(options.decode.rate) * r.songs_with_audio as f64;
        print::line(format!("at most {:.1} MiB of audio, twice that until it is done", bytes / f64::from(1 << 20)))?;
    }
    if r.saturated_songs > 0 {
        print::line(format!("{} songs go beyond full scale: {} samples cut", r.saturated_songs, r.saturated_samples))?;
    }
    let counted = [(r.notes.len(), "files used in part or with faults"), (r.skipped.len(), "files skipped (skipped.tsv)")];
    for (count, what) in counted.into_iter().filter(|c| c.0 > 0) {
        print::line(format!("{count} {what}"))?;
    }
    for note in &r.notes {
        print::note(visible(&format!("{}: {}", note.file, note.why)));
    }
    if r.not_found > 0 {
        let list = if dry_run { "the first ones below; not-found.tsv has all" } else { NOT_FOUND };
        print::line(format!("{} names in tables and playlists have no audio or were not found ({list})", r.not_found))?;
        for name in r.not_found_some.iter().filter(|_| dry_run) {
            print::line(visible(&format!("  {name}")))?;
        }
    }
    if r.matched_by_name > 0 {
        let n = r.matched_by_name;
        print::line(format!("{n} matched by file name alone, their folders differ (see matched-by-name.tsv)"))?;
    }
    if r.shared_ids > 0 {
        print::line(format!("{} ids belong to several songs: the first one is meant", r.shared_ids))?;
    }
    counts(report)?;
    if dry_run {
        return print::line(format!("would be made in {}", options.out.display()));
    }
    print::line(format!("made {}", options.out.display()))
}

/// What was left out, and what has a published figure. The rest is for programs (--json).
fn counts(report: &Report) -> Result<()> {
    use Align::{Left, Right};
    let told: Vec<_> = report.counts.iter().filter(|count| count.dropped || count.published.is_some()).collect();
    if told.is_empty() {
        return Ok(());
    }
    let published = told.iter().any(|count| count.published.is_some());
    let columns = [("in", Left), ("read, or left out (-)", Left), ("count", Right), ("published", Right)];
    let mut table = Table::new(&columns[..if published { 4 } else { 3 }]);
    for count in told {
        let what = format!("{} {}", if count.dropped { "-" } else { " " }, count.what);
        let figures = [count.count.to_string(), count.published.map_or(String::new(), |n| n.to_string())];
        let figures = figures.into_iter().take(if published { 2 } else { 1 });
        table.row([count.of.clone(), what].into_iter().chain(figures));
    }
    print::line(table)
}

/// What a part holds.
pub fn part_for_people(report: &PartReport, options: &Options) -> Result<()> {
    let r = report;
    print::line(format!("part {}/{}: {} of {} files, {:.2} hours of audio", r.part, r.of, r.share, r.files, r.seconds / 3600.0))?;
    if !r.skipped.is_empty() {
        print::line(format!("{} files skipped", r.skipped.len()))?;
    }
    print::line(format!("made {}; `tagwalk prepare --join PART... --out DATASET` puts the parts together", options.out.display()))
}

/// What should be known before training.
pub fn advise(report: &Report, options: &Options) {
    if report.tags_without_audio > 0 && report.songs_with_tags > report.lend_only {
        print::note(format!(
            "{} of {} tags are on no song with audio: they can be lent, but neither heard nor measured",
            report.tags_without_audio, report.tags
        ));
    }
    if report.songs_with_tags == report.lend_only {
        print::note(
            "no song with audio has a tag: there is nothing to learn; see not-found.tsv for how the tables' names differ from the files'",
        );
    }
    if report.playlists == 0 && !options.playlists.is_empty() {
        print::note("no playlist holds a song of this dataset: no tag can be borrowed; see not-found.tsv");
    }
    if report.train == 0 {
        let why = match options.split {
            Some(SplitFrom::Chance { .. }) => "--split-fractions leaves none to training",
            _ => "the split names none of these songs; see not-found.tsv",
        };
        print::note(format!("no song trains: {why}"));
    }
    let help = "--split-fractions 0.7,0.1,0.2 draws all three sides, and a table for --split names them";
    if report.valid == 0 {
        print::note(format!("no song validates: training will have no validation loss to drop its rate and to end by ({help})"));
    }
    if report.test == 0 {
        print::note(format!("no song tests: `tagwalk evaluate` will have nothing to measure ({help})"));
    }
}

/// What comes next: training, by the small network where there are few songs; nothing where there is nothing to learn.
pub fn next(report: &Report, options: &Options) {
    if report.train > 0 && report.songs_with_tags > report.lend_only {
        let flags = if report.train < train::FEW_SONGS { format!(" {}", train::SMALL) } else { String::new() };
        let walks = if report.playlists > 0 { " --exclude-self" } else { "" };
        print::note(format!("Next: tagwalk train {} --out RUN{flags}{walks}", options.out.display()));
    }
}

/// A bar on a terminal, a line every ten seconds elsewhere.
pub struct Progress {
    #[cfg(feature = "terminal")]
    bar: Option<indicatif::ProgressBar>,
    line: Mutex<Line>,
}

impl Progress {
    pub fn begin() -> Progress {
        #[cfg(feature = "terminal")]
        let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| {
            let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left");
            indicatif::ProgressBar::new(0).with_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()))
        });
        Progress {
            #[cfg(feature = "terminal")]
            bar,
            line: Mutex::new(Line::plain().later()),
        }
    }

    pub fn tell(&self, event: Event) {
        let (what, done, of) = match event {
            Event::Decoded { done, of } => ("decoding", done, of),
            Event::Written { done, of } => ("writing", done, of),
        };
        #[cfg(feature = "terminal")]
        if let Some(bar) = &self.bar {
            bar.set_message(what);
            bar.set_length(of as u64);
            bar.set_position(done as u64);
            return;
        }
        let mut line = self.line.lock().expect("no thread panics with it");
        let seconds = line.elapsed().as_secs();
        line.passing(false, || format!("{what}: {done} of {of} songs after {seconds} s"));
    }

    pub fn end(&self) {
        #[cfg(feature = "terminal")]
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
