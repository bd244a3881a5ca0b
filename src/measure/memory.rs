//! What the process has held at once.

/// The most memory that this process has held at once, in MiB (Linux: VmHWM).
pub fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Begins a new peak, so that what is measured next is not charged with what was measured before.
/// Where the system does not offer that, the peak stays the whole process's.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5"); // proc(5): resets VmHWM.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_peak_holds_what_was_touched() {
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let peak = peak_mib().expect("Linux tells");
        assert!(peak >= 64.0, "{peak} MiB with {} bytes in use", block.len());
    }
}
