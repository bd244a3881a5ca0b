//! XSPF (xspf.org, versions 0 and 1), as it is met: with and without its namespace, plain paths in place of
//! URIs, `&` that was not escaped. Each `location` of a track is a way to its file, `identifier` an id, and
//! `creator` with `title` the last resort.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{Entry, List, percent_decoded};

/// The elements of a track that are read.
const FIELDS: [&str; 4] = ["location", "identifier", "creator", "title"];

/// Reads a playlist's text; `Err` says what is wrong with it.
pub fn parse(text: &str) -> Result<List, String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().allow_dangling_amp = true;
    let mut file = File::default();
    loop {
        let at = reader.buffer_position();
        let wrong = |e: &dyn std::fmt::Display| format!("is not XML that can be read, near byte {at}: {e}");
        match reader.read_event().map_err(|e| wrong(&e))? {
            Event::Start(start) => file.open(&start)?,
            Event::Empty(start) => {
                file.open(&start)?;
                file.close();
            }
            Event::End(_) => file.close(),
            Event::Text(text) => file.text.push_str(&text),
            Event::CData(text) => file.text.push_str(&text),
            Event::GeneralRef(name) => {
                let character = name.resolve_char_ref().ok().flatten().map(String::from);
                let known = || quick_xml::escape::resolve_predefined_entity(&name).map(String::from);
                file.text += &character.or_else(known).unwrap_or_else(|| format!("&{};", &*name));
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if !file.is_playlist {
        return Err("has no <playlist> with tracks in it".into());
    }
    if let Some((name, _)) = file.open.last() {
        return Err(format!("ends early, inside <{name}>"));
    }
    Ok(file.list)
}

/// What has been read so far.
#[derive(Default)]
struct File {
    list: List,
    is_playlist: bool,
    /// Names and bases (`xml:base`) of the elements that are open.
    open: Vec<(String, Option<String>)>,
    track: Option<Entry>,
    creator: String,
    title: String,
    text: String,
}

/// Elements inside each other at most; a track's fields are at depth 4.
const DEPTH: usize = 64;

impl File {
    fn open(&mut self, start: &BytesStart) -> Result<(), String> {
        if self.open.len() == DEPTH {
            return Err(format!("has elements more than {DEPTH} deep"));
        }
        let name = start.local_name();
        let name: &str = name.as_ref();
        let base = start.attributes().with_checks(false).flatten().find(|a| a.key.0 == "xml:base");
        let base = base.map(|a| {
            a.normalized_value(XmlVersion::Implicit1_0).map_or_else(|_| a.value.to_string(), |value| value.into_owned())
        });
        self.is_playlist |= self.open.is_empty() && name.eq_ignore_ascii_case("playlist");
        if name == "track" && self.track.is_none() {
            self.track = Some(Entry::default());
        }
        self.open.push((name.to_string(), base));
        self.text.clear();
        Ok(())
    }

    fn close(&mut self) {
        let parent = self.open.len().checked_sub(2).and_then(|at| self.open.get(at)).map(|element| element.0.as_str());
        let name = self.open.last().map_or("", |element| element.0.as_str());
        let text = std::mem::take(&mut self.text);
        if parent == Some("track") && FIELDS.contains(&name) && !text.trim().is_empty() {
            let text = text.trim();
            match (name, &mut self.track) {
                ("location", Some(track)) => {
                    let base: Vec<&str> = self.open.iter().filter_map(|element| element.1.as_deref()).collect();
                    track.paths.extend(locations(text, &base));
                }
                ("identifier", Some(track)) => track.ids.push(text.to_string()),
                ("creator", _) => self.creator = text.to_string(),
                ("title", _) => self.title = text.to_string(),
                _ => {}
            }
        }
        if name == "track" && parent != Some("track") {
            let (creator, title) = (std::mem::take(&mut self.creator), std::mem::take(&mut self.title));
            if let Some(mut track) = self.track.take() {
                track.title = Some((creator, title)).filter(|(creator, title)| !creator.is_empty() && !title.is_empty());
                let known = track != Entry::default();
                self.list.entries.push(known.then_some(track));
            }
        }
        self.open.pop();
    }
}

/// The paths that a location may mean: decoded, as it is a URI, and as it stands, as some write. `bases` are
/// those around it, from the outside in; an absolute one takes the place of those before.
fn locations(location: &str, bases: &[&str]) -> Vec<String> {
    let whole = |path: &str| {
        let windows = path.as_bytes().get(1) == Some(&b':');
        windows
            || path.starts_with(['/', '\\'])
            || path.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("file:"))
            || path.contains("://")
    };
    let mut base = String::new();
    for next in bases {
        let folder = &next[..next.rfind('/').map_or(0, |i| i + 1)];
        if whole(next) { base = folder.to_string() } else { base += folder }
    }
    let path = if whole(location) { location.to_string() } else { base + location };
    let decoded =
        if path.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("file:")) { path.clone() } else { percent_decoded(&path) };
    if decoded == path { vec![path] } else { vec![decoded, path] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_specified() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- a list --><playlist version="1" xmlns="http://xspf.org/ns/0/"><title>All &amp; sundry</title><creator>me</creator>
  <trackList>
    <track><location>file:///music/15/Megt%C3%B6rt.mp3</location><location>b%20c/d.mp3</location>
      <title>A &lt;Song&gt; &#233;</title><creator><![CDATA[Simon & Garfunkel]]></creator>
      <extension application="x"><title>no</title></extension><duration>151400</duration></track>
    <track xml:base="sub/list.xspf"><location>50%25.ogg</location><identifier>spotify:track:7</identifier></track>
    <track/><track><annotation>nothing</annotation></track>
  </trackList></playlist>"#;
        let list = parse(text).unwrap();
        assert_eq!(list.entries.len(), 4);
        let first = list.entries[0].as_ref().unwrap();
        assert_eq!(first.paths, ["file:///music/15/Megt%C3%B6rt.mp3", "b c/d.mp3", "b%20c/d.mp3"]);
        assert_eq!(first.title, Some(("Simon & Garfunkel".into(), "A <Song> é".into())));
        let second = list.entries[1].as_ref().unwrap();
        assert_eq!(
            (&second.paths[..], &second.ids[..]),
            (&["sub/50%.ogg".into(), "sub/50%25.ogg".into()][..], &["spotify:track:7".into()][..])
        );
        assert!(second.title.is_none() && list.entries[2].is_none() && list.entries[3].is_none());
    }

    #[test]
    fn as_met() {
        let text = "<playlist version=\"0\"><trackList>\r\n<track><location>C:\\Music\\Rock & Roll\\a.mp3</location>\r\n<title>AT&T</title><creator>R&uuml;pel</creator></track></trackList></playlist>";
        let list = parse(text).unwrap();
        let entry = list.entries[0].as_ref().unwrap();
        assert_eq!(entry.paths, ["C:\\Music\\Rock & Roll\\a.mp3"]);
        assert_eq!(entry.title, Some(("R&uuml;pel".into(), "AT&T".into())));
        assert_eq!(
            parse(
                "<x:playlist xmlns:x='u'><x:trackList><x:track><x:location>a</x:location></x:track></x:trackList></x:playlist>"
            )
            .unwrap()
            .entries
            .len(),
            1
        );
        assert!(parse("<playlist><trackList/></playlist>").unwrap().entries.is_empty());
    }

    #[test]
    fn what_is_no_playlist_is_refused() {
        assert!(parse("<html><track></track></html>").unwrap_err().contains("no <playlist>"));
        assert!(parse("").unwrap_err().contains("no <playlist>"));
        assert!(parse("<playlist></trackList>").unwrap_err().contains("near byte"));
        assert!(parse(&"<track>".repeat(100)).unwrap_err().contains("deep"));
    }
}
