//! Rates over time: the paper's rule, the released software's stages, or fixed drops; and when to
//! stop. The state is all numbers, so that a checkpoint can keep it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which rule sets the rate (`paper.md`, 0.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The paper's: a fifth whenever an epoch's validation loss exceeds the best so far, at most
    /// four times; the end after 12 epochs without a new best
    #[default]
    Plateau,
    /// The released software's: five stages, each a fifth of the rate before, from the best weights
    /// and without momentum; a stage ends after 3 epochs without a new best; 1e-6 decay a step
    Released,
    /// A fifth after 60 % and again after 85 % of the steps; no early stopping: the last weights are the best
    Fixed,
}

/// The settings of a schedule, kept with the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub rule: Rule,
    /// The first rate.
    pub rate: f64,
    /// Nesterov momentum.
    pub momentum: f64,
    /// Epochs at most; 0: no limit.
    pub epochs: u64,
    /// Steps at most; 0: no limit.
    pub steps: u64,
}

/// What a drop divides the rate by.
const FACTOR: f64 = 5.0;
/// Drops at most: 0.01 ends at 0.000016, as released.
const DROPS: u32 = 4;
/// Epochs without a new best that end a run (the paper).
const PAPER_PATIENCE: u32 = 12;
/// Epochs without a new best that end a stage, and epochs at most (the released software).
const RELEASED_PATIENCE: u32 = 3;
const RELEASED_EPOCHS: u64 = 100;
/// Decay of the rate a step of a stage (the released software).
const RELEASED_DECAY: f64 = 1e-6;

/// Steps or epochs at most: more than anybody waits for, and no sum of them overflows.
const MOST: u64 = 1 << 40;

/// Where a schedule is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The best validation loss so far, and its epoch.
    pub best: Option<f64>,
    pub best_epoch: u64,
    /// Epochs since then; in a stage of the released software, since that stage's best.
    pub since: u32,
    pub drops: u32,
    /// Steps since the stage began.
    pub stage_steps: u64,
    /// The best of this stage.
    pub stage_best: Option<f64>,
}

/// What follows from an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Continue,
    /// Go on from the best weights, momenta at zero.
    Restart,
    Stop,
}

