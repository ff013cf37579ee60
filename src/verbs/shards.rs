//! One look shared out over an array job: what each part takes, the script that
//! runs the parts on the cluster, and how their answers are put together.
//!
//! Made for verbs that read more than one login node should: each task of the
//! array runs the same command with `--shard I/N` and writes JSON lines, a head,
//! one line per item and an end, so that a torn file is seen.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::safety::{self, Unquotable, shell_path, shell_word};
use crate::sys::{self, Spawn, SpawnError, World};
use crate::terms::Digest;

/// The script, with names between `@` that are filled in once.
const TEMPLATE: &str = include_str!("../../templates/shards.sh");
/// The longest line of an answer that is read, in bytes.
const LONGEST_LINE: u64 = 256 << 20;
/// The most parts; the default MaxArraySize of Slurm is 1001.
const MOST: u32 = 100_000;

/// One of several equal parts, printed `3/16`; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shard {
    /// Which one, from 1.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

/// Text that names no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a shard is I/N with I from 1 to N, for example 3/16")]
pub struct NotAShard;

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Shard, NotAShard> {
        let (index, count) = text.split_once('/').ok_or(NotAShard)?;
        let number = |text: &str| text.parse::<u32>().map_err(|_| NotAShard);
        let (index, count) = (number(index)?, number(count)?);
        let is_one = (1..=count).contains(&index) && count <= MOST;
        is_one.then_some(Shard { index, count }).ok_or(NotAShard)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Shard {
    /// True if a path belongs to this part: by a hash of its bytes, so that
    /// every task of the array comes to the same answer by itself.
    pub fn takes(self, path: &Path) -> bool {
        let hash = u32::from_be_bytes(Digest::of(path.as_os_str().as_encoded_bytes()).head());
        hash % self.count == self.index - 1
    }
}

/// Why answers of parts were not put together, or parts not submitted.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// A file of answers cannot be read.
    #[error("cannot read the answers of a shard from {}", safety::escape_path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is none of ours, or of another verb or look.
    #[error("cannot merge {}: {what}", safety::escape_path(path))]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Something in the command cannot be written in a shell script.
    #[error("cannot write the script")]
    Unquotable(#[from] Unquotable),
    /// sbatch is not here, or gave no answer.
    #[error("cannot submit the script")]
    Spawn(#[from] SpawnError),
    /// sbatch said no.
    #[error("sbatch refused the script: {}", safety::one_line(complaint, 300))]
    Refused {
        /// What it said.
        complaint: String,
    },
}

/// A line of an answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<H, T> {
    Shard(Head<H>),
    Item(T),
    End { items: u64 },
}

/// The first line: which part of what.
#[derive(Serialize, Deserialize)]
struct Head<H> {
    /// The verb's word, so that answers of two verbs are not mixed.
    of: String,
    shard: Shard,
    about: H,
}

/// The answer of one part as JSON lines.
///
/// # Errors
/// The data cannot be written as JSON, which is a bug.
pub fn lines<H: Serialize, T: Serialize>(
    of: &str,
    shard: Shard,
    about: &H,
    items: &[T],
) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    let mut line = |line: Line<&H, &T>| -> Result<(), serde_json::Error> {
        out.push_str(&safety::json_line(&serde_json::to_value(&line)?));
        out.push('\n');
        Ok(())
    };
    line(Line::Shard(Head { of: of.to_owned(), shard, about }))?;
    for item in items {
        line(Line::Item(item))?;
    }
    line(Line::End { items: items.len() as u64 })?;
    Ok(out)
}

/// What several parts say together.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged<H, T> {
    /// What each whole or torn part says about itself, by its index.
    pub heads: Vec<H>,
    /// All items, in the order of the parts.
    pub items: Vec<T>,
    /// Parts of which there is no file.
    pub missing: Vec<u32>,
    /// Files that end before their end; their items are among the others.
    pub torn: Vec<PathBuf>,
}

