//! A part of a file that we keep up to date, between two lines that mark it.
//!
//! The first marker line says by which facts the part was made and what its
//! digest is. So nothing is written while the facts are the same, and whoever
//! changed the part by hand is noticed before it is rewritten.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Error;
use super::context::{TRIES, bytes_of};
use super::markers::{self, MarkerError, find_pair};
use crate::sys::World;
use crate::terms::{Digest, Time};

/// One part of one file.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The file.
    pub path: &'p Path,
    /// What tells this part from others in the same file: letters, digits, dashes.
    pub tag: &'p str,
}

/// What is to stand there.
#[derive(Debug, Clone, Copy)]
pub struct Part<'p> {
    /// A word for the facts that it was made from: equal facts, no need to write.
    pub facts: &'p str,
    /// When it was made.
    pub at: Time,
    /// The text, with lines ended by LF.
    pub body: &'p str,
}

/// What is done about what others wrote.
#[derive(Debug, Clone, Copy)]
pub struct Manners<'m> {
    /// True if the part may go above text of others that has no marked place for it.
    pub above_others: bool,
    /// Where a part that somebody changed is kept before it is rewritten; without
    /// a folder it is not rewritten.
    pub keep_edits: Option<&'m Path>,
}

/// What became of the part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "became", rename_all = "snake_case")]
pub enum Written {
    /// The file is new, or the part is new in it.
    New,
    /// It was rewritten in its place.
    Rewritten {
        /// Where what somebody had written into it is kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
        edits: Option<PathBuf>,
    },
    /// It was made from the same facts, and nothing was written.
    Unchanged {
        /// When it was made.
        since: Time,
    },
}

/// What stands in the file now.
struct Standing {
    begin: usize,
    end: usize,
    /// What stands between the marker lines; with those lines, if somebody
    /// wrote into them.
    theirs: Vec<u8>,
    is_empty: bool,
    facts: Option<String>,
    at: Option<Time>,
    edited: bool,
}

/// What the first marker line says to people.
const NOTE: &str = " (written by `handover`; what stands outside these two lines is yours)";
/// So many hex digits of the digest stand in the marker line.
const DIGITS: usize = 16;

/// Writes a part by compare and swap, and nothing outside of its markers.
///
/// # Errors
/// The file is a link or no regular file, its markers are not one pair, it
/// holds only what is not ours, somebody changed our part, or keeps changing it.
pub fn write(
    world: &World,
    place: Place<'_>,
    part: Part<'_>,
    manners: Manners<'_>,
) -> Result<Written, Error> {
    for _ in 0..TRIES {
        if let Some(written) = attempt(world, place, part, manners)? {
            return Ok(written);
        }
    }
    Err(Error::Contended { path: place.path.to_owned() })
}

/// What [`write()`] would do, with nothing written.
///
/// # Errors
/// As for [`write()`].
pub fn look(place: Place<'_>, part: Part<'_>, manners: Manners<'_>) -> Result<Written, Error> {
    is_ours_to_write(place.path)?;
    let text = bytes_of(place.path)?.text;
    let standing = standing(place, &text)?;
    decide(place, part, manners, &text, standing.as_ref())
}

/// One attempt; `None` if the file changed in between.
fn attempt(
    world: &World,
    place: Place<'_>,
    part: Part<'_>,
    manners: Manners<'_>,
) -> Result<Option<Written>, Error> {
    is_ours_to_write(place.path)?;
    let bytes = bytes_of(place.path)?;
    let standing = standing(place, &bytes.text)?;
    let mut written = decide(place, part, manners, &bytes.text, standing.as_ref())?;
    if let Written::Unchanged { .. } = written {
        return Ok(Some(written));
    }
    if let (Written::Rewritten { edits }, Some(standing), Some(folder)) =
        (&mut written, &standing, manners.keep_edits)
        && standing.edited
    {
        *edits = Some(keep(world, folder, &standing.theirs)?);
    }
    let block = block(place.tag, part, markers::newline_of(&bytes.text));
    let new = match &standing {
        Some(standing) => {
            [&bytes.text[..standing.begin], block.as_bytes(), &bytes.text[standing.end..]].concat()
        }
        None if bytes.text.is_empty() => [block.as_bytes(), b"\n"].concat(),
        None => {
            let (mark, text) = markers::split_mark(&bytes.text);
            [mark, block.as_bytes(), markers::newline_of(text).as_bytes(), text].concat()
        }
    };
    let done = match bytes.digest {
        Some(digest) => world.files.replace(place.path, &new, bytes.mode, Some(Some(digest)))?,
        // Never over a file that appeared since.
        None => match world.files.create_new(place.path, &new, bytes.mode, true) {
            Ok(()) => true,
            Err(error) if error.already_exists() => false,
            Err(error) => return Err(error.into()),
        },
    };
    Ok(done.then_some(written))
}