impl Schedule {
    /// Checks that its numbers can be; call it on anything from outside.
    pub fn check(&self) -> Result<()> {
        // As f32, which is what the device computes with.
        let rate = self.rate as f32;
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(Error::usage(
                "schedule.rate",
                format!("{} is not a number greater than 0 (and within what f32 holds)", self.rate),
            ));
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::usage("schedule.momentum", format!("{} is not in [0, 1)", self.momentum)));
        }
        for (field, count) in [("schedule.steps", self.steps), ("schedule.epochs", self.epochs)] {
            if count > MOST {
                return Err(Error::usage(field, format!("{count} is more than {MOST}")));
            }
        }
        if self.rule == Rule::Fixed && self.steps == 0 {
            return Err(Error::usage("schedule.steps", "0, but a fixed schedule needs steps: its drops are shares of them"));
        }
        Ok(())
    }

    /// The rate of the next step; `step` counts from 0 over the whole run.
    pub fn rate(&self, state: &State, step: u64) -> f64 {
        match self.rule {
            Rule::Plateau => self.rate / FACTOR.powi(state.drops as i32),
            Rule::Released => self.rate / FACTOR.powi(state.drops as i32) / (1.0 + RELEASED_DECAY * state.stage_steps as f64),
            Rule::Fixed => {
                // In whole numbers, so that no rounding moves a drop by a step.
                let drops = [60, 85].iter().filter(|&&percent| self.steps > 0 && step * 100 >= self.steps * percent).count();
                self.rate / FACTOR.powi(drops as i32)
            }
        }
    }

    /// Whether step `step` (from 0) is still to be done.
    pub fn has_step(&self, step: u64) -> bool {
        self.steps == 0 || step < self.steps
    }

    /// Takes note of a step.
    pub fn stepped(&self, state: &mut State) {
        state.stage_steps += 1;
    }

    /// Takes note of epoch `epoch` (from 0) with its validation loss, `None` where there are no
    /// validation songs. Gives whether it is a new best, and what follows.
    pub fn epoch_ended(&self, state: &mut State, epoch: u64, loss: Option<f64>) -> (bool, Next) {
        let better = |than: Option<f64>| loss.is_some_and(|l| than.is_none_or(|b| l < b));
        let lower = better(state.best);
        let worse = loss.zip(state.best).is_some_and(|(l, b)| l > b);
        if lower {
            (state.best, state.best_epoch) = (loss, epoch);
        }
        // Small validation splits have their lowest loss long before ranking is at its best.
        let new_best = lower || self.rule == Rule::Fixed;
        let progress = if self.rule == Rule::Released { better(state.stage_best) } else { lower };
        if progress {
            state.stage_best = loss;
            state.since = 0;
        } else {
            state.since += 1;
        }
        let limit = if self.rule == Rule::Released && self.epochs == 0 { RELEASED_EPOCHS } else { self.epochs };
        if limit > 0 && epoch + 1 >= limit {
            return (new_best, Next::Stop);
        }
        let next = match self.rule {
            // Without validation songs nothing can be said of progress.
            _ if loss.is_none() => Next::Continue,
            Rule::Fixed => Next::Continue,
            Rule::Plateau => {
                if worse && state.drops < DROPS {
                    state.drops += 1;
                }
                if state.since >= PAPER_PATIENCE { Next::Stop } else { Next::Continue }
            }
            Rule::Released if state.since < RELEASED_PATIENCE => Next::Continue,
            Rule::Released if state.drops == DROPS => Next::Stop,
            Rule::Released => {
                state.drops += 1;
                (state.since, state.stage_steps, state.stage_best) = (0, 0, None);
                Next::Restart
            }
        };
        (new_best, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rule: Rule) -> Schedule {
        Schedule { rule, rate: 0.01, momentum: 0.9, epochs: 0, steps: 0 }
    }

    #[test]
    fn the_papers_rule_drops_four_times_and_stops_after_twelve() {
        let (s, mut state) = (schedule(Rule::Plateau), State::default());
        assert_eq!(s.epoch_ended(&mut state, 0, Some(0.5)), (true, Next::Continue));
        let mut rates = Vec::new();
        for epoch in 1..12 {
            assert_eq!(s.epoch_ended(&mut state, epoch, Some(0.6)), (false, Next::Continue));
            rates.push(s.rate(&state, 0));
        }
        let expected = [0.002, 0.0004, 0.00008, 0.000016, 0.000016];
        assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rates:?}");
        assert_eq!(s.epoch_ended(&mut state, 12, Some(0.6)), (false, Next::Stop));
    }

    #[test]
    fn an_equal_loss_is_no_new_best_and_no_increase() {
        let (s, mut state) = (schedule(Rule::Plateau), State::default());
        s.epoch_ended(&mut state, 0, Some(0.5));
        assert_eq!(s.epoch_ended(&mut state, 1, Some(0.5)), (false, Next::Continue));
        assert_eq!((state.drops, state.since), (0, 1));
    }

    #[test]
    fn the_released_stages_restart_four_times() {
        let (s, mut state) = (schedule(Rule::Released), State::default());
        let mut restarts = 0;
        for epoch in 0.. {
            s.stepped(&mut state);
            // Each stage's first epoch is its best.
            let loss = if state.stage_best.is_none() { 0.5 } else { 0.7 };
            match s.epoch_ended(&mut state, epoch, Some(loss)).1 {
                Next::Restart => {
                    restarts += 1;
                    assert_eq!(state.stage_steps, 0);
                }
                Next::Stop => break,
                Next::Continue => {}
            }
        }
        assert_eq!(restarts, 4);
        assert!((s.rate(&state, 0) - 0.01 / 625.0 / (1.0 + 4e-6)).abs() < 1e-9);
    }

    /// `samplecnn.md`: patience 3, at most epoch 100, lr / (1 + 1e-6 t) with t from 0 in each stage.
    #[test]
    fn the_released_rates_patience_and_end() {
        let s = schedule(Rule::Released);
        let mut state = State::default();
        let mut end = |epoch, loss| s.epoch_ended(&mut state, epoch, Some(loss));
        assert_eq!(end(0, 0.5), (true, Next::Continue));
        assert_eq!([end(1, 0.6), end(2, 0.5)], [(false, Next::Continue); 2]);
        assert_eq!(end(3, 0.6), (false, Next::Restart));
        // A stage has a best of its own, above the run's.
        assert_eq!([end(4, 0.8), end(5, 0.9), end(6, 0.9), end(7, 0.7), end(8, 0.8), end(9, 0.8)], [(false, Next::Continue); 6]);
        assert_eq!(end(10, 0.8), (false, Next::Restart));
        assert_eq!((state.best, state.best_epoch, state.drops), (Some(0.5), 0, 2));

        let rate = |drops, stage_steps| s.rate(&State { drops, stage_steps, ..State::default() }, 7);
        for (drops, first) in [(0, 0.01), (1, 0.002), (2, 0.0004), (3, 0.00008), (4, 0.000016)] {
            assert!((rate(drops, 0) / first - 1.0).abs() < 1e-12);
            assert!((rate(drops, 1_000_000) / first - 0.5).abs() < 1e-12);
            assert!((rate(drops, 3_000_000) / first - 0.25).abs() < 1e-12);
        }

        let mut state = State::default();
        for epoch in 0..99 {
            assert_eq!(s.epoch_ended(&mut state, epoch, Some(1.0 / (epoch + 1) as f64)), (true, Next::Continue), "{epoch}");
        }
        assert_eq!(s.epoch_ended(&mut state, 99, Some(0.001)), (true, Next::Stop));
        let longer = Schedule { epochs: 150, ..s };
        assert_eq!(longer.epoch_ended(&mut state.clone(), 99, Some(0.0005)), (true, Next::Continue));
        assert_eq!(longer.epoch_ended(&mut state, 149, Some(0.0001)), (true, Next::Stop));
    }

    #[test]
    fn fixed_drops_fall_on_whole_steps() {
        let s = Schedule { steps: 700, rate: 0.05, ..schedule(Rule::Fixed) };
        let state = State::default();
        let rates = [419, 420, 594, 595].map(|step| s.rate(&state, step));
        let expected = [0.05, 0.01, 0.01, 0.002];
        assert!(rates.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{rates:?}");
        assert!(s.has_step(699) && !s.has_step(700));
    }
}
