//! How rsync is called, and what it says.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sys::Spawn;
use crate::terms::Bytes;

use super::{RemotePath, Target, ssh_words};

/// Which way files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From here to the other machine.
    Push,
    /// From the other machine to here.
    Pull,
}

/// One call of rsync, as data.
#[derive(Debug, Clone)]
pub struct Transfer<'t> {
    /// The other machine.
    pub target: &'t Target,
    /// The folder there.
    pub there: &'t RemotePath,
    /// The folder here.
    pub here: &'t Path,
    /// Which way files go.
    pub way: Way,
    /// Patterns of what stays, as rsync's own; those of the target come after them.
    pub without: &'t [String],
    /// True if a file that is newer on the side that receives stays as it is.
    pub keeps_newer: bool,
    /// True if what is not on the side that gives is deleted on the other.
    pub deletes: bool,
}

/// The folder in which half a file waits for the next run, below that of the file.
pub const PARTIAL: &str = ".handover-partial";
/// The folder in which a machine that was pushed to keeps what was overwritten or deleted there.
pub const KEPT: &str = ".handover-kept";

/// So long nothing may come or go, in seconds, before rsync gives up.
const SILENCE: u64 = 60;
/// So long a transfer may take.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);
/// What rsync prints of a file: what happens to it, its size, its name.
const FORMAT: &str = "--out-format=%i %l %n";

impl Transfer<'_> {
    /// What would travel; changes nothing.
    pub fn look(&self) -> Spawn {
        self.ends(self.deleting(self.options()).arg("--dry-run"))
    }

    /// Which of these files differ in what is in them, not in their times alone; changes nothing.
    pub fn compare<'f>(&self, files: impl IntoIterator<Item = &'f Path>) -> Spawn {
        let spawn = self.options().args(["--dry-run", "--checksum", "--from0", "--files-from=-"]);
        self.ends(spawn.input(list(files)))
    }

    /// Carries exactly these files and folders, named from the folder; what is overwritten goes to
    /// `kept` on the side that receives.
    pub fn carry<'f>(&self, files: impl IntoIterator<Item = &'f Path>, kept: &OsStr) -> Spawn {
        let spawn = self.keeping(self.options(), kept).args(["--from0", "--files-from=-"]).input(list(files));
        self.ends(spawn)
    }

    /// Carries everything, and deletes at most so many files; both overwritten and deleted ones go to
    /// `kept`.
    pub fn mirror(&self, most: usize, kept: &OsStr) -> Spawn {
        let most = format!("--max-delete={most}");
        self.ends(self.deleting(self.keeping(self.options(), kept)).arg("--checksum").arg(most))
    }

    fn keeping(&self, spawn: Spawn, kept: &OsStr) -> Spawn {
        let mut dir = OsString::from("--backup-dir=");
        dir.push(kept);
        spawn.args(["--backup", "--delay-updates"]).arg(dir)
    }

    fn deleting(&self, spawn: Spawn) -> Spawn {
        if self.deletes { spawn.arg("--delete-delay") } else { spawn }
    }

    /// Arguments are protected (`-s`): no shell there takes them apart.
    fn options(&self) -> Spawn {
        let mut spawn = Spawn::new("rsync")
            .args(["-s", "-rlpt", "--omit-dir-times", "--safe-links", "--no-motd", FORMAT])
            .arg(format!("--timeout={SILENCE}"))
            .arg(format!("--partial-dir={PARTIAL}"))
            .limit(LIMIT)
            .with_us()
            .set("LC_ALL", "C")
            .set("TZ", "UTC");
        for name in
            ["RSYNC_RSH", "RSYNC_OLD_ARGS", "RSYNC_PARTIAL_DIR", "RSYNC_PROTECT_ARGS", "RSYNC_CONNECT_PROG"]
        {
            spawn = spawn.unset(name);
        }
        if self.keeps_newer {
            spawn = spawn.arg("--update");
        }
        let own = [".git".to_owned(), PARTIAL.to_owned(), format!("/{KEPT}")];
        for pattern in own.iter().chain(self.without).chain(&self.target.excludes) {
            // With its sign: a pattern that begins with one of rsync's own stays a pattern.
            spawn = spawn.arg(format!("--filter=- {pattern}"));
        }
        spawn
    }

    fn ends(&self, spawn: Spawn) -> Spawn {
        // rsync splits this at blanks; no word of it has one.
        let shell = ssh_words(self.target).join(OsStr::new(" "));
        let there =
            format!("{}:{}/", self.target.host.before_colon(), self.there.as_str().trim_end_matches('/'));
        let spawn = spawn.arg("-e").arg(shell).arg("--").dir(self.here);
        match self.way {
            Way::Push => spawn.args(["./", &there]),
            Way::Pull => spawn.args([there.as_str(), "./"]),
        }
    }
}