/// Reads the answers of parts, in any order.
///
/// # Errors
/// [`ShardError::Unreadable`] and [`ShardError::Foreign`], the latter also for
/// parts of different looks and for one part twice.
pub fn merge<H: DeserializeOwned, T: DeserializeOwned>(
    of: &str,
    files: &[PathBuf],
) -> Result<Merged<H, T>, ShardError> {
    let mut parts: Vec<(Shard, &PathBuf, Part<H, T>)> = Vec::new();
    for path in files {
        let foreign = |what: String| ShardError::Foreign { path: path.clone(), what };
        let (head, part) = read(of, path)?;
        if let Some((other, ..)) = parts.iter().find(|(other, ..)| other.count != head.count) {
            return Err(foreign(format!("it is part {head}, and others are parts of {}", other.count)));
        }
        if let Some((_, before, _)) = parts.iter().find(|(other, ..)| *other == head) {
            return Err(foreign(format!("it is part {head}, as {} is", safety::escape_path(before))));
        }
        parts.push((head, path, part));
    }
    parts.sort_by_key(|(shard, ..)| shard.index);
    let count = parts.first().map_or(0, |(shard, ..)| shard.count);
    let there: Vec<u32> = parts.iter().map(|(shard, ..)| shard.index).collect();
    let mut merged = Merged {
        heads: Vec::new(),
        items: Vec::new(),
        missing: (1..=count).filter(|index| there.binary_search(index).is_err()).collect(),
        torn: Vec::new(),
    };
    for (_, path, part) in parts {
        merged.heads.push(part.about);
        merged.items.extend(part.items);
        if !part.is_whole {
            merged.torn.push(path.clone());
        }
    }
    Ok(merged)
}

struct Part<H, T> {
    about: H,
    items: Vec<T>,
    is_whole: bool,
}

fn read<H: DeserializeOwned, T: DeserializeOwned>(
    of: &str,
    path: &Path,
) -> Result<(Shard, Part<H, T>), ShardError> {
    let unreadable = |source| ShardError::Unreadable { path: path.to_owned(), source };
    let foreign = |what: &str| ShardError::Foreign { path: path.to_owned(), what: what.to_owned() };
    let file =
        sys::open_regular(path).map_err(unreadable)?.ok_or_else(|| foreign("it is no regular file"))?;
    part_of(of, BufReader::new(file)).map_err(|problem| match problem {
        NoPart::Io(source) => unreadable(source),
        NoPart::Foreign(what) => foreign(what),
    })
}

/// Reads the answer of a part that is already in memory: its items, and true
/// if it is whole. `None` if it is no such answer.
pub fn read_bytes<H: DeserializeOwned, T: DeserializeOwned>(
    of: &str,
    bytes: &[u8],
) -> Option<(Vec<T>, bool)> {
    part_of::<H, T>(of, bytes).ok().map(|(_, part)| (part.items, part.is_whole))
}

/// Why something is no answer of a part.
enum NoPart {
    Io(std::io::Error),
    Foreign(&'static str),
}

fn part_of<H: DeserializeOwned, T: DeserializeOwned>(
    of: &str,
    mut lines: impl BufRead,
) -> Result<(Shard, Part<H, T>), NoPart> {
    let mut text = Vec::new();
    let mut next = |text: &mut Vec<u8>| -> Result<bool, NoPart> {
        text.clear();
        lines.by_ref().take(LONGEST_LINE).read_until(b'\n', text).map_err(NoPart::Io)?;
        Ok(text.ends_with(b"\n"))
    };
    let whole_line = next(&mut text)?;
    let head = match serde_json::from_slice::<Line<H, T>>(&text) {
        Ok(Line::Shard(head)) if whole_line => head,
        _ => return Err(NoPart::Foreign("it does not begin as the answer of a shard does")),
    };
    if head.of != of {
        return Err(NoPart::Foreign("it is the answer to another question"));
    }
    if head.shard.to_string().parse() != Ok(head.shard) {
        return Err(NoPart::Foreign("it names no part that there can be"));
    }
    let mut part = Part { about: head.about, items: Vec::new(), is_whole: false };
    while next(&mut text)? {
        match serde_json::from_slice::<Line<H, T>>(&text) {
            Ok(Line::Item(item)) => part.items.push(item),
            Ok(Line::End { items }) => {
                part.is_whole = items == part.items.len() as u64;
                break;
            }
            Ok(Line::Shard(_)) => return Err(NoPart::Foreign("two answers stand in it")),
            // What comes after a torn line is not believed.
            Err(_) => break,
        }
    }
    Ok((head.shard, part))
}

/// What the script of an array is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The jobs' name.
    pub name: String,
    /// The program and the verb.
    pub verb: Vec<String>,
    /// Its options and what it is to look at, without `--shard` and `--threads`.
    pub options: Vec<String>,
    /// Where the command is run.
    pub dir: PathBuf,
    /// Where answers and logs are written: one folder per array in it.
    pub out: PathBuf,
    /// How many parts.
    pub count: u32,
    /// How many of them may run at once.
    pub at_once: u32,
    /// Threads, and processors, of each.
    pub threads: u16,
}

