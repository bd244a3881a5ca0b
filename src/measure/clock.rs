//! What a run took. A driver that computes on the processor is judged by the processor's time, which what else the
//! machine does lengthens little; a GPU by the clock.

use std::time::Instant;

/// Seconds that all threads of this process have computed (Linux: the scheduler's own count, in nanoseconds).
pub fn processor_seconds() -> Option<f64> {
    let mut all = 0u64;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        // A thread may end meanwhile.
        let Ok(text) = std::fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        all += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(all as f64 * 1e-9)
}

/// A beginning.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    computed: Option<f64>,
}

impl Clock {
    /// Begins; of the processor's time where it is wanted and can be had, else of the clock.
    pub fn begin(processor: bool) -> Clock {
        Clock { began: Instant::now(), computed: if processor { processor_seconds() } else { None } }
    }

    /// Seconds since.
    pub fn seconds(&self) -> f64 {
        match (self.computed, self.computed.and_then(|_| processor_seconds())) {
            // Threads that ended took theirs along.
            (Some(before), Some(now)) => (now - before).max(0.0),
            _ => self.began.elapsed().as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_processors_time_is_what_was_computed() {
        let clock = Clock::begin(true);
        let begin = Instant::now();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let slept = begin.elapsed().as_secs_f64();
        // Other threads of the tests compute meanwhile, but none is counted twice.
        assert!(clock.computed.is_some() && clock.seconds() >= 0.0 && slept > 0.19);
        let before = processor_seconds().expect("Linux tells");
        let mut x = 1.0f64;
        while processor_seconds().expect("Linux tells") < before + 0.02 {
            x = std::hint::black_box(x * 1.000_001);
        }
        assert!(Clock::begin(false).seconds() < 60.0);
    }
}
