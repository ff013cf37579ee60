use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Condition;
use super::markdown::{contain, fence_of};

/// The largest body that is read, in bytes.
const MOST: usize = 1 << 20;

/// What the agent says: one text per section, in markdown.
///
/// All of it is asserted; none of it is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// What the work is about, in one line.
    pub focus: Option<String>,
    /// How the work stands, in one word.
    pub condition: Option<Condition>,
    texts: BTreeMap<Section, String>,
}

/// The sections of a handover, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// One word and one sentence.
    Status,
    /// What the work is for, and when it is done.
    Goal,
    /// Exactly one thing to do, with the command and what to expect.
    Next,
    /// What else is to be done.
    Pending,
    /// What changed, and why.
    Changed,
    /// What was verified, and what was not.
    Evidence,
    /// What runs, and what must not be touched.
    Jobs,
    /// What to do if something happens.
    IfThen,
    /// What was decided, and what was rejected.
    Decisions,
    /// What was tried and does not work.
    DeadEnds,
    /// What is assumed, and what is open.
    Assumptions,
    /// What can hurt.
    Hazards,
    /// What to read.
    Pointers,
}

/// A body that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than any handover should be.
    #[error("the body is larger than {MOST} bytes")]
    TooLarge,
    /// It is not UTF-8.
    #[error("the body is not UTF-8 text")]
    NotText,
    /// It begins like JSON and is not the JSON of a body.
    #[error("the body is not valid JSON of a handover: {}", crate::safety::one_line(text, 200))]
    Json {
        /// What is wrong, with line and column.
        text: String,
    },
}

impl Section {
    /// All of them, in reading order.
    pub const ALL: [Section; 13] = [
        Section::Status,
        Section::Goal,
        Section::Next,
        Section::Pending,
        Section::Changed,
        Section::Evidence,
        Section::Jobs,
        Section::IfThen,
        Section::Decisions,
        Section::DeadEnds,
        Section::Assumptions,
        Section::Hazards,
        Section::Pointers,
    ];

    /// Its heading in a document and in a draft.
    pub fn heading(self) -> &'static str {
        match self {
            Section::Status => "Status",
            Section::Goal => "Goal and definition of done",
            Section::Next => "Next action",
            Section::Pending => "Pending",
            Section::Changed => "What changed and why",
            Section::Evidence => "Evidence",
            Section::Jobs => "Jobs and sweeps",
            Section::IfThen => "If-then",
            Section::Decisions => "Decisions",
            Section::DeadEnds => "Dead ends",
            Section::Assumptions => "Assumptions and open questions",
            Section::Hazards => "Hazards",
            Section::Pointers => "Pointers",
        }
    }

    /// What belongs into it, for a draft.
    pub fn question(self) -> &'static str {
        match self {
            Section::Status => "One of stable, watch, broken, blocked, and one sentence.",
            Section::Goal => "What the user wants, in their words, and how one knows that it is done.",
            Section::Next => "Exactly one thing to do, with the command and what to expect from it.",
            Section::Pending => "What else is to be done, one per line, with how to know that it is done.",
            Section::Changed => {
                "What was changed in this session, and why; what the uncommitted changes are for."
            }
            Section::Evidence => "What was run and what came out; what was not verified.",
            Section::Jobs => "What each job or sweep is for, and which must not be touched.",
            Section::IfThen => "If this happens, then do that; one per line.",
            Section::Decisions => "What was decided and why; what was rejected.",
            Section::DeadEnds => "What was tried, what came out, and why not to try it again.",
            Section::Assumptions => "What is assumed without proof; questions, and who can answer them.",
            Section::Hazards => {
                "Temporary hacks, disabled checks, shared things, names of credentials needed."
            }
            Section::Pointers => "Two or three files or documents that must be read.",
        }
    }

    fn of_heading(text: &str) -> Option<Section> {
        let text = text.trim();
        Section::ALL.into_iter().find(|section| section.heading().eq_ignore_ascii_case(text))
    }
}