impl Script {
    /// The script as bash; every word in it is quoted.
    ///
    /// # Errors
    /// [`ShardError::Unquotable`] for what no shell takes safely.
    pub fn text(&self) -> Result<String, ShardError> {
        let out = shell_path(&self.out)?;
        // In the name of a log a percent sign begins a pattern.
        let log = PathBuf::from(self.out.to_string_lossy().replace('%', "%%")).join("slurm-%A_%a.out");
        let count = self.count.to_string();
        let values = [
            ("NAME", shell_word(&self.name)?),
            ("COUNT", count),
            ("AT_ONCE", self.at_once.clamp(1, self.count.max(1)).to_string()),
            ("THREADS", self.threads.to_string()),
            ("LOG", shell_path(&log)?),
            ("DIR", shell_path(&self.dir)?),
            ("OUT", out),
            ("VERB", quoted(&self.verb)?),
            ("OPTIONS", quoted(&self.options)?),
            ("MERGE", self.merge("JOBID")?),
        ];
        Ok(filled(TEMPLATE, &values))
    }

    /// The command that puts the answers of an array together.
    ///
    /// # Errors
    /// [`ShardError::Unquotable`] for what no shell takes safely.
    pub fn merge(&self, job: &str) -> Result<String, ShardError> {
        let files = shell_path(&self.out.join(job))?;
        Ok(format!("{} --merge {files}/shard-*.jsonl", quoted(&self.verb)?))
    }
}

fn quoted(words: &[String]) -> Result<String, Unquotable> {
    Ok(words.iter().map(|word| shell_word(word)).collect::<Result<Vec<_>, _>>()?.join(" "))
}

/// A template with its names filled in, once: what is filled in is not looked at again.
fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut parts = template.split('@');
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut was_name = false;
    for part in parts {
        let value = values.iter().find(|(name, _)| *name == part).map(|(_, value)| value);
        match value {
            Some(value) if !was_name => {
                out.push_str(value);
                was_name = true;
            }
            _ => {
                if !was_name {
                    out.push('@');
                }
                out.push_str(part);
                was_name = false;
            }
        }
    }
    out
}

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submitted {
    /// The array's id.
    pub job: String,
    /// The script.
    pub script: String,
    /// The command that puts the answers together when the array is done.
    pub merge: String,
}