fn decide(
    place: Place<'_>,
    part: Part<'_>,
    manners: Manners<'_>,
    text: &[u8],
    standing: Option<&Standing>,
) -> Result<Written, Error> {
    match standing {
        Some(standing) if standing.edited && manners.keep_edits.is_none() => {
            Err(Error::Edited { path: place.path.to_owned() })
        }
        Some(Standing { facts: Some(facts), at: Some(at), edited: false, .. }) if facts == part.facts => {
            Ok(Written::Unchanged { since: *at })
        }
        Some(standing) if standing.facts.is_none() && standing.is_empty => Ok(Written::New),
        Some(_) => Ok(Written::Rewritten { edits: None }),
        None if markers::is_blank(text) || manners.above_others => Ok(Written::New),
        None => Err(Error::Foreign {
            path: place.path.to_owned(),
            markers: [format!("{} -->", begin(place.tag)), format!("{} -->", end(place.tag))],
        }),
    }
}

/// A link might lead anywhere, and a pipe or a device is no file.
fn is_ours_to_write(path: &Path) -> Result<(), Error> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.is_symlink() => {
            Err(Error::NotAFile { path: path.to_owned(), why: "it is a symbolic link" })
        }
        Ok(_) => Err(Error::NotAFile { path: path.to_owned(), why: "it is no regular file" }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
                Err(Error::NoFolder { path: path.to_owned(), folder: folder.to_owned() })
            }
            _ => Ok(()),
        },
        Err(e) => Err(Error::read(path, e)),
    }
}

/// What stands in the part with this tag, if the text has one; for whoever wants
/// to try the reader on any bytes at all.
///
/// # Errors
/// The markers are not one pair.
pub fn body_of(tag: &str, text: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let place = Place { path: Path::new(tag), tag };
    Ok(standing(place, text)?.map(|standing| standing.theirs))
}

fn standing(place: Place<'_>, text: &[u8]) -> Result<Option<Standing>, Error> {
    let broken = |source: MarkerError| Error::Markers { path: place.path.to_owned(), source };
    let (begin, end) = (begin(place.tag), end(place.tag));
    let Some(range) = find_pair(text, begin.as_bytes(), end.as_bytes()).map_err(broken)? else {
        return Ok(None);
    };
    let whole = &text[range.clone()];
    let shape = || broken(MarkerError::Shape);
    let head_end = whole.iter().position(|b| *b == b'\n').ok_or_else(shape)?;
    let ended = whole[head_end..].windows(end.len()).position(|window| window == end.as_bytes());
    let body_end = head_end + ended.ok_or_else(shape)?;
    let head = String::from_utf8_lossy(&whole[..head_end]).into_owned();
    let body = whole.get(head_end + 1..body_end).unwrap_or_default();
    let word = |name: &str| {
        let mut words = head.split_ascii_whitespace();
        words.find_map(|word| word.strip_prefix(name)).map(str::to_owned)
    };
    let are_lines_ours = is_our_head(&begin, &head) && whole[body_end..] == *format!("{end} -->").as_bytes();
    let is_empty = body.iter().all(u8::is_ascii_whitespace);
    let is_body_ours = match word("digest=") {
        Some(digest) => digest == short(&with_lf(body)),
        None => is_empty,
    };
    Ok(Some(Standing {
        begin: range.start,
        end: range.end,
        facts: word("facts="),
        at: word("at=").and_then(|at| at.parse().ok()),
        theirs: if are_lines_ours { body } else { whole }.to_vec(),
        is_empty,
        edited: !are_lines_ours || !is_body_ours,
    }))
}

/// True if nobody wrote into the first marker line, as we write it or as the
/// refusal tells people to: whatever else stands in it would be lost.
fn is_our_head(begin: &str, head: &str) -> bool {
    let Some(rest) = head.strip_prefix(begin) else { return false };
    let Some((inside, after)) = rest.split_once("-->") else { return false };
    let inside = inside.strip_suffix(' ').unwrap_or(inside);
    let words = inside.strip_suffix(NOTE).unwrap_or(inside);
    let is_word = |word: &str| ["at=", "facts=", "digest="].iter().any(|name| word.starts_with(name));
    after.trim().is_empty() && words.split_ascii_whitespace().all(is_word)
}

/// Ends of lines turned to LF; every other byte stays.
fn with_lf(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\r\n") {
            Some(line) => {
                out.extend_from_slice(line);
                out.push(b'\n');
            }
            None => out.extend_from_slice(line),
        }
    }
    out
}

