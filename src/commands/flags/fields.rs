//! The flag behind a field: the library names a choice that cannot be by its field, since it may come from a file or
//! a program; people who typed a flag are told the flag.

use crate::error::{Error, Kind};

/// The error with its flag for its field, where a flag sets it.
pub fn by_flag(error: Error) -> Error {
    let field = error.place.as_deref().filter(|_| error.kind == Kind::Usage);
    match field.and_then(flag) {
        Some(flag) => error.place(flag),
        None => error,
    }
}

/// Most flags are called as their field is; the others stand here.
fn flag(field: &str) -> Option<String> {
    let name = match field {
        "network" | "device" => field,
        "schedule.rule" => "schedule",
        "settings.choice.precision" => "precision",
        "propagation.tag_ranges" => "range-by-category",
        _ => match field.split_once('.')? {
            ("settings" | "schedule" | "sampling" | "propagation", name) => name,
            _ => return None,
        },
    };
    Some(format!("--{}", name.replace('_', "-")))
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;
    use crate::commands::flags::{DeviceFlags, TrainFlags};

    #[test]
    fn every_field_has_a_flag_that_there_is() {
        let train = DeviceFlags::augment_args(TrainFlags::augment_args(clap::Command::new("train")));
        let flags: Vec<String> = train.get_arguments().filter_map(|a| Some(format!("--{}", a.get_long()?))).collect();
        let options = serde_json::to_value(crate::playlists::Options::default()).unwrap();
        let propagation: Vec<String> = options.as_object().unwrap().keys().map(|key| format!("propagation.{key}")).collect();
        let others = "network device settings.batch settings.lambda settings.choice.precision sampling.batch \
            sampling.clips_per_song schedule.rule schedule.rate schedule.momentum schedule.epochs schedule.steps";
        for field in propagation.iter().map(String::as_str).chain(others.split_whitespace()) {
            let named = by_flag(Error::usage(field, "wrong"));
            assert!(flags.contains(named.place.as_ref().unwrap()), "{field}: {named}");
        }
    }

    #[test]
    fn what_is_no_field_keeps_its_place() {
        for error in [Error::usage("--range", "wrong"), Error::input("schedule.tsv", "cannot read"), Error::device("lost")] {
            assert_eq!(by_flag(error.clone()).place, error.place);
        }
    }
}
