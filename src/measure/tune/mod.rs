//! Tuning: which family and tile sizes are fastest on this adapter, room by room. A candidate must leave
//! the same numbers as the untuned shaders at the network's own shapes, beat them when both take turns,
//! hold against the reference, and make a whole step faster, before it may win.

pub mod cache;
pub mod candidates;
mod trial;

use std::time::{Duration, Instant};

use super::check::{self, Alone, BOUND, EXACT_F16, STORED_F16, Subject};
use crate::device::Program;
use crate::error::Result;
use crate::kernels::{Choice, Family, Precision, Product};
use crate::network::Network;
use crate::plan::{Plan, Settings};
pub use candidates::Candidate;
use trial::Trial;

/// A winner takes at most this share of the untuned time: less of a gain is not told from noise.
const GAIN: f64 = 0.97;
/// How many of the fastest get those turns.
const FINALISTS: usize = 3;
/// Operations of a call that software Vulkan takes no longer than some tenths of a second for.
const SOFTWARE_FLOPS: u64 = 250_000_000;

/// The device that is tuned.
pub struct Rig<'a> {
    pub load: &'a dyn Fn(Plan) -> Result<Box<dyn Program>>,
    /// See [`check`].
    pub alone: &'a Alone<'a>,
    /// A driver that computes on the CPU: small layers and one clip are timed, by the processor's time.
    pub software: bool,
}

/// What is tuned for.
pub struct Problem<'a> {
    pub network: &'a Network,
    /// Clips a step.
    pub batch: usize,
    /// After this time no further candidate is tried.
    pub budget: Duration,
    /// What is tried in a room ([`Product::name`]), the untuned one first: [`candidates::of`].
    pub candidates: &'a dyn Fn(&str) -> Vec<Candidate>,
}

/// What happens meanwhile.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Seconds of the room's heaviest calls, and of the same untuned.
    Timed { room: &'static str, candidate: &'a Candidate, seconds: f64, untuned: f64 },
    /// Out: it does not run, computes something else, or was no faster after all.
    Rejected { room: &'static str, candidate: &'a Candidate, why: String },
    /// Time was up.
    Untried { room: &'static str, candidates: usize },
    /// It takes this share of the untuned time, the median over pairs of runs in turn.
    Won { room: &'static str, candidate: &'a Candidate, share: f64 },
}

/// Finds the fastest right choice. Fails only where the untuned shaders themselves do.
pub fn tune(rig: &Rig, problem: &Problem, watch: &mut dyn FnMut(Event)) -> Result<Choice> {
    tune_in(Precision::F32, rig, problem, watch)
}

/// The same for a precision, whose rooms may have other candidates.
pub fn tune_in(precision: Precision, rig: &Rig, problem: &Problem, watch: &mut dyn FnMut(Event)) -> Result<Choice> {
    let end = Instant::now() + problem.budget;
    let mut choice = Choice::gpu(Family::Tiled).in_precision(precision);
    for (i, product) in Product::ALL.into_iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let until = Instant::now() + left / (Product::ALL.len() - i) as u32;
        let room = Room { rig, problem, product, room: product.name(), before: &choice };
        if let Some(winner) = room.winner(until, watch)? {
            choice = winner.put(room.room, &choice);
        }
    }
    Ok(choice)
}

/// A room that is being tuned, the rooms before it as they were tuned.
struct Room<'a> {
    rig: &'a Rig<'a>,
    problem: &'a Problem<'a>,
    product: Product,
    /// The product's name.
    room: &'static str,
    before: &'a Choice,
}

