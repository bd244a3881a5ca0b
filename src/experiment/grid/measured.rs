//! What is kept of a run that has ended: its figures on validation and test songs, and what its draws recovered.

use std::collections::HashSet;

use super::store::Scores;
use super::{Finished, Job, Row, TagRow};
use crate::dataset::{Dataset, Reference, Split};
use crate::error::Result;
use crate::evaluate::metrics::{Measured, Table};
use crate::evaluate::songs::{self, Scored};
use crate::experiment::arms::Learner;
use crate::experiment::recovery::{Pairs, recovery};
use crate::playlists::{Mode, RandomLenders};

/// The row of a job that trained on so many songs; `score` gives the scores of any songs.
pub fn measured(
    job: &Job,
    dataset: &Dataset,
    training_songs: usize,
    device: String,
    score: &dyn Fn(&[usize]) -> Result<Scored>,
) -> Result<(Finished, Scores)> {
    let measure = |chosen: &[usize]| -> Result<(Scored, Measured)> {
        let scored = score(chosen)?;
        let measured = Measured::new(&Table::new(&scored.scores, &scored.truth, job.tags())?);
        Ok((scored, measured))
    };
    // A collection may be too small for validation songs; then no choice can be made, and none is needed for one range.
    let validated = match songs::of_split(dataset, Split::Valid) {
        Ok(chosen) => Some(measure(&chosen.songs)?.1),
        Err(_) => None,
    };
    let (scored, measured) = measure(&songs::of_split(dataset, Split::Test)?.songs)?;
    let every: Vec<usize> = (0..job.tags()).collect();
    let valid = validated.as_ref().map(|v| v.figures(&every));
    let test = measured.figures(&every);
    let groups: HashSet<(bool, u32)> =
        scored.songs.iter().map(|&s| dataset.group(s).map_or((false, s as u32), |g| (true, g))).collect();
    let world = |option: &str| dataset.manifest().options.pointer(&format!("/world/options/{option}"))?.as_f64();
    let pairs = recovered(job, dataset)?;
    let stepped = job.learner == Learner::Network;
    let row = Row {
        dataset: job.fingerprint.chars().take(16).collect(),
        coherence: world("coherence"),
        untagged: world("untagged"),
        recorded: world("recorded"),
        arm: job.arm.clone(),
        range: job.range(),
        seed: job.seed,
        tags: job.tags(),
        sides: job.train.view.sides.by().name().into(),
        remove: job.train.propagation.remove,
        network: job.network_name().to_string(),
        steps: job.steps(),
        batch: if stepped { job.settings.batch } else { 0 },
        rate: if stepped { job.train.schedule.rate } else { 0.0 },
        reduction: if job.settings.mean { "mean" } else { "sum" }.into(),
        split_songs: dataset.heard(Split::Train).count(),
        training_songs,
        valid_songs: validated.as_ref().map_or(0, Measured::songs),
        test_songs: measured.songs(),
        test_groups: groups.len(),
        valid_annotation_map: valid.and_then(|v| v.annotation_map),
        valid_retrieval_map: valid.and_then(|v| v.retrieval_map),
        valid_roc_auc: valid.and_then(|v| v.roc_auc),
        annotation_map: test.annotation_map,
        retrieval_map: test.retrieval_map,
        roc_auc: test.roc_auc,
        equal_annotation_map: measured.prevalence().annotation_map,
        popularity_annotation_map: measured.popularity(&songs::popularity(dataset)).annotation_map,
        missing: pairs.map(|pairs| pairs.missing),
        recovered: pairs.map(|pairs| pairs.recovered),
        untrue: pairs.map(|pairs| pairs.untrue),
        wrong: pairs.map(|pairs| pairs.wrong),
        recovered_at_random: pairs.map(|pairs| pairs.recovered_at_random),
        wrong_at_random: pairs.map(|pairs| pairs.wrong_at_random),
        device,
        program: env!("CARGO_PKG_VERSION").into(),
        ..Row::default()
    };
    let counts = dataset.tag_counts();
    let tags = measured.by_tag().iter().zip(dataset.vocabulary()).zip(counts).map(|((of, tag), songs)| TagRow {
        hash: String::new(),
        tag: tag.clone(),
        songs,
        positives: of.positives,
        prevalence: of.prevalence,
        average_precision: of.average_precision,
        roc_auc: of.roc_auc,
    });
    let finished = Finished { tags: tags.collect(), row };
    Ok((finished, Scores { scores: scored.scores, songs: scored.songs.iter().map(|&s| s as u32).collect() }))
}

/// What a draw for every song brings: see [`Row::missing`].
fn recovered(job: &Job, dataset: &Dataset) -> Result<Option<Pairs>> {
    let options = &job.train.propagation;
    let reference = Reference::of(dataset)?;
    let known = matches!(reference, Reference::World(_)) || options.remove > 0.0;
    if !known || options.mode == Mode::None || options.random_lenders != RandomLenders::None {
        return Ok(None);
    }
    recovery(dataset, &reference, options, job.seed).map(|found| Some(found.pairs))
}