/// Hands a script to sbatch, after making the folder for its logs: without it
/// every task would die at its start.
///
/// # Errors
/// The folder cannot be made, or sbatch is missing or refuses.
pub fn submit(world: &World, script: &Script) -> Result<Submitted, Error> {
    let text = script.text()?;
    world.files.ensure_dir(&script.out)?;
    let mut spawn = Spawn::new("sbatch")
        .arg("--parsable")
        .dir(&script.dir)
        .input(text.clone())
        .limit(Duration::from_secs(60));
    // What a job of ours was started with must not become an option of this one;
    // SBATCH_ variables are the user's own wishes.
    for (name, _) in world.environment.variables() {
        let shown = name.to_string_lossy();
        if shown.starts_with("SLURM_") && shown != "SLURM_CONF" {
            spawn = spawn.unset(name);
        }
    }
    let finished = world.processes.run(&spawn).map_err(ShardError::Spawn)?;
    let answer = finished.text();
    let job = answer.trim().split(';').next().unwrap_or_default();
    if !finished.success() || job.is_empty() || !job.bytes().all(|byte| byte.is_ascii_digit()) {
        let complaint = if finished.complaint().is_empty() { answer } else { finished.complaint() };
        return Err(ShardError::Refused { complaint }.into());
    }
    Ok(Submitted { job: job.to_owned(), merge: script.merge(job)?, script: text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_belongs_to_exactly_one_part() {
        let shard = |index| Shard { index, count: 4 };
        let mut sizes = [0; 4];
        for run in 0..400 {
            let path = PathBuf::from(format!("runs/{run}"));
            let taken: Vec<u32> = (1..=4).filter(|index| shard(*index).takes(&path)).collect();
            assert_eq!(taken.len(), 1, "{path:?}");
            sizes[taken[0] as usize - 1] += 1;
        }
        assert!(sizes.iter().all(|size| *size > 60), "{sizes:?}");
        assert!(Shard { index: 1, count: 1 }.takes(Path::new("x")));
        for wrong in ["0/4", "5/4", "4", "a/b", "1/0", "-1/4", "1/100001"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("3/16".parse::<Shard>().unwrap().to_string(), "3/16");
    }

    #[test]
    fn parts_are_put_together_and_gaps_are_said() {
        let dir = tempfile::tempdir().unwrap();
        let part = |index, items: &[u32]| {
            let path = dir.path().join(format!("{index}.jsonl"));
            let shard = Shard { index, count: 4 };
            std::fs::write(&path, lines("logs", shard, &format!("part {index}"), items).unwrap()).unwrap();
            path
        };
        let (one, two, four) = (part(1, &[10, 11]), part(2, &[20, 21, 22]), part(4, &[]));
        let text = std::fs::read_to_string(&two).unwrap();
        let torn = text.lines().take(3).collect::<Vec<_>>().join("\n");
        std::fs::write(&two, torn).unwrap();
        let merged: Merged<String, u32> = merge("logs", &[four.clone(), two.clone(), one.clone()]).unwrap();
        assert_eq!(merged.heads, ["part 1", "part 2", "part 4"]);
        assert_eq!(merged.items, [10, 11, 20]);
        assert_eq!((merged.missing, merged.torn), (vec![3], vec![two]));
        let twice = merge::<String, u32>("logs", &[one.clone(), one.clone()]).unwrap_err().to_string();
        assert!(twice.contains("it is part 1/4"), "{twice}");
        let other = merge::<String, u32>("sweep-checkpoints", &[one]).unwrap_err().to_string();
        assert!(other.contains("another question"), "{other}");
        std::fs::write(&four, "{}\n").unwrap();
        assert!(merge::<String, u32>("logs", &[four]).is_err());
    }

    #[test]
    fn every_word_of_the_script_is_quoted_and_filled_in_once() {
        let script = Script {
            name: "ckpt $(x)".to_owned(),
            verb: ["/opt/h o/handover", "logs"].map(str::to_owned).to_vec(),
            options: ["--", "it's @DIR@"].map(str::to_owned).to_vec(),
            dir: "/data/a b".into(),
            out: "/data/50% of it".into(),
            count: 8,
            at_once: 100,
            threads: 2,
        };
        let text = script.text().unwrap();
        assert!(text.contains("#SBATCH --job-name='ckpt $(x)'\n"), "{text}");
        assert!(text.contains("#SBATCH --array=1-8%8\n"), "{text}");
        assert!(text.contains("#SBATCH --output='/data/50%% of it/slurm-%A_%a.out'\n"), "{text}");
        assert!(text.contains("cd -- '/data/a b'\n"), "{text}");
        assert!(
            text.contains(r#"logs --threads 2 --shard "$SLURM_ARRAY_TASK_ID/8" -- 'it'\''s @DIR@' >"#),
            "{text}"
        );
        assert!(
            text.contains("'/opt/h o/handover' logs --merge '/data/50% of it/JOBID'/shard-*.jsonl"),
            "{text}"
        );
        let evil = Script { name: "a\nb".to_owned(), ..script };
        assert!(matches!(evil.text(), Err(ShardError::Unquotable(_))));
    }
}
