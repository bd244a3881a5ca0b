//! What `tagwalk train` says of steps and epochs, and its objects.

use serde_json::json;

use super::Args;
use crate::commands::print;
use crate::commands::progress::{Progress, duration, left};
use crate::error::Result;
use crate::train::{Ending, Event};

/// Shows events: a live line where stderr is a terminal, else a line now and then; objects on stdout with --json.
pub struct Show {
    json: bool,
    /// What became of objects: training goes on without them, and says at its end that some are lost.
    written: Result<()>,
    quiet: bool,
    progress: Progress,
    first: u64,
}

impl Show {
    pub fn new(args: &Args, first: u64) -> Show {
        let progress = if args.json { Progress::plain() } else { Progress::begin() };
        Show { json: args.json, written: Ok(()), quiet: args.quiet, progress, first }
    }

    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Step { done, clips_per_second, left: time } => {
                if self.json {
                    self.object(&json!({"kind": "step", "epoch": done.epoch(), "step": done.number(),
                        "own": done.own, "propagated": done.propagated, "rate": done.rate, "clips_per_second": clips_per_second}));
                }
                if self.quiet {
                    return;
                }
                self.progress.passing(done.place.steps < self.first + 3, || {
                    format!(
                        "step {} (epoch {}): own {:.4}, propagated {:.4}, rate {:.2e}, {clips_per_second:.1} clips/s{}",
                        done.number(),
                        done.epoch(),
                        done.own,
                        done.propagated,
                        done.rate,
                        left(*time)
                    )
                });
            }
            Event::Epoch { epoch, own, propagated, validation, best, rate } => {
                if self.json {
                    self.object(&json!({"kind": "epoch", "epoch": epoch, "own": own, "propagated": propagated,
                        "validation": validation, "best": best, "rate": rate}));
                }
                if self.quiet {
                    return;
                }
                let validation = validation.map_or("none".into(), |v| format!("{v:.4}"));
                let best = if *best { " (kept as best)" } else { "" };
                self.progress.lasting(&format!(
                    "epoch {epoch} done after {}: own {own:.4}, propagated {propagated:.4}, validation {validation}{best}, next rate {rate:.2e}",
                    duration(self.progress.elapsed())
                ));
            }
            Event::Saved { .. } => {}
        }
    }

    fn object(&mut self, object: &serde_json::Value) {
        if self.written.is_ok() {
            self.written = print::json(object);
        }
    }

    pub fn end(mut self, ending: Ending, steps: u64) -> Result<()> {
        self.progress.end();
        if self.json {
            self.object(&json!({"kind": "end", "steps": steps, "finished": ending == Ending::Finished}));
        }
        self.written
    }
}
