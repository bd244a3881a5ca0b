//! Pages as HTML text: elements around text, which is escaped when it goes in.

use super::svg::escape;

/// Markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Markup of our own making, as it stands.
    pub fn raw(markup: impl Into<String>) -> Html {
        Html(markup.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: AsRef<str>> From<T> for Html {
    fn from(text: T) -> Html {
        Html(escape(text.as_ref()))
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(parts: I) -> Html {
        Html(parts.into_iter().map(|part| part.0).collect())
    }
}

/// Parts one after the other.
pub fn all(parts: impl IntoIterator<Item = Html>) -> Html {
    parts.into_iter().collect()
}

/// `<name>inner</name>`; after a dot, the name has a class: `td.text`; after a sign #, an id.
pub fn el(name: &str, inner: impl Into<Html>) -> Html {
    let (name, class) = name.split_once('.').map_or((name, None), |(name, class)| (name, Some(class)));
    let (name, id) = name.split_once('#').map_or((name, None), |(name, id)| (name, Some(id)));
    let attribute = |what: &str, value: Option<&str>| value.map_or(String::new(), |v| format!(" {what}=\"{}\"", escape(v)));
    Html(format!("<{name}{}{}>{}</{name}>\n", attribute("id", id), attribute("class", class), inner.into().0))
}

/// A table with a head; a column called `.name` holds text rather than numbers.
pub fn table(head: &[String], rows: impl IntoIterator<Item = Html>) -> Html {
    let cell = |name: &String| match name.strip_prefix('.') {
        Some(name) => el("th.text", name),
        None => el("th", name),
    };
    let head = if head.is_empty() { Html::default() } else { el("thead", el("tr", all(head.iter().map(cell)))) };
    el("div.table", el("table", all([head, el("tbody", all(rows))])))
}

/// A row of cells.
pub fn row(cells: impl IntoIterator<Item = String>) -> Html {
    el("tr", all(cells.into_iter().map(|cell| el("td", cell))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_names_have_classes() {
        assert_eq!(el("td.text", "a <b> & \"c\"").as_str(), "<td class=\"text\">a &lt;b&gt; &amp; &quot;c&quot;</td>\n");
        assert_eq!(el("h2#fig1", el("b", "x")).as_str(), "<h2 id=\"fig1\"><b>x</b>\n</h2>\n");
        let table = table(&["n".into(), ".what".into()], [row(["1".into(), "<".into()])]);
        assert!(table.as_str().contains("<th>n</th>") && table.as_str().contains("<th class=\"text\">what</th>"));
        assert!(table.as_str().contains("<td>&lt;</td>"));
    }
}