impl Room<'_> {
    fn trial(&self, candidate: &Candidate) -> Result<Trial> {
        let (batch, most_flops) = if self.rig.software { (1, SOFTWARE_FLOPS) } else { (self.problem.batch, u64::MAX) };
        let choice = candidate.put(self.room, self.before);
        let settings = Settings::new(batch, choice);
        Trial::new(self.rig.load, self.problem.network, &settings, self.product.kernel(), most_flops, self.rig.software)
    }

    /// A whole step of the network, with this choice.
    fn step(&self, choice: Choice) -> Result<Trial> {
        let batch = if self.rig.software { 1 } else { self.problem.batch };
        let settings = Settings::new(batch, choice);
        Trial::whole(self.rig.load, self.problem.network, &settings, self.rig.software)
    }

    fn winner(&self, until: Instant, watch: &mut dyn FnMut(Event)) -> Result<Option<Candidate>> {
        let room = self.room;
        let all = (self.problem.candidates)(room);
        let Some((first, others)) = all.split_first() else { return Ok(None) };
        let mut untuned = self.trial(first)?;
        let expected = untuned.results()?;
        let mut faster: Vec<(f64, &Candidate)> = Vec::new();
        for (i, candidate) in others.iter().enumerate() {
            if Instant::now() > until {
                watch(Event::Untried { room, candidates: others.len() - i });
                break;
            }
            match self.timed(candidate, &mut untuned, &expected) {
                Ok([seconds, untuned]) => {
                    watch(Event::Timed { room, candidate, seconds, untuned });
                    if seconds < GAIN * untuned {
                        faster.push((seconds / untuned, candidate));
                    }
                }
                Err(why) => watch(Event::Rejected { room, candidate, why }),
            }
        }
        faster.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, candidate) in faster.into_iter().take(FINALISTS) {
            match self.proven(candidate, first, &mut untuned) {
                Ok(share) => {
                    watch(Event::Won { room, candidate, share });
                    return Ok(Some(candidate.clone()));
                }
                Err(why) => watch(Event::Rejected { room, candidate, why }),
            }
        }
        Ok(None)
    }

    /// Seconds of its fastest run and of the untuned shaders' (what disturbs a run only ever lengthens
    /// it), where it leaves what they leave; else what is wrong with it.
    fn timed(&self, candidate: &Candidate, untuned: &mut Trial, expected: &[Vec<f32>]) -> std::result::Result<[f64; 2], String> {
        let mut trial = self.trial(candidate).map_err(|e| e.what)?;
        let turns = trial.in_turn(untuned).map_err(|e| e.what)?;
        let least = [0, 1].map(|who| turns.iter().map(|turn| turn[who]).fold(f64::INFINITY, f64::min));
        let results = trial.results().map_err(|e| e.what)?;
        let error = results
            .iter()
            .zip(expected)
            .map(|(a, b)| apart(a, b))
            .fold(0.0, |most: f64, e| if e > most || e.is_nan() { e } else { most });
        let bound = match (self.before.precision, &candidate.family) {
            (Precision::F32, _) => BOUND,
            // What layer 1 gives is no exact number, and is rounded before it is multiplied.
            (Precision::Mixed, Family::Cooperative(_)) => EXACT_F16,
            (Precision::Mixed, _) => STORED_F16,
        };
        // Not-a-number never holds.
        if error <= bound { Ok(least) } else { Err(format!("computes something else: relative error {error:.1e}")) }
    }

    /// The share of the untuned (the first candidate's) time that it takes in turn with it, where the reference agrees and a
    /// whole step gains by it.
    fn proven(&self, candidate: &Candidate, first: &Candidate, untuned: &mut Trial) -> std::result::Result<f64, String> {
        let subject = Subject { choice: candidate.put(self.room, self.before), alone: self.rig.alone };
        let report = check::large(&subject, self.product.kernel()).map_err(|e| e.what)?;
        if let Some(wrong) = report.failed.first() {
            return Err(format!("is wrong against the reference: {}, relative error {:.1e}", wrong.what, wrong.error));
        }
        let mut trial = self.trial(candidate).map_err(|e| e.what)?;
        let turns = trial.in_turn(untuned).map_err(|e| e.what)?;
        let mut shares: Vec<f64> = turns.iter().map(|[own, other]| own / other).collect();
        shares.sort_by(f64::total_cmp);
        let share = shares[shares.len() / 2];
        if share > GAIN {
            return Err(format!("takes {share:.2} of the untuned time in turn with it"));
        }
        // Calls alone find their data in other places than in a step.
        let mut step = self.step(candidate.put(self.room, self.before)).map_err(|e| e.what)?;
        let mut before = self.step(first.put(self.room, self.before)).map_err(|e| e.what)?;
        let turns = step.in_turn(&mut before).map_err(|e| e.what)?;
        let least = [0, 1].map(|who| turns.iter().map(|turn| turn[who]).fold(f64::INFINITY, f64::min));
        if least[0] < least[1] { Ok(share) } else { Err("makes a whole step no faster".into()) }
    }
}

/// ‖a − b‖ / ‖b‖.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let sum = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = sum(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    if difference == 0.0 { 0.0 } else { difference / sum(&mut b.iter().map(|&b| b.into())) }
}
