//! Notes for people: what one leaves in a file for another, and who comes by sees it first.
//!
//! A note is a section of a Markdown file under `## Note for NAME` or `## Message for NAME`, up to
//! the next heading of that rank. It is data: whatever it says is shown, escaped and capped, and
//! never done.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use super::objects::{Difference, Store, between, each_blob, sizes};
use crate::git::{GitError, Repository};
use crate::sys::World;
use crate::terms::{CommitId, Time};

/// So many files are looked at.
const FILES: usize = 200;
/// The largest file that is looked at, in bytes.
const LARGEST: u64 = 256 * 1024;
/// So many notes are told.
const MOST: usize = 20;
/// So many lines of one note are kept.
const LINES: usize = 30;

/// A note that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// For whom, as written.
    pub to: String,
    /// Its lines, as written; of a long one the first.
    pub lines: Vec<String>,
    /// Lines that are left out.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more: usize,
    /// The author of the commit that brought it, as written.
    pub author: String,
    /// When that commit was made, by its own clock.
    pub at: Option<Time>,
    /// The file.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// The notes that stand in `new` and did not in `old`, in the order of their files.
///
/// # Errors
/// Git failed.
pub fn incoming(
    world: &World,
    repository: &Repository,
    old: &CommitId,
    new: &CommitId,
) -> Result<Vec<Note>, Error> {
    let store = Store::new(world, repository.git());
    let is_text = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("md"));
    let files: Vec<Difference> = between(&store, old.as_str(), new.as_str())?
        .into_iter()
        .filter(|entry| entry.new.is_file() && is_text(&entry.path))
        .take(FILES)
        .collect();
    let mut before: Vec<Vec<Section>> = vec![Vec::new(); files.len()];
    let were: Vec<usize> = (0..files.len()).filter(|n| files[*n].old.is_file()).collect();
    read(&store, were.iter().map(|n| files[*n].old.id.as_str()), |n, text| before[were[n]] = sections(text))?;
    let mut found = Vec::new();
    read(&store, files.iter().map(|entry| entry.new.id.as_str()), |n, text| {
        let new = sections(text).into_iter().filter(|section| !before[n].contains(section));
        found.extend(new.map(|section| (n, section)));
    })?;
    found.truncate(MOST);
    found
        .into_iter()
        .map(|(n, Section { to, mut lines })| {
            let (author, at) = brought_by(repository, old, new, &files[n].path)?;
            let more = lines.len().saturating_sub(LINES);
            lines.truncate(LINES);
            Ok(Note { to, lines, more, author, at, path: files[n].path.clone() })
        })
        .collect()
}

/// Reads blobs of a sensible size; of others nothing is seen.
fn read<'i>(
    store: &Store,
    ids: impl Iterator<Item = &'i str>,
    mut seen: impl FnMut(usize, &str),
) -> Result<(), GitError> {
    let ids: Vec<&str> = ids.collect();
    let sizes = sizes(store, &ids)?;
    let small: Vec<(usize, (&str, u64))> =
        ids.into_iter().zip(sizes).enumerate().filter(|(_, (_, size))| *size <= LARGEST).collect();
    let blobs: Vec<(&str, u64)> = small.iter().map(|(_, blob)| *blob).collect();
    each_blob(store, &blobs, |n, bytes| seen(small[n].0, &String::from_utf8_lossy(bytes)))
}

/// Who brought the file as it is, and when.
fn brought_by(
    repository: &Repository,
    old: &CommitId,
    new: &CommitId,
    path: &Path,
) -> Result<(String, Option<Time>), GitError> {
    let range = format!("{old}..{new}");
    let args = ["log", "-1", "--format=%an%x1f%at", &range, "--"].map(std::ffi::OsStr::new);
    let text = repository.git().run(&[&args[..], &[path.as_os_str()]].concat())?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (author, at) = text.trim_end().rsplit_once('\x1f').unwrap_or_default();
    Ok((author.to_owned(), at.parse().ok().and_then(Time::from_unix)))
}

/// A section that is a note.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Section {
    to: String,
    lines: Vec<String>,
}

/// The notes of a text; what stands between fences is an example.
fn sections(text: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    let (mut open, mut fenced) = (false, false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        let is_heading = !fenced && (line.starts_with("# ") || line.starts_with("## "));
        if is_heading {
            open = false;
            if let Some(to) = addressee(line) {
                found.push(Section { to: to.to_owned(), lines: Vec::new() });
                open = true;
            }
        } else if open && let Some(last) = found.last_mut() {
            last.lines.push(line.to_owned());
        }
    }
    for section in &mut found {
        let first = section.lines.iter().position(|line| !line.trim().is_empty());
        section.lines.drain(..first.unwrap_or(section.lines.len()));
        while section.lines.last().is_some_and(|line| line.trim().is_empty()) {
            section.lines.pop();
        }
    }
    found
}

/// Whom a heading addresses.
fn addressee(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("## ")?.trim();
    let rest = ["Note for ", "Message for ", "note for ", "message for "]
        .iter()
        .find_map(|start| rest.strip_prefix(start))?;
    let to = rest.trim().trim_end_matches(':').trim_end();
    (!to.is_empty()).then_some(to)
}

/// The text of a file with one note in it.
///
/// A line of it that would be a heading is indented by a blank, which Markdown does not mind, so that
/// the note is one note.
pub fn written(to: &str, text: &str, from: &str, at: &str) -> String {
    let mut out = format!("## Note for {to}\n\n");
    for line in text.lines() {
        if line.starts_with('#') {
            out.push(' ');
        }
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(&format!("\n{from}, {at}\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String)> {
        sections(text).into_iter().map(|section| (section.to, section.lines.join("|"))).collect()
    }

    #[test]
    fn notes_are_sections_and_examples_are_none() {
        let text = "# Log\n\n## Note for ann\n\nlook at task 3\n\n### Detail\nmore\n\n## Results\nnone\n\
            ## Message for Bob Example:\nhi\n```\n## Note for eve\n```\n# End\nx\n";
        assert_eq!(
            told(text),
            [
                ("ann".to_owned(), "look at task 3||### Detail|more".to_owned()),
                ("Bob Example".to_owned(), "hi|```|## Note for eve|```".to_owned())
            ]
        );
        assert!(told("##Note for ann\n## Notes for ann\n## Note for \n").is_empty());
    }

    #[test]
    fn what_is_written_is_read_back_whatever_it_says() {
        let text = written("ann", "first\n## Note for bob\n# Title\n", "Eve", "2026-11-22 14:02 UTC");
        assert_eq!(
            told(&text),
            [("ann".to_owned(), "first| ## Note for bob| # Title||Eve, 2026-11-22 14:02 UTC".to_owned())]
        );
    }
}
