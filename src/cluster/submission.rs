//! How a job was submitted: what `sbatch` was called with.

use serde::{Deserialize, Serialize};

/// A call of `sbatch`, as accounting remembers it (`SubmitLine`, since 21.08).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submission {
    /// The options before the script, each with its value in one word
    /// (`--mem=4G`, `-p` and `ai` become `--partition=ai` or `-pai`).
    pub options: Vec<String>,
    /// The batch script.
    pub script: String,
    /// What the script was given.
    pub arguments: Vec<String>,
}

/// Limits of a cluster that bound what can be submitted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArrayLimits {
    /// Indices are below this (`MaxArraySize`).
    pub size: u32,
    /// An array has at most so many tasks (`max_array_tasks`).
    pub tasks: u32,
}

impl Default for ArrayLimits {
    /// Slurm's own default.
    fn default() -> ArrayLimits {
        ArrayLimits { size: 1001, tasks: 1001 }
    }
}

impl ArrayLimits {
    /// Reads `scontrol show config`; `None` if it does not say.
    pub fn read(text: &str) -> Option<ArrayLimits> {
        let value = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once('='));
            lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
        };
        let size = value("MaxArraySize")?.parse().ok()?;
        let most = value("SchedulerParameters").and_then(|parameters| {
            parameters.split(',').find_map(|one| one.trim().strip_prefix("max_array_tasks="))?.parse().ok()
        });
        Some(ArrayLimits { size, tasks: most.unwrap_or(size).min(size) })
    }
}

/// Options of `sbatch` that take no value, or only one with `=`.
const BARE: [&str; 22] = [
    "--contiguous",
    "--exclusive",
    "--get-user-env",
    "--hold",
    "--ignore-pbs",
    "--kill-on-invalid-dep",
    "--nice",
    "--no-kill",
    "--no-requeue",
    "--oversubscribe",
    "--overcommit",
    "--parsable",
    "--propagate",
    "--quiet",
    "--reboot",
    "--requeue",
    "--spread-job",
    "--use-min-nodes",
    "--verbose",
    "--wait",
    "--stepmgr",
    "--wait-all-nodes",
];
/// Its short options that take none.
const BARE_SHORT: &[u8] = b"HhkOQsvW";
/// Its short options that take a value.
const SHORT: &[u8] = b"AabcCdDeEFGiJLmMnNopqStwx";

/// Options that say which tasks, where not, or when: they belong to one call
/// and not to the next. Held jobs were released one by one, and nobody would
/// release the new ones.
const OF_ONE_CALL: [&str; 13] = [
    "--array",
    "-a",
    "--exclude",
    "-x",
    "--dependency",
    "-d",
    "--begin",
    "-b",
    "--parsable",
    "--hold",
    "-H",
    "--wait",
    "-W",
];

impl Submission {
    /// Reads the words of a call; `None` if it has none that can be told apart:
    /// another program, a wrapped command, quotes, or no script.
    ///
    /// Slurm joins the words by blanks, so a word that had a blank comes back
    /// as two. Whoever uses this looks whether the script is a file.
    pub fn read(line: &str) -> Option<Submission> {
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let program = words.next()?;
        if program.rsplit('/').next() != Some("sbatch") || line.contains(['"', '\'', '\\', '\n']) {
            return None;
        }
        let mut options = Vec::new();
        let script = loop {
            let word = words.next()?;
            if word == "--" {
                break words.next()?;
            } else if let Some(name) = word.strip_prefix("--") {
                if name.starts_with("wrap") || name.starts_with("test-only") {
                    return None;
                }
                if word.contains('=') || BARE.contains(&word) {
                    options.push(word.to_owned());
                } else {
                    options.push(format!("{word}={}", words.next()?));
                }
            } else if let Some(letters) = word.strip_prefix('-') {
                match letters.as_bytes() {
                    [letter] if SHORT.contains(letter) => options.push(format!("{word}{}", words.next()?)),
                    [letter, ..] if SHORT.contains(letter) => options.push(word.to_owned()),
                    [_, ..] if letters.bytes().all(|letter| BARE_SHORT.contains(&letter)) => {
                        options.push(word.to_owned());
                    }
                    _ => return None,
                }
            } else {
                break word;
            }
        };
        Some(Submission { options, script: script.to_owned(), arguments: words.map(str::to_owned).collect() })
    }