fn block(tag: &str, part: Part<'_>, newline: &str) -> String {
    // Line endings are the file's own, and in no digest.
    let mut body = markers::neutral(part.body).replace('\r', "");
    if !body.ends_with('\n') {
        body.push('\n');
    }
    let head = format!(
        "{} at={} facts={} digest={}{NOTE} -->",
        begin(tag),
        part.at,
        part.facts,
        short(body.as_bytes())
    );
    format!("{head}\n{body}{} -->", end(tag)).replace('\n', newline)
}

fn begin(tag: &str) -> String {
    format!("<!-- handover:{tag}:begin")
}

fn end(tag: &str) -> String {
    format!("<!-- handover:{tag}:end")
}

fn short(body: &[u8]) -> String {
    Digest::of(body).to_string()[..DIGITS].to_owned()
}

/// Keeps what somebody wrote into our part, byte for byte, under its digest.
fn keep(world: &World, folder: &Path, body: &[u8]) -> Result<PathBuf, Error> {
    world.files.ensure_dir(folder)?;
    let path = folder.join(format!("{}.md", short(body)));
    // Theirs, as it was: for the user alone.
    match world.files.create_new(&path, body, 0o600, true) {
        Err(error) if !error.already_exists() => Err(error.into()),
        _ => Ok(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REFUSE: Manners<'_> = Manners { above_others: false, keep_edits: None };
    const ABOVE: Manners<'_> = Manners { above_others: true, keep_edits: None };

    fn part<'p>(facts: &'p str, body: &'p str) -> Part<'p> {
        Part { facts, at: Time::from_unix(1_700_000_000).unwrap(), body }
    }

    fn put(path: &Path, facts: &str, body: &str, manners: Manners<'_>) -> Result<Written, Error> {
        write(&World::real(), Place { path, tag: "sweeps" }, part(facts, body), manners)
    }

    #[test]
    fn a_part_is_rewritten_in_its_place_and_only_if_its_facts_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        assert_eq!(put(&path, "a", "one\n", REFUSE).unwrap(), Written::New);
        let first = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("above\r\n{first}below")).unwrap();
        let since = Time::from_unix(1_700_000_000).unwrap();
        assert_eq!(put(&path, "a", "other", REFUSE).unwrap(), Written::Unchanged { since });
        assert_eq!(put(&path, "b", "two", REFUSE).unwrap(), Written::Rewritten { edits: None });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("above\r\n<!-- handover:sweeps:begin at=2023-11-14T22:13:20Z facts=b digest=")
        );
        assert!(text.ends_with("-->\r\ntwo\r\n<!-- handover:sweeps:end -->\nbelow"), "{text:?}");
        // Other line endings are no edit.
        assert_eq!(put(&path, "b", "two", REFUSE).unwrap(), Written::Unchanged { since });
    }

    #[test]
    fn what_somebody_wrote_into_it_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        put(&path, "a", "one\n", REFUSE).unwrap();
        let text = std::fs::read_to_string(&path).unwrap().replace("one", "one, and my note");
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(put(&path, "b", "two\n", REFUSE), Err(Error::Edited { .. })));
        assert!(matches!(put(&path, "a", "one\n", REFUSE), Err(Error::Edited { .. })), "nor kept as ours");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        let folder = dir.path().join("kept");
        let manners = Manners { above_others: false, keep_edits: Some(&folder) };
        let Ok(Written::Rewritten { edits: Some(kept) }) = put(&path, "b", "two\n", manners) else {
            panic!("not rewritten")
        };
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "one, and my note\n");
        assert!(!std::fs::read_to_string(&path).unwrap().contains("my note"));
    }

    /// A file with our part, changed as said; what became of it with and without leave to replace.
    fn changed(by: impl Fn(&[u8]) -> Vec<u8>) -> (tempfile::TempDir, Vec<u8>, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        put(&path, "a", "one\n", REFUSE).unwrap();
        let bytes = by(&std::fs::read(&path).unwrap());
        std::fs::write(&path, &bytes).unwrap();
        let refused = put(&path, "b", "two\n", REFUSE);
        assert!(matches!(refused, Err(Error::Edited { .. })), "{refused:?}: {}", bytes.escape_ascii());
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        let folder = dir.path().join("kept");
        let manners = Manners { above_others: false, keep_edits: Some(&folder) };
        let Ok(Written::Rewritten { edits: Some(kept) }) = put(&path, "b", "two\n", manners) else {
            panic!()
        };
        (dir, std::fs::read(&kept).unwrap(), path)
    }

    fn replaced(text: &[u8], from: &str, to: &[u8]) -> Vec<u8> {
        let at = text.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&text[..at], to, &text[at + from.len()..]].concat()
    }

    #[test]
    fn words_in_a_marker_line_are_somebodys_too() {
        for (from, to) in [
            ("yours) -->\n", "yours) --> and my note\n"),
            ("yours) -->", "yours) my note -->"),
            (":end -->", ":end my note -->"),
        ] {
            let (_dir, kept, path) = changed(|text| replaced(text, from, to.as_bytes()));
            assert!(String::from_utf8(kept).unwrap().contains("my note"), "{from}");
            assert!(!std::fs::read_to_string(path).unwrap().contains("my note"));
        }
        // After the last marker is outside.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        put(&path, "a", "one\n", REFUSE).unwrap();
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, replaced(&text, ":end -->", b":end --> my note")).unwrap();
        assert_eq!(put(&path, "b", "two\n", REFUSE).unwrap(), Written::Rewritten { edits: None });
        assert!(std::fs::read_to_string(&path).unwrap().contains(":end --> my note"));
    }

    #[test]
    fn what_somebody_wrote_is_kept_byte_for_byte() {
        let (_dir, kept, _) = changed(|text| replaced(text, "one\n", b"one\xff\r and\r\ntwo\n"));
        assert_eq!(kept, b"one\xff\r and\r\ntwo\n");
    }

    #[test]
    fn two_pairs_and_a_missing_folder_are_refused_and_an_example_is_no_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        put(&path, "a", "one\n", REFUSE).unwrap();
        let once = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{once}{once}")).unwrap();
        assert!(matches!(put(&path, "b", "two\n", ABOVE), Err(Error::Markers { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{once}{once}"));
        let example = format!("```\n{once}```\n");
        std::fs::write(&path, &example).unwrap();
        assert!(matches!(put(&path, "b", "two\n", REFUSE), Err(Error::Foreign { .. })));
        assert_eq!(put(&path, "b", "two\n", ABOVE).unwrap(), Written::New);
        assert!(std::fs::read_to_string(&path).unwrap().ends_with(&example));
        let far = dir.path().join("a/b/page.md");
        assert!(matches!(put(&far, "a", "one\n", ABOVE), Err(Error::NoFolder { .. })));
    }

    #[test]
    fn what_is_somebody_elses_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.md");
        std::fs::write(&path, "mine\n").unwrap();
        assert!(matches!(put(&path, "a", "one\n", REFUSE), Err(Error::Foreign { .. })));
        std::fs::write(
            &path,
            "mine\n<!-- handover:sweeps:begin -->\n<!-- handover:sweeps:end -->\nalso mine\n",
        )
        .unwrap();
        assert_eq!(put(&path, "a", "one\n", REFUSE).unwrap(), Written::New);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("mine\n<!--") && text.ends_with("-->\nalso mine\n"), "{text:?}");
        let other = dir.path().join("page.md");
        std::fs::write(&other, "mine").unwrap();
        assert_eq!(put(&other, "a", "one\n", ABOVE).unwrap(), Written::New);
        assert!(std::fs::read_to_string(&other).unwrap().ends_with("<!-- handover:sweeps:end -->\nmine"));
        let link = dir.path().join("link.md");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(put(&link, "z", "two\n", ABOVE), Err(Error::NotAFile { .. })));
        assert!(matches!(put(dir.path(), "z", "two\n", ABOVE), Err(Error::NotAFile { .. })));
    }

    #[test]
    fn two_writers_at_once_leave_one_whole_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("page.md");
        std::fs::write(&path, "mine\n").unwrap();
        std::thread::scope(|threads| {
            for writer in 0..4 {
                let path = &path;
                threads.spawn(move || {
                    for turn in 0..20 {
                        let facts = format!("{writer}-{turn}");
                        let _ = put(path, &facts, &format!("{facts}\n").repeat(50), ABOVE);
                    }
                });
            }
        });
        let text = std::fs::read(&path).unwrap();
        let standing = standing(Place { path: &path, tag: "sweeps" }, &text).unwrap().unwrap();
        assert!(!standing.edited && text.ends_with(b"mine\n"));
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic_and_bytes_outside_stay(
            before in "(mine\r?\n){0,2}",
            body in "(<!-- handover:sweeps:(begin|end) -->|-->|<|-|\n|\r|a|é){0,20}",
            after in "\n?[ -~]{0,20}",
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("page.md");
            let markers = "<!-- handover:sweeps:begin -->\n<!-- handover:sweeps:end -->";
            std::fs::write(&path, format!("{before}{markers}{after}")).unwrap();
            let manners = Manners { above_others: true, keep_edits: None };
            put(&path, "a", &body, manners).unwrap();
            let text = std::fs::read(&path).unwrap();
            prop_assert!(text.starts_with(before.as_bytes()) && text.ends_with(after.as_bytes()));
            let standing = standing(Place { path: &path, tag: "sweeps" }, &text).unwrap().unwrap();
            prop_assert!(!standing.edited);
        }
    }
}
