//! Ctrl-C: the first asks the loop to save and stop, the second leaves at once with exit code 130.
//! Without the feature `terminal` nothing is installed, and Ctrl-C ends the program as it always does.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen; `what` is said on the first Ctrl-C: "finishing this step". Calling it again
/// changes nothing.
pub fn listen(what: &'static str) -> Result<()> {
    #[cfg(feature = "terminal")]
    {
        use std::io::Write;
        let pressed = move || {
            if REQUESTED.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            let _ = writeln!(std::io::stderr(), "tagwalk: {what}; Ctrl-C again leaves at once");
        };
        // Also where the program was begun with the signal ignored, as a shell's script does with what
        // it runs in the background: there `kill -INT` is the only way to say "save and stop".
        match ctrlc::set_handler(pressed) {
            Ok(()) | Err(ctrlc::Error::MultipleHandlers) => {}
            Err(e) => return Err(Error::usage("Ctrl-C", format!("cannot be listened to: {e}"))),
        }
    }
    let _ = what;
    Ok(())
}

/// Whether Ctrl-C was pressed. What cannot see this module (`import/`) is given the flag.
pub fn flag() -> &'static AtomicBool {
    &REQUESTED
}

/// An error once Ctrl-C was pressed, for loops that have nothing to save.
pub fn check() -> Result<()> {
    if flag().load(Ordering::SeqCst) { Err(Error::interrupted("stopped by Ctrl-C")) } else { Ok(()) }
}
