//! JSON lines: one object a line, each beginning with `"schema": 1`, so that a reader knows what it
//! reads. Numbers that are not finite become `null`.

use serde::Serialize;

/// Grows when a member changes its meaning; new members do not change it.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Line<'a, T> {
    schema: u32,
    #[serde(flatten)]
    object: &'a T,
}

/// An object as one line, without the line's end. What is no object (a number, a list) is a mistake
/// of the program.
pub fn line<T: Serialize>(object: &T) -> String {
    let mut text = Vec::new();
    append(&mut text, object);
    String::from_utf8(text).expect("JSON is UTF-8")
}

/// The same at the end of `text`.
pub fn append<T: Serialize>(text: &mut Vec<u8>, object: &T) {
    serde_json::to_writer(text, &Line { schema: SCHEMA, object }).expect("an object with text keys");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_comes_first_and_names_are_escaped() {
        #[derive(Serialize)]
        struct Song {
            song: &'static str,
            score: f64,
        }
        let text = line(&Song { song: "a\n\"b\"\u{1b}", score: f64::NAN });
        assert_eq!(text, r#"{"schema":1,"song":"a\n\"b\"\u001b","score":null}"#);
    }
}