/// Comments between which a draft or a document holds the program's own text.
pub const OWN_BEGIN: &str = "<!-- program -->";
/// The end of such a block.
pub const OWN_END: &str = "<!-- /program -->";

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonText {
    One(String),
    Many(Vec<String>),
}

impl Body {
    /// Reads a body: markdown with our headings, or JSON with the names of the
    /// sections, each a text or a list of texts.
    pub fn read(bytes: &[u8]) -> Result<Body, BodyError> {
        if bytes.len() > MOST {
            return Err(BodyError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BodyError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('{') { Body::from_json(text) } else { Ok(Body::from_markdown(text)) }
    }

    fn from_json(text: &str) -> Result<Body, BodyError> {
        let wrong = |e: serde_json::Error| BodyError::Json { text: e.to_string() };
        let mut json: BTreeMap<String, JsonText> = serde_json::from_str(text).map_err(wrong)?;
        let mut body = Body::default();
        if let Some(JsonText::One(focus)) = json.remove("focus") {
            body.focus = Some(focus);
        }
        for (name, text) in json {
            let section = serde_json::from_value(name.into()).map_err(wrong)?;
            match text {
                JsonText::One(text) => body.set(section, &text),
                JsonText::Many(items) => items.iter().for_each(|item| body.add_item(section, item)),
            }
        }
        Ok(body)
    }

    /// Splits at our headings; text before the first and under foreign headings
    /// of the second level stays with the section above it.
    fn from_markdown(text: &str) -> Body {
        // The front matter of a sealed document is the program's, not the agent's.
        let text = match super::front::split(text) {
            Ok((block, body)) if block.lines().any(|line| line.starts_with("schema: ")) => body,
            _ => text,
        };
        let mut body = Body::default();
        let mut current = None;
        let mut texts: BTreeMap<Section, String> = BTreeMap::new();
        let mut loose = String::new();
        let mut fence = None;
        let mut own = false;
        for line in text.lines() {
            // Inside a fence the agent may quote our comments, as our README does.
            if fence.is_none() && line.trim() == OWN_BEGIN {
                own = true;
            }
            if own {
                own = line.trim() != OWN_END;
                continue;
            }
            match (fence, fence_of(line)) {
                (Some((c, n)), Some((d, m))) if c == d && m >= n && line.trim().chars().all(|x| x == c) => {
                    fence = None
                }
                (None, opened) => fence = opened,
                _ => {}
            }
            if fence.is_none() {
                if let Some(section) = line.strip_prefix("## ").and_then(Section::of_heading) {
                    current = Some(section);
                    continue;
                }
                if let Some(title) = line.strip_prefix("# ") {
                    let title = title.trim();
                    let focus = title
                        .strip_prefix("Handover:")
                        .or_else(|| title.strip_prefix("Draft:"))
                        .map(str::trim);
                    if let Some(focus) = focus.filter(|_| current.is_none()) {
                        body.focus = Some(focus.to_owned()).filter(|focus| !focus.is_empty());
                        continue;
                    }
                }
            }
            let target = current.map_or(&mut loose, |section| texts.entry(section).or_default());
            target.push_str(line);
            target.push('\n');
        }
        for (section, text) in texts {
            body.set(section, &text);
        }
        if !without_comments(&loose).trim().is_empty() {
            body.append(Section::Changed, &loose);
        }
        body
    }

    /// Sets the text of a section; an empty one takes it away.
    ///
    /// A status begins with its word, if it has one.
    pub fn set(&mut self, section: Section, text: &str) {
        let text = without_comments(text);
        let text = if section == Section::Status {
            let (condition, sentence) = Condition::split(&text);
            self.condition = condition.or(self.condition);
            contain(sentence)
        } else {
            contain(&text)
        };
        if text.is_empty() {
            self.texts.remove(&section);
        } else {
            self.texts.insert(section, text);
        }
    }

    /// Adds a paragraph to a section.
    pub fn append(&mut self, section: Section, text: &str) {
        let before = self.texts.get(&section).cloned();
        self.set(section, text);
        if let (Some(before), Some(after)) = (before, self.texts.get_mut(&section)) {
            *after = format!("{before}\n\n{after}");
        }
    }

    /// Adds a list item to a section.
    pub fn add_item(&mut self, section: Section, item: &str) {
        let item = contain(item).replace('\n', "\n  ");
        if item.is_empty() {
            return;
        }
        let text = self.texts.entry(section).or_default();
        if !text.is_empty() {
            // A list that follows a paragraph needs a blank line before it.
            let last_is_item =
                text.lines().last().is_some_and(|line| line.starts_with("- ") || line.starts_with("  "));
            text.push_str(if last_is_item { "\n" } else { "\n\n" });
        }
        text.push_str("- ");
        text.push_str(&item);
    }

    /// The text of a section, if it has one.
    pub fn text(&self, section: Section) -> Option<&str> {
        self.texts.get(&section).map(String::as_str)
    }

    /// How many sections have text.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// True if the agent said nothing at all.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.condition.is_none() && self.focus.is_none()
    }

    /// True if no section says anything, whatever the focus is.
    pub fn says_nothing(&self) -> bool {
        self.texts.is_empty() && self.condition.is_none()
    }

    /// This body, with whatever `other` says in the place of what this one says.
    pub fn overridden_by(mut self, other: Body) -> Body {
        self.focus = other.focus.or(self.focus);
        self.condition = other.condition.or(self.condition);
        self.texts.extend(other.texts);
        self
    }

    /// Every text passed through `change`: where secrets are taken out.
    pub fn map_texts(&mut self, mut change: impl FnMut(&str) -> String) {
        self.focus = self.focus.take().map(|text| change(&text));
        for text in self.texts.values_mut() {
            *text = change(text);
        }
    }
}

/// The text without HTML comments, which hold the questions of a draft.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("<!--") {
        let Some(end) = rest[start..].find("-->") else { break };
        out.push_str(&rest[..start]);
        rest = &rest[start + end + 3..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_read_by_its_headings() {
        let text = "# Draft: warm-up schedule\n\n## Status\n<!-- a question -->\nwatch: two tasks are slow\n\n## Next action\nRun `x`.\n\n\
                    ## Foreign\nstays with next\n\n<!-- program -->\nfacts\n## Status\nbroken\n<!-- /program -->\n";
        let body = Body::read(text.as_bytes()).unwrap();
        assert_eq!(body.focus.as_deref(), Some("warm-up schedule"));
        assert_eq!(body.condition, Some(Condition::Watch));
        assert_eq!(body.text(Section::Status), Some("two tasks are slow"));
        assert_eq!(body.text(Section::Next), Some("Run `x`.\n\n### Foreign\nstays with next"));
        assert_eq!(body.len(), 2);
    }

    #[test]
    fn headings_in_code_are_no_headings() {
        let body = Body::read(b"## Goal and definition of done\n```\n## Status\nx\n```\n").unwrap();
        assert_eq!(body.text(Section::Goal), Some("```\n## Status\nx\n```"));
        assert_eq!(body.text(Section::Status), None);
    }

    #[test]
    fn our_comments_in_code_swallow_nothing() {
        let text = "## Goal and definition of done\n```\n<!-- program -->\n```\n## Next action\nrun `x`\n## Hazards\nmind\n";
        let body = Body::read(text.as_bytes()).unwrap();
        assert_eq!(body.text(Section::Next), Some("run `x`"));
        assert_eq!(body.text(Section::Hazards), Some("mind"));
    }

    #[test]
    fn json_gives_the_same_body() {
        let body =
            Body::read(br#"{"focus": "f", "status": "stable", "next": "do it", "pending": ["a", "b\nc"]}"#)
                .unwrap();
        assert_eq!(body.condition, Some(Condition::Stable));
        assert_eq!(body.text(Section::Pending), Some("- a\n- b\n  c"));
        assert!(matches!(Body::read(b"{\"nxt\": \"x\"}"), Err(BodyError::Json { .. })));
        assert!(matches!(Body::read(b"\xff"), Err(BodyError::NotText)));
    }

    #[test]
    fn text_without_headings_is_kept() {
        let body = Body::read(b"I changed the loader.\n").unwrap();
        assert_eq!(body.text(Section::Changed), Some("I changed the loader."));
    }
}