    /// The options that hold for another call too, without those named.
    pub fn lasting<'s>(&'s self, without: &'s [&str]) -> impl Iterator<Item = &'s str> {
        self.options.iter().map(String::as_str).filter(move |option| {
            !OF_ONE_CALL.iter().chain(without).any(|name| {
                let is_short = !name.starts_with("--");
                option
                    .strip_prefix(name)
                    .is_some_and(|rest| is_short || rest.is_empty() || rest.starts_with('='))
            })
        })
    }

    /// The memory that it asked for on each node, as `--mem` has it.
    pub fn memory(&self) -> Option<&str> {
        self.option(None, "--mem")
    }

    /// The value of an option, by its short letter or its long name; the last one counts.
    pub fn option(&self, short: Option<char>, long: &str) -> Option<&str> {
        self.options.iter().rev().find_map(|option| match option.strip_prefix("--") {
            Some(_) => option.strip_prefix(long)?.strip_prefix('='),
            None => option.strip_prefix('-')?.strip_prefix(short?),
        })
    }

    /// The options that a batch script gives itself in its `#SBATCH` lines,
    /// which end at the first command; `None` if they cannot be told apart.
    pub fn of_script(text: &str, script: &str) -> Option<Submission> {
        let mut line = "sbatch".to_owned();
        let comments = text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#'));
        for directive in comments.filter_map(|line| line.strip_prefix("#SBATCH")) {
            // What stands behind another `#` is a comment.
            let words = directive.split(" #").next().unwrap_or_default().trim();
            line.push(' ');
            line.push_str(&words.replace('"', ""));
        }
        let own = Submission::read(&format!("{line} -- {}", script.replace([' ', '\'', '"', '\\'], "_")))?;
        Some(Submission { script: script.to_owned(), ..own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_of_sbatch_is_read_as_far_as_its_words_can_be_told_apart() {
        let read =
            Submission::read("sbatch -a 0-199%8 --mem 4G -pai --parsable --hold train.sh --lr 0.1").unwrap();
        assert_eq!(read.options, ["-a0-199%8", "--mem=4G", "-pai", "--parsable", "--hold"]);
        assert_eq!((read.script.as_str(), read.arguments.join(" ")), ("train.sh", "--lr 0.1".to_owned()));
        assert_eq!(read.lasting(&["--mem"]).collect::<Vec<_>>(), ["-pai"]);
        assert_eq!(read.memory(), Some("4G"));
        let read = Submission::read("/usr/bin/sbatch --array=1-3 -- run.sh").unwrap();
        assert_eq!((read.script.as_str(), read.lasting(&[]).count()), ("run.sh", 0));
    }

    #[test]
    fn a_call_whose_script_is_not_told_is_not_guessed_at() {
        for line in [
            "",
            "srun train",
            "sbatch",
            "sbatch --wrap=x",
            "sbatch --wrap sleep 3",
            "sbatch -Z x.sh",
            "sbatch --comment 'a b' x.sh",
            "sbatch --array=1",
            "sbatch -p",
        ] {
            assert_eq!(Submission::read(line), None, "{line}");
        }
    }

    #[test]
    fn the_options_of_a_script_are_those_before_its_first_command() {
        let text = "#!/bin/bash\n#SBATCH -o logs/%A_%a.out # there\n\n# hm\n#SBATCH --mem 4G\ncd x\n#SBATCH --mem=1G\n";
        let read = Submission::of_script(text, "my train.sh").unwrap();
        assert_eq!((read.option(Some('o'), "--output"), read.memory()), (Some("logs/%A_%a.out"), Some("4G")));
        assert_eq!((read.option(Some('e'), "--error"), read.script.as_str()), (None, "my train.sh"));
    }

    #[test]
    fn the_limits_of_arrays_are_read_from_the_clusters_settings() {
        let text =
            "MaxArraySize            = 4001\nSchedulerParameters     = bf_interval=2,max_array_tasks=500\n";
        assert_eq!(ArrayLimits::read(text), Some(ArrayLimits { size: 4001, tasks: 500 }));
        assert_eq!(ArrayLimits::read("MaxArraySize = 1001\n"), Some(ArrayLimits::default()));
        assert_eq!(ArrayLimits::read(""), None);
    }
}