/// Names for `--files-from`, with a `./` before each: one that begins with `#` or `;` is a name as well.
fn list<'f>(files: impl IntoIterator<Item = &'f Path>) -> Vec<u8> {
    files.into_iter().flat_map(|file| [b"./", file.as_os_str().as_bytes(), b"\0"].concat()).collect()
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new on the side that receives.
    New,
    /// Its content differs, and is replaced.
    Replaced,
    /// Only its times or permissions differ.
    Touched,
    /// It is deleted on the side that receives.
    Deleted,
}

/// A line of rsync about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What happens.
    pub change: Change,
    /// True for a folder.
    pub is_folder: bool,
    /// Its size where it comes from.
    pub size: Bytes,
    /// From the folder.
    pub path: PathBuf,
}

/// Reads what rsync prints: eleven letters, the size, the name (rsync(1), `--itemize-changes`). Lines
/// that are no such line are words for people.
pub fn items(bytes: &[u8]) -> Vec<Item> {
    bytes.split(|byte| *byte == b'\n').filter_map(item).collect()
}

fn item(line: &[u8]) -> Option<Item> {
    let (letters, rest) = line.split_at_checked(11)?;
    let rest = rest.strip_prefix(b" ")?;
    let at = rest.iter().position(|byte| *byte == b' ')?;
    let size = std::str::from_utf8(&rest[..at]).ok()?.parse::<i64>().ok()?;
    let name = rest.get(at + 1..)?;
    let name = unescaped(name);
    if letters.starts_with(b"*deleting") {
        let is_folder = name.ends_with(b"/");
        return Some(Item { change: Change::Deleted, is_folder, size: Bytes(0), path: path(name)? });
    }
    let (update, kind) = (letters[0], letters[1]);
    if !b"<>ch.".contains(&update) || !b"fdLDS".contains(&kind) {
        return None;
    }
    let change = match update {
        _ if letters[2..].iter().all(|letter| *letter == b'+') => Change::New,
        b'.' => Change::Touched,
        _ => Change::Replaced,
    };
    let size = Bytes(u64::try_from(size).unwrap_or(0));
    Some(Item { change, is_folder: kind == b'd', size, path: path(name)? })
}

fn path(name: Vec<u8>) -> Option<PathBuf> {
    let name = name.strip_suffix(b"/").map(<[u8]>::to_vec).unwrap_or(name);
    let path = PathBuf::from(OsString::from_vec(name));
    // The folder itself is no file of it; nothing leads out of it.
    let is_below = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (is_below && !path.as_os_str().is_empty()).then_some(path)
}

/// Rsync writes bytes that it does not print as `\#` and three octal digits; a backslash that would
/// look like one of those, too.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"#").and_then(|after| after.get(..3));
        let code = digits.filter(|_| *first == b'\\').and_then(|digits| {
            digits.iter().try_fold(0u32, |code, digit| Some(code * 8 + (*digit as char).to_digit(8)?))
        });
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &after[4..];
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_about_files_are_read_and_others_are_not() {
        let text = b"sending incremental file list\n>f+++++++++ 12 a b.txt\n<f.st...... 7 dir/c\ncd+++++++++ 4096 dir/\n\
            .d..t...... 4096 ./\n.f...p..... 3 mode\n*deleting   0 old/\n*deleting   0 x\ncLc.t...... 3 link\n\n>f+++++++++ 0 a\\#012b\\#134#012\\x\n";
        let items = items(text);
        let shown: Vec<(Change, bool, &str)> =
            items.iter().map(|item| (item.change, item.is_folder, item.path.to_str().unwrap())).collect();
        assert_eq!(
            shown,
            [
                (Change::New, false, "a b.txt"),
                (Change::Replaced, false, "dir/c"),
                (Change::New, true, "dir"),
                (Change::Touched, false, "mode"),
                (Change::Deleted, true, "old"),
                (Change::Deleted, false, "x"),
                (Change::Replaced, false, "link"),
                (Change::New, false, "a\nb\\#012\\x"),
            ]
        );
        assert_eq!(items[0].size, Bytes(12));
        assert!(super::items(b">f+++++++++ 12 ../up\n>f+++++++++ 12 /abs\n").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_rsync_prints_no_path_leads_out(text in "([<>ch.*][fdLDS][+.a-z]{9} -?[0-9]{0,3} |\\PC{0,20}|[./\\\\#0-7\n]{0,12}){0,8}") {
            for item in items(text.as_bytes()) {
                prop_assert!(item.path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}
