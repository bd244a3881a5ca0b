//! How far a command is, on standard error: on a terminal one live line, in a file or a pipe a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::train::Left;

/// Between two passing lines: on a terminal, where each replaces the one before, and elsewhere.
const LIVE: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(10);

/// See the module's page.
pub struct Progress {
    live: bool,
    began: Instant,
    /// When the last passing line was, from `began`.
    last: Option<Duration>,
    /// Whether a live line stands without its end.
    open: bool,
}

impl Progress {
    /// The first passing line is said at once.
    pub fn begin() -> Progress {
        Progress { live: std::io::stderr().is_terminal(), began: Instant::now(), last: None, open: false }
    }

    /// The same without a live line: results go to the same terminal meanwhile, or there is another bar.
    pub fn plain() -> Progress {
        Progress { live: false, ..Progress::begin() }
    }

    /// The first passing line comes when its time has passed: for what is usually done before.
    pub fn later(self) -> Progress {
        Progress { last: Some(Duration::ZERO), ..self }
    }

    /// Time since it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// A line that the next one replaces, or that is one of many; most are not said. `at_once`: this one is, on a terminal
    /// or not.
    pub fn passing(&mut self, at_once: bool, text: impl FnOnce() -> String) {
        let now = self.elapsed();
        if self.is_due(now, at_once) {
            self.say(true, &text());
        }
    }

    /// A line that stays.
    pub fn lasting(&mut self, text: &str) {
        self.say(false, text);
    }

    /// Leaves a live line as it stands.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            let _ = writeln!(std::io::stderr());
        }
    }

    fn is_due(&mut self, now: Duration, at_once: bool) -> bool {
        let every = if self.live { LIVE } else { ELSEWHERE };
        let due = at_once || self.last.is_none_or(|last| now >= last + every);
        if due {
            self.last = Some(now);
        }
        due
    }

    fn say(&mut self, passing: bool, text: &str) {
        self.open = self.live && passing;
        // One write: nothing of another thread comes between.
        let line = match (self.live, passing) {
            (true, true) => format!("\r\x1b[K{text}"),
            (true, false) => format!("\r\x1b[K{text}\n"),
            (false, _) => format!("tagwalk: {text}\n"),
        };
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(line.as_bytes());
        let _ = stderr.flush();
    }
}

/// What is left of a run, behind a comma.
pub fn left(left: Option<Left>) -> String {
    match left {
        None => String::new(),
        Some(Left::Run(time)) => format!(", {} left", duration(time)),
        Some(Left::AtMost(time)) => format!(", at most {} left", duration(time)),
        Some(Left::Epoch(time)) => format!(", {} left in this epoch", duration(time)),
    }
}

/// 1:02:03 or 2:03.
pub fn duration(d: Duration) -> String {
    let s = d.as_secs();
    if s >= 3600 { format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) } else { format!("{}:{:02}", s / 60, s % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the times (in tenths of a second) are said; the clock is this list.
    fn said(mut progress: Progress, times: &[u64]) -> Vec<u64> {
        let at = |tenths: u64| Duration::from_millis(100 * tenths);
        times.iter().copied().filter(|&tenths| progress.is_due(at(tenths), false)).collect()
    }

    #[test]
    fn a_line_every_ten_seconds_where_nobody_looks_on() {
        let progress = |live| Progress { live, began: Instant::now(), last: None, open: false };
        assert_eq!(said(progress(false), &[1, 2, 50, 99, 100, 101, 150, 201, 300, 301]), [1, 101, 201, 301]);
        assert_eq!(said(progress(false).later(), &[1, 2, 99, 100, 101, 199, 200]), [100, 200]);
        assert_eq!(said(progress(true), &[1, 1, 2, 3, 3]), [1, 2, 3]);
        let mut first = progress(false);
        assert!([1, 2, 3].into_iter().all(|s| first.is_due(Duration::from_secs(s), true)));
        assert!(!first.is_due(Duration::from_secs(12), false) && first.is_due(Duration::from_secs(13), false));
    }

    #[test]
    fn durations() {
        assert_eq!([59, 61, 3600, 36_061].map(|s| duration(Duration::from_secs(s))), ["0:59", "1:01", "1:00:00", "10:01:01"]);
    }
}
